package kernel

import (
	"math"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// atTheEdge returns n bytes that end where the memory ends, and begin where it
// begins if before is set: reading one byte too many is a fault.
func atTheEdge(t *testing.T, n int) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	size := (n + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	require.NoError(t, syscall.Mprotect(m[size:], syscall.PROT_NONE))
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(m)) })
	return m[size-n : size : size]
}

func TestI5_NothingIsReadBehindTheLastRow(t *testing.T) {
	onEveryTier(t, func(t *testing.T) {
		codeEdge, vecEdge := atTheEdge(t, 2048), atTheEdge(t, 8192)
		r := newRand(31)
		var q Query
		for _, dim := range someDims() {
			if CodeStride(dim) > len(codeEdge) {
				continue
			}
			vecs := draw(r, shapes[0], 2, dim)
			// Rows as small as can be: vector rows without their padding.
			codes := NewRows(CodeStride(dim), 0).With(codeEdge[len(codeEdge)-CodeStride(dim):])
			rows := NewRows(4*dim, 0).With(vecEdge[len(vecEdge)-4*dim:])
			for _, m := range metrics {
				EncodeCode(m, vecs[1], codes.Bytes(0))
				copy(rows.Float32s(0, dim), vecs[1])
				q.Set(m, vecs[0])
				checkQuery(t, &q, vecs[1:], vecs[0], codes, rows, []uint32{0})
			}
		}
	})
}

func TestAFaultInMappedRowsIsAPanicThatCanBeRecovered(t *testing.T) {
	page := syscall.Getpagesize()
	gone, err := syscall.Mmap(-1, 0, page, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	defer func() { require.NoError(t, syscall.Munmap(gone)) }()
	vec := draw(newRand(33), shapes[0], 1, 100)[0]
	onEveryTier(t, func(t *testing.T) {
		debug.SetPanicOnFault(true) // of this goroutine, which ends with the test
		codes, rows := NewRows(CodeStride(100), 2).With(gone), NewRows(VectorStride(100), 2).With(gone)
		slots, out := []uint32{0, 1, 2, 3, 0}, make([]float32, 5)
		var q Query
		q.Set(L2, vec)
		require.Panics(t, func() { q.Codes(codes, slots, out) })
		require.Panics(t, func() { q.Bounds(codes, slots, out, out) })
		require.Panics(t, func() { q.Vectors(codes, rows, slots, out) })
		require.Panics(t, func() { q.SetCode(L2, 100, codes.Bytes(0)) })
		// The query is as good as before.
		q.Set(L2, vec)
		good, _ := table(L2, [][]float32{vec}, 2)
		q.Codes(good, slots[:1], out)
		require.Less(t, out[0], q.Slack(good, 0))
	})
}

func TestI5_NothingIsReadOrWrittenBehindAVector(t *testing.T) {
	onEveryTier(t, func(t *testing.T) {
		a, b, row := atTheEdge(t, 4096), atTheEdge(t, 4096), atTheEdge(t, 2048)
		floats := func(m []byte, dim int) []float32 {
			m = m[len(m)-4*dim:]
			return unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), dim)
		}
		r := newRand(32)
		var q Query
		for dim := 1; dim <= 300; dim++ {
			x, y := floats(a, dim), floats(b, dim)
			shapes[0].fill(r, x)
			shapes[0].fill(r, y)
			for _, m := range metrics {
				require.InDelta(t, reference(m, x, y), Distance(m, x, y), tolerance(m, x, y))
				EncodeCode(m, x, row[len(row)-CodeStride(dim):])
				q.Set(m, x)
				q.SetCode(m, dim, row[len(row)-CodeStride(dim):])
			}
			_, bad := Check(x)
			require.Equal(t, -1, bad)
		}
	})
}

func TestI5_TheLoopsOfEncodingWriteNothingBehindWhatTheyAreGiven(t *testing.T) {
	onEveryTier(t, func(t *testing.T) {
		a, b, c := atTheEdge(t, 4096), atTheEdge(t, 4096), atTheEdge(t, 512)
		floats := func(m []byte, dim int) []float32 {
			m = m[len(m)-4*dim:]
			return unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), dim)
		}
		r := newRand(34)
		for dim := 1; dim <= 300; dim++ {
			x, residuals, codes := floats(a, dim), floats(b, dim), c[len(c)-dim:]
			shapes[0].fill(r, x)
			_, squares := sums(x)
			require.Len(t, normalise(x, 1/math.Sqrt(squares), residuals), dim)
			lo, hi, _ := spread(residuals, x, 1, 0)
			h := header{scale: (hi - lo) / codeLevels}
			quantise(residuals, lo, &h, codes)
		}
	})
}
