package kernel

import (
	"math"
	"slices"
)

// tinyNorm replaces a norm of zero as a divisor.
const tinyNorm = 0x1p-126

// Distance returns the exact distance, in float32 arithmetic, of two vectors of
// one length. Query.Vectors computes the same to the bit in the same tier.
func Distance(m Metric, a, b []float32) float32 {
	b = b[:len(a)]
	if m == L2 {
		return oneToOne(L2, a, b)
	}
	if m == Dot {
		return -oneToOne(Dot, a, b)
	}
	_, bb := sums(b)
	_, aa := sums(a)
	var stack [512]float32
	unit := normalise(a, scaleOf(Cosine, aa), stack[:0])
	return cosineDistance(oneToOne(Dot, unit, b), float32(math.Sqrt(bb)))
}

// cosineDistance returns 1 - dot/norm for a query of length 1.
func cosineDistance(dot, norm float32) float32 {
	return max(1-dot/max(norm, tinyNorm), 0)
}

// normalise returns v times inv in the memory of dst, if it is large enough.
func normalise(v []float32, inv float64, dst []float32) []float32 {
	dst = slices.Grow(dst[:0], len(v))[:len(v)]
	for i := normaliseBlocks(dst, v, inv); i < len(v); i++ {
		dst[i] = float32(float64(v[i]) * inv)
	}
	return dst
}

// Check returns the sum of squares of v, which float64 holds for every finite
// vector, and the index of the first component that is NaN or infinite, or -1.
func Check(v []float32) (squares float64, bad int) {
	_, squares = sums(v)
	if !math.IsNaN(squares) && !math.IsInf(squares, 0) {
		return squares, -1
	}
	for i, x := range v {
		if x-x != 0 {
			return squares, i
		}
	}
	return squares, -1
}
