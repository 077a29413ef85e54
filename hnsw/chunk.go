package hnsw

import (
	"runtime"
	"sync"

	"github.com/tarndb/tarn/internal/vfs"
)

// chunks is where a graph's memory comes from. The first chunk of a table is of
// the heap, which touches no more of it than is used; the others are huge pages.
type chunks struct {
	mu     sync.Mutex
	blocks []vfs.Block
}

// ownedBy gives the memory back when nobody holds g any more. Whoever works in
// it must hold g until it is done; releasing its walk to g does that.
func (c *chunks) ownedBy(g *Graph) {
	runtime.AddCleanup(g, (*chunks).free, c)
}

func (c *chunks) free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.blocks {
		_ = b.Close() // nothing can be done about memory that is not taken back
	}
	c.blocks = nil
}

// zeroed returns n words of zeros and the bytes that they are.
func (c *chunks) zeroed(n int, first bool) ([]uint32, []byte) {
	if !first {
		if block, err := vfs.HugeAlloc(n * 4); err == nil {
			c.mu.Lock()
			c.blocks = append(c.blocks, block)
			c.mu.Unlock()
			words, _ := vfs.Uint32s(block.Bytes())
			return words, block.Bytes()
		}
	}
	b := make([]byte, n*4)
	words, _ := vfs.Uint32s(b)
	return words, b
}
