package streaming

import (
	"context"
	"fmt"
)

// sender is a call that has items to accept and may wait for room. The calls
// stand in line; who makes room accepts for the first in line until it is done.
type sender[T any] struct {
	items []T
	costs []cost
	total cost // of a group
	group bool
	next  int // items before it are accepted
	last  uint64
	err   error
	done  chan struct{} // nil until it stands in line
}

// sender weighs the items of a batch or group before any lock is taken. If one
// of them never fits, all are refused.
func (in *Ingester[T]) sender(items []T, group bool) (*sender[T], error) {
	s := &sender[T]{items: items, costs: make([]cost, len(items)), group: group}
	points, bytes, large := 0, int64(0), false
	for i, item := range items {
		p, b := in.opts.Points(item), in.opts.Size(item)
		large = large || p > in.opts.BufferSize || int64(b) > in.opts.MaxBytes
		s.costs[i] = cost{int32(p), int32(b)}
		points, bytes = points+p, bytes+int64(b)
	}
	if group {
		large = large || max(points, len(items)) > in.opts.BufferSize || bytes > in.opts.MaxBytes
		s.total = cost{int32(points), int32(bytes)}
	}
	if large {
		in.CountRejected(points)
		return nil, fmt.Errorf("%d items of %d points and %d bytes: %w", len(items), points, bytes, ErrTooLarge)
	}
	return s, nil
}

// points returns those of the items not accepted.
func (s *sender[T]) points() (n uint64) {
	for _, c := range s.costs[s.next:] {
		n += uint64(c.points)
	}
	return n
}

// ticket stands for the items accepted.
func (s *sender[T]) ticket(c *core) Ticket {
	if s.next == 0 {
		return Ticket{}
	}
	return Ticket{c, s.last - uint64(s.next) + 1, s.last}
}

// send accepts s's items, waiting in line if need be.
func (in *Ingester[T]) send(ctx context.Context, s *sender[T]) (int, Ticket, error) {
	if len(s.items) == 0 {
		return 0, Ticket{}, ctx.Err()
	}
	in.mu.Lock()
	if s.err = ctx.Err(); s.err == nil {
		s.err = in.intake()
	}
	if s.err != nil || len(in.room) == 0 && in.take(s) {
		defer in.mu.Unlock()
		in.stats.Rejected += s.points()
		return s.next, s.ticket(&in.core), s.err
	}
	s.done = make(chan struct{})
	in.room = append(in.room, s)
	in.mu.Unlock()
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.leave(s) {
		s.err = ctx.Err()
		in.admit()
	}
	in.stats.Rejected += s.points()
	return s.next, s.ticket(&in.core), s.err
}

// take accepts what there is room for and reports whether that was all. The
// lock is held.
func (in *Ingester[T]) take(s *sender[T]) bool {
	defer in.wakeIfDue()
	if s.group && !in.fits(len(s.items), s.total) {
		if in.opts.BatchSize <= in.opts.BufferSize {
			in.prompt(in.accepted.Load()) // with the group's own, more than BatchSize points wait
		}
		return false
	}
	for s.next < len(s.items) {
		c := s.costs[s.next]
		if !in.fits(1, c) {
			in.hurry(c)
			return false
		}
		s.last = in.accept(s.items[s.next], c)
		s.next++
	}
	if s.group {
		in.groups = append(in.groups, group{s.last - uint64(s.next) + 1, s.last})
	}
	return true
}

// admit lets in who stands in line, as far as there is room. The lock is held.
func (in *Ingester[T]) admit() {
	for len(in.room) > 0 && in.take(in.room[0]) {
		close(in.room[0].done)
		in.room[0] = nil
		in.room = in.room[1:]
	}
}

// leave takes s out of the line, if it still stands there. The lock is held.
func (in *Ingester[T]) leave(s *sender[T]) bool {
	for i, x := range in.room {
		if x == s {
			in.room = append(in.room[:i:i], in.room[i+1:]...)
			return true
		}
	}
	return false
}

// turnAway ends the wait of everyone in line. The lock is held.
func (in *Ingester[T]) turnAway(err error) {
	for _, s := range in.room {
		s.err = err
		close(s.done)
	}
	in.room = nil
}
