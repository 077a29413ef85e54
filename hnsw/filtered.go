package hnsw

import (
	"context"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// A search among few walks from one matching slot to the next, over slots that do
// not match: these are stepped through and never compared.
//
//	a matching slot ──> its neighbours that match            ┐
//	                └─> those that do not ──> their neighbours ├─> compared, into the pool
//	                                          that match      ┘
//
// Matching slots that lie all over the graph are put in at the start, so that the
// walk does not depend on a path from the entry point.

const (
	// scattered is how many matching slots a walk begins with, beside those near the
	// query that the upper layers lead to.
	scattered = 16
	// bridge is how many distances the look at the neighbours of a slot that does not
	// match costs.
	bridge = 2
)

// SearchFiltered is Search for a filter that leaves few slots. It ends with the best
// that it has found when it has done as much as budget distances cost; ok is false
// if that is less than k slots.
func (g *Graph) SearchFiltered(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, filter bitmap.Words, budget int, out []kernel.Candidate) (_ []kernel.Candidate, ok bool, err error) {
	out = out[:0]
	w := g.acquire()
	defer g.release(w)
	at, _, ok := w.enter(g, q)
	if !ok || k < 1 {
		return out, false, ctx.Err()
	}
	near, err := w.approach(ctx, g, q, at)
	if err != nil {
		return nil, false, err
	}
	h := hops{w: w, q: q, want: wanted{live, filter}, most: budget}
	for limit := max(ef, k); ; limit *= 4 {
		if err = h.walk(ctx, limit, near); err != nil {
			return nil, false, err
		}
		if h.work > budget || limit >= maxBlurred || w.pool.wanted < limit || !w.blurred(g, q) {
			break
		}
	}
	if w.pool.wanted < k {
		return out, false, nil
	}
	out, err = w.rescore(g, q, k, out)
	return out, err == nil, err
}

// hops is one walk over two hops.
type hops struct {
	w    *walk
	q    *kernel.Query
	want wanted
	work int // distances, and what counts as such
	most int // of them
}

// walk fills the pool, as far as the work allows.
func (h *hops) walk(ctx context.Context, limit int, near []kernel.Candidate) error {
	w := h.w
	w.forget()
	w.pool.reset(limit)
	h.begin(near)
	for next := h.work + patience; ; {
		slot, ok := w.pool.next()
		if !ok {
			return nil
		}
		h.around(slot)
		if h.work >= next {
			if err := ctx.Err(); err != nil {
				return err
			}
			next = h.work + patience
		}
		if h.work > h.most {
			return nil
		}
	}
}

// begin puts in what is near the query and what is scattered, as far as it matches.
func (h *hops) begin(near []kernel.Candidate) {
	w := h.w
	w.met = w.met[:0]
	for _, c := range near {
		if h.want.has(c.Slot) {
			h.take(c.Slot)
		}
	}
	step := max(1, w.size/scattered)
	for from, n := uint32(0), 0; n < scattered && from < w.size; n, from = n+1, from+step {
		if slot, ok := h.want.filter.Next(from); ok && slot < w.size && h.want.has(slot) && w.seen[slot] != w.epoch {
			h.take(slot)
		}
	}
	h.compare()
	for _, c := range near {
		if w.seen[c.Slot] != w.epoch {
			w.seen[c.Slot] = w.epoch
			h.around(c.Slot)
		}
	}
}

// take notes a matching slot that is compared next.
func (h *hops) take(slot uint32) {
	h.w.seen[slot] = h.w.epoch
	h.w.met = append(h.w.met, slot)
}

// around compares the matching slots at most two hops from a slot.
func (h *hops) around(slot uint32) {
	w := h.w
	w.met = w.met[:0]
	row := w.links(slot, 0)
	enough := len(row)
	for i := range row {
		link := atomic.LoadUint32(&row[i])
		if link == 0 {
			break
		}
		if s := link - 1; s < w.size && w.seen[s] != w.epoch && h.want.has(s) {
			h.take(s)
		}
	}
	for i := range row {
		link := atomic.LoadUint32(&row[i])
		if link == 0 || len(w.met) >= enough {
			break
		}
		if s := link - 1; s < w.size && w.seen[s] != w.epoch {
			w.seen[s] = w.epoch
			h.through(s)
		}
	}
	h.compare()
}

// through notes the matching neighbours of a slot that does not match.
func (h *hops) through(slot uint32) {
	w := h.w
	h.work += bridge
	row := w.links(slot, 0)
	for i := range row {
		link := atomic.LoadUint32(&row[i])
		if link == 0 {
			return
		}
		if s := link - 1; s < w.size && h.want.filter.Has(s) && w.seen[s] != w.epoch && h.want.has(s) {
			h.take(s)
		}
	}
}

// compare puts what was noted into the pool.
func (h *hops) compare() {
	w := h.w
	for rest := w.met; len(rest) > 0; {
		n := min(len(rest), len(w.dists))
		for i, d := range w.distances(h.q, rest[:n]) {
			w.add(rest[i], d, wanted{})
		}
		rest = rest[n:]
	}
	h.work += len(w.met)
}
