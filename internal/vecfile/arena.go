package vecfile

import (
	"errors"

	"github.com/tarndb/tarn/internal/vfs"
)

const (
	hugePage   = 2 << 20
	arenaBytes = 16 * hugePage
)

// arena hands out memory for the rows of chunks, several to a block, so that the
// blocks are whole huge pages whatever the size of a chunk is. Memory that is
// not touched costs nothing. It is freed all at once.
type arena struct {
	blocks []vfs.Block
	free   []byte
}

// take returns n zero bytes that begin on a cache line.
func (a *arena) take(n int) ([]byte, error) {
	n = (n + 63) &^ 63
	if n > len(a.free) {
		size := n
		if n < arenaBytes {
			size = arenaBytes / n * n
		}
		b, err := vfs.HugeAlloc((size + hugePage - 1) &^ (hugePage - 1))
		if err != nil {
			return nil, err
		}
		a.blocks = append(a.blocks, b)
		a.free = b.Bytes()
	}
	p := a.free[:n:n]
	a.free = a.free[n:]
	return p, nil
}

func (a *arena) close() error {
	var errs []error
	for _, b := range a.blocks {
		errs = append(errs, b.Close())
	}
	a.blocks, a.free = nil, nil
	return errors.Join(errs...)
}
