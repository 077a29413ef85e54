package hnsw

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// Search appends to out[:0] up to k slots nearest to q, nearest first, with
// their exact distances: those of the graph that are in live (nil: all) and in
// filter (nil: all). The beam is max(ef, k) wide. q is only read.
func (g *Graph) Search(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, filter bitmap.Words, out []kernel.Candidate) ([]kernel.Candidate, error) {
	out = out[:0]
	if k < 1 {
		return out, ctx.Err()
	}
	w := g.acquire()
	defer g.release(w)
	if _, _, ok := g.entry.load(); !ok {
		return out, ctx.Err()
	}
	if err := w.settle(ctx, g, q, max(ef, k), wanted{live, filter}); err != nil {
		return nil, err
	}
	return w.rescore(g, q, k, out)
}

// rescore computes the exact distances of the pool's nearest wanted slots: of k and
// some, and of those that the codes do not tell from the k-th.
func (w *walk) rescore(g *Graph, q *kernel.Query, k int, out []kernel.Candidate) ([]kernel.Candidate, error) {
	slots := w.slots[:0]
	far := float32(math.Inf(1))
	for _, key := range w.pool.keys {
		if key&dead != 0 {
			continue
		}
		if len(slots) >= k+spare(k) && keyDist(key) > far {
			break
		}
		if slots = append(slots, keySlot(key)); len(slots) == k {
			far = keyDist(key) + w.noise(q, keySlot(key))
		}
	}
	w.slots = slots[:cap(slots)]
	if len(w.dists) < len(w.slots) {
		w.dists = make([]float32, len(w.slots))
	}
	if err := g.src.Check(slots); err != nil {
		return nil, err
	}
	dists := w.dists[:len(slots)]
	q.Vectors(w.codes, g.src.Vectors(), slots, dists)
	for i, s := range slots {
		out = append(out, kernel.Candidate{Slot: s, Dist: dists[i]})
	}
	slices.SortFunc(out, byDistance)
	return out[:min(k, len(out))], nil
}

// spare is how many candidates beyond k are scored exactly.
func spare(k int) int { return 6 + k/2 }

// byDistance orders candidates, ties by slot.
func byDistance(a, b kernel.Candidate) int {
	return cmp.Or(cmp.Compare(a.Dist, b.Dist), cmp.Compare(a.Slot, b.Slot))
}
