package hnsw

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// closed, as a slot's number of children, says that it is dead, has none and is
// given none any more: nothing is reached through it alone, so the link that leads
// to it need not stay (G1).
const closed = 1 << 31

// bury takes dead slots out of the tree of anchors, so that links to them need not
// stay: live slots are given live anchors, and what has no children is closed. While
// a snapshot is written that is left to the next repair.
func (g *Graph) bury(ctx context.Context, w *walk, live *bitmap.Set) error {
	g.linking.Lock()
	defer g.linking.Unlock()
	if g.saving > 0 {
		return nil
	}
	for slot := range g.in.All() {
		if slot%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if slot < w.size && live.Has(slot) && !live.Has(atomic.LoadUint32(&w.nodes.row(slot)[nodeAnchor])-1) {
			w.livePicks(g, slot, live)
			g.adopt(w, slot)
		}
	}
	for i := g.in.Pieces()*bitmap.PieceWords - 1; i >= 0; i-- { // children come after their anchors, most of them
		for word := g.in.Word(i) &^ live.Word(i); word != 0; {
			bit := 63 - bits.LeadingZeros64(word)
			word &^= 1 << bit
			if slot := uint32(i)<<6 | uint32(bit); slot < w.size {
				g.close(w, slot)
			}
		}
	}
	return nil
}

// livePicks makes the live slots that a slot links to picks, nearest first.
func (w *walk) livePicks(g *Graph, slot uint32, live *bitmap.Set) {
	b := &w.build
	b.slots = b.slots[:0]
	for _, s := range w.unseenBy(slot) {
		if live.Has(s) {
			b.slots = append(b.slots, s)
		}
	}
	if len(b.picks) == 0 {
		b.picks = append(b.picks, nil)
	}
	picks := b.picks[0][:0]
	for i, d := range w.pairs(g, slot, b.slots) {
		picks = append(picks, kernel.Candidate{Slot: b.slots[i], Dist: d})
	}
	slices.SortFunc(picks, func(x, y kernel.Candidate) int {
		return cmp.Or(cmp.Compare(x.Dist, y.Dist), cmp.Compare(x.Slot, y.Slot))
	})
	b.picks[0] = picks
}

// close closes a dead slot that has no children and is not the root.
func (g *Graph) close(w *walk, slot uint32) {
	mu := &g.rows[slot%stripes]
	mu.Lock()
	defer mu.Unlock()
	node := w.nodes.row(slot)
	anchor := atomic.LoadUint32(&node[nodeAnchor]) - 1
	if atomic.LoadUint32(&node[nodeChildren]) != 0 || anchor == slot || anchor >= w.size {
		return
	}
	atomic.StoreUint32(&node[nodeChildren], closed)
	atomic.AddUint32(&w.nodes.row(anchor)[nodeChildren], ^uint32(0))
}
