package godoc

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// ReadHalf decodes a gzipped f16bin file: uint32 rows, uint32 dim, then the
// values by row as IEEE half floats, all little endian.
func ReadHalf(r io.Reader) (Matrix, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return Matrix{}, fmt.Errorf("open gzip: %w", err)
	}
	var head [8]byte
	if _, err := io.ReadFull(z, head[:]); err != nil {
		return Matrix{}, fmt.Errorf("read counts: %w", err)
	}
	rows, dim := uint64(binary.LittleEndian.Uint32(head[:])), uint64(binary.LittleEndian.Uint32(head[4:]))
	if dim == 0 || rows > maxValues/dim {
		return Matrix{}, fmt.Errorf("%d x %d values", rows, dim)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return Matrix{}, fmt.Errorf("read values: %w", err)
	}
	if uint64(len(b)) != 2*rows*dim {
		return Matrix{}, fmt.Errorf("%d bytes for %d x %d half floats", len(b), rows, dim)
	}
	m := Matrix{Rows: int(rows), Dim: int(dim), Values: make([]float32, rows*dim)}
	for i := range m.Values {
		m.Values[i] = fromHalf(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return m, z.Close()
}

// fromHalf widens an IEEE half float: 1 bit of sign, 5 of exponent, 10 of fraction.
func fromHalf(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero or subnormal: fraction x 2^-24, exact in float32
		return math.Float32frombits(math.Float32bits(float32(fraction)/(1<<24)) | sign)
	case 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	default:
		return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
	}
}
