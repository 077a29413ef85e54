package vecio

import (
	"bufio"
	"fmt"
	"io"
	"math"
)

// Written are the formats that Writer knows.
var Written = []string{"npy", "fvecs", "fbin"}

// Writer writes float32 vectors of one dimension.
type Writer struct {
	at     io.WriterAt
	w      *bufio.Writer
	format string
	dim    int
	rows   int
	row    []byte
}

// offset writes behind what was written before.
type offset struct {
	w   io.WriterAt
	off int64
}

func (o *offset) Write(p []byte) (int, error) {
	n, err := o.w.WriteAt(p, o.off)
	o.off += int64(n)
	return n, err
}

// NewWriter begins a file of a format that is one of Written.
func NewWriter(w io.WriterAt, format string, dim int) (*Writer, error) {
	x := &Writer{at: w, w: bufio.NewWriterSize(&offset{w: w}, 1<<20), format: format, dim: dim}
	_, err := x.w.Write(x.head())
	return x, err
}

func (w *Writer) head() []byte {
	switch w.format {
	case "npy":
		return npyHeader(w.rows, w.dim)
	case "fbin":
		return le.AppendUint32(le.AppendUint32(nil, uint32(w.rows)), uint32(w.dim))
	}
	return nil
}

// Write appends a row.
func (w *Writer) Write(v []float32) error {
	if len(v) != w.dim || uint64(w.rows) == math.MaxUint32 {
		return fmt.Errorf("row %d of %d components, not %d", w.rows, len(v), w.dim)
	}
	w.row = w.row[:0]
	if w.format == "fvecs" {
		w.row = le.AppendUint32(w.row, uint32(w.dim))
	}
	for _, x := range v {
		w.row = le.AppendUint32(w.row, math.Float32bits(x))
	}
	w.rows++
	_, err := w.w.Write(w.row)
	return err
}

// Close writes what waits, and how many rows there are.
func (w *Writer) Close() error {
	if err := w.w.Flush(); err != nil {
		return err
	}
	_, err := w.at.WriteAt(w.head(), 0)
	return err
}
