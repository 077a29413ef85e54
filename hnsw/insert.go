package hnsw

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/kernel"
)

// earlySlots are inserted one at a time, so that the first ones of many
// inserters see each other.
const earlySlots = 64

// deadShare bounds what an insert walks through: so many times EfConstruction, dead
// slots included. Where most of a graph has died, it is content with fewer live
// candidates, instead of looking at all that lies between them.
const deadShare = 2

// builder is the part of a walk that inserts need.
type builder struct {
	q, pair kernel.Query         // the slot; a neighbour, compared with others
	picks   [][]kernel.Candidate // by layer: the neighbours chosen
	cands   []kernel.Candidate
	slots   []uint32
	dists   []float32
}

// Insert puts slot into the graph; one that it holds already is left alone. It
// looks at ctx until it begins to link: an error means that nothing was changed.
func (g *Graph) Insert(ctx context.Context, slot uint32) error {
	w := g.acquire()
	defer g.release(w)
	return g.insert(ctx, w, slot)
}

func (g *Graph) insert(ctx context.Context, w *walk, slot uint32) error {
	if slot >= MaxSlots || slot >= g.src.Codes().Cap() || slot >= g.src.Vectors().Cap() {
		return fmt.Errorf("insert %d: %w", slot, ErrSlot)
	}
	own := &g.inserts[slot%stripes]
	own.Lock()
	defer own.Unlock()
	if g.in.Has(slot) {
		return ctx.Err()
	}
	if g.in.Len() < earlySlots {
		g.early.Lock()
		defer g.early.Unlock()
	}
	level := g.cfg.level(slot)
	g.reserve(slot, level)
	w.look(g)
	top, ok, err := w.choose(ctx, g, slot, level)
	if err != nil {
		return fmt.Errorf("insert %d: %w", slot, err)
	}
	if !ok {
		return g.root(slot, level)
	}
	g.publish(w, slot, min(level, top))
	g.hubs.add(slot, level)
	g.raise(slot, level)
	return nil
}

// reserve makes the rows of a slot exist.
func (g *Graph) reserve(slot uint32, level int) {
	g.base.reserve(uint64(slot) + 1)
	g.nodes.reserve(uint64(slot) + 1)
	node := g.nodes.row(slot)
	if level == 0 || atomic.LoadUint32(&node[nodeUpper]) != 0 {
		return
	}
	g.levels.Lock()
	defer g.levels.Unlock()
	first := g.uppers
	g.uppers += uint32(level)
	g.upper.reserve(uint64(g.uppers))
	atomic.StoreUint32(&node[nodeUpper], first+1)
}

// root makes slot the first one of the graph: its own anchor.
func (g *Graph) root(slot uint32, level int) error {
	if _, _, ok := g.entry.load(); ok {
		return fmt.Errorf("insert %d: entry point %w", slot, ErrSlot)
	}
	atomic.StoreUint32(&g.nodes.row(slot)[nodeAnchor], slot+1)
	g.in.Add(slot)
	g.hubs.add(slot, level)
	g.entry.store(slot, level)
	return nil
}

// choose finds the neighbours of slot on each of its layers, and the graph's top
// layer; ok is false if the graph is empty.
func (w *walk) choose(ctx context.Context, g *Graph, slot uint32, level int) (top int, ok bool, err error) {
	b := &w.build
	for {
		w.ask(g, &b.q, slot)
		at, top, ok := w.enter(g, &b.q)
		if !ok {
			return 0, false, nil
		}
		blurred, err := w.chooseFrom(ctx, g, slot, at, top, level)
		if !blurred || err != nil {
			return top, true, err
		}
	}
}

// chooseFrom is choose from the entry point at. It ends early, and the walk is exact
// from then on, if the codes do not tell the nearest on layer 0 apart.
func (w *walk) chooseFrom(ctx context.Context, g *Graph, slot uint32, at kernel.Candidate, top, level int) (blurred bool, err error) {
	b := &w.build
	near, err := w.approach(ctx, g, &b.q, at)
	if err != nil {
		return false, err
	}
	at = w.descend(&b.q, at, top, level)
	for len(b.picks) <= level {
		b.picks = append(b.picks, nil)
	}
	want := wanted{live: g.live}
	for l := min(level, top); l >= 0; l-- {
		w.start(g.cfg.EfConstruction, want, at)
		w.pool.most = deadShare * g.cfg.EfConstruction
		if l == 0 {
			w.begin(near, want)
		}
		if err := w.beam(ctx, &b.q, l, want); err != nil {
			return false, err
		}
		if l == 0 && w.sharpenFor(g, slot) {
			return true, nil
		}
		at = kernel.Candidate{Slot: keySlot(w.pool.keys[0]), Dist: keyDist(w.pool.keys[0])}
		b.cands = w.pool.candidates(b.cands[:0], slot)
		b.picks[l] = append(b.picks[l][:0], w.diverse(g, b.cands, g.cfg.M)...)
	}
	return false, nil
}

// sharpenFor is sharpen for a slot that is to be linked to as many as a row holds.
func (w *walk) sharpenFor(g *Graph, slot uint32) bool {
	b := &w.build
	if n := 2 * g.cfg.M; !w.exact && w.alike(&b.q, n) && g.src.Check([]uint32{slot}) == nil {
		b.q.Set(g.linkMetric(), w.vecs.Float32s(slot, g.cfg.Dim))
		return w.sharpen(g, &b.q, n)
	}
	return false
}

// publish writes the slot's own rows and then links others to it, layer 0
// first: whoever meets the slot finds all its rows whole.
func (g *Graph) publish(w *walk, slot uint32, top int) {
	b := &w.build
	w.look(g)
	for l := 0; l <= top; l++ {
		row := w.links(slot, l)
		for i, c := range b.picks[l] {
			atomic.StoreUint32(&row[i], c.Slot+1)
		}
	}
	anchor := g.anchor(w, slot)
	for l := 0; l <= top; l++ {
		for _, c := range b.picks[l] {
			if l > 0 || c.Slot != anchor {
				g.connect(w, l, c.Slot, slot, false)
			}
		}
	}
	g.in.Add(slot)
}

// raise makes slot the entry point if its layer is above all others.
func (g *Graph) raise(slot uint32, level int) {
	if _, top, _ := g.entry.load(); level <= top {
		return
	}
	g.levels.Lock()
	defer g.levels.Unlock()
	if _, top, _ := g.entry.load(); level > top {
		g.entry.store(slot, level)
	}
}
