package collection

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// What a backup holds of a collection: blocks of an archive, in this order. Wire
// format, version 1, little-endian.
//
//	kind         block
//	2 config     uuid 16, version u32 = 1, the stored configuration
//	3 graph      the bytes of a graph file, cut anywhere; none without a graph
//	4 moment     drawn below
//	5 positions  per source: length u16, source, offset u64
//	6 rows       drawn below; slots ascend
//	7 done       nothing
//
// moment:
//
//	0     8       12     16     20      24          32          40      44         52
//	┌─────┬───────┬──────┬──────┬───────┬───────────┬───────────┬───────┬──────────┐
//	│ LSN │ slots │ rows │ live │ zero  │ positions │ graph     │ graph │ id of    │
//	│ u64 │ u32   │ u32  │ u32  │ u32   │ u64       │ bytes u64 │ CRC   │ next key │
//	└─────┴───────┴──────┴──────┴───────┴───────────┴───────────┴───────┴──────────┘
//
// rows, n of them:
//
//	┌───────┬──────┬──────────────┬─────────────────────┬────────────────────────────┐
//	│ n u32 │ zero │ n heads      │ n vectors of        │ per row: what is stored    │
//	│       │ u32  │ of 32 bytes  │ dim float32         │ with it, key and payload   │
//	└───────┴──────┴──────────────┴─────────────────────┴────────────────────────────┘
//	head: │ id u64 │ LSN u64 │ slot u32 │ flags u16 │ zero u16 │ stored length u32 │ zero u32 │
//
// A backup keeps the numbers of slots, so that the graph comes along; it leaves
// out codes and checksums, which depend on the vectors and on the uuid of the
// collection that it becomes.
const (
	blockConfig    = 2
	blockGraph     = 3
	blockMoment    = 4
	blockPositions = 5
	blockRows      = 6
	blockDone      = 7

	archiveVersion = 1
	momentSize     = 52
	rowHead        = 32
	rowsHead       = 8

	rowLive    = 1 // else the graph leads over it
	rowPayload = 2
	rowLeft    = 4 // live, and the graph is not known to find it
	rowFlags   = rowLive | rowPayload | rowLeft
)

// archived is what a backup says of its moment.
type archived struct {
	lsn         uint64
	slots, rows uint32
	live        uint32
	positions   uint64
	graphBytes  uint64
	graphCRC    uint32
	nextKey     uint64
}

func (m *archived) encode() []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, m.lsn)
	b = le.AppendUint32(b, m.slots)
	b = le.AppendUint32(b, m.rows)
	b = le.AppendUint32(b, m.live)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, m.positions)
	b = le.AppendUint64(b, m.graphBytes)
	b = le.AppendUint32(b, m.graphCRC)
	return le.AppendUint64(b, m.nextKey)
}

func decodeArchived(b []byte) (m archived, err error) {
	c := codec.NewCursor(b)
	m.lsn, m.slots, m.rows, m.live = c.U64(), c.U32(), c.U32(), c.U32()
	zero := c.U32()
	m.positions, m.graphBytes, m.graphCRC, m.nextKey = c.U64(), c.U64(), c.U32(), c.U64()
	if err := c.Err(); err != nil {
		return m, err
	}
	if zero != 0 || len(b) != momentSize || m.slots == noSlot || m.live > m.rows || m.rows > m.slots || m.lsn >= 1<<63-1 {
		return m, fmt.Errorf("%w: %d slots, %d rows, %d live", codec.ErrCorrupt, m.slots, m.rows, m.live)
	}
	return m, nil
}

// archiveRow is one row; payload is what is stored with it (blob), nil: nothing.
type archiveRow struct {
	id, lsn uint64
	slot    uint32
	live    bool
	left    bool
	payload []byte
}

// putRowHead writes the head of row i of a block.
func putRowHead(block []byte, i int, r *archiveRow) {
	b := block[rowsHead+i*rowHead:][:rowHead]
	clear(b)
	flags := uint16(0)
	if r.live {
		flags |= rowLive
	}
	if r.left {
		flags |= rowLeft
	}
	if r.payload != nil {
		flags |= rowPayload
	}
	binary.LittleEndian.PutUint64(b, r.id)
	binary.LittleEndian.PutUint64(b[8:], r.lsn)
	binary.LittleEndian.PutUint32(b[16:], r.slot)
	binary.LittleEndian.PutUint16(b[20:], flags)
	binary.LittleEndian.PutUint32(b[24:], uint32(len(r.payload)))
}

// rowsVectors returns the vectors of a block of n rows, as numbers in place.
func rowsVectors(block []byte, n, dim int) ([]float32, error) {
	from := rowsHead + n*rowHead
	v, ok := vfs.Float32s(block[from : from+n*dim*4])
	if !ok {
		return nil, fmt.Errorf("%w: vectors that are not aligned", codec.ErrCorrupt)
	}
	return v, nil
}

// decodeRows reads a block of rows. Vectors and payloads are parts of data.
func decodeRows(data []byte, dim int) (rows []archiveRow, vectors []float32, err error) {
	c := codec.NewCursor(data)
	n, zero := c.U32(), c.U32()
	if err := c.Err(); err != nil {
		return nil, nil, err
	}
	if each := int64(rowHead + 4*dim); zero != 0 || int64(n)*each > int64(len(data)-rowsHead) {
		return nil, nil, fmt.Errorf("%w: %d rows in %d bytes", codec.ErrCorrupt, n, len(data))
	}
	heads, blobs := codec.NewCursor(data[rowsHead:rowsHead+int(n)*rowHead]), codec.NewCursor(data[rowsHead+int(n)*(rowHead+4*dim):])
	rows = make([]archiveRow, n)
	for i := range rows {
		r := &rows[i]
		r.id, r.lsn, r.slot = heads.U64(), heads.U64(), heads.U32()
		flags, key, length, zero := heads.U16(), heads.U16(), heads.U32(), heads.U32()
		if flags&^rowFlags != 0 || flags&rowLeft != 0 && flags&rowLive == 0 || key != 0 || zero != 0 || (flags&rowPayload == 0) != (length == 0) || r.lsn == 0 || r.lsn >= 1<<63 {
			return nil, nil, fmt.Errorf("%w: row %d", codec.ErrCorrupt, i)
		}
		r.live, r.left = flags&rowLive != 0, flags&rowLeft != 0
		if flags&rowPayload != 0 {
			r.payload = blobs.Bytes(int(min(length, math.MaxInt32)))
		}
	}
	if blobs.Err() != nil || len(blobs.Rest()) > 0 {
		return nil, nil, fmt.Errorf("%w: payloads of %d rows", codec.ErrCorrupt, n)
	}
	vectors, err = rowsVectors(data, int(n), dim)
	return rows, vectors, err
}

// decodePositions adds the positions of a block to all.
func decodePositions(data []byte, all map[string]uint64) error {
	c := codec.NewCursor(data)
	for len(c.Rest()) > 0 {
		source := string(c.Bytes(int(c.U16())))
		offset := c.U64()
		if _, twice := all[source]; c.Err() == nil && (twice || len(source) > maxSource || !utf8.ValidString(source)) {
			return fmt.Errorf("%w: a source twice, or no name", codec.ErrCorrupt)
		}
		if c.Err() == nil {
			all[source] = offset
		}
	}
	return c.Err()
}
