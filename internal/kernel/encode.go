package kernel

import (
	"encoding/binary"
	"math"
	"slices"
	"sync/atomic"
	"unsafe"
)

const (
	// MaxNormSquared bounds the squared norm of vectors: below it no distance
	// is NaN, in any metric and in both forms.
	MaxNormSquared = math.MaxFloat32 / 4
	// MinNorm is the smallest norm of a vector whose cosine distances are
	// exact to float32's precision; below it products underflow.
	MinNorm = 0x1p-60

	// codeLevels is the number of steps between the smallest and the largest
	// component. One of 256 codes is left for rounding the zero code.
	codeLevels = 254
	// wideDim is the dimension up to which the integer part of a distance,
	// at most 254²/2 per component, fits in an int32.
	wideDim = 65536

	minCode, maxCode = -128, 127

	// lanes is the number of partial sums of a vector, component i belonging to
	// sum i modulo lanes.
	lanes = 8

	// roundMagic added to a float32 of small magnitude rounds it to an integer,
	// ties to even, as VCVTPS2DQ does.
	roundMagic = 3 << 22
	// minScale is the smallest step whose reciprocal is finite.
	minScale = 0x1p-126
	// upward makes up for rounding a bound to float32.
	upward = 1 + 0x1p-22
)

// EncodeCode writes the code row of a vector, CodeStride(len(vec)) bytes, into
// dst. The vector is finite and not empty. The bytes are the same on every
// machine and tier (I2).
func EncodeCode(m Metric, vec []float32, dst []byte) {
	sum, squares := sums(vec)
	inv := scaleOf(m, squares)
	residuals := takeSpare()
	*residuals = encodeRow(vec, inv, sum*inv, squares, dst, *residuals)
	keepSpare(residuals)
	noDirection(inv, dst)
}

// spares are the residuals of EncodeCode between calls. A sync.Pool forgets some
// under the race detector, where writes are held to allocate nothing too.
var spares [8]atomic.Pointer[[]float32]

func takeSpare() *[]float32 {
	for i := range spares {
		if spares[i].Load() == nil {
			continue
		}
		if s := spares[i].Swap(nil); s != nil {
			return s
		}
	}
	return new([]float32)
}

// keepSpare leaves s to the collector if there are as many already.
func keepSpare(s *[]float32) {
	for i := range spares {
		if spares[i].CompareAndSwap(nil, s) {
			return
		}
	}
}

// noDirection makes the row of the zero vector one at a right angle to all others,
// and to itself.
func noDirection(inv float64, row []byte) {
	if inv == 0 {
		binary.LittleEndian.PutUint32(row[offRR:], math.Float32bits(1))
	}
}

// encodeRow writes the code row of vec times inv, whose components add up to
// sum; norm2 is the squared norm of the vector as given. It returns the residuals,
// in the memory of scratch if that is large enough.
func encodeRow(vec []float32, inv, sum, norm2 float64, dst []byte, scratch []float32) []float32 {
	residuals := slices.Grow(scratch[:0], len(vec))[:len(vec)]
	dst = dst[:CodeStride(len(vec))]
	h := header{
		norm: float32(math.Sqrt(norm2)),
		mean: float32(sum / float64(len(vec))),
	}
	lo, hi, rr := spread(residuals, vec, inv, h.mean)
	h.rnorm = float32(math.Sqrt(rr) * upward)
	h.scale = float32((float64(hi) - float64(lo)) / float64(levels(len(vec))))
	if h.scale < minScale {
		h.scale = 0
	}
	codes := dst[headerSize:]
	squares, missed := quantise(residuals, lo, &h, codes[:len(vec)])
	h.rr = float32(float64(h.scale) * float64(h.scale) * squares)
	h.resid = float32(math.Sqrt(missed) * upward)
	for i := len(vec); i < len(codes); i++ {
		codes[i] = padCode
	}
	h.put(dst)
	return residuals
}

// scaleOf returns what components are multiplied by before they are coded: for
// cosine the inverse of the norm, and 0 for the zero vector, which so becomes
// the vector of no direction, at cosine distance 1 from everything.
func scaleOf(m Metric, squares float64) float64 {
	if m != Cosine {
		return 1
	}
	if squares == 0 {
		return 0
	}
	return 1 / math.Sqrt(squares)
}

// levels returns the number of code steps used at a dimension.
func levels(dim int) int {
	if dim <= wideDim {
		return codeLevels
	}
	return int(codeLevels * math.Sqrt(float64(wideDim)/float64(dim)))
}

// sums returns the sum and the sum of squares of the components in float64, in
// eight lanes, so that vector units can do the same additions in the same
// order. The squares are exact, hence fused or not makes no difference.
func sums(v []float32) (sum, squares float64) {
	var s, q [lanes]float64
	for i := sumBlocks(v, &s, &q); i < len(v); i++ {
		x := float64(v[i])
		s[i%lanes] += x
		q[i%lanes] += x * x
	}
	return fold(&s), fold(&q)
}

// fold adds eight lanes as two halvings of a vector register and one addition.
func fold(l *[lanes]float64) float64 {
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

// residual returns component x, scaled by inv, less the mean. The conversions
// forbid a fused multiplication, by I2.
func residual(x float32, inv float64, mean float32) float32 {
	return float32(float32(float64(x)*inv) - mean)
}

// spread writes the residuals of v, and returns the smallest and the largest and
// their sum of squares.
func spread(residuals, v []float32, inv float64, mean float32) (lo, hi float32, rr float64) {
	var q [lanes]float64
	lo, hi, n := spreadBlocks(residuals, v, inv, mean, &q)
	for i := n; i < len(v); i++ {
		r := residual(v[i], inv, mean)
		residuals[i] = r
		lo, hi = min(lo, r), max(hi, r)
		q[i%lanes] += float64(r) * float64(r)
	}
	return lo, hi, fold(&q)
}

// quantise writes the codes of residuals and the header's zero and sum. It returns
// the sum of the squares of codes less zero, and the squared norm of what the codes
// miss.
//
// All products of float64 are exact, so assembly may fuse them. That of miss is: a
// residual that is half a step or more is a multiple of a quarter of the last bit of
// the step, as is then miss, which is about half a step at most, hence of 26 bits.
func quantise(residuals []float32, lo float32, h *header, codes []byte) (squares, missed float64) {
	step := float32(0)
	if h.scale > 0 {
		step = 1 / h.scale
	}
	h.zero = minCode - roundCode(lo*step)
	var sum [lanes]int32
	var k, q [lanes]float64
	for i := quantiseBlocks(residuals, h, step, codes, &sum, &k, &q); i < len(residuals); i++ {
		r := residuals[i]
		c := min(max(roundCode(r*step)+h.zero, minCode), maxCode)
		codes[i] = byte(c)
		sum[i%lanes] += c
		steps := float64(c - h.zero)
		k[i%lanes] += steps * steps
		miss := float64(r) - float64(h.scale)*steps
		q[i%lanes] += float64(miss * miss)
	}
	for _, s := range sum {
		h.sum += s
	}
	return fold(&k), fold(&q)
}

// roundCode rounds x, of magnitude below 2²¹, to the nearest integer, ties to even.
func roundCode(x float32) int32 {
	return int32(math.Float32bits(float32(x)+roundMagic)) - int32(math.Float32bits(roundMagic))
}

// alignedBytes returns n zero bytes that begin on a cache line.
func alignedBytes(n int) []byte {
	b := make([]byte, n+63)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 63)
	return b[off : off+n : off+n]
}
