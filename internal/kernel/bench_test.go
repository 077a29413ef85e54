package kernel

import (
	"fmt"
	"math/bits"
	"testing"
	"unsafe"
)

// listLen is about the number of slots of one hop of a graph search.
const listLen = 32

var benchDims = []int{128, 384, 784, 1536}

// benchTable is a table of half of size bytes to all of it, large ones in huge pages. Its rows
// are copies of one valid row, so that building it is quick.
func benchTable(stride, size int, row []byte) *Rows {
	const hugePage = 2 << 20
	shift := uint(bits.Len(uint(size/stride)) - 1)
	n := stride << shift
	chunk := alignedBytes(n + hugePage)
	chunk = chunk[int(-uintptr(unsafe.Pointer(&chunk[0]))&(hugePage-1)):][:n]
	if n > hugePage {
		hugePages(chunk)
	}
	for i := 0; i < n; i += stride {
		copy(chunk[i:], row)
	}
	return NewRows(stride, shift).With(chunk)
}

// perRow runs call on lists of random slots and reports the time for one row.
func perRow(b *testing.B, rows *Rows, bytes int, call func(slots []uint32, out []float32)) {
	slots := randomSlots(newRand(1), 1<<18, int(rows.Cap()))
	out := make([]float32, listLen)
	at := 0
	for b.Loop() {
		call(slots[at:at+listLen], out)
		at = (at + listLen) % len(slots)
	}
	ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / listLen
	b.ReportMetric(ns, "ns/row")
	b.ReportMetric(float64(bytes)/ns, "GB/s")
	b.ReportMetric(0, "ns/op")
}

var places = []struct {
	name string
	size int
}{{"cached", 20 << 10}, {"random", 768 << 20}}

func BenchmarkOneToMany(b *testing.B) {
	chosen := active
	defer func() { active = chosen }()
	for _, dim := range benchDims {
		vec := draw(newRand(2), shapes[0], 1, dim)[0]
		codes, vecs := table(Cosine, [][]float32{vec}, 0)
		for _, place := range places {
			c := benchTable(CodeStride(dim), place.size, codes.Bytes(0))
			v := benchTable(VectorStride(dim), place.size, vecs.Bytes(0))
			for _, t := range availableTiers() {
				active = t
				name := fmt.Sprintf("dim=%d/%s/%v", dim, place.name, t)
				var q Query
				q.Set(L2, vec)
				b.Run("codes/"+name, func(b *testing.B) {
					perRow(b, c, c.Stride(), func(s []uint32, out []float32) { q.Codes(c, s, out) })
				})
				b.Run("l2/"+name, func(b *testing.B) {
					perRow(b, v, v.Stride(), func(s []uint32, out []float32) { q.Vectors(c, v, s, out) })
				})
			}
		}
	}
}

func BenchmarkSet(b *testing.B) {
	chosen := active
	defer func() { active = chosen }()
	for _, dim := range benchDims {
		vec := draw(newRand(2), shapes[0], 1, dim)[0]
		row := alignedBytes(CodeStride(dim))
		EncodeCode(Cosine, vec, row)
		for _, t := range availableTiers() {
			active = t
			name := fmt.Sprintf("dim=%d/%v", dim, t)
			var q Query
			for _, m := range []Metric{L2, Cosine} {
				b.Run(fmt.Sprintf("encode-%v/%s", m, name), func(b *testing.B) {
					for b.Loop() {
						EncodeCode(m, vec, row)
					}
				})
			}
			b.Run("set/"+name, func(b *testing.B) {
				for b.Loop() {
					q.Set(Cosine, vec)
				}
			})
			b.Run("setcode/"+name, func(b *testing.B) {
				for b.Loop() {
					q.SetCode(Cosine, dim, row)
				}
			})
			b.Run("check/"+name, func(b *testing.B) {
				for b.Loop() {
					Check(vec)
				}
			})
			b.Run("distance/"+name, func(b *testing.B) {
				for b.Loop() {
					Distance(L2, vec, vec)
				}
			})
		}
	}
}
