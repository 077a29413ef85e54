package hnsw

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
)

const (
	// maxHubs is up to how many slots of a layer are compared with a query, all of
	// them, before the walk begins: as quick as a greedy walk from one of them, and
	// blind to no cluster that has one of its own.
	maxHubs = 512
	// seeds is how wide the walk is on the layers above 0: all that it ends with
	// begin on the layer below.
	seeds = 8
)

// hubs are the slots of each layer above 0, in the order in which they came.
//
//	query ──> all hubs of the lowest layer that has at most maxHubs ──> the nearest
//	      ──> a small beam on each layer below it ──> layer 0
type hubs struct {
	mu     sync.Mutex
	layers [maxLevel + 1]atomic.Pointer[[]uint32] // what was loaded is appended to, never changed
}

// add makes a slot, whose rows are whole, a hub of layers 1 to level.
func (h *hubs) add(slot uint32, level int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := 1; l <= level; l++ {
		slots := append(h.layer(l), slot)
		h.layers[l].Store(&slots)
	}
}

func (h *hubs) layer(l int) []uint32 {
	if p := h.layers[l].Load(); p != nil {
		return *p
	}
	return nil
}

// drop forgets hubs that are not live: a walk that begins with them begins among the
// dead, which link to each other.
func (h *hubs) drop(live *bitmap.Set) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := 1; l <= maxLevel; l++ {
		all := h.layer(l)
		kept := make([]uint32, 0, len(all))
		for _, s := range all {
			if live.Has(s) {
				kept = append(kept, s)
			}
		}
		if len(kept) < len(all) {
			h.layers[l].Store(&kept)
		}
	}
}

// lowest returns the lowest layer that is small enough to be looked at whole, 0 if
// there is none.
func (h *hubs) lowest() int {
	for l := 1; l <= maxLevel; l++ {
		switch n := len(h.layer(l)); {
		case n == 0:
			return 0
		case n <= maxHubs:
			return l
		}
	}
	return 0
}

// among returns those of the slots that are hubs, each layer's being the first of
// what it returns, and how many they are on layers 1, 2, ...
func (g *Graph) among(slots *bitmap.Set) (hubs []uint32, counts [maxLevel]uint32) {
	if g.counting != nil {
		g.counting()
	}
	var by [maxLevel + 1][]uint32
	nodes := g.nodes.view.Load()
	for slot := range slots.All() {
		if node := nodes.row(slot); node != nil && atomic.LoadUint32(&node[nodeUpper]) != 0 {
			level := max(1, g.cfg.level(slot))
			by[level] = append(by[level], slot)
		}
	}
	for level := maxLevel; level > 0; level-- {
		hubs = append(hubs, by[level]...)
		counts[level-1] = uint32(len(hubs))
	}
	return hubs, counts
}

// adopt takes the hubs of a graph that is loaded from a snapshot's section.
func (h *hubs) adopt(data []byte, n uint32, in *bitmap.Set) error {
	c := codec.NewCursor(data)
	var counts [maxLevel]uint32
	for l := range counts {
		counts[l] = c.U32()
		if counts[l] > n || l > 0 && counts[l] > counts[l-1] {
			return fmt.Errorf("%w: %d hubs on layer %d of %d", codec.ErrCorrupt, counts[l], l+1, n)
		}
	}
	slots := make([]uint32, n)
	for i := range slots {
		slots[i] = c.U32()
		if !in.Has(slots[i]) {
			return fmt.Errorf("%w: slot %d is a hub and not held", codec.ErrCorrupt, slots[i])
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	for l, count := range counts {
		if count == 0 {
			break
		}
		layer := slots[:count:count] // add copies it
		h.layers[l+1].Store(&layer)
	}
	return nil
}

// approach returns what to begin layer 0 with: at, which is the entry point, and
// the nearest of the hubs.
func (w *walk) approach(ctx context.Context, g *Graph, q *kernel.Query, at kernel.Candidate) ([]kernel.Candidate, error) {
	w.near = append(w.near[:0], at)
	layer := g.hubs.lowest()
	if layer == 0 {
		return w.near, nil
	}
	want := wanted{live: g.live}
	w.start(seeds, want, at)
	w.pool.most = deadShare * seeds
	for rest := g.hubs.layer(layer); len(rest) > 0; {
		n := min(len(rest), len(w.slots))
		w.meet(q, rest[:n], want)
		rest = rest[n:]
	}
	w.near = w.pool.candidates(w.near[:0], noSlot)
	for layer--; layer > 0; layer-- {
		w.start(seeds, want, w.near...)
		w.pool.most = deadShare * seeds
		if err := w.beam(ctx, q, layer, want); err != nil {
			return nil, err
		}
		w.near = w.pool.candidates(w.near[:0], noSlot)
	}
	return w.near, nil
}

// noSlot is above all slots.
const noSlot = 1<<32 - 1

// meet puts those of the slots into the pool that were not seen yet.
func (w *walk) meet(q *kernel.Query, slots []uint32, want wanted) {
	n := 0
	for _, s := range slots {
		if s < w.size && w.seen[s] != w.epoch {
			w.seen[s] = w.epoch
			w.slots[n] = s
			n++
		}
	}
	met := w.slots[:n]
	for i, d := range w.distances(q, met) {
		w.add(met[i], d, want)
	}
}

// promote makes a slot of layer 0 a hub of layer 1: one that searches for it pass
// by otherwise. At most one slot in promoteShare may be a hub.
func (g *Graph) promote(ctx context.Context, w *walk, slot uint32) error {
	const promoteShare = 6
	node := w.nodes.row(slot)
	if atomic.LoadUint32(&node[nodeUpper]) != 0 || len(g.hubs.layer(1)) > maxHubs/2+g.Len()/promoteShare {
		return nil
	}
	b := &w.build
	b.picks[0] = b.picks[0][:0]
	if near := w.near; g.hubs.lowest() > 0 {
		w.start(g.cfg.EfConstruction, wanted{}, near...)
		if err := w.beam(ctx, &b.q, 1, wanted{}); err != nil {
			return err
		}
		b.cands = w.pool.candidates(b.cands[:0], slot)
		b.picks[0] = append(b.picks[0], w.diverse(g, b.cands, g.cfg.M)...)
	}
	g.reserve(slot, 1)
	w.look(g)
	row := w.links(slot, 1)
	for i, c := range b.picks[0] {
		atomic.StoreUint32(&row[i], c.Slot+1)
	}
	for _, c := range b.picks[0] {
		g.connect(w, 1, c.Slot, slot, false)
	}
	g.hubs.add(slot, 1)
	g.raise(slot, 1)
	return nil
}
