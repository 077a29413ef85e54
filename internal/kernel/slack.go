package kernel

import (
	"math"
	"runtime"
)

// slackConstants are a query's part of the bound on |approximate - exact|.
//
// With r = r^ + e for the row and q = q^ + f for the query, for L2 the codes give
// the squared norm of a^ = q^ - r^ for that of a = q - r, and
//
//	||a|² - |a^|²| <= |a - a^| (|a| + |a^|) <= w (2|a^| + w),  w = |e| + |f|
//
// so the nearer a row, the better it is known; for cosine it is half of that. For
// dot they give <q^,r^> for <q,r>, and by Cauchy and Schwarz
//
//	|<q,r> - <q^,r^>| = |<f,r> + <q^,e>| <= |f||r| + |q^||e|
//
// The rest is float32 rounding, here and in the exact kernels, bounded
// generously: a bound a thousandth too wide costs nothing. With all other names
// from the row's header, the rest (for dot: the bound) is
//
//	dev = |mean - qmean|
//	rnorm*f + resid*q + (rr + dim*dev²)*size + norm*length + dev*centre + least
//
// The assembly reads the constants in this order.
type slackConstants struct {
	qmean  float32
	dim    float32 // 0 but for L2
	f, q   float32 // |f|, |q^|; 0 but for dot
	size   float32 // rounding relative to the squared distance, L2
	length float32 // rounding relative to the product of the norms, dot
	centre float32 // rounding of the means: so residuals do not quite add up to zero
	least  float32 // what depends on the query alone

	miss float32 // |f|
	half float32 // 1 for L2, 0.5 for cosine, 0 for dot: what w (2|a^| + w) counts for
}

func (k *slackConstants) set(m Metric, dim int, h *header) {
	n := float64(dim)
	rounding := (n/4 + 64) * 0x1p-22 // of a sum over the dimension
	miss := 1 + rounding
	// A mean is rounded relatively, and absolutely when it is denormal.
	mean := math.Abs(float64(h.mean))*0x1p-20 + 0x1p-145
	least := n * 0x1p-130 // products that underflow
	*k = slackConstants{qmean: h.mean}
	switch m {
	case L2:
		k.half = 1
		k.dim = float32(dim)
		k.size = float32(2 * rounding)
		k.centre = float32(n * mean)
		least += 2 * rounding * float64(h.rr)
	case Cosine:
		k.half = 0.5
		least += 4 * rounding
	default:
		k.length = float32(rounding * float64(h.norm))
		k.centre = float32(n * 0x1p-145)
		least += n * mean
	}
	k.miss = float32(miss * float64(h.resid))
	if m == Dot {
		k.f = k.miss
		k.q = float32(miss * (float64(h.rnorm) + float64(h.resid)))
	}
	k.least = float32(least)
}

// of returns the bound for a row.
func (k *slackConstants) of(row []byte) float32 {
	dev := abs(getFloat32(row, offMean) - k.qmean)
	size := getFloat32(row, offRR) + k.dim*dev*dev
	return getFloat32(row, offRNorm)*k.f + getFloat32(row, offResid)*k.q + size*k.size +
		getFloat32(row, offNorm)*k.length + dev*k.centre + k.least
}

// widen adds to a row's rounding what its codes miss at an approximate distance.
func (k *slackConstants) widen(rounding, dist, resid float32) float32 {
	w := k.miss + resid*(1+0x1p-20)
	near := float32(math.Sqrt(float64((dist+rounding)/k.half))) * (1 + 0x1p-20)
	return rounding + k.half*w*(2*near+w)*(1+0x1p-20)
}

// Slack returns a bound on the difference between what Codes and what Vectors
// say of a slot.
func (q *Query) Slack(codes *Rows, slot uint32) float32 {
	var dist, slack [1]float32
	q.Bounds(codes, []uint32{slot}, dist[:], slack[:])
	return slack[0]
}

// Bounds is Codes with the Slack of each slot besides.
func (q *Query) Bounds(rows *Rows, slots []uint32, out, slack []float32) {
	out, slack = out[:len(slots)], slack[:len(slots)]
	for len(slots) > 0 {
		n := min(len(slots), pieceRows)
		q.list.set(rows, slots[:n], CodeStride(q.dim))
		q.codes(out[:n])
		q.slacks(slack[:n])
		if q.s.half > 0 {
			for i := range n {
				slack[i] = q.s.widen(slack[i], out[i], q.list.resid(i))
			}
		}
		slots, out, slack = slots[n:], out[n:], slack[n:]
	}
	runtime.KeepAlive(rows)
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
