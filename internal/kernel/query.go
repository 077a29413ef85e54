package kernel

import (
	"math"
	"runtime"
)

// Query is the vector that rows are compared with, in the forms that the
// kernels want. The zero value is ready for Set or SetCode. It is reused from
// query to query and allocates when the dimension grows only. One goroutine at
// a time may use it.
type Query struct {
	metric    Metric
	tier      tier
	dim       int
	exact     bool      // vec holds the query: Set, not SetCode
	vec       []float32 // as given; for cosine divided by its norm
	row       []byte    // the query's own code row
	code      []byte    // what the tier multiplies rows with, see packCode
	k         codeConstants
	s         slackConstants
	list      rowList
	residuals []float32 // of Set
}

// codeConstants turn the integer part and the header of a row into a distance.
// The assembly reads them in this order. With u the query's unsigned codes, b a
// row's codes, I the sum of u*b, and all other names from the row's header:
//
//	T = I - zero*usum - sum*uzero                          exact, modulo 2³²
//	d = base + rr*rrFactor + (mean-qmean)²*devFactor + mean*meanFactor - T*scale*factor
//	max(d, floor)
//
// Every operation is rounded to float32 in the order given, none is fused: so
// the distance is the same on every tier (I3).
type codeConstants struct {
	usum       int32   // sum of (u - uzero)
	uzero      int32   // the query's zero code, unsigned; signed where the tier multiplies signed codes
	factor     float32 // the query's scale; twice that for L2
	qmean      float32
	devFactor  float32 // dim for L2
	rrFactor   float32 // 1 for L2
	base       float32 // the query's rr for L2, 1 for cosine
	meanFactor float32 // -dim*qmean for cosine and dot
	floor      float32 // 0 for L2 and cosine
}

// Dim returns the dimension of the query.
func (q *Query) Dim() int { return q.dim }

// Metric returns the metric of the query.
func (q *Query) Metric() Metric { return q.metric }

// Vector returns the query as Vectors compares it: as given, for cosine divided
// by its norm. It is nil for a query made of codes, must not be changed, and is
// valid until the next Set.
func (q *Query) Vector() []float32 {
	if !q.exact {
		return nil
	}
	return q.vec
}

// Set makes vec the query. It copies what it needs.
func (q *Query) Set(m Metric, vec []float32) {
	sum, squares := sums(vec)
	inv := scaleOf(m, squares)
	q.vec = normalise(vec, inv, q.vec)
	q.row = grow(q.row, CodeStride(len(vec)))
	q.residuals = encodeRow(q.vec, 1, sum*inv, squares, q.row, q.residuals)
	noDirection(inv, q.row)
	q.SetCode(m, len(vec), q.row)
	q.exact = true
}

// SetCode makes a code row of dim codes the query. Codes and Slack work on it,
// Vectors does not. The row is not kept.
func (q *Query) SetCode(m Metric, dim int, row []byte) {
	row = row[:CodeStride(dim)]
	q.metric, q.tier, q.dim, q.exact = m, active, dim, false
	h := parseHeader(row)
	q.code = packCode(q.tier, q.code, row, dim)
	q.k.set(m, dim, &h, codeBias(q.tier))
	q.s.set(m, dim, &h)
}

// set computes the constants of a query whose code row has header h; bias is
// what the tier adds to signed codes.
func (k *codeConstants) set(m Metric, dim int, h *header, bias int32) {
	n := float32(dim)
	*k = codeConstants{
		usum:   h.sum - int32(dim)*h.zero,
		uzero:  h.zero + bias,
		factor: h.scale,
		qmean:  h.mean,
	}
	switch m {
	case L2:
		k.factor *= 2
		k.devFactor, k.rrFactor, k.base = n, 1, h.rr
	case Cosine: // half of the squared distance of unit vectors
		k.devFactor, k.rrFactor, k.base = n/2, 0.5, h.rr/2
	default:
		k.meanFactor, k.floor = -n*h.mean, -math.MaxFloat32
	}
}

// Codes writes the approximate distances of the slots' code rows into out.
// Slack says how far from the exact ones they may be.
func (q *Query) Codes(rows *Rows, slots []uint32, out []float32) {
	out = out[:len(slots)]
	for len(slots) > 0 {
		n := min(len(slots), pieceRows)
		q.list.set(rows, slots[:n], CodeStride(q.dim))
		q.codes(out[:n])
		slots, out = slots[n:], out[n:]
	}
	runtime.KeepAlive(rows)
}

// Vectors writes the exact distances of the slots' float32 rows into out. For
// cosine the norms come from the code rows' headers.
func (q *Query) Vectors(codes, vecs *Rows, slots []uint32, out []float32) {
	if !q.exact {
		panic("kernel: exact distances asked of a query made of codes")
	}
	out = out[:len(slots)]
	for len(slots) > 0 {
		n := min(len(slots), pieceRows)
		if q.metric == Cosine {
			for _, s := range slots[:n] {
				PrefetchRow(codes, s, 1)
			}
		}
		q.list.set(vecs, slots[:n], 4*q.dim)
		q.vectors(out[:n])
		q.finish(codes, slots[:n], out[:n])
		slots, out = slots[n:], out[n:]
	}
	runtime.KeepAlive(vecs)
}

// finish turns dot products into distances.
func (q *Query) finish(codes *Rows, slots []uint32, out []float32) {
	switch q.metric {
	case Dot:
		for i := range out {
			out[i] = -out[i]
		}
	case Cosine:
		for i, s := range slots {
			out[i] = cosineDistance(out[i], getFloat32(codes.Bytes(s), offNorm))
		}
	}
}

// grow returns b resized to n bytes, aligned, its contents unspecified.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return alignedBytes(n)
	}
	return b[:n]
}
