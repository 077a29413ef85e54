package wal

import (
	"errors"
	"fmt"
	"io"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// windowAhead is how much a window reads at once.
const windowAhead = 256 << 10

// window reads a file from front to back through one buffer. The buffer grows to
// the longest piece that was asked for, never above what the file holds.
type window struct {
	f    vfs.File
	size int64 // of the file
	buf  []byte
	at   int64 // where buf begins in the file
}

// bytes returns n bytes from off, valid until the next call; the caller has
// compared them with size.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	if skip := off - w.at; skip >= 0 && skip+int64(n) <= int64(len(w.buf)) {
		return w.buf[skip : skip+int64(n)], nil
	}
	return w.exactly(off, n, int(min(w.size-off, int64(max(n, windowAhead)))))
}

// exactly reads want bytes from off, of which it returns n.
func (w *window) exactly(off int64, n, want int) ([]byte, error) {
	if want < n {
		return nil, fmt.Errorf("offset %d: %w: %d bytes wanted, the file has %d", off, codec.ErrCorrupt, n, w.size)
	}
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.at = w.buf[:want], off
	got, err := w.f.ReadAt(w.buf, off)
	if got == want {
		return w.buf[:n], nil
	}
	w.buf = w.buf[:0]
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("offset %d: %w: the file became shorter", off, codec.ErrCorrupt)
	}
	return nil, fmt.Errorf("offset %d: %w", off, err)
}
