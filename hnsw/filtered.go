package hnsw

import (
	"context"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// A search among few walks from one matching slot to the next, over slots that do
// not match: these are stepped through and never compared. Among many it is the
// ordinary walk, with limits.
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

// Among is a filter, and what is known of it.
type Among struct {
	Filter bitmap.Words
	Share  float64 // of the live slots, that are in it; 0: not known
	Others int     // live slots that are not
	Scan   int     // a scan of those that are costs as much as so many distances
	Hops   bool    // walk from match to match over two hops, not through whatever does not match
}

const (
	// foreign is how much rarer matches must be around the query than everywhere for
	// it to lie where nothing matches. A walk wades through all that is nearer than
	// the first match then, or ends in a corner of what lies around.
	foreign = 16
	// thin is the same for what an ordinary walk has met after half of its usual work,
	// which is many more slots.
	thin = 4
	// usual is about how many distances a walk without a filter computes for each
	// place of its beam.
	usual = 16
)

// SearchFiltered is Search for slots that are in a filter too. ok is false if a scan
// of them shall be made instead: the query lies where nothing matches, or fewer than
// k were found. It takes about as long as such a scan and a search without a filter
// at most, and ends with the best that it has found by then.
func (g *Graph) SearchFiltered(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, a Among, out []kernel.Candidate) (_ []kernel.Candidate, ok bool, err error) {
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
	ef = max(ef, k)
	want := wanted{live, a.Filter}
	if (a.Hops || a.Others > usual*ef) && w.abroad(near, want, a.Share) {
		return out, false, nil
	}
	h := hops{w: w, q: q, want: want}
	if a.Share > 0 {
		w.limits = limits{most: a.Scan / 4 * 3, looked: a.Hops} // all that a walk over two hops meets matches
		if !a.Hops {
			half := w.evals + usual*ef/2
			w.limits = limits{early: half, most: half + a.Scan/4*3, share: a.Share}
		}
	}
	defer func() { w.limits = limits{} }()
	for {
		if a.Hops {
			err = h.walk(ctx, ef, near)
		} else {
			w.start(ef, want, near...)
			err = w.beam(ctx, q, 0, want)
		}
		if err != nil {
			return nil, false, err
		}
		if w.limits.reached || w.pool.wanted < ef || !w.sharpen(g, q, len(w.pool.keys)) {
			break
		}
		at, _, _ = w.enter(g, q)
		if near, err = w.approach(ctx, g, q, at); err != nil {
			return nil, false, err
		}
	}
	if w.pool.wanted < k || w.limits.lost {
		return out, false, nil
	}
	out, err = w.rescore(g, q, k, out)
	return out, err == nil, err
}

// abroad reports whether much less matches around the query than everywhere. The
// slots linked to near are looked at, and compared with nothing.
func (w *walk) abroad(near []kernel.Candidate, want wanted, share float64) bool {
	if len(near) < seeds/2 {
		return false // a few slots that do not lie around the query
	}
	met, matching := 0, 0
	for _, c := range near {
		row := w.links(c.Slot, 0)
		for i := range row {
			link := atomic.LoadUint32(&row[i])
			if link == 0 {
				break
			}
			if met++; want.filter.Has(link - 1) {
				matching++
			}
		}
	}
	return float64(matching*foreign) < share*float64(met)
}

// limits bound the work of a walk under a filter. The zero value bounds nothing.
type limits struct {
	early, most int // work, see Among: when to look at what was met, and when to end
	share       float64
	looked      bool
	lost        bool // much less of it matches than everywhere
	reached     bool // the walk was ended
}

// spent reports whether a walk that has done so much work shall end.
func (w *walk) spent(work int) bool {
	l := &w.limits
	if l.most == 0 {
		return false
	}
	if !l.looked && work >= l.early {
		l.looked = true
		l.lost = float64(w.pool.wanted*thin) < l.share*float64(len(w.pool.keys))
	}
	l.reached = l.lost || work >= l.most
	return l.reached
}

// hops is one walk over two hops.
type hops struct {
	w    *walk
	q    *kernel.Query
	want wanted
	work int // distances, and what counts as such
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
		if w.spent(h.work) {
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
