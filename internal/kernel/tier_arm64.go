package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// The one-to-many functions of the assembly take the addresses of n rows and
// write one result per row. Meanwhile they fetch the rows that are ahead rows
// later in the list. That of codes wants the last address repeated up to a
// multiple of groupRows, and the query as packSigned writes it.

//go:noescape
func codesNEON(out *float32, rows *uintptr, n, ahead, lines int, q *byte, k *codeConstants, sdot bool)

//go:noescape
func dotNEON(out *float32, rows *uintptr, n, ahead, dim int, q *float32)

//go:noescape
func l2NEON(out *float32, rows *uintptr, n, ahead, dim int, q *float32)

// fetchRows asks for the first lines cache lines of each row.
//
//go:noescape
func fetchRows(rows *uintptr, n, lines int)

// prefetch asks for lines cache lines from the one that p is in.
//
//go:noescape
func prefetch(p unsafe.Pointer, lines int)

func assemblyTiers() []tier {
	if cpu.ARM64.HasASIMDDP {
		return []tier{tierNEON, tierNEONDot}
	}
	return []tier{tierNEON}
}

func assemblyCodes(q *Query, l *rowList, out []float32) {
	codesNEON(unsafe.SliceData(out), &l.rows[0], l.n, l.ahead, l.lines, unsafe.SliceData(q.code), &q.k, q.tier == tierNEONDot)
}

func assemblySlacks(q *Query, l *rowList, out []float32) { portableSlacks(q, l, out) }

// assemblyVectors writes squared distances for L2, dot products otherwise.
func assemblyVectors(_ tier, m Metric, v []float32, rows *uintptr, n, ahead int, out *float32) {
	if m == L2 {
		l2NEON(out, rows, n, ahead, len(v), unsafe.SliceData(v))
		return
	}
	dotNEON(out, rows, n, ahead, len(v), unsafe.SliceData(v))
}

// packCode writes the query form of a code row: for NEON the signed codes as
// they are, zeros for header and padding.
func packCode(t tier, dst, row []byte, dim int) []byte {
	if t == tierGo {
		return packUnsigned(dst, row)
	}
	dst = grow(dst, len(row))
	clear(dst[:headerSize])
	end := headerSize + copy(dst[headerSize:], row[headerSize:headerSize+dim])
	clear(dst[end:])
	return dst
}

// codeBias is added to a row's zero code to get the query's.
func codeBias(t tier) int32 {
	if t == tierGo {
		return unsignedBias
	}
	return 0
}
