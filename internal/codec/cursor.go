package codec

import (
	"encoding/binary"
	"fmt"
)

// Cursor reads little-endian values from a slice. Its first error sticks: later
// reads return zeros, so a decoder asks Err once, at its end.
type Cursor struct {
	b   []byte
	off int
	err error
}

// NewCursor returns a cursor at the start of b, which it does not copy.
func NewCursor(b []byte) *Cursor { return &Cursor{b: b} }

// Bytes returns the next n bytes, a part of the slice, or nil if there are fewer.
func (c *Cursor) Bytes(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || n > len(c.b)-c.off {
		c.err = fmt.Errorf("%w: %d bytes wanted at offset %d of %d", ErrCorrupt, n, c.off, len(c.b))
		return nil
	}
	c.off += n
	return c.b[c.off-n : c.off : c.off]
}

// U8 returns the next byte.
func (c *Cursor) U8() uint8 {
	if b := c.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 returns the next 2 bytes.
func (c *Cursor) U16() uint16 {
	if b := c.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 returns the next 4 bytes.
func (c *Cursor) U32() uint32 {
	if b := c.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 returns the next 8 bytes.
func (c *Cursor) U64() uint64 {
	if b := c.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Uvarint returns the next unsigned varint.
func (c *Cursor) Uvarint() uint64 {
	if c.err != nil {
		return 0
	}
	v, n := binary.Uvarint(c.b[c.off:])
	if n <= 0 {
		c.err = fmt.Errorf("%w: no varint at offset %d of %d", ErrCorrupt, c.off, len(c.b))
		return 0
	}
	c.off += n
	return v
}

// Offset returns how many bytes were read.
func (c *Cursor) Offset() int { return c.off }

// Rest returns the bytes not read yet, nil after an error.
func (c *Cursor) Rest() []byte {
	if c.err != nil {
		return nil
	}
	return c.b[c.off:]
}

// Err returns the first error.
func (c *Cursor) Err() error { return c.err }
