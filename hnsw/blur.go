package hnsw

import (
	"context"
	"math"

	"github.com/tarndb/tarn/internal/kernel"
)

// Where vectors are nearer to each other than a step of their codes, the codes order
// them at random: a walk among them goes nowhere, and links chosen by them lead
// nowhere. A walk that finds itself there begins anew by the float32 rows, and an
// insert chooses its links by them.
//
//	beam by codes ──> all it holds within the noise of the codes? ──no──> done
//	                     │ yes, and not simply equal to the query
//	                     └──> beam by float32 rows, from the hubs nearest by these

// settle walks from the entry point to layer 0 and fills the pool there.
func (w *walk) settle(ctx context.Context, g *Graph, q *kernel.Query, limit int, want wanted) error {
	for {
		at, _, ok := w.enter(g, q)
		if !ok {
			w.start(limit, want)
			return ctx.Err()
		}
		near, err := w.approach(ctx, g, q, at)
		if err != nil {
			return err
		}
		w.start(limit, want, near...)
		if err := w.beam(ctx, q, 0, want); err != nil {
			return err
		}
		if w.pool.wanted < limit || !w.sharpen(g, q, len(w.pool.keys)) {
			return nil
		}
	}
}

// sharpen makes the walk exact if the codes do not tell the nearest n of a pool apart,
// and reports whether it did: what was found so far is then one of many at random. q
// is made of a vector.
func (w *walk) sharpen(g *Graph, q *kernel.Query, n int) bool {
	if w.exact || !w.alike(q, n) || !w.differ(g, q, n) {
		return false
	}
	w.exact = true
	return true
}

// alike reports whether the nearest n of a pool lie within the noise of the codes.
func (w *walk) alike(q *kernel.Query, n int) bool {
	keys := w.pool.keys
	n = min(n, len(keys))
	return n > 1 && keyDist(keys[n-1])-keyDist(keys[0]) <= w.noise(q, keySlot(keys[0]))
}

// differ reports whether exact distances may tell what the codes do not: the first and
// the last of the nearest n are not equally far, or they are and something may be
// nearer, as where hundreds of equal vectors hide others that nearly equal them.
func (w *walk) differ(g *Graph, q *kernel.Query, n int) bool {
	keys := w.pool.keys
	slots, dists := w.slots[:2], w.dists[:2]
	slots[0], slots[1] = keySlot(keys[0]), keySlot(keys[min(n, len(keys))-1])
	if g.src.Check(slots) != nil {
		return false // said by rescore
	}
	q.Vectors(w.codes, w.vecs, slots, dists)
	return dists[0] != dists[1] || dists[0] > 0 && q.Metric() != kernel.Dot
}

// noise is by how much the distance by codes is off, other than rarely: the bound
// holds for the worst case, in which the errors of all dimensions add up.
func (w *walk) noise(q *kernel.Query, slot uint32) float32 {
	return q.Slack(w.codes, slot) * min(1, 4/float32(math.Sqrt(float64(q.Dim()))))
}
