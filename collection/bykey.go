package collection

import (
	"context"
	"errors"
	"fmt"

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
