package vecfile

import (
	"fmt"
	"math/bits"

	"github.com/tarndb/tarn/internal/kernel"
)

const (
	defaultChunkBytes = 8 << 20 // of vectors
	minChunkSlots     = 64
	maxChunkSlots     = 65536
	maxShift          = 20 // of a chunk size that a caller asks for, or a header names
)

// MaxDim is the largest dimension that a file can say.
const MaxDim = 1 << 24

// kind is one of the three files of a chunk.
type kind uint8

const (
	vectors kind = iota
	codes
	sidecar
	kinds
)

var suffixes = [kinds]string{vectors: ".vec", codes: ".code", sidecar: ".side"}

// fileName returns the name of a chunk's file: its number in hexadecimal and
// the kind.
func fileName(k kind, chunk uint32) string {
	return fmt.Sprintf("%08x%s", chunk, suffixes[k])
}

// layout is the arithmetic of the slot files of one store. newLayout has checked
// that no offset of any slot overflows an int.
type layout struct {
	dim    int
	metric kernel.Metric
	shift  uint // a chunk has 1<<shift slots
	stride [kinds]int
}

// newLayout returns the layout for vectors of dim components in chunks of slots
// (a power of two; 0: the default for dim), or an error if a file of such a
// chunk does not fit in maxInt bytes.
func newLayout(dim int, metric kernel.Metric, slots int, maxInt uint64) (layout, error) {
	if dim < 1 || dim > MaxDim {
		return layout{}, fmt.Errorf("dimension %d is not in 1..%d", dim, MaxDim)
	}
	l := layout{dim: dim, metric: metric}
	l.stride = [kinds]int{kernel.VectorStride(dim), kernel.CodeStride(dim), sideSize}
	if slots == 0 {
		slots = defaultChunkSlots(l.stride[vectors])
	}
	if slots < 1 || slots&(slots-1) != 0 || slots > 1<<maxShift {
		return layout{}, fmt.Errorf("chunks of %d slots: not a power of two up to %d", slots, 1<<maxShift)
	}
	l.shift = uint(bits.TrailingZeros(uint(slots)))
	for k := range kinds {
		if _, ok := fileSize(uint64(slots), uint64(l.stride[k]), maxInt); !ok {
			return layout{}, fmt.Errorf("chunks of %d rows of %d bytes do not fit in %d bytes", slots, l.stride[k], maxInt)
		}
	}
	return l, nil
}

// fileSize returns the size of a file of rows, and whether it is at most limit.
func fileSize(rows, stride, limit uint64) (uint64, bool) {
	hi, lo := bits.Mul64(rows, stride)
	size, carry := bits.Add64(lo, headerSize, 0)
	return size, hi == 0 && carry == 0 && size <= limit
}

// defaultChunkSlots returns the largest power of two of rows that fit in
// defaultChunkBytes, within bounds.
func defaultChunkSlots(stride int) int {
	slots := maxChunkSlots
	for slots > minChunkSlots && slots > defaultChunkBytes/stride {
		slots /= 2
	}
	return slots
}

// slots returns the number of slots of a chunk.
func (l *layout) slots() uint32 { return 1 << l.shift }

// chunk returns the number of the chunk that holds slot.
func (l *layout) chunk(slot uint32) int { return int(slot >> l.shift) }

// within returns the place of a slot within its chunk.
func (l *layout) within(slot uint32) int { return int(slot & (l.slots() - 1)) }

// first returns the first slot of a chunk.
func (l *layout) first(chunk int) uint64 { return uint64(chunk) << l.shift }

// chunks returns the number of chunks that hold the first n slots.
func (l *layout) chunks(n uint32) int { return int((uint64(n) + uint64(l.slots()) - 1) >> l.shift) }

// end returns the size of a file that holds n rows.
func (l *layout) end(k kind, n int) int64 { return headerSize + int64(n)*int64(l.stride[k]) }

// whole returns the size of a file that holds all rows of its chunk.
func (l *layout) whole(k kind) int64 { return l.end(k, int(l.slots())) }

// rowBytes returns the size of all rows of a chunk.
func (l *layout) rowBytes(k kind) int { return int(l.slots()) * l.stride[k] }

// holds returns how many whole rows a file of size bytes has.
func (l *layout) holds(k kind, size int64) int {
	if size < headerSize {
		return 0
	}
	return int(min((size-headerSize)/int64(l.stride[k]), int64(l.slots())))
}

// row returns the row of a slot in the rows of its chunk.
func (l *layout) row(k kind, rows []byte, slot uint32) []byte {
	off := l.within(slot) * l.stride[k]
	return rows[off : off+l.stride[k] : off+l.stride[k]]
}

// offset returns where in its file the row of a slot begins.
func (l *layout) offset(k kind, slot uint32) int64 { return l.end(k, l.within(slot)) }
