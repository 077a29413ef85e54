package hnsw

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

// chunkBytes is about the size of a chunk: one huge page.
const chunkBytes = 2 << 20

// table holds rows of 32-bit words by number, in chunks that never move. A row
// that was never written is all zeros.
type table struct {
	view   atomic.Pointer[view]
	grow   sync.Mutex // serialises new chunks
	memory *chunks
}

// view is a table as long as it was at one instant. Its chunks are the table's:
// only rows that came later are missing.
type view struct {
	width  int  // words of a row that are used
	stride int  // words from row to row
	shift  uint // 1<<shift rows to a chunk
	chunks [][]uint32
	bytes  *kernel.Rows // the same memory, for prefetching
}

func newTable(width, stride int, memory *chunks) *table {
	v := &view{width: width, stride: stride}
	for stride*4<<(v.shift+1) <= chunkBytes {
		v.shift++
	}
	v.bytes = kernel.NewRows(stride*4, v.shift)
	t := &table{memory: memory}
	t.view.Store(v)
	return t
}

// row returns row i, or nil if the view has none.
func (v *view) row(i uint32) []uint32 {
	c := int(i >> v.shift)
	if c >= len(v.chunks) {
		return nil
	}
	off := int(i&(1<<v.shift-1)) * v.stride
	return v.chunks[c][off : off+v.width]
}

// rows returns how many rows the view has.
func (v *view) rows() uint64 { return uint64(len(v.chunks)) << v.shift }

// row returns row i, which must have been reserved.
func (t *table) row(i uint32) []uint32 { return t.view.Load().row(i) }

// reserve makes rows 0 to n-1 exist.
func (t *table) reserve(n uint64) {
	if t.view.Load().rows() >= n {
		return
	}
	t.grow.Lock()
	defer t.grow.Unlock()
	for {
		v := t.view.Load()
		if v.rows() >= n {
			return
		}
		t.view.Store(v.with(t.memory.zeroed(v.stride<<v.shift, len(v.chunks) == 0)))
	}
}

// with returns the view with one more chunk.
func (v *view) with(words []uint32, bytes []byte) *view {
	next := *v
	next.chunks = append(v.chunks[:len(v.chunks):len(v.chunks)], words)
	next.bytes = v.bytes.With(bytes)
	return &next
}

// adopt fills an empty table with rows as they lie in a file. Whole chunks are
// used where they are, the rest is copied.
func (t *table) adopt(data []byte) {
	v := t.view.Load()
	size := v.stride * 4 << v.shift
	for ; len(data) > 0; data = data[min(size, len(data)):] {
		if len(data) >= size && littleEndian() {
			if words, ok := vfs.Uint32s(data[:size]); ok {
				v = v.with(words, data[:size])
				continue
			}
		}
		words, bytes := t.memory.zeroed(size/4, len(v.chunks) == 0)
		part := data[:min(size, len(data))]
		if from, ok := vfs.Uint32s(part); ok && littleEndian() {
			copy(words, from)
		} else {
			for i := range len(part) / 4 {
				words[i] = binary.LittleEndian.Uint32(part[i*4:])
			}
		}
		v = v.with(words, bytes)
	}
	t.view.Store(v)
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
