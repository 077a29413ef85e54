package vecio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// KeyKind says how a coder/hnsw file names nodes: its K. The file does not.
type KeyKind string

// IntKeys and the others are what can be read.
const (
	IntKeys    KeyKind = "int"
	StringKeys KeyKind = "string"
	Uint64Keys KeyKind = "uint64"
	Int64Keys  KeyKind = "int64"
	Uint32Keys KeyKind = "uint32"
	Int32Keys  KeyKind = "int32"
)

const (
	maxCoderKey = 1024 // what a collection takes, and so what is worth reading
	coderFormat = 1
)

// coder reads what Graph.Export and SavedGraph.Save of github.com/coder/hnsw v0.6
// write. int is a signed varint, string and vector begin with their length:
//
//	version int │ M int │ Ml float64 │ EfSearch int │ name of the distance │ layers int
//	per layer:  nodes int, per node: key │ vector │ neighbours int, their keys
//
// The lowest layer comes first and holds every node; the others are left alone.
// So are neighbours, of which such files name some that are not there.
type coder struct {
	r    *bufio.Reader
	keys KeyKind
	dim  int
	rows int64
	left int64
	row  rowReader
}

func newCoder(r *bufio.Reader, keys KeyKind) (*coder, error) {
	c := &coder{r: r, keys: keys}
	version, err := c.int()
	if err == nil && version != coderFormat {
		err = fmt.Errorf("%w: version %d of coder/hnsw, known is %d", ErrFormat, version, coderFormat)
	}
	for _, read := range []func() error{
		func() error { _, err := c.int(); return err },
		func() error { _, err := c.fixed(8); return err },
		func() error { _, err := c.int(); return err },
		func() error { _, err := c.string(); return err },
	} {
		if err == nil {
			err = read()
		}
	}
	layers := int64(0)
	if err == nil {
		layers, err = c.int()
	}
	if err == nil && layers > 0 {
		c.rows, err = c.int()
	}
	if err != nil {
		return nil, cut(err)
	}
	if layers < 0 || c.rows < 0 {
		return nil, fmt.Errorf("%w: %d layers, %d nodes", ErrFormat, layers, c.rows)
	}
	c.left = c.rows
	return c, nil
}

func (c *coder) Dim() int    { return c.dim }
func (c *coder) Rows() int64 { return c.rows }

func (c *coder) Next() (Row, error) {
	if c.left == 0 {
		return Row{}, io.EOF
	}
	c.left--
	row, err := c.node()
	return row, cut(err)
}

func (c *coder) node() (row Row, err error) {
	row.Named = true
	if row.ID, row.Key, row.Skip, err = c.key(); err != nil {
		return row, err
	}
	n, err := c.int()
	if err != nil {
		return row, err
	}
	if err := checkDim(uint64(n)); err != nil {
		return row, err
	}
	if row.Vector, err = c.row.read(c.r, f32, int(n)); err != nil {
		return row, err
	}
	c.dim = int(n)
	neighbours, err := c.int()
	if err == nil && neighbours < 0 {
		err = fmt.Errorf("%w: %d neighbours", ErrFormat, neighbours)
	}
	for i := int64(0); i < neighbours && err == nil; i++ {
		_, _, _, err = c.key()
	}
	return row, err
}

// key reads a key; skip says why it names no point.
func (c *coder) key() (id uint64, key, skip string, err error) {
	n := int64(0)
	var b []byte
	switch c.keys {
	case StringKeys:
		key, err = c.string()
		if key == "" && err == nil {
			skip = "its key is empty"
		}
		return 0, key, skip, err
	case Uint64Keys:
		b, err = c.fixed(8)
		return le.Uint64(append(b, make([]byte, 8)...)), "", "", err
	case Uint32Keys:
		b, err = c.fixed(4)
		return uint64(le.Uint32(append(b, make([]byte, 4)...))), "", "", err
	case Int64Keys:
		b, err = c.fixed(8)
		n = int64(le.Uint64(append(b, make([]byte, 8)...)))
	case Int32Keys:
		b, err = c.fixed(4)
		n = int64(int32(le.Uint32(append(b, make([]byte, 4)...))))
	default:
		n, err = c.int()
	}
	if n < 0 {
		skip = fmt.Sprintf("its key is %d: ids begin at 0", n)
	}
	return uint64(n), "", skip, err
}

func (c *coder) int() (int64, error) {
	n, err := binary.ReadVarint(c.r)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return n, err
}

func (c *coder) fixed(n int) ([]byte, error) {
	b := make([]byte, n, 2*n)
	_, err := io.ReadFull(c.r, b)
	return b, err
}

func (c *coder) string() (string, error) {
	n, err := c.int()
	if err != nil {
		return "", err
	}
	if n < 0 || n > maxCoderKey {
		return "", fmt.Errorf("%w: a text of %d bytes; is --keys right?", ErrFormat, n)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(c.r, b)
	return string(b), err
}
