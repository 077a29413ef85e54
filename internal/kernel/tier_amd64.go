package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// The one-to-many functions of the assembly take the addresses of n rows,
// repeat the last one up to a multiple of groupRows, and write one result per
// row. Meanwhile they fetch the rows that are ahead rows later in the list.

// Codes: lines is the number of cache lines of a row, q the packed query, k its
// constants.

//go:noescape
func codesAVX2(out *float32, rows *uintptr, n, ahead, lines int, q *byte, k *codeConstants)

//go:noescape
func codesAVX512(out *float32, rows *uintptr, n, ahead, lines int, q *byte, k *codeConstants)

//go:noescape
func codesVNNI(out *float32, rows *uintptr, n, ahead, lines int, q *byte, k *codeConstants)

// slacksAVX2 writes the error bounds of code rows.
//
//go:noescape
func slacksAVX2(out *float32, rows *uintptr, n int, k *slackConstants)

// Vectors: dot products, or squared distances, of dim components.

//go:noescape
func dotAVX2(out *float32, rows *uintptr, n, ahead, dim int, q *float32)

//go:noescape
func dotAVX512(out *float32, rows *uintptr, n, ahead, dim int, q *float32)

//go:noescape
func l2AVX2(out *float32, rows *uintptr, n, ahead, dim int, q *float32)

//go:noescape
func l2AVX512(out *float32, rows *uintptr, n, ahead, dim int, q *float32)

// fetchRows asks for the first lines cache lines of each row.
//
//go:noescape
func fetchRows(rows *uintptr, n, lines int)

// prefetch asks for lines cache lines from the one that p is in.
//
//go:noescape
func prefetch(p unsafe.Pointer, lines int)

func assemblyTiers() (tiers []tier) {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA || !x.HasBMI2 {
		return nil
	}
	tiers = append(tiers, tierAVX2)
	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512VL {
		return tiers
	}
	tiers = append(tiers, tierAVX512)
	if x.HasAVX512VNNI {
		tiers = append(tiers, tierVNNI)
	}
	return tiers
}

func assemblyCodes(q *Query, l *rowList, out []float32) {
	o, rows, code := unsafe.SliceData(out), &l.rows[0], unsafe.SliceData(q.code)
	switch q.tier {
	case tierAVX2:
		codesAVX2(o, rows, l.n, l.ahead, l.lines, code, &q.k)
	case tierAVX512:
		codesAVX512(o, rows, l.n, l.ahead, l.lines, code, &q.k)
	default:
		codesVNNI(o, rows, l.n, l.ahead, l.lines, code, &q.k)
	}
}

func assemblySlacks(q *Query, l *rowList, out []float32) {
	slacksAVX2(unsafe.SliceData(out), &l.rows[0], l.n, &q.s)
}

// assemblyVectors writes squared distances for L2, dot products otherwise.
func assemblyVectors(t tier, m Metric, v []float32, rows *uintptr, n, ahead int, out *float32) {
	switch q, dim := unsafe.SliceData(v), len(v); {
	case t == tierAVX2 && m == L2:
		l2AVX2(out, rows, n, ahead, dim, q)
	case t == tierAVX2:
		dotAVX2(out, rows, n, ahead, dim, q)
	case m == L2:
		l2AVX512(out, rows, n, ahead, dim, q)
	default:
		dotAVX512(out, rows, n, ahead, dim, q)
	}
}
