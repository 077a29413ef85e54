package kernel

import (
	"fmt"
	"math"
	"unsafe"
)

// lineSize is the size of a cache line in bytes. Strides are multiples of it.
const lineSize = 64

// Rows is a table of fixed-size rows in chunks that never move. It is immutable:
// With and Replace return a new table that shares the chunks, so that readers
// keep the one they loaded.
type Rows struct {
	bases  []unsafe.Pointer // first byte of each chunk, for the assembly
	chunks [][]byte         // the same chunks: keeps heap memory alive, bounds for Go
	stride int
	shift  uint
	cap    uint32
}

// NewRows returns an empty table of rows of stride bytes, 1<<shift to a chunk.
func NewRows(stride int, shift uint) *Rows {
	if stride <= 0 || shift > 31 {
		panic(fmt.Sprintf("kernel: rows of %d bytes in chunks of 1<<%d", stride, shift))
	}
	return &Rows{stride: stride, shift: shift}
}

// With returns the table with more chunks. A chunk holds stride<<shift bytes;
// only the last chunk of a table may be shorter, and then nothing follows it.
func (r *Rows) With(chunks ...[]byte) *Rows {
	all := append(r.chunks[:len(r.chunks):len(r.chunks)], chunks...)
	for _, c := range all[max(len(r.chunks)-1, 0):max(len(all)-1, 0)] {
		if len(c) < r.stride<<r.shift {
			panic("kernel: a chunk after a short one")
		}
	}
	return r.build(all)
}

// Replace returns the table with chunk i exchanged, its rows being the same or
// more; readers of the old table go on reading the old chunk.
func (r *Rows) Replace(i int, chunk []byte) *Rows {
	if len(chunk) < len(r.chunks[i])/r.stride*r.stride {
		panic("kernel: a chunk replaced by a shorter one")
	}
	chunks := append([][]byte(nil), r.chunks...)
	chunks[i] = chunk
	return r.build(chunks)
}

// build makes the table of the given chunks.
func (r *Rows) build(chunks [][]byte) *Rows {
	n := &Rows{chunks: chunks, stride: r.stride, shift: r.shift}
	n.bases = make([]unsafe.Pointer, len(chunks))
	slots := uint64(0)
	for i, c := range chunks {
		n.bases[i] = unsafe.Pointer(unsafe.SliceData(c))
		slots += min(uint64(len(c)/r.stride), 1<<r.shift)
	}
	n.cap = uint32(min(slots, math.MaxUint32))
	return n
}

// Cap returns how many slots have memory: those below it.
func (r *Rows) Cap() uint32 { return r.cap }

// Stride returns the size of a row in bytes.
func (r *Rows) Stride() int { return r.stride }

// Shift returns the binary logarithm of the number of slots of a chunk.
func (r *Rows) Shift() uint { return r.shift }

// Chunks returns the number of chunks.
func (r *Rows) Chunks() int { return len(r.chunks) }

// Bytes returns the row of a slot, which must be below Cap. It is the row
// itself, not a copy.
func (r *Rows) Bytes(slot uint32) []byte {
	off := int(slot&(1<<r.shift-1)) * r.stride
	return r.chunks[slot>>r.shift][off : off+r.stride : off+r.stride]
}

// Float32s returns the first dim components of a slot's vector row, in place.
func (r *Rows) Float32s(slot uint32, dim int) []float32 {
	b := r.Bytes(slot)[:dim*4]
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), dim)
}

// row returns the address of the row of a slot below Cap.
func (r *Rows) row(slot uint32) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(r.Bytes(slot)))
}

// VectorStride is the size of a row of dim float32 components: whole cache lines.
func VectorStride(dim int) int { return (dim*4 + lineSize - 1) &^ (lineSize - 1) }

// CodeStride is the size of a row of dim codes and its header: whole cache lines.
func CodeStride(dim int) int { return (headerSize + dim + lineSize - 1) &^ (lineSize - 1) }
