package hnsw

import (
	"context"

	"github.com/tarndb/tarn/internal/bitmap"
)

// Finds reports whether a search with beam ef for the slot's own vector finds
// the slot, or another one at the same distance. For Dot, where a slot's own
// vector need not be what is nearest to it, the search is by L2. Where Prefer was
// called only live ones count, as for those who search: a dead one of the same vector
// stands for nobody. A dead slot itself is missed by nobody.
func (g *Graph) Finds(slot uint32, ef int) bool {
	if g.live != nil && !g.live.Has(slot) {
		return true
	}
	codes, vecs := g.src.Codes(), g.src.Vectors()
	if slot >= codes.Cap() || slot >= vecs.Cap() || g.src.Check([]uint32{slot}) != nil {
		return false
	}
	w := g.acquire()
	defer g.release(w)
	b := &w.build
	b.q.Set(g.linkMetric(), vecs.Float32s(slot, g.cfg.Dim))
	var own [1]float32
	b.q.Vectors(codes, vecs, []uint32{slot}, own[:])
	got, err := g.Search(context.Background(), &b.q, 1, ef, g.live, nil, b.cands)
	b.cands = got[:0]
	return err == nil && len(got) == 1 && (got[0].Slot == slot || got[0].Dist <= own[0])
}

// Unreachable returns the slots of live (nil: all) that the graph holds and that
// no chain of links on layer 0 leads to from the entry point. By G1 there are
// none, unless the graph was loaded from a damaged snapshot.
func (g *Graph) Unreachable(live *bitmap.Set) []uint32 {
	slot, _, ok := g.entry.load()
	if !ok {
		return nil
	}
	held := g.in.Clone()
	reached := g.reached(slot)
	var missing []uint32
	for s := range held.All() {
		if !reached.Has(s) && (live == nil || live.Has(s)) {
			missing = append(missing, s)
		}
	}
	return missing
}

// reached returns those of the slots held now that a walk on layer 0 reaches
// from a slot.
func (g *Graph) reached(from uint32) *bitmap.Set {
	held, reached := g.in.Clone(), new(bitmap.Set)
	w := g.acquire()
	defer g.release(w)
	if from >= w.size {
		return reached
	}
	w.forget()
	w.seen[from] = w.epoch
	for todo := []uint32{from}; len(todo) > 0; {
		at := todo[len(todo)-1]
		if held.Has(at) {
			reached.Add(at)
		}
		todo = append(todo[:len(todo)-1], w.unseen(w.base.row(at))...)
	}
	return reached
}
