package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tarndb/tarn/internal/kernel"
)

// BenchmarkKernel compares a query with lists of 32 slots, about one hop of a
// graph search, of a table that no cache holds.
func BenchmarkKernel(b *testing.B) {
	const list, size = 32, 256 << 20
	tier, _ := kernel.Tier()
	for _, dim := range []int{128, 384, 768, 1536} {
		r := rand.New(rand.NewPCG(1, uint64(dim)))
		vec := make([]float32, dim)
		for i := range vec {
			vec[i] = float32(r.NormFloat64())
		}
		var q kernel.Query
		q.Set(kernel.L2, vec)
		code := make([]byte, kernel.CodeStride(dim))
		kernel.EncodeCode(kernel.L2, vec, code)
		codes := manyRows(kernel.CodeStride(dim), size, code)
		vecs := manyRows(kernel.VectorStride(dim), size, make([]byte, kernel.VectorStride(dim)))
		out := make([]float32, list)
		run := func(name string, rows *kernel.Rows, call func(slots []uint32)) {
			slots := make([]uint32, list<<12)
			for i := range slots {
				slots[i] = r.Uint32N(rows.Cap())
			}
			b.Run(fmt.Sprintf("%s/dim=%d/tier=%s", name, dim, tier), func(b *testing.B) {
				at := 0
				for b.Loop() {
					call(slots[at : at+list])
					at = (at + list) % len(slots)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/list, "ns/row")
			})
		}
		run("codes", codes, func(slots []uint32) { q.Codes(codes, slots, out) })
		run("float32", vecs, func(slots []uint32) { q.Vectors(codes, vecs, slots, out) })
	}
}

// manyRows returns a table of about size bytes whose rows are all the same.
func manyRows(stride, size int, row []byte) *kernel.Rows {
	const shift = 12
	rows := kernel.NewRows(stride, shift)
	for at := 0; at < size; at += stride << shift {
		chunk := make([]byte, stride<<shift)
		for i := 0; i < len(chunk); i += stride {
			copy(chunk[i:], row)
		}
		rows = rows.With(chunk)
	}
	return rows
}
