package hnsw

import (
	"context"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// patience is how many distances are computed between two looks at a context.
const patience = 256

// walk is the scratch of one search or insert: what it sees of the graph, the
// slots it has seen, and its pool. It is used again by later ones.
type walk struct {
	src   Source
	codes *kernel.Rows
	vecs  *kernel.Rows
	base  *view // layer 0, by slot
	nodes *view // by slot, see node.go
	upper *view // the layers above
	size  uint32

	seen   []uint8 // == epoch: the slot was met in this walk
	epoch  uint8
	pool   pool
	slots  []uint32
	dists  []float32
	exact  bool   // by float32 rows: the codes do not tell what it meets apart
	evals  int    // distances computed
	limits limits // of a walk under a filter

	noting bool     // what prunes cut off layer 0 goes into cut
	cut    []uint32 // see loose.go

	near  []kernel.Candidate // see approach
	met   []uint32           // see hops
	build builder
}

// wanted says which slots may be results; nil sets want all.
type wanted struct {
	live   *bitmap.Set
	filter bitmap.Words
}

func (w wanted) has(slot uint32) bool {
	return (w.live == nil || w.live.Has(slot)) && (w.filter == nil || w.filter.Has(slot))
}

// look makes the walk see the graph as it is now. Slots that are added later
// may be met and are ignored.
func (w *walk) look(g *Graph) {
	w.src = g.src
	w.codes, w.vecs = g.src.Codes(), g.src.Vectors()
	w.nodes, w.base, w.upper = g.nodes.view.Load(), g.base.view.Load(), g.upper.view.Load()
	w.size = uint32(min(w.base.rows(), w.nodes.rows(), uint64(w.codes.Cap()), uint64(w.vecs.Cap())))
	if uint32(len(w.seen)) < w.size {
		w.seen = make([]uint8, w.size)
		w.epoch = 0
	}
	if width := max(w.base.stride, w.upper.stride) + 1; len(w.slots) < width {
		w.slots, w.dists = make([]uint32, width), make([]float32, width)
	}
}

// forget makes all slots unseen.
func (w *walk) forget() {
	if w.epoch++; w.epoch == 0 {
		clear(w.seen)
		w.epoch = 1
	}
}

// links returns the row of slot's links on a layer.
func (w *walk) links(slot uint32, level int) []uint32 {
	if level == 0 {
		return w.base.row(slot)
	}
	node := w.nodes.row(slot)
	if node == nil {
		return nil
	}
	first := atomic.LoadUint32(&node[nodeUpper])
	if first == 0 {
		return nil
	}
	return w.upper.row(first - 1 + uint32(level) - 1)
}

// unseen returns the linked slots that were not seen yet, and marks them.
func (w *walk) unseen(links []uint32) []uint32 {
	n := 0
	seen, out, epoch := w.seen[:w.size], w.slots[:len(links)], w.epoch
	for i := range links {
		link := atomic.LoadUint32(&links[i])
		if link == 0 {
			break
		}
		slot := link - 1
		if slot >= uint32(len(seen)) || seen[slot] == epoch {
			continue // seen, a hole, or no slot of this view
		}
		seen[slot] = epoch
		out[n] = slot
		n++
	}
	return out[:n]
}

// distances computes the distances from q to slots.
func (w *walk) distances(q *kernel.Query, slots []uint32) []float32 {
	dists := w.dists[:len(slots)]
	w.evals += len(slots)
	if w.exact {
		w.vectors(q, slots, dists)
	} else {
		q.Codes(w.codes, slots, dists)
	}
	return dists
}

// vectors computes exact distances, if the float32 rows are whole: what damage there is
// concerns those who ask for it.
func (w *walk) vectors(q *kernel.Query, slots []uint32, dists []float32) {
	if w.src.Check(slots) == nil {
		q.Vectors(w.codes, w.vecs, slots, dists)
	} else {
		q.Codes(w.codes, slots, dists)
	}
}

// start empties the pool and puts some slots in.
func (w *walk) start(limit int, want wanted, from ...kernel.Candidate) {
	w.forget()
	w.pool.reset(limit)
	w.begin(from, want)
}

// begin puts slots that were not seen yet into the pool.
func (w *walk) begin(from []kernel.Candidate, want wanted) {
	for _, c := range from {
		if w.seen[c.Slot] != w.epoch {
			w.seen[c.Slot] = w.epoch
			w.add(c.Slot, c.Dist, want)
		}
	}
}

func (w *walk) add(slot uint32, dist float32, want wanted) {
	key := pack(dist, slot)
	if key >= w.pool.bound {
		return
	}
	if !want.has(slot) {
		key |= dead
	}
	w.pool.insert(key)
	kernel.PrefetchRow(w.base.bytes, slot, 2)
}

// beam walks a layer from the pool's candidates until it has looked at the
// neighbours of all that the pool holds.
func (w *walk) beam(ctx context.Context, q *kernel.Query, level int, want wanted) error {
	next := w.evals + patience
	for {
		slot, ok := w.pool.next()
		if !ok {
			return nil
		}
		slots := w.unseen(w.links(slot, level))
		dists := w.distances(q, slots)
		for i, slot := range slots {
			w.add(slot, dists[i], want)
		}
		if w.evals >= next {
			if err := ctx.Err(); err != nil || w.spent(w.evals) {
				return err
			}
			next = w.evals + patience
		}
	}
}

// descend walks greedily from a slot on layer from down to the layer above to.
func (w *walk) descend(q *kernel.Query, at kernel.Candidate, from, to int) kernel.Candidate {
	w.forget()
	for level := from; level > to; level-- {
		for moved := true; moved; {
			moved = false
			slots := w.unseen(w.links(at.Slot, level))
			for i, d := range w.distances(q, slots) {
				if d < at.Dist {
					at = kernel.Candidate{Slot: slots[i], Dist: d}
					moved = true
				}
			}
		}
	}
	return at
}

// enter returns the entry point, its distance to q, and its layer; ok is false
// if the graph is empty, or what it names is not there. Where the entry point is newer
// than what the walk sees, it looks anew.
func (w *walk) enter(g *Graph, q *kernel.Query) (at kernel.Candidate, level int, ok bool) {
	slot, level, ok := g.entry.load()
	if ok && slot >= w.size {
		w.look(g)
	}
	if !ok || slot >= w.size {
		return at, 0, false
	}
	w.slots[0] = slot
	at = kernel.Candidate{Slot: slot, Dist: w.distances(q, w.slots[:1])[0]}
	return at, level, true
}
