package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/codec"
)

// Version 1 of the segment layout. Everything in this file is wire format.
const (
	version = 1

	headerBlock = 4096 // frames begin here: no later write touches the header's page
	headerBytes = codec.HeaderSize + 24

	frameHead  = 32
	frameAlign = 8
	frameEnd   = 0x5a // last byte of every frame: zeros left by a short write never complete one
)

var magic = [8]byte{'t', 'a', 'r', 'n', 'w', 'a', 'l', '\n'}

// header begins a segment.
//
//	 0                48          56            64      68       72          4096
//	┌────────────────┬───────────┬─────────────┬───────┬────────┬─ ─ ─ ─ ─ ─┐
//	│ codec.Header   │ first LSN │ predecessor │ zeros │ CRC32C │ zeros      │ frames ...
//	│ magic…uuid…crc │ u64       │ end u64     │ u32   │ u32    │            │
//	└────────────────┴───────────┴─────────────┴───────┴────────┴─ ─ ─ ─ ─ ─┘
//
// The predecessor's end is an offset in the predecessor's file, 0 for the first
// segment of a log: nothing beyond it is read there. The checksum covers bytes 0
// to 67; it is also the seed of all checksums of the segment's frames, so that
// no other segment's bytes, of this log or another, pass for a frame here.
type header struct {
	uuid    [16]byte
	first   uint64
	prevEnd int64
	seed    uint32 // the checksum
}

// encode returns the header's block and sets the seed.
func (h *header) encode() []byte {
	b := codec.Header{Magic: magic, Version: version, UUID: h.uuid}.AppendTo(make([]byte, 0, headerBlock))
	b = binary.LittleEndian.AppendUint64(b, h.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.prevEnd))
	b = binary.LittleEndian.AppendUint32(b, 0)
	h.seed = codec.CRC(b)
	b = binary.LittleEndian.AppendUint32(b, h.seed)
	return b[:headerBlock]
}

// decodeHeader reads a segment's first block.
func decodeHeader(b []byte, uuid [16]byte) (header, error) {
	var h header
	common, err := codec.ParseHeader(b, magic, version)
	if err != nil {
		return h, err
	}
	if common.UUID != uuid {
		return h, fmt.Errorf("header: %w: it belongs to %x, not to %x", codec.ErrCorrupt, common.UUID, uuid)
	}
	if len(b) < headerBlock {
		return h, fmt.Errorf("header: %w: %d bytes, it has %d", codec.ErrCorrupt, len(b), headerBlock)
	}
	c := codec.NewCursor(b[codec.HeaderSize:headerBytes])
	h.uuid = common.UUID
	h.first = c.U64()
	end := c.U64()
	zeros := c.U32()
	h.seed = c.U32()
	if got := codec.CRC(b[:headerBytes-4]); got != h.seed {
		return h, fmt.Errorf("header: %w: its checksum is %08x, its bytes have %08x", codec.ErrCorrupt, h.seed, got)
	}
	h.prevEnd = int64(end)
	if h.first == 0 || end > math.MaxInt64 || zeros != 0 || !allZero(b[headerBytes:headerBlock]) {
		return h, fmt.Errorf("header: %w: fields out of range", codec.ErrCorrupt)
	}
	return h, nil
}

// frame is one record in a segment.
//
//	 0        4         8      16        24     25      28        32
//	┌────────┬─────────┬──────┬─────────┬──────┬───────┬─────────┬─────────┬──────────────┐
//	│ length │ CRC32C  │ LSN  │ durable │ kind │ zeros │ CRC32C  │ payload │ zeros … 0x5a │
//	│ u32    │ payload │ u64  │ LSN u64 │ u8   │ 3     │ of 0-27 │ length  │ 1 to 8       │
//	└────────┴─────────┴──────┴─────────┴──────┴───────┴─────────┴─────────┴──────────────┘
//
// Frames begin at multiples of 8 and follow each other without a gap; the space
// after the last one is zeros. The durable LSN is the highest that was on stable
// storage when the frame was written. The head has a checksum of its own, so that
// its LSNs can be believed when the payload is damaged; it covers the payload's
// checksum, so that payloads cannot change places.
type frame struct {
	lsn     uint64
	durable uint64
	kind    byte
	length  int // of the payload
	sum     uint32
}

// frameSize returns the bytes of a frame with n bytes of payload.
func frameSize(n int) int64 {
	return (int64(frameHead) + int64(n) + 1 + frameAlign - 1) &^ (frameAlign - 1)
}

// headSpace keeps the place of a head.
var headSpace [frameHead]byte

// putHead writes a frame's head into b.
func putHead(b []byte, seed uint32, f frame) {
	le := binary.LittleEndian
	h := le.AppendUint32(b[:0], uint32(f.length))
	h = le.AppendUint32(h, f.sum)
	h = le.AppendUint64(h, f.lsn)
	h = le.AppendUint64(h, f.durable)
	h = append(h, f.kind, 0, 0, 0)
	le.AppendUint32(h, codec.CRCUpdate(seed, h))
}

// frameTail returns what follows n bytes of payload.
func frameTail(n int) []byte {
	pad := int(frameSize(n)) - frameHead - n
	return frameEnds[frameAlign-pad:]
}

var frameEnds = [frameAlign]byte{frameAlign - 1: frameEnd}

// decodeHead reads a frame's head; ok is false if the bytes are none.
func decodeHead(b []byte, seed uint32) (f frame, ok bool) {
	c := codec.NewCursor(b)
	length := c.U32()
	f.sum = c.U32()
	f.lsn = c.U64()
	f.durable = c.U64()
	f.kind = c.U8()
	zeros := c.Bytes(3)
	check := c.U32()
	if c.Err() != nil || check != codec.CRCUpdate(seed, b[:frameHead-4]) {
		return frame{}, false
	}
	if length > MaxRecord || f.lsn == 0 || f.durable >= f.lsn || !allZero(zeros) {
		return frame{}, false
	}
	f.length = int(length)
	return f, true
}

var errFrame = errors.New("not a whole frame")

// payload returns the payload of a frame whose bytes, head included, are b.
func (f frame) payload(b []byte, seed uint32) ([]byte, error) {
	if int64(len(b)) != frameSize(f.length) {
		return nil, errFrame
	}
	p, pad := b[frameHead:frameHead+f.length], b[frameHead+f.length:]
	if codec.CRCUpdate(seed, p) != f.sum || pad[len(pad)-1] != frameEnd || !allZero(pad[:len(pad)-1]) {
		return nil, errFrame
	}
	return p[:len(p):len(p)], nil
}
