package vecio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// vecs reads .fvecs and .bvecs:
//
//	┌───────────┬──────────────────┐
//	│ dimension │ dimension values │  per row, little-endian
//	│ i32       │ float32 or u8    │
//	└───────────┴──────────────────┘
type vecs struct {
	r    *bufio.Reader
	kind scalar
	dim  int
	row  rowReader
}

func (x *vecs) Dim() int    { return x.dim }
func (x *vecs) Rows() int64 { return -1 }

func (x *vecs) Next() (Row, error) {
	var b [4]byte
	if _, err := io.ReadFull(x.r, b[:]); errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	} else if err != nil {
		return Row{}, cut(err)
	}
	dim := uint64(le.Uint32(b[:]))
	if err := checkDim(dim); err != nil {
		return Row{}, err
	}
	if x.dim != 0 && int(dim) != x.dim {
		return Row{}, fmt.Errorf("%w: a row of %d components after rows of %d", ErrFormat, dim, x.dim)
	}
	x.dim = int(dim)
	v, err := x.row.read(x.r, x.kind, x.dim)
	return Row{Vector: v}, err
}
