package collection

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// recordOps is the kind of the log's frames that hold a batch of operations.
const recordOps = 1

// noSlot stands for "no slot" in records and look-ups. It is never given out.
const noSlot = math.MaxUint32

const (
	opUpsert = 1
	opDelete = 2

	opFixed     = 24
	maxSource   = 1024
	recordFixed = 4 + 2
)

// op is one operation of a record, with everything that applying it needs: which
// slot it fills and which one dies. So a replay looks nothing up.
type op struct {
	id      uint64
	key     string    // with StringKeys; id is a hash of it until it is resolved
	vector  []float32 // nil: a delete
	payload []byte    // JSON, nil: none
	slot    uint32    // given when the LSN is; noSlot for a delete
	old     uint32    // the slot that dies, noSlot: none
}

func (o *op) isDelete() bool { return o.vector == nil }

// position is a place in a source, see From.
type position struct {
	source string
	offset uint64
}

// record is one atomic batch: what one frame of the log holds.
type record struct {
	ops []op
	pos *position // nil: none
}

// recordSize is what encode returns.
func recordSize(r *record, dim int) int {
	n := recordFixed
	if r.pos != nil {
		n += len(r.pos.source) + 8
	}
	for i := range r.ops {
		n += opSize(&r.ops[i], dim)
	}
	return n
}

func opSize(o *op, dim int) int {
	if o.isDelete() {
		return opFixed + len(o.key)
	}
	return opFixed + 4*dim + len(o.payload) + len(o.key)
}

// A record, little-endian. Wire format, version 1.
//
//	+--------+------------+-----------------------+  source length 0xFFFF:
//	| ops u32| source len | source | offset u64   |  no position, nothing follows
//	|        | u16        |        |              |
//	+--------+------------+-----------------------+
//	then per operation:
//	+------+-----+---------+------+------+-----+-------------+
//	| kind | 0   | key len | slot | old  | id  | payload len |  24 bytes
//	| u8   | u8  | u16     | u32  | u32  | u64 | u32         |
//	+------+-----+---------+------+------+-----+-------------+
//	| dim float32 (upsert only) | payload JSON | key |
//	+---------------------------+--------------+-----+
//
// Payload length 0xFFFFFFFF: the point has no payload. Key length 0: the collection
// names points by id.
//
// encode returns a record in parts, the vectors being those of the operations. They
// are valid until the next call.
func (e *encoder) encode(r *record) [][]byte {
	le := binary.LittleEndian
	b, from := slices.Grow(e.fixed[:0], recordSize(r, 0)), 0
	e.parts = e.parts[:0]
	b = le.AppendUint32(b, uint32(len(r.ops)))
	if r.pos == nil {
		b = le.AppendUint16(b, math.MaxUint16)
	} else {
		b = le.AppendUint16(b, uint16(len(r.pos.source)))
		b = append(b, r.pos.source...)
		b = le.AppendUint64(b, r.pos.offset)
	}
	for i := range r.ops {
		o := &r.ops[i]
		b = appendOp(b, o)
		if raw, ok := vfs.Bytes(o.vector); ok {
			e.parts = append(e.parts, b[from:], raw)
			from = len(b)
		} else {
			for _, x := range o.vector {
				b = le.AppendUint32(b, math.Float32bits(x))
			}
		}
		b = append(append(b, o.payload...), o.key...)
	}
	e.parts = append(e.parts, b[from:])
	if cap(b) <= keptBuffer {
		e.fixed = b
	}
	return e.parts
}

// encoder keeps the memory of a record's encoding for the next one.
type encoder struct {
	fixed []byte // all but the vectors
	parts [][]byte
}

// keptBuffer is the largest that is kept.
const keptBuffer = 4 << 20

// appendOp appends what stands before an operation's vector.
func appendOp(dst []byte, o *op) []byte {
	le := binary.LittleEndian
	kind := byte(opUpsert)
	if o.isDelete() {
		kind = opDelete
	}
	n := uint32(len(o.payload))
	if o.payload == nil {
		n = math.MaxUint32
	}
	dst = le.AppendUint16(append(dst, kind, 0), uint16(len(o.key)))
	dst = le.AppendUint32(dst, o.slot)
	dst = le.AppendUint32(dst, o.old)
	dst = le.AppendUint64(dst, o.id)
	return le.AppendUint32(dst, n)
}

// decodeRecord reads what encode wrote. Payloads are copied, so data may
// be reused.
func decodeRecord(data []byte, dim int) (*record, error) {
	c := codec.NewCursor(data)
	n := c.U32()
	r := &record{}
	if s := c.U16(); s != math.MaxUint16 {
		r.pos = &position{source: string(c.Bytes(int(s))), offset: c.U64()}
	}
	if int64(n)*opFixed > int64(len(data)) {
		return nil, fmt.Errorf("record: %w: %d operations in %d bytes", codec.ErrCorrupt, n, len(data))
	}
	r.ops = make([]op, 0, n)
	for range n {
		o, err := decodeOp(c, dim)
		if err != nil {
			return nil, err
		}
		r.ops = append(r.ops, o)
	}
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if rest := len(c.Rest()); rest != 0 {
		return nil, fmt.Errorf("record: %w: %d bytes after the last operation", codec.ErrCorrupt, rest)
	}
	return r, nil
}

func decodeOp(c *codec.Cursor, dim int) (op, error) {
	kind, zero, key := c.U8(), c.U8(), c.U16()
	o := op{slot: c.U32(), old: c.U32(), id: c.U64()}
	n := c.U32()
	if err := c.Err(); err != nil {
		return o, fmt.Errorf("record: %w", err)
	}
	deletes := kind == opDelete && o.slot == noSlot && n == math.MaxUint32
	upserts := kind == opUpsert && o.slot != noSlot
	if zero != 0 || key > maxKey || !deletes && !upserts {
		return o, fmt.Errorf("record: %w: operation of kind %d", codec.ErrCorrupt, kind)
	}
	if deletes {
		o.key = string(c.Bytes(int(key)))
		return o, wrapRecord(c.Err())
	}
	raw := c.Bytes(4 * dim)
	if n != math.MaxUint32 {
		o.payload = append([]byte{}, c.Bytes(int(n))...)
	}
	o.key = string(c.Bytes(int(key)))
	if err := c.Err(); err != nil {
		return o, wrapRecord(err)
	}
	o.vector = make([]float32, dim)
	if into, ok := vfs.Bytes(o.vector); ok {
		copy(into, raw)
		return o, nil
	}
	for i := range o.vector {
		o.vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return o, nil
}

func wrapRecord(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("record: %w", err)
}
