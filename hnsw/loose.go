package hnsw

import (
	"context"
	"slices"
	"sync/atomic"
)

// A link that a prune cuts off may have been what led the search for a slot's own
// vector to it. Nothing but that search says whether it was. The fewer links are left,
// the likelier it is:
//
//	insert ──> prunes cut links to some slots ──> those that few still lead to ──> loose
//	Link   ──> prunes cut links to some slots ──> all of them                  ──> loose
//
// Who inserts asks for the loose ones (Finds) and links anew those that are lost.

// InsertNoting is Insert that appends to loose the slots that it may have taken out
// of the reach of searches: those that it took a link from, and that at most few of
// their neighbours still link to. Of real vectors hardly any of these is lost; of 20 000
// random ones of 256 dimensions one in four that are left with 2 links, one in 50 of those with
// up to 16, one in a hundred of all.
func (g *Graph) InsertNoting(ctx context.Context, slot uint32, few int, loose []uint32) ([]uint32, error) {
	w := g.acquire()
	defer g.release(w)
	w.noting, w.cut = true, w.cut[:0]
	err := g.insert(ctx, w, slot)
	for _, s := range w.cut {
		if w.loose(s, few) && !slices.Contains(loose, s) {
			loose = append(loose, s)
		}
	}
	return loose, err
}

// loose reports whether at most few of a slot's neighbours link back to it. Nearly all
// links go both ways, so those are nearly all that lead to it.
func (w *walk) loose(slot uint32, few int) bool {
	n := 0
	row := w.base.row(slot)
	for i := range row {
		link := atomic.LoadUint32(&row[i])
		if link == 0 {
			break
		}
		if s := link - 1; s != slot && s < w.size && links(w.base.row(s), slot) {
			if n++; n > few {
				return false
			}
		}
	}
	return true
}

// links reports whether a row holds a link to a slot.
func links(row []uint32, slot uint32) bool {
	for i := range row {
		if atomic.LoadUint32(&row[i]) == slot+1 {
			return true
		}
	}
	return false
}
