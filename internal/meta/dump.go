package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Wire format, version 1, of a dump: records in one file, written as a whole.
//
//	0              48         56        64        68           ...
//	┌──────────────┬──────────┬─────────┬─────────┬─────────────────────────────────────────┐
//	│ codec.Header │ commit   │ length  │ CRC     │ records: bucket u8, key, sealed value   │
//	│              │ u64      │ u64     │ u32     │ (each a varint length and its bytes)    │
//	└──────────────┴──────────┴─────────┴─────────┴─────────────────────────────────────────┘
//
// length is that of the records, CRC is CRC32C over everything but itself.
const (
	dumpVersion = 1
	dumpHead    = codec.HeaderSize + 20
)

// copyMagic begins the copy of the small records beside a bbolt file, dumpMagic
// a store that is all dump.
var (
	copyMagic = [8]byte{'T', 'A', 'R', 'N', 'C', 'P', 'Y', '\n'}
	dumpMagic = [8]byte{'T', 'A', 'R', 'N', 'D', 'M', 'P', '\n'}
)

// record is one record of a dump, its value sealed.
type record struct {
	bucket     bucket
	key, value []byte
}

// dump builds a dump.
type dump struct{ b []byte }

func newDump(magic [8]byte, uuid [16]byte, commit uint64) *dump {
	d := &dump{codec.Header{Magic: magic, Version: dumpVersion, UUID: uuid}.AppendTo(nil)}
	d.b = binary.LittleEndian.AppendUint64(d.b, commit)
	d.b = append(d.b, make([]byte, 12)...)
	return d
}

func (d *dump) add(b bucket, key, value []byte) {
	d.b = append(d.b, byte(b))
	d.b = append(binary.AppendUvarint(d.b, uint64(len(key))), key...)
	d.b = append(binary.AppendUvarint(d.b, uint64(len(value))), value...)
}

// addAll adds all records of a bucket.
func (d *dump) addAll(r reader, b bucket) error {
	return each(r, b, func(key, value []byte) error {
		d.add(b, key, value)
		return nil
	})
}

// bytes ends the dump and returns it.
func (d *dump) bytes() []byte {
	binary.LittleEndian.PutUint64(d.b[dumpHead-12:], uint64(len(d.b)-dumpHead))
	binary.LittleEndian.PutUint32(d.b[dumpHead-4:], dumpSum(d.b))
	return d.b
}

func dumpSum(b []byte) uint32 {
	return codec.CRCUpdate(codec.CRC(b[:dumpHead-4]), b[dumpHead:])
}

// parseDump decodes a dump; the records are parts of b.
func parseDump(magic [8]byte, b []byte) (h codec.Header, commit uint64, records []record, err error) {
	if h, err = codec.ParseHeader(b, magic, dumpVersion); err != nil {
		return h, 0, nil, err
	}
	c := codec.NewCursor(b)
	c.Bytes(codec.HeaderSize)
	commit = c.U64()
	length, want := c.U64(), c.U32()
	if err := c.Err(); err != nil {
		return h, 0, nil, err
	}
	if there := len(b) - dumpHead; length != uint64(there) {
		return h, 0, nil, fmt.Errorf("%d bytes of records announced, %d there: %w", length, there, codec.ErrCorrupt)
	}
	if got := dumpSum(b); got != want {
		return h, 0, nil, fmt.Errorf("checksum %08x, want %08x: %w", got, want, codec.ErrCorrupt)
	}
	for c.Err() == nil && c.Offset() < len(b) {
		r := record{bucket: bucket(c.U8()), key: block(c), value: block(c)}
		if r.bucket >= buckets {
			return h, 0, nil, fmt.Errorf("offset %d: bucket %d: %w", c.Offset(), r.bucket, codec.ErrCorrupt)
		}
		records = append(records, r)
	}
	return h, commit, records, c.Err()
}

// block reads a varint length and that many bytes, which it does not copy.
func block(c *codec.Cursor) []byte { return c.Bytes(int(min(c.Uvarint(), math.MaxInt))) }

// done returns the cursor's error, or one if bytes are left.
func done(c *codec.Cursor) error {
	if left := c.Rest(); len(left) > 0 {
		return fmt.Errorf("%d bytes too many: %w", len(left), codec.ErrCorrupt)
	}
	return c.Err()
}

// readWhole returns the bytes of a file, as they are on the disk: what an earlier
// process failed to write back is forgotten.
func readWhole(dir vfs.FS, name string) (b []byte, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.DropCache(); err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b = make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}
