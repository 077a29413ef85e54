package hnsw

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/kernel"
)

// maxDepth bounds a walk in the tree of anchors, which a damaged snapshot may
// have made a circle.
const maxDepth = 1 << 10

// connect adds the link at -> slot, pruning at's row if it is full, in which case
// the new link may itself be what is pruned. With child set, at also becomes the
// anchor of slot and the link stays for good; it is refused, by returning false,
// if at has children enough.
func (g *Graph) connect(w *walk, level int, at, slot uint32, child bool) bool {
	mu := &g.rows[at%stripes]
	mu.Lock()
	defer mu.Unlock()
	row := w.links(at, level)
	node := w.nodes.row(at)
	if row == nil || node == nil {
		return false
	}
	if child {
		if atomic.LoadUint32(&node[nodeChildren]) >= uint32(g.cfg.M) {
			return false
		}
		atomic.AddUint32(&node[nodeChildren], 1)
		atomic.StoreUint32(&w.nodes.row(slot)[nodeAnchor], at+1)
	}
	place := -1
	for i := range row {
		link := atomic.LoadUint32(&row[i])
		if link == slot+1 {
			return true
		}
		if place < 0 && (link == 0 || link == at+1) {
			place = i
		}
	}
	if place < 0 {
		place = g.deadPlace(w, level, at, row)
	}
	if place >= 0 {
		atomic.StoreUint32(&row[place], slot+1)
		return true
	}
	g.prune(w, level, at, slot, row)
	return true
}

// deadPlace returns where a full row links to a slot that is dead and need not stay,
// -1 if it does not.
func (g *Graph) deadPlace(w *walk, level int, at uint32, row []uint32) int {
	if g.live == nil {
		return -1
	}
	for i := range row {
		if s := atomic.LoadUint32(&row[i]) - 1; s < w.size && !g.live.Has(s) && (level > 0 || !w.anchored(at, s)) {
			return i
		}
	}
	return -1
}

// prune makes place in at's full row for the best of its links and slot.
func (g *Graph) prune(w *walk, level int, at, slot uint32, row []uint32) {
	cands := w.rowCandidates(g, level, at, slot, row)
	chosen := w.diverse(g, cands, len(row))
	w.rewrite(at, row, chosen)
}

// rowCandidates returns at's links and slot as candidates for its row.
func (w *walk) rowCandidates(g *Graph, level int, at, slot uint32, row []uint32) []kernel.Candidate {
	b := &w.build
	b.slots = append(b.slots[:0], slot)
	for i := range row {
		link := atomic.LoadUint32(&row[i])
		if link == 0 || link == at+1 {
			continue
		}
		if link-1 >= w.size {
			if w.look(g); link-1 >= w.size {
				continue // no slot: from a damaged snapshot
			}
		}
		b.slots = append(b.slots, link-1)
	}
	return w.rank(g, level, at, 0)
}

// rank returns build.slots as candidates for at's row, nearest first; the first
// stay of them, and on layer 0 those that by G1 must stay, are forced.
func (w *walk) rank(g *Graph, level int, at uint32, stay int) []kernel.Candidate {
	b := &w.build
	b.cands = b.cands[:0]
	for i, d := range w.pairs(g, at, b.slots) {
		s := b.slots[i]
		if i < stay || level == 0 && w.anchored(at, s) {
			s |= forced
		}
		b.cands = append(b.cands, kernel.Candidate{Slot: s, Dist: d})
	}
	slices.SortFunc(b.cands, func(x, y kernel.Candidate) int {
		return cmp.Or(cmp.Compare(x.Dist, y.Dist), cmp.Compare(x.Slot&^forced, y.Slot&^forced))
	})
	return b.cands
}

// anchored reports whether at's link to a slot must stay: to its anchor, and to
// those whose anchor it is unless they are closed.
func (w *walk) anchored(at, slot uint32) bool {
	if atomic.LoadUint32(&w.nodes.row(at)[nodeAnchor]) == slot+1 {
		return true
	}
	node := w.nodes.row(slot)
	return atomic.LoadUint32(&node[nodeAnchor]) == at+1 && atomic.LoadUint32(&node[nodeChildren]) != closed
}

// rewrite changes at's row into the chosen links. A link that stays keeps its
// place, so that a reader meets it whatever it has read before (G2); a place that
// is left empty holds at itself, which every reader has seen.
func (w *walk) rewrite(at uint32, row []uint32, chosen []kernel.Candidate) {
	w.forget()
	for _, c := range chosen {
		w.seen[c.Slot] = w.epoch
	}
	for i := range row {
		if link := atomic.LoadUint32(&row[i]); link != 0 && link-1 < w.size && w.seen[link-1] == w.epoch {
			w.seen[link-1] = w.epoch - 1
		} else if link != 0 {
			if w.noting && link != at+1 {
				w.cut = append(w.cut, link-1)
			}
			atomic.StoreUint32(&row[i], at+1)
		}
	}
	place := 0
	for _, c := range chosen {
		if w.seen[c.Slot] != w.epoch {
			continue // in the row already
		}
		for link := row[place]; link != 0 && link != at+1; link = row[place] {
			place++
		}
		atomic.StoreUint32(&row[place], c.Slot+1)
		place++
	}
}

// anchor links one of the chosen neighbours to slot for good, and slot to it.
// If all of them have children enough or are closed it goes up from the nearest to
// one that is not closed, which the root never is, and down the tree of anchors,
// which ends in slots without children. It turns there by slot, so that the tree grows
// wide: of many equal vectors all come by the same way.
func (g *Graph) anchor(w *walk, slot uint32) uint32 {
	picks := w.build.picks[0]
	for _, c := range picks {
		if g.connect(w, 0, c.Slot, slot, true) {
			return c.Slot
		}
	}
	at, turn := picks[0].Slot, slot
	for range maxDepth {
		if g.connect(w, 0, at, slot, true) {
			break
		}
		if node := w.nodes.row(at); atomic.LoadUint32(&node[nodeChildren]) == closed {
			if at = atomic.LoadUint32(&node[nodeAnchor]) - 1; at < w.size {
				continue
			}
			at = picks[0].Slot // damaged
			break
		}
		turn = turn*2_654_435_761 + 1
		at = w.child(at, turn>>16)
	}
	g.connect(w, 0, slot, at, false)
	return at
}

// child returns one of the slots whose anchor is at and that are not closed, or at
// itself if there is none.
func (w *walk) child(at, turn uint32) uint32 {
	slots := w.unseenBy(at)
	children := slots[:0]
	for _, s := range slots {
		if node := w.nodes.row(s); atomic.LoadUint32(&node[nodeAnchor]) == at+1 && atomic.LoadUint32(&node[nodeChildren]) != closed {
			children = append(children, s)
		}
	}
	if len(children) == 0 {
		return at
	}
	return children[turn%uint32(len(children))]
}

// unseenBy returns the slots that at links to.
func (w *walk) unseenBy(at uint32) []uint32 {
	w.forget()
	w.seen[at] = w.epoch
	return w.unseen(w.base.row(at))
}
