package vecio

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/tarndb/tarn/cmd/tarn/internal/endable"
)

// MaxDim is the largest dimension that is read.
const MaxDim = 65_536

// ErrFormat: the file is not what its name says, or ends too early.
var ErrFormat = errors.New("not of this format")

// Row is one vector. It is valid until the next call of Next.
type Row struct {
	Vector []float32
	ID     uint64
	Key    string
	Named  bool   // the file says ID or Key
	Skip   string // why it cannot be a point; "": it can
}

// Reader hands out rows.
type Reader interface {
	Next() (Row, error) // io.EOF after the last
	Dim() int           // 0: not known before the first row
	Rows() int64        // -1: not known
}

// Formats are what Open knows, by the end of the file's name.
var Formats = []string{"npy", "fvecs", "bvecs", "fbin", "u8bin", "i8bin", "f16bin", "hnsw"}

// FormatOf returns the format that a file's name ends with, "" for none.
func FormatOf(path string) string {
	path = strings.TrimSuffix(path, ".gz")
	return path[strings.LastIndexByte(path, '.')+1:]
}

// File is an open file of vectors.
type File struct {
	Reader
	f    *os.File
	size int64
	n    *counter
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Open opens a file, or a pipe, of which reads end with ctx; keys says how a coder/hnsw file names nodes.
func Open(ctx context.Context, path, format string, keys KeyKind) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	in := &File{f: f, size: info.Size(), n: &counter{r: f}}
	if !info.Mode().IsRegular() {
		in.n.r = endable.Reader(ctx, f)
	}
	var r io.Reader = in.n
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
	}
	if in.Reader, err = NewReader(bufio.NewReaderSize(r, 1<<20), format, keys); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return in, nil
}

// Progress returns how many bytes of the file were read, and how many it has.
func (f *File) Progress() (done, total int64) { return f.n.n, f.size }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// NewReader reads a format from r.
func NewReader(r *bufio.Reader, format string, keys KeyKind) (Reader, error) {
	switch format {
	case "npy":
		return newNPY(r)
	case "fvecs":
		return &vecs{r: r, kind: f32}, nil
	case "bvecs":
		return &vecs{r: r, kind: u8}, nil
	case "fbin":
		return newBin(r, f32)
	case "u8bin":
		return newBin(r, u8)
	case "i8bin":
		return newBin(r, i8)
	case "f16bin":
		return newBin(r, f16)
	case "hnsw":
		return newCoder(r, keys)
	}
	return nil, fmt.Errorf("%w: %q; known are %s", ErrFormat, format, strings.Join(Formats, ", "))
}

// scalar is a type of component.
type scalar struct {
	size int
	get  func(b []byte) float32
}

var (
	le  = binary.LittleEndian
	f32 = scalar{4, func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }}
	f64 = scalar{8, func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) }}
	f16 = scalar{2, func(b []byte) float32 { return half(le.Uint16(b)) }}
	u8  = scalar{1, func(b []byte) float32 { return float32(b[0]) }}
	i8  = scalar{1, func(b []byte) float32 { return float32(int8(b[0])) }}
)

// half returns an IEEE half float.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, int(h>>10&31), uint32(h&1023)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	case exp > 0:
		return math.Float32frombits(sign | uint32(exp+112)<<23 | frac<<13)
	}
	v := float32(frac) / (1 << 24)
	if sign != 0 {
		return -v
	}
	return v
}

// rowReader reads rows of one type into memory that it uses again.
type rowReader struct {
	raw []byte
	vec []float32
}

func (x *rowReader) read(r io.Reader, kind scalar, dim int) ([]float32, error) {
	if cap(x.raw) < dim*kind.size {
		x.raw, x.vec = make([]byte, dim*kind.size), make([]float32, dim)
	}
	raw, vec := x.raw[:dim*kind.size], x.vec[:dim]
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, cut(err)
	}
	for i := range vec {
		vec[i] = kind.get(raw[i*kind.size:])
	}
	return vec, nil
}

// cut turns an end where there should be none into ErrFormat.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends in the middle of a row", ErrFormat)
	}
	return err
}

func checkDim(dim uint64) error {
	if dim < 1 || dim > MaxDim {
		return fmt.Errorf("%w: a vector of %d components, 1 to %d are read", ErrFormat, dim, MaxDim)
	}
	return nil
}

// mustEnd returns io.EOF at the end of r, else ErrFormat.
func mustEnd(r *bufio.Reader) error {
	switch _, err := r.ReadByte(); {
	case err == nil:
		return fmt.Errorf("%w: it goes on after its last row", ErrFormat)
	default:
		return err
	}
}
