package streaming

import (
	"context"
	"fmt"
)

// TrySend accepts an item or says at once why not: ErrBufferFull, ErrClosed,
// ErrTooLarge, or the error of a dead stream.
func (in *Ingester[T]) TrySend(item T) (Ticket, error) {
	c, err := in.cost(item)
	if err != nil {
		return Ticket{}, err
	}
	in.mu.Lock()
	if err := in.admits(c); err != nil {
		in.stats.Rejected += uint64(c.points)
		in.mu.Unlock()
		return Ticket{}, err
	}
	seq := in.accept(item, c)
	in.wakeIfDue()
	in.mu.Unlock()
	return Ticket{&in.core, seq, seq}, nil
}

// TrySendBatch accepts as many of the items as there is room for, from the
// first on. The ticket stands for those; err says why it was not all.
func (in *Ingester[T]) TrySendBatch(items []T) (accepted int, t Ticket, err error) {
	s, err := in.sender(items, false)
	if err != nil || len(items) == 0 {
		return 0, Ticket{}, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for accepted < len(items) {
		if err = in.admits(s.costs[accepted]); err != nil {
			s.next = accepted
			in.stats.Rejected += s.points()
			break
		}
		t.to = in.accept(items[accepted], s.costs[accepted])
		accepted++
	}
	in.wakeIfDue()
	if accepted == 0 {
		return 0, Ticket{}, err
	}
	return accepted, Ticket{&in.core, t.to - uint64(accepted) + 1, t.to}, err
}

// Send waits for room.
func (in *Ingester[T]) Send(ctx context.Context, item T) (Ticket, error) {
	if err := ctx.Err(); err != nil {
		in.CountRejected(in.opts.Points(item))
		return Ticket{}, err
	}
	c, err := in.cost(item)
	if err != nil {
		return Ticket{}, err
	}
	in.mu.Lock()
	if in.admits(c) == nil {
		seq := in.accept(item, c)
		in.wakeIfDue()
		in.mu.Unlock()
		return Ticket{&in.core, seq, seq}, nil
	}
	in.mu.Unlock()
	_, t, err := in.send(ctx, &sender[T]{items: []T{item}, costs: []cost{c}})
	return t, err
}

// SendBatch waits for room, piece by piece; no other item gets between. If ctx
// or the stream ends half way, accepted is the prefix that t stands for.
func (in *Ingester[T]) SendBatch(ctx context.Context, items []T) (accepted int, t Ticket, err error) {
	s, err := in.sender(items, false)
	if err != nil {
		return 0, Ticket{}, err
	}
	return in.send(ctx, s)
}

// SendGroup waits for room for all items and accepts them whole or not at all.
// They are flushed by themselves, in one call. A group may consist of one
// marker, an item that counts for no points.
func (in *Ingester[T]) SendGroup(ctx context.Context, items []T) (Ticket, error) {
	s, err := in.sender(items, true)
	if err != nil {
		return Ticket{}, err
	}
	_, t, err := in.send(ctx, s)
	return t, err
}

// cost asks for an item's share of the bounds. An item that never fits is
// counted as rejected.
func (in *Ingester[T]) cost(item T) (cost, error) {
	points, bytes := in.opts.Points(item), in.opts.Size(item)
	if points > in.opts.BufferSize || int64(bytes) > in.opts.MaxBytes {
		in.CountRejected(points)
		return cost{}, fmt.Errorf("an item of %d points and %d bytes: %w", points, bytes, ErrTooLarge)
	}
	return cost{int32(points), int32(bytes)}, nil
}

// admits returns why an item of cost c is not accepted now, or nil. A marker
// takes the room of a point. The lock is held.
func (in *Ingester[T]) admits(c cost) error {
	if err := in.intake(); err != nil {
		return err
	}
	if len(in.room) > 0 || !in.fits(1, c) { // by I6
		in.hurry(c)
		return ErrBufferFull
	}
	return nil
}

// hurry lets go what is queued if its bytes leave no room for an item of cost c: a
// few large items are no full batch, and it should not wait for the timer. The
// lock is held.
func (in *Ingester[T]) hurry(c cost) {
	if in.bytes+int64(c.bytes) > in.opts.MaxBytes {
		in.prompt(in.accepted.Load())
	}
}

// fits reports whether items of cost c in all stay within the bounds (I4). The
// lock is held.
func (in *Ingester[T]) fits(items int, c cost) bool {
	return in.queue.n+items <= in.opts.BufferSize &&
		in.stats.Queued+int(c.points) <= in.opts.BufferSize &&
		in.bytes+int64(c.bytes) <= in.opts.MaxBytes
}

// accept puts an item into the queue and numbers it. The lock is held.
func (in *Ingester[T]) accept(item T, c cost) uint64 {
	in.queue.push(item, c)
	in.stats.Accepted += uint64(c.points)
	in.stats.Queued += int(c.points)
	in.bytes += int64(c.bytes)
	return in.accepted.Add(1)
}
