package collection

import (
	"context"
	"fmt"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// DeleteWhere removes the points whose payload fulfils f, as one atomic batch, and
// counts them. It waits for what the stream had accepted, and which points those
// are is decided when their deletion is logged: none is written in between. nil is
// ErrInvalidArgument. So many points that their deletion is no single record of the
// log (about 2.7 million, fewer with long keys) are ErrTooLarge, and nothing is
// removed then.
func (c *Collection) DeleteWhere(ctx context.Context, f filter.Filter) (deleted int, err error) {
	if err := c.enterWrite(); err != nil {
		return 0, err
	}
	defer c.gate.leave()
	p, err := filter.Compile(f)
	if err != nil {
		return 0, c.wrap(err)
	}
	if s := c.stream.current.Load(); s != nil {
		if err := s.in.WaitMark(ctx, s.in.Mark()); err != nil {
			return 0, c.wrap(err)
		}
	}
	s := c.takeScratch()
	defer c.putScratch(s)
	w := where{c: c, s: s, filter: p}
	if err := guard(func() error { return w.prepare(ctx) }); err != nil {
		return 0, c.wrap(err)
	}
	c.hook("delete where: before the lock")
	out := &write{decide: func() ([]op, error) { return w.decide(ctx) }}
	if err := c.writeAPI(ctx, out); err != nil {
		return 0, c.wrap(err)
	}
	return len(out.ops), nil
}

// where finds the points of a DeleteWhere. Most payloads are looked at before the
// writer lock is held; under it only those that were written since.
type where struct {
	c      *Collection
	s      *scratch
	filter *filter.Program
	live   bitmap.Words // what prepare decided about
	set    bitmap.Words // what of that matches
}

func (w *where) prepare(ctx context.Context) error {
	c, m := w.c, &w.s.match
	c.publish.RLock()
	c.bounds(m, w.filter)
	w.live = append(w.live, m.live...)
	c.publish.RUnlock()
	if err := c.decide(ctx, m, w.filter); err != nil {
		return err
	}
	w.set = append(w.set, m.set...)
	return nil
}

// decide returns the deletions. The writer lock is held, so nothing is published
// meanwhile; the slots that prepare saw are pinned.
func (w *where) decide(ctx context.Context) (ops []op, err error) {
	err = guard(func() error {
		c, m := w.c, &w.s.match
		c.publish.RLock()
		c.bounds(m, w.filter)
		c.publish.RUnlock()
		m.may.AndNot(w.live)
		m.set.AndNot(w.live)
		if err := c.decide(ctx, m, w.filter); err != nil {
			return err
		}
		m.set.Or(w.set)
		for slot := range m.set.All() {
			if c.live.Has(slot) {
				ops = append(ops, op{id: c.store.ID(slot), slot: noSlot, old: slot})
			}
		}
		return w.nameKeys(ops)
	})
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return ops, nil
}

// nameKeys fills in the keys of the points that go.
func (w *where) nameKeys(ops []op) error {
	if !w.c.byKey() {
		return nil
	}
	slots := make([]uint32, len(ops))
	for i := range ops {
		slots[i] = ops[i].old
	}
	names, err := w.c.keysOf(slots)
	for i := range names {
		ops[i].key = names[i]
	}
	return err
}
