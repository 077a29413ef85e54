package hnsw

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/kernel"
)

// heap is the source of an Index: rows in memory, in huge pages where the kernel
// grants them.
//
//	take ──> slots ──put──> float32 row, code row ──> read without locks
type heap struct {
	dim    int
	metric kernel.Metric
	codes  atomic.Pointer[kernel.Rows]
	vecs   atomic.Pointer[kernel.Rows]

	mu     sync.Mutex // guards used, and new chunks
	used   uint32     // slots given out
	memory *chunks
}

func newHeap(dim int, metric kernel.Metric) *heap {
	dim = max(1, dim) // what is wrong New says
	shift := uint(0)
	for kernel.CodeStride(dim)<<(shift+1) <= chunkBytes {
		shift++
	}
	h := &heap{dim: dim, metric: metric, memory: new(chunks)}
	h.codes.Store(kernel.NewRows(kernel.CodeStride(dim), shift))
	h.vecs.Store(kernel.NewRows(kernel.VectorStride(dim), shift))
	runtime.AddCleanup(h, (*chunks).free, h.memory)
	return h
}

func (h *heap) Codes() *kernel.Rows   { return h.codes.Load() }
func (h *heap) Vectors() *kernel.Rows { return h.vecs.Load() }
func (h *heap) Check([]uint32) error  { return nil }

// take gives out n slots, which have memory from then on, and returns the first.
func (h *heap) take(n int) (first uint32, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n > MaxSlots-int(h.used) {
		return 0, fmt.Errorf("%w: an index has at most %d", ErrSlot, MaxSlots)
	}
	first = h.used
	h.used += uint32(n)
	for codes, vecs := h.Codes(), h.Vectors(); codes.Cap() < h.used; codes, vecs = h.Codes(), h.Vectors() {
		h.vecs.Store(vecs.With(h.chunk(vecs)))
		h.codes.Store(codes.With(h.chunk(codes)))
	}
	return first, nil
}

func (h *heap) chunk(r *kernel.Rows) []byte {
	_, b := h.memory.zeroed(r.Stride()<<r.Shift()/4, r.Chunks() == 0)
	return b
}

// slots returns how many slots were given out.
func (h *heap) slots() uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.used
}

// put writes the rows of a slot that was given out and nobody reads yet.
func (h *heap) put(slot uint32, vec []float32) {
	copy(h.Vectors().Float32s(slot, h.dim), vec)
	kernel.EncodeCode(h.metric, vec, h.Codes().Bytes(slot))
}
