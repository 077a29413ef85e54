package collection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tarndb/tarn/internal/filter"
)

// GetKey returns the point with a key, or ErrNotFound.
func (c *Collection) GetKey(ctx context.Context, key string) (Point, error) {
	if err := c.gate.enter(); err != nil {
		return Point{}, c.wrap(err)
	}
	defer c.gate.leave()
	if err := errors.Join(ctx.Err(), c.wantKeys()); err != nil {
		return Point{}, c.wrap(err)
	}
	if err := checkKey(key); err != nil {
		return Point{}, c.wrap(fmt.Errorf("%w: %w: %w", ErrNotFound, ErrInvalidArgument, err))
	}
	var p Point
	err := guard(func() error {
		ids, err := c.keyIDs([]string{key})
		if err != nil {
			return err
		}
		if ids[0] != 0 {
			p, err = c.get(ids[0])
		}
		if ids[0] == 0 || errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("key of %d bytes: %w", len(key), ErrNotFound)
		}
		return err
	})
	return p, c.wrap(err)
}

// DeleteKeys removes points as one atomic batch; deleted counts those that were
// there.
func (c *Collection) DeleteKeys(ctx context.Context, keys ...string) (deleted int, err error) {
	if err := c.enterWrite(); err != nil {
		return 0, err
	}
	defer c.gate.leave()
	if err := c.wantKeys(); err != nil {
		return 0, c.wrap(err)
	}
	if len(keys) == 0 {
		return 0, nil
	}
	ops := make([]op, len(keys))
	for i, key := range keys {
		if err := checkKey(key); err != nil {
			return 0, c.wrap(fmt.Errorf("%w: key %d: %w", ErrInvalidArgument, i, err))
		}
		if ops[i], err = c.deletion(&Point{Key: key}); err != nil {
			return 0, c.wrap(err)
		}
	}
	w := &write{record: record{ops: lastPerName(ops)}}
	if err := c.writeAPI(ctx, w); err != nil {
		return 0, c.wrap(err)
	}
	return len(w.ops), nil
}

// ScrollKeys returns up to limit points with keys from from on whose payload fulfils
// f (nil: all), in the order of their keys, which is that of their bytes. The next
// page begins at the last key plus a zero byte. What is there and matches throughout
// is on exactly one page.
func (c *Collection) ScrollKeys(ctx context.Context, from string, limit int, f filter.Filter) ([]Point, error) {
	if err := c.gate.enter(); err != nil {
		return nil, c.wrap(err)
	}
	defer c.gate.leave()
	p, err := listing(limit, f)
	if err = errors.Join(c.wantKeys(), err); err != nil {
		return nil, c.wrap(err)
	}
	l := list{c: c, s: c.takeScratch(), limit: limit, filter: p}
	defer c.putScratch(l.s)
	err = guard(func() error { return l.byKey(ctx, from) })
	return l.out, c.wrap(err)
}

// byKey reads page after page until there are enough points or no more.
func (l *list) byKey(ctx context.Context, from string) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		want := min(max(l.limit-len(l.out), minPage), maxPage)
		names, ids, err := l.c.nextKeys(from, want)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := l.locate(ids); err != nil {
			return err
		}
		if err := l.read(); err != nil || len(ids) < want {
			if errors.Is(err, errEnough) {
				err = nil
			}
			return err
		}
		from = names[len(names)-1] + "\x00"
	}
}

// nextKeys returns the want smallest keys from from on, and their ids. What has
// changed since the checkpoint is looked at first: a change leaves memory only when
// it is in meta.db, so a key that is there throughout is in one of the two.
func (c *Collection) nextKeys(from string, want int) (names []string, ids []uint64, err error) {
	recent := c.keys.recentFrom(from)
	fresh := slices.Sorted(maps.Keys(recent))
	take := func(name string, id uint64) {
		if id != 0 {
			names, ids = append(names, name), append(ids, id)
		}
	}
	err = c.meta.ScanKeys(from, func(key []byte, id uint64) bool {
		for len(fresh) > 0 && fresh[0] < string(key) && len(ids) < want {
			take(fresh[0], recent[fresh[0]])
			fresh = fresh[1:]
		}
		if len(ids) == want {
			return false
		}
		if _, changed := recent[string(key)]; !changed {
			take(string(key), id)
		}
		return len(ids) < want
	})
	for ; err == nil && len(fresh) > 0 && len(ids) < want; fresh = fresh[1:] {
		take(fresh[0], recent[fresh[0]])
	}
	return names, ids, err
}

// locate fills the page with where the points of ids are at this instant. Their
// slots are pinned from then on.
func (l *list) locate(ids []uint64) error {
	c := l.c
	l.s.pin.hold(&c.clock)
	c.publish.RLock()
	defer c.publish.RUnlock()
	l.page = l.page[:0]
	c.ids.getAll(len(ids), func(i int) uint64 { return ids[i] }, func(i int, slot uint32) {
		l.page = append(l.page, place{ids[i], slot})
	})
	if err := c.ids.err(); err != nil {
		return err
	}
	order := make(map[uint64]int, len(ids))
	for i, id := range ids {
		order[id] = i
	}
	slices.SortFunc(l.page, func(a, b place) int { return order[a.id] - order[b.id] })
	l.page = slices.DeleteFunc(l.page, func(p place) bool { return p.slot == noSlot })
	return nil
}

// allKeys calls fn with the ids of all points, in the order of their keys, until it
// returns false.
func (c *Collection) allKeys(fn func(id uint64) bool) error {
	for from := ""; ; {
		if err := c.gate.enter(); err != nil {
			return err
		}
		names, ids, err := c.nextKeys(from, maxPage)
		c.gate.leave()
		if err != nil {
			return err
		}
		for _, id := range ids {
			if !fn(id) {
				return nil
			}
		}
		if len(ids) < maxPage {
			return nil
		}
		from = names[len(names)-1] + "\x00"
	}
}

// DeleteKey deletes a point, in order with the sends. It waits for room.
func (s *Stream) DeleteKey(ctx context.Context, key string) (Ticket, error) {
	if err := s.c.wantKeys(); err != nil {
		return Ticket{}, s.c.wrap(err)
	}
	o, err := s.c.deletion(&Point{Key: key})
	if err != nil {
		s.in.CountRejected(1)
		return Ticket{}, s.c.wrap(&InvalidPointError{Key: key, Err: err})
	}
	return s.sendOne(ctx, item{op: o})
}
