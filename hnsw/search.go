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
	at, _, ok := w.enter(g, q)
	if !ok {
		return out, ctx.Err()
	}
	want := wanted{live, filter}
	if err := w.settle(ctx, g, q, at, max(ef, k), want); err != nil {
		return nil, err
	}
	return w.rescore(g, q, k, out)
}

// maxBlurred is how wide a beam becomes whose candidates the codes do not tell
// apart.
const maxBlurred = 2_048

// settle walks from the entry point at to layer 0, and there with a beam that is wide enough to tell its candidates
// apart by their codes: where hundreds of vectors are nearer to each other than a
// step of the codes, the nearest may be any of them.
func (w *walk) settle(ctx context.Context, g *Graph, q *kernel.Query, at kernel.Candidate, limit int, want wanted) error {
	near, err := w.approach(ctx, g, q, at)
	if err != nil {
		return err
	}
	for {
		w.start(limit, want, near...)
		if err := w.beam(ctx, q, 0, want); err != nil {
			return err
		}
		if limit >= maxBlurred || w.pool.wanted < limit || !w.blurred(g, q) {
			return nil
		}
		limit *= 4
	}
}

// blurred reports whether all of a full pool lie within the noise of the codes
// and are not simply equal.
func (w *walk) blurred(g *Graph, q *kernel.Query) bool {
	first, last := w.pool.keys[0], w.pool.keys[len(w.pool.keys)-1]
	if keyDist(last)-keyDist(first) > w.noise(q, keySlot(first)) {
		return false
	}
	slots, dists := [2]uint32{keySlot(first), keySlot(last)}, [2]float32{}
	if g.src.Check(slots[:]) != nil {
		return false // said by rescore
	}
	q.Vectors(w.codes, g.src.Vectors(), slots[:], dists[:])
	return dists[0] != dists[1]
}

// noise is by how much the distance by codes is off, other than rarely: the bound
// holds for the worst case, in which the errors of all dimensions add up.
func (w *walk) noise(q *kernel.Query, slot uint32) float32 {
	return q.Slack(w.codes, slot) * min(1, 4/float32(math.Sqrt(float64(q.Dim()))))
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
