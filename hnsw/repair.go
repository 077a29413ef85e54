package hnsw

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// Link links a slot that the graph holds anew, as if it were inserted again, and
// so that a search for its own vector with beam ef meets it: for one that is not
// reached, or not found. It appends to loose the slots whose links it has cut.
func (g *Graph) Link(ctx context.Context, slot uint32, ef int, loose []uint32) ([]uint32, error) {
	own := &g.inserts[slot%stripes]
	own.Lock()
	defer own.Unlock()
	g.linking.Lock() // two that change their anchors might make a circle
	defer g.linking.Unlock()
	if !g.in.Has(slot) {
		return loose, fmt.Errorf("link %d: not in the graph", slot)
	}
	if at, _, ok := g.entry.load(); !ok || at == slot {
		return loose, nil // the entry point is where every search begins
	}
	if atomic.LoadUint32(&g.nodes.row(slot)[nodeChildren]) == closed {
		return loose, nil // it has died, and its anchor no longer counts it
	}
	w := g.acquire()
	defer g.release(w)
	w.noting, w.cut = true, w.cut[:0]
	err := g.link(ctx, w, slot, ef)
	slices.Sort(w.cut)
	return append(loose, slices.Compact(w.cut)...), err
}

func (g *Graph) link(ctx context.Context, w *walk, slot uint32, ef int) error {
	if _, _, err := w.choose(ctx, g, slot, 0); err != nil {
		return fmt.Errorf("link %d: %w", slot, err)
	}
	for _, c := range w.build.picks[0] {
		g.connect(w, 0, slot, c.Slot, false)
		g.connect(w, 0, c.Slot, slot, false)
	}
	return g.linkFromOwnWalk(ctx, w, slot, ef)
}

// linkFromOwnWalk asks for the slot's own vector and, if the walk does not meet the
// slot, makes the nearest of those that it does meet, and whose links it therefore
// follows, the slot's anchor: that link is never pruned (G1). Other slots may yet draw such walks
// elsewhere, so it becomes a hub as well.
func (g *Graph) linkFromOwnWalk(ctx context.Context, w *walk, slot uint32, ef int) error {
	b := &w.build
	w.look(g)
	if err := g.src.Check([]uint32{slot}); err != nil {
		return fmt.Errorf("link %d: %w", slot, err)
	}
	b.q.Set(g.linkMetric(), g.src.Vectors().Float32s(slot, g.cfg.Dim))
	if err := w.settle(ctx, g, &b.q, ef, wanted{}); err != nil {
		return fmt.Errorf("link %d: %w", slot, err)
	}
	b.picks[0] = b.picks[0][:0]
	for _, key := range w.pool.keys {
		if keySlot(key) == slot {
			return nil
		}
		b.picks[0] = append(b.picks[0], kernel.Candidate{Slot: keySlot(key), Dist: keyDist(key)})
	}
	g.adopt(w, slot)
	if err := g.promote(ctx, w, slot); err != nil {
		return fmt.Errorf("link %d: %w", slot, err)
	}
	return nil
}

// adopt gives a slot a new anchor, the nearest of the picks that is not below it in
// the tree of anchors and has children to spare. While a snapshot is written it keeps
// the one it has.
func (g *Graph) adopt(w *walk, slot uint32) {
	if g.saving > 0 {
		return
	}
	node := w.nodes.row(slot)
	old := atomic.LoadUint32(&node[nodeAnchor])
	for _, c := range w.build.picks[0] {
		if old == c.Slot+1 {
			return // linked already, unless the row was damaged; the caller links again
		}
		if w.below(c.Slot, slot) || !g.connect(w, 0, c.Slot, slot, true) {
			continue
		}
		if old != 0 && old-1 < w.size && old-1 != slot {
			atomic.AddUint32(&w.nodes.row(old - 1)[nodeChildren], ^uint32(0))
		}
		return
	}
}

// below reports whether slot is at or below top in the tree of anchors, or too
// deep to tell.
func (w *walk) below(slot, top uint32) bool {
	for range maxDepth {
		if slot == top || slot >= w.size {
			return true
		}
		anchor := atomic.LoadUint32(&w.nodes.row(slot)[nodeAnchor]) - 1
		if anchor == slot {
			return false // the root
		}
		slot = anchor
	}
	return true
}

// Repair takes links to slots that are not live out of the rows of live ones,
// and links what they led to instead (Singh and others, FreshDiskANN, section
// 4.3). Links that G1 protects stay. It returns how many rows it changed; a second
// call changes none. Searches and inserts go on.
func (g *Graph) Repair(ctx context.Context, live *bitmap.Set) (int, error) {
	w := g.acquire()
	defer g.release(w)
	g.hubs.drop(live)
	changed := 0
	for range maxRounds { // what was linked anew may let more of the dead go
		if err := g.bury(ctx, w, live); err != nil {
			return changed, err
		}
		before := changed
		for slot := range g.in.All() {
			if slot%64 == 0 {
				if err := ctx.Err(); err != nil {
					return changed, err
				}
			}
			if live.Has(slot) && slot < w.size && g.bypass(w, slot, live) {
				changed++
			}
		}
		if changed == before {
			break
		}
	}
	return changed, nil
}

// maxRounds bounds the rounds of a repair; most take two.
const maxRounds = 8

// bypass repairs one row.
func (g *Graph) bypass(w *walk, at uint32, live *bitmap.Set) bool {
	mu := &g.rows[at%stripes]
	mu.Lock()
	defer mu.Unlock()
	row := w.base.row(at)
	b := &w.build
	var stay int
	for i := range row {
		if link := atomic.LoadUint32(&row[i]); link != 0 && link-1 >= w.size {
			w.look(g) // it came after the repair began, and its link would be taken for none
			break
		}
	}
	if b.slots, stay = w.around(at, row, live, b.slots[:0]); len(b.slots) == 0 {
		return false
	}
	cands := w.rank(g, 0, at, stay)
	w.rewrite(at, row, w.diverse(g, cands, len(row)))
	return true
}

// around appends what at's row should be chosen from: its links to live slots and
// those by G1, which all stay, and then the live slots that the others lead to.
// Nothing if all its links stay. Rows were made by many inserts; to choose all of one
// anew would thin it out, a little more with every repair.
func (w *walk) around(at uint32, row []uint32, live *bitmap.Set, out []uint32) (slots []uint32, stay int) {
	w.forget()
	w.seen[at] = w.epoch
	var gone []uint32
	for _, s := range w.unseen(row) {
		if live.Has(s) || w.anchored(at, s) {
			out = append(out, s)
		} else {
			gone = append(gone, s)
		}
	}
	if len(gone) == 0 {
		return nil, 0
	}
	stay = len(out)
	for _, d := range gone {
		for _, s := range w.unseen(w.base.row(d)) {
			if live.Has(s) {
				out = append(out, s)
			}
		}
	}
	return out, stay
}
