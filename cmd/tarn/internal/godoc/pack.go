package godoc

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A packed file, little endian. A value is a signed 10-bit code times its row's
// scale; the upper eight bits of the codes have an entropy near seven bits and
// are Huffman coded, the lower two are noise and stand as they are.
//
//	0       8        12     16     20      24       28       32
//	+-------+--------+------+------+-------+--------+--------+
//	| magic | version| rows | dim  | upper | CRC of | CRC of |   wire format
//	|       |        |      |      | bytes | body   | 0..28  |
//	+-------+--------+------+------+-------+--------+--------+
//	| scales: rows x float32                                 |   body
//	| upper:  deflated, rows x dim x int8  (code >> 2)       |
//	| lower:  rows x dim x 2 bits, four a byte (code & 3)    |
//	+--------------------------------------------------------+
const (
	magic      = "TARNPACK"
	version    = 1
	headerSize = 32
	limit      = 511     // largest code, of either sign
	maxValues  = 1 << 28 // rows x dim of the largest file that is read
)

// ErrFormat says that bytes are not a whole packed file.
var ErrFormat = errors.New("not a whole packed vector file")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Matrix is rows of vectors, one after the other.
type Matrix struct {
	Rows, Dim int
	Values    []float32
}

// Row returns row i. It shares memory with the matrix and cannot grow into the
// next row.
func (m Matrix) Row(i int) []float32 {
	return m.Values[i*m.Dim : (i+1)*m.Dim : (i+1)*m.Dim]
}

// Pack encodes m.
func Pack(m Matrix) ([]byte, error) {
	if m.Dim < 1 || len(m.Values) != m.Rows*m.Dim || len(m.Values) > maxValues {
		return nil, fmt.Errorf("pack %d x %d: %d values", m.Rows, m.Dim, len(m.Values))
	}
	out := make([]byte, headerSize, headerSize+4*m.Rows+2*len(m.Values))
	upper := make([]byte, len(m.Values))
	lower := make([]byte, (len(m.Values)+3)/4)
	for i := range m.Rows {
		scale := scaleOf(m.Row(i))
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(scale))
		for j, v := range m.Row(i) {
			at, code := i*m.Dim+j, codeOf(v, scale)
			upper[at] = byte(code >> 2)
			lower[at/4] |= byte(code&3) << (at % 4 * 2)
		}
	}
	deflated, err := deflate(upper)
	if err != nil {
		return nil, err
	}
	out = append(append(out, deflated...), lower...)
	copy(out, magic)
	binary.LittleEndian.PutUint32(out[8:], version)
	binary.LittleEndian.PutUint32(out[12:], uint32(m.Rows))
	binary.LittleEndian.PutUint32(out[16:], uint32(m.Dim))
	binary.LittleEndian.PutUint32(out[20:], uint32(len(deflated)))
	binary.LittleEndian.PutUint32(out[24:], crc32.Checksum(out[headerSize:], castagnoli))
	binary.LittleEndian.PutUint32(out[28:], crc32.Checksum(out[:28], castagnoli))
	return out, nil
}

// Unpack decodes what Pack encoded; anything else is ErrFormat.
func Unpack(b []byte) (Matrix, error) {
	if len(b) < headerSize || string(b[:8]) != magic {
		return Matrix{}, fmt.Errorf("%w: no header", ErrFormat)
	}
	if got := crc32.Checksum(b[:28], castagnoli); got != binary.LittleEndian.Uint32(b[28:]) {
		return Matrix{}, fmt.Errorf("%w: header checksum", ErrFormat)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return Matrix{}, fmt.Errorf("%w: version %d, this program reads %d", ErrFormat, v, version)
	}
	rows := uint64(binary.LittleEndian.Uint32(b[12:]))
	dim := uint64(binary.LittleEndian.Uint32(b[16:]))
	deflated := uint64(binary.LittleEndian.Uint32(b[20:]))
	if dim == 0 || rows > maxValues/dim {
		return Matrix{}, fmt.Errorf("%w: %d x %d values", ErrFormat, rows, dim)
	}
	n := rows * dim
	if want := headerSize + 4*rows + deflated + (n+3)/4; want != uint64(len(b)) {
		return Matrix{}, fmt.Errorf("%w: %d bytes, the header says %d", ErrFormat, len(b), want)
	}
	if got := crc32.Checksum(b[headerSize:], castagnoli); got != binary.LittleEndian.Uint32(b[24:]) {
		return Matrix{}, fmt.Errorf("%w: checksum", ErrFormat)
	}
	scales, rest := b[headerSize:headerSize+4*rows], b[headerSize+4*rows:]
	upper, err := inflate(rest[:deflated], int(n))
	if err != nil {
		return Matrix{}, err
	}
	return combine(scales, upper, rest[deflated:], int(rows), int(dim)), nil
}

func combine(scales, upper, lower []byte, rows, dim int) Matrix {
	m := Matrix{Rows: rows, Dim: dim, Values: make([]float32, rows*dim)}
	for i := range rows {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(scales[4*i:]))
		for at := i * dim; at < (i+1)*dim; at++ {
			code := int(int8(upper[at]))<<2 | int(lower[at/4]>>(at%4*2)&3)
			m.Values[at] = float32(code) * scale
		}
	}
	return m
}

// scaleOf returns the step that maps the row's largest value to the limit.
func scaleOf(row []float32) float32 {
	var largest float64
	for _, v := range row {
		largest = max(largest, math.Abs(float64(v)))
	}
	return float32(largest / limit)
}

func codeOf(v, scale float32) int {
	if scale == 0 {
		return 0
	}
	return min(max(int(math.Round(float64(v)/float64(scale))), -limit), limit)
}

func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.HuffmanOnly)
	if err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	return out.Bytes(), nil
}

// inflate returns exactly n bytes. The result grows with what is really there:
// n comes from a file and may promise far more than its bytes hold.
func inflate(b []byte, n int) ([]byte, error) {
	var out bytes.Buffer
	got, err := io.Copy(&out, io.LimitReader(flate.NewReader(bytes.NewReader(b)), int64(n)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if got != int64(n) {
		return nil, fmt.Errorf("%w: %d upper bytes for %d values", ErrFormat, got, n)
	}
	return out.Bytes(), nil
}
