package meta

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
)

// Wire format, version 1. Records are grouped in buckets; every value is sealed:
//
//	┌───────────┬──────────────────────────────────────────────────────────────┐
//	│ value ... │ CRC32C over bucket u8, length of key u32, key, value     u32 │
//	└───────────┴──────────────────────────────────────────────────────────────┘
//
//	bucket     key                value
//	meta       "header"           codec.Header: magic, version, uuid
//	           "config"           what the collection says; versioned by it
//	           "checkpoint"       drawn below
//	           "positions"        count u64, sum u64 of the hashes of all positions
//	           "keys"             next id u64, count u64, sum u64 of the hashes of all keys
//	           "commit"           number of the last commit u64
//	live       piece u32 BE       words u64 of slots 65536*piece and on, without the zeros at the end
//	payloads   slot u32 BE        payload
//	positions  "s" source         offset u64
//	keys       key                id u64
//
// All numbers are little-endian but for the keys, which sort by their number.
const version = 1

var magic = [8]byte{'T', 'A', 'R', 'N', 'M', 'E', 'T', '\n'}

var (
	keyHeader     = []byte("header")
	keyConfig     = []byte("config")
	keyCheckpoint = []byte("checkpoint")
	keyPositions  = []byte("positions")
	keyKeys       = []byte("keys")
	keyCommit     = []byte("commit")
)

const sealSize = 4

// seal appends value and its checksum to dst.
func seal(dst []byte, b bucket, key, value []byte) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, value...), sum(b, key, value))
}

// sealed returns value with its checksum.
func sealed(b bucket, key, value []byte) []byte {
	return seal(make([]byte, 0, len(value)+sealSize), b, key, value)
}

// unseal returns the value of a sealed one, which it does not copy.
func unseal(b bucket, key, value []byte) ([]byte, error) {
	n := len(value) - sealSize
	if n < 0 {
		return nil, fmt.Errorf("record %s/%x: %d bytes: %w", bucketNames[b], key, len(value), codec.ErrCorrupt)
	}
	if got, want := sum(b, key, value[:n]), binary.LittleEndian.Uint32(value[n:]); got != want {
		return nil, fmt.Errorf("record %s/%x: checksum %08x, want %08x: %w", bucketNames[b], key, got, want, codec.ErrCorrupt)
	}
	return value[:n:n], nil
}

func sum(b bucket, key, value []byte) uint32 {
	var head [5]byte
	head[0] = byte(b)
	binary.LittleEndian.PutUint32(head[1:], uint32(len(key)))
	return codec.CRCUpdate(codec.CRCUpdate(codec.CRC(head[:]), key), value)
}

// slotKey returns the key of a slot or of a piece.
func slotKey(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// sourceKey returns the key of a source: a key must not be empty, its name may.
func sourceKey(source string) []byte { return append([]byte{'s'}, source...) }

// sourceOf returns the source of a key.
func sourceOf(key []byte) (string, error) {
	if len(key) == 0 || key[0] != 's' {
		return "", fmt.Errorf("position %x: %w", key, codec.ErrCorrupt)
	}
	return string(key[1:]), nil
}

// The checkpoint record:
//
//	0      4     20    28           36       44      48       52            56
//	┌──────┬─────┬─────┬────────────┬────────┬───────┬────────┬─────────────┬───────────────────┐
//	│version uuid│ LSN │ generation │ digest │ slots │ live   │ snapshotCRC │ snapshot: length  │
//	│ u32  │ 16  │ u64 │ u64        │ u64    │ u32   │ u32    │ u32         │ varint, name      │
//	└──────┴─────┴─────┴────────────┴────────┴───────┴────────┴─────────────┴───────────────────┘
//
// live is the number of slots in the live bitmap, whose pieces are records of
// their own: so none can be missing.
const checkpointVersion = 1

func (c *Checkpoint) encode(live uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, checkpointVersion)
	b = append(b, c.UUID[:]...)
	b = binary.LittleEndian.AppendUint64(b, c.LSN)
	b = binary.LittleEndian.AppendUint64(b, c.Generation)
	b = binary.LittleEndian.AppendUint64(b, c.Digest)
	b = binary.LittleEndian.AppendUint32(b, c.Slots)
	b = binary.LittleEndian.AppendUint32(b, live)
	b = binary.LittleEndian.AppendUint32(b, c.SnapshotCRC)
	b = binary.AppendUvarint(b, uint64(len(c.Snapshot)))
	return append(b, c.Snapshot...)
}

// decodeCheckpoint decodes a checkpoint record, but for the live bitmap, of which
// it returns the number of slots.
func decodeCheckpoint(b []byte) (c Checkpoint, live uint32, err error) {
	r := codec.NewCursor(b)
	if v := r.U32(); r.Err() == nil && v != checkpointVersion {
		return c, 0, fmt.Errorf("checkpoint: have version %d, want %d: %w", v, checkpointVersion, codec.ErrVersion)
	}
	copy(c.UUID[:], r.Bytes(len(c.UUID)))
	c.LSN, c.Generation, c.Digest = r.U64(), r.U64(), r.U64()
	c.Slots, live, c.SnapshotCRC = r.U32(), r.U32(), r.U32()
	c.Snapshot = string(block(r))
	if err := done(r); err != nil {
		return Checkpoint{}, 0, fmt.Errorf("checkpoint: %w", err)
	}
	return c, live, nil
}

// encodePiece returns piece i of the set, without the zero words at its end, and
// how many slots are in it.
func encodePiece(set *bitmap.Set, i int) (b []byte, slots uint32) {
	end := 0
	b = make([]byte, 0, bitmap.PieceWords*8)
	for w := range bitmap.PieceWords {
		word := set.Word(i*bitmap.PieceWords + w)
		b = binary.LittleEndian.AppendUint64(b, word)
		if word != 0 {
			end = len(b)
			slots += uint32(bits.OnesCount64(word))
		}
	}
	return b[:end], slots
}

// decodePiece adds piece i to the set.
func decodePiece(set *bitmap.Set, i uint32, b []byte) error {
	if len(b)%8 != 0 || len(b) > bitmap.PieceWords*8 || i >= 1<<32/bitmap.PieceSlots {
		return fmt.Errorf("live piece %d: %d bytes: %w", i, len(b), codec.ErrCorrupt)
	}
	for w := range len(b) / 8 {
		set.SetWord(int(i)*bitmap.PieceWords+w, binary.LittleEndian.Uint64(b[8*w:]))
	}
	return nil
}

// tally sums up positions: how many there are, and a sum of their hashes that
// does not depend on their order.
type tally struct{ count, sum uint64 }

func (t *tally) add(source string, offset uint64) {
	t.count++
	t.sum += positionHash(source, offset)
}

func (t *tally) remove(source string, offset uint64) {
	t.count--
	t.sum -= positionHash(source, offset)
}

func positionHash(source string, offset uint64) uint64 {
	return codec.Hash(binary.LittleEndian.AppendUint64([]byte(source), offset))
}

func (t *tally) encode() []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, t.count), t.sum)
}

func decodeTally(b []byte) (t tally, err error) {
	c := codec.NewCursor(b)
	t.count, t.sum = c.U64(), c.U64()
	return t, done(c)
}

// decodeU64 decodes a value that is one number.
func decodeU64(b []byte) (uint64, error) {
	c := codec.NewCursor(b)
	n := c.U64()
	return n, done(c)
}
