package vecio

import (
	"bufio"
	"io"
)

// bin reads rows of one size whose count is known: .fbin and its like, .npy.
type bin struct {
	r    *bufio.Reader
	kind scalar
	dim  int
	rows uint64
	left uint64
	row  rowReader
}

// newBin reads the head of .fbin and its like:
//
//	0      4           8
//	┌──────┬───────────┬─────────────────────────┐
//	│ rows │ dimension │ rows x dimension values │  little-endian
//	│ u32  │ u32       │                         │
//	└──────┴───────────┴─────────────────────────┘
func newBin(r *bufio.Reader, kind scalar) (*bin, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, cut(err)
	}
	n, dim := uint64(le.Uint32(b[:])), uint64(le.Uint32(b[4:]))
	if err := checkDim(dim); err != nil {
		return nil, err
	}
	return &bin{r: r, kind: kind, dim: int(dim), rows: n, left: n}, nil
}

func (b *bin) Dim() int    { return b.dim }
func (b *bin) Rows() int64 { return int64(b.rows) }

func (b *bin) Next() (Row, error) {
	if b.left == 0 {
		return Row{}, mustEnd(b.r)
	}
	v, err := b.row.read(b.r, b.kind, b.dim)
	if err != nil {
		return Row{}, err
	}
	b.left--
	return Row{Vector: v}, nil
}
