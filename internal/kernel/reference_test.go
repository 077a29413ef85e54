package kernel

import (
	"math"
	"math/rand/v2"
)

// reference computes a distance in float64.
func reference(m Metric, a, b []float32) float64 {
	var dot, aa, bb, l2 float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot += x * y
		aa += x * x
		bb += y * y
		l2 += (x - y) * (x - y)
	}
	switch {
	case m == L2:
		return l2
	case m == Dot:
		return -dot
	case aa == 0 || bb == 0:
		return 1
	}
	return max(1-dot/math.Sqrt(aa)/math.Sqrt(bb), 0)
}

// tolerance is how far float32 arithmetic may be from reference.
func tolerance(m Metric, a, b []float32) float64 {
	var aa, bb float64
	for i := range a {
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	rel := (float64(len(a))/4 + 64) * 0x1p-23
	switch m {
	case L2:
		return rel*reference(L2, a, b) + 1e-40
	case Dot:
		return rel*math.Sqrt(aa)*math.Sqrt(bb) + 1e-40
	}
	return rel
}

// shape is a kind of data.
type shape struct {
	name string
	fill func(r *rand.Rand, v []float32)
}

func each(f func(r *rand.Rand, i int) float64) func(*rand.Rand, []float32) {
	return func(r *rand.Rand, v []float32) {
		for i := range v {
			v[i] = float32(f(r, i))
		}
	}
}

var shapes = []shape{
	{"normal", each(func(r *rand.Rand, _ int) float64 { return r.NormFloat64() })},
	{"far from the origin", each(func(r *rand.Rand, _ int) float64 { return 1000 + r.NormFloat64() })},
	{"sparse and positive", each(func(r *rand.Rand, _ int) float64 { return float64(max(0, r.IntN(512)-256)) })},
	{"one large component", each(func(r *rand.Rand, i int) float64 {
		if i == 0 {
			return 100
		}
		return r.NormFloat64() / 100
	})},
	{"tiny", each(func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 1e-12 })},
	{"constant", func(r *rand.Rand, v []float32) {
		c := float32(r.NormFloat64())
		for i := range v {
			v[i] = c
		}
	}},
	{"two values", each(func(r *rand.Rand, _ int) float64 { return float64(r.IntN(2)) })},
}

// table builds code and vector rows of the vectors over chunks of 1<<shift.
func table(m Metric, vecs [][]float32, shift uint) (codes, rows *Rows) {
	dim := len(vecs[0])
	codes, rows = NewRows(CodeStride(dim), shift), NewRows(VectorStride(dim), shift)
	for i, v := range vecs {
		if uint32(i) == codes.Cap() {
			codes = codes.With(alignedBytes(CodeStride(dim) << shift))
			rows = rows.With(alignedBytes(VectorStride(dim) << shift))
		}
		EncodeCode(m, v, codes.Bytes(uint32(i)))
		copy(rows.Float32s(uint32(i), dim), v)
	}
	return codes, rows
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// draw returns n vectors of a shape.
func draw(r *rand.Rand, s shape, n, dim int) [][]float32 {
	vecs := make([][]float32, n)
	for i := range vecs {
		vecs[i] = make([]float32, dim)
		s.fill(r, vecs[i])
	}
	return vecs
}
