package collection

import (
	"context"
	"errors"
	"iter"
	"slices"
)

// ahead is how many points All reads together.
const ahead = 64

// All yields every live point, in id or key order. A point that is written or
// deleted while the loop runs is yielded as it is when its turn comes, or not at
// all. The loop's body may call the collection.
func (c *Collection) All(ctx context.Context) iter.Seq2[Point, error] {
	return func(yield func(Point, error) bool) {
		w := walkAll{c: c, next: c.idPages()}
		if c.byKey() {
			w.next = c.keyPages()
		}
		if err := w.walk(ctx, yield); err != nil {
			yield(Point{}, c.wrap(err))
		}
	}
}

// walkAll is an All under way. It reads some points together, and each is looked at
// again when its turn comes: it holds no lock and no pin while the loop's body runs.
//
//	next ──> ids ──> points, where they were ──> still there? ──> yield
//	                                         └─> read anew, or gone
type walkAll struct {
	c    *Collection
	next func() ([]uint64, error) // the next ids, none at the end; called inside the gate
	read []readPoint
}

// readPoint is a point and which write it is of.
type readPoint struct {
	Point
	slot uint32
	lsn  uint64
}

// walk returns what ended it, nil if all were yielded or the loop has had enough.
func (w *walkAll) walk(ctx context.Context, yield func(Point, error) bool) error {
	for {
		if err := w.inside(ctx, w.readPage); err != nil || len(w.read) == 0 {
			return err
		}
		for i := range w.read {
			r := &w.read[i]
			there := false
			err := w.inside(ctx, func() (err error) { there, err = w.look(r); return err })
			if err != nil {
				return err
			}
			if there && !yield(r.Point, nil) {
				return nil
			}
		}
	}
}

// inside runs fn as a call of the collection.
func (w *walkAll) inside(ctx context.Context, fn func() error) error {
	if err := w.c.gate.enter(); err != nil {
		return err
	}
	defer w.c.gate.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	return guard(fn)
}

// readPage reads the next points. Those that are gone meanwhile are left out; there
// are none only at the end.
func (w *walkAll) readPage() error {
	w.read = w.read[:0]
	for len(w.read) == 0 {
		ids, err := w.next()
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := w.readIDs(ids); err != nil {
			return err
		}
	}
	return nil
}

func (w *walkAll) readIDs(ids []uint64) error {
	l := list{c: w.c, s: w.c.takeScratch(), limit: len(ids) + 1}
	defer w.c.putScratch(l.s)
	if err := l.locate(ids); err != nil {
		return err
	}
	if err := l.readSome(l.page); err != nil {
		return err
	}
	for i, p := range l.page {
		w.read = append(w.read, readPoint{l.out[i], p.slot, w.c.store.LSN(p.slot)})
	}
	return nil
}

// look reports whether a point is still there, and reads it anew if it was written
// since.
func (w *walkAll) look(r *readPoint) (there bool, err error) {
	slot, lsn, err := w.c.writeOf(r.ID)
	if err != nil || slot == noSlot {
		return false, err
	}
	if slot != r.slot || lsn != r.lsn {
		r.Point, err = w.c.get(r.ID)
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// writeOf returns the current slot of id, noSlot if there is none, and the number of
// the write that filled it.
func (c *Collection) writeOf(id uint64) (slot uint32, lsn uint64, err error) {
	c.publish.RLock()
	defer c.publish.RUnlock()
	if slot = c.ids.get(id); slot != noSlot {
		lsn = c.store.LSN(slot)
	}
	return slot, lsn, c.ids.err()
}

// idPages returns the ids of all points that are live when it is first asked, in
// their order.
func (c *Collection) idPages() func() ([]uint64, error) {
	var ids []uint64
	taken := false
	return func() (page []uint64, err error) {
		if !taken {
			taken = true
			if ids, err = c.allIDs(); err != nil {
				return nil, err
			}
		}
		n := min(ahead, len(ids))
		page, ids = ids[:n], ids[n:]
		return page, nil
	}
}

// allIDs returns the ids of all live points, ascending. What is live is taken at one
// instant; its slots are pinned until their ids were read.
func (c *Collection) allIDs() ([]uint64, error) {
	s := c.takeScratch()
	defer c.putScratch(s)
	c.publish.RLock()
	live := c.live.Words(s.match.live)
	c.publish.RUnlock()
	s.match.live = live
	c.hook("all: between live and ids")
	ids := make([]uint64, 0, live.Len())
	for slot := range live.All() {
		ids = append(ids, c.store.ID(slot))
	}
	slices.Sort(ids)
	return ids, nil
}

// keyPages returns the ids of all points in the order of their keys, as these are
// when a page is asked for.
func (c *Collection) keyPages() func() ([]uint64, error) {
	from, end := "", false
	var ids []uint64
	return func() (page []uint64, err error) {
		if len(ids) == 0 && !end {
			var last string
			if last, ids, err = c.nextKeys(from, maxKeyPage); err != nil {
				return nil, err
			}
			from, end = after(last), len(ids) < maxKeyPage
		}
		n := min(ahead, len(ids))
		page, ids = ids[:n], ids[n:]
		return page, nil
	}
}
