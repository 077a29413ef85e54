package kernel

import (
	"fmt"
	"unsafe"
)

const (
	// pieceRows is the most rows that one assembly call handles: a goroutine
	// cannot be preempted inside, and a collection of garbage waits for it.
	pieceRows = 512
	// groupRows is the number of rows that assembly handles at once.
	groupRows = 4
	// aheadLines is about the number of cache lines asked for ahead of use:
	// measured to keep a memory busy whose latency is two hundred nanoseconds,
	// and small against a second-level cache.
	aheadLines = 224
)

// rowList is a piece of a list of slots, resolved to addresses. The memory is
// kept alive by the Rows they come from.
type rowList struct {
	rows  [pieceRows]uintptr
	n     int // rows; up to a multiple of groupRows the last is repeated
	lines int // cache lines of a row
	ahead int // how many rows before its turn a row is fetched
}

// set resolves slots, at most pieceRows, to rows of which rowBytes are read, and
// fetches those due first.
func (l *rowList) set(rows *Rows, slots []uint32, rowBytes int) {
	if rowBytes > rows.stride {
		panic(fmt.Sprintf("kernel: rows of %d bytes where %d are needed", rows.stride, rowBytes))
	}
	shift, mask, stride := rows.shift&31, uint32(1)<<(rows.shift&31)-1, uintptr(rows.stride)
	for i, s := range slots {
		if s >= rows.cap {
			panic(fmt.Sprintf("kernel: slot %d of %d", s, rows.cap))
		}
		l.rows[i] = uintptr(rows.bases[s>>shift]) + uintptr(s&mask)*stride
	}
	l.n = len(slots)
	for i := l.n; i%groupRows != 0; i++ {
		l.rows[i] = l.rows[l.n-1]
	}
	l.lines = (rowBytes + lineSize - 1) / lineSize
	l.ahead = max(groupRows, min(64, aheadLines/l.lines/groupRows*groupRows))
	fetchRows(&l.rows[0], min(l.n, l.ahead), l.lines)
}

// row returns the address of row i.
func (l *rowList) row(i int) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&l.rows[i])) }

// resid returns what the codes of row i miss.
func (l *rowList) resid(i int) float32 {
	return *(*float32)(unsafe.Add(l.row(i), offResid))
}
