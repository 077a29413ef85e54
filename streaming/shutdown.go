package streaming

import (
	"context"
	"errors"
)

// CloseIntake makes sends fail with ErrClosed, those that wait for room
// included. What was accepted goes on being written.
func (in *Ingester[T]) CloseIntake() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.paused = true
	in.turnAway(ErrClosed)
}

// Reopen takes CloseIntake back. It has no effect on a stream that was shut
// down, aborted or died.
func (in *Ingester[T]) Reopen() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.paused = false
}

// Drain is Flush for one who has something better to do than wait for a disk
// that is full: it also returns when an attempt to write fails for a transient
// reason, with that reason. A batch that waits for its next attempt gets one at
// once. CloseIntake, Drain and then Shutdown replace a stream; when Drain
// fails, Reopen lets it go on as it was.
func (in *Ingester[T]) Drain(ctx context.Context) error {
	in.mu.Lock()
	if in.attempt == nil {
		in.attempt = &attempt{failed: make(chan struct{})}
	}
	a := in.attempt
	in.mu.Unlock()
	select {
	case in.kick <- struct{}{}:
	default:
	}
	err := in.flushUntil(ctx, a.failed)
	if errors.Is(err, errInterrupted) {
		return a.err
	}
	return err
}

// Shutdown accepts no more and writes what was accepted, in slices of
// BatchSize. If ctx ends before that, or the stream is dead, rest is what was
// accepted and not written, in order, and err says why. What was given out once
// is not given out again; a later call returns nil.
func (in *Ingester[T]) Shutdown(ctx context.Context) (rest []T, err error) {
	in.mu.Lock()
	if in.handed {
		in.mu.Unlock()
		return nil, nil
	}
	in.closed = true
	in.turnAway(ErrClosed)
	in.signal()
	in.mu.Unlock()
	select {
	case <-in.done:
	case <-ctx.Done():
		err = in.unfinished(ctx.Err())
		in.stop()
	}
	return in.handOver(err)
}

// Abort accepts no more, stops, and returns what was accepted and not written,
// in order. It waits for a Flush that is running, whose context it cancels.
func (in *Ingester[T]) Abort() []T {
	in.stop()
	rest, _ := in.handOver(nil)
	return rest
}

// Kill makes a stream dead from outside, as if Flush had returned err. It does
// not wait: what is in flight still gets its own outcome.
func (in *Ingester[T]) Kill(err error) {
	in.die(err)
	in.cancel()
}

// stop ends the drain goroutine as soon as a running Flush returns.
func (in *Ingester[T]) stop() {
	in.mu.Lock()
	in.closed, in.abort = true, true
	in.turnAway(ErrClosed)
	in.mu.Unlock()
	in.cancel()
	<-in.done
}

// end is the last thing the drain goroutine does: what is still queued fails,
// and waits to be handed back.
func (in *Ingester[T]) end() {
	in.cancel()
	in.mu.Lock()
	in.closed = true
	why := in.dead
	if why == nil {
		why = ErrClosed
	}
	in.turnAway(why)
	left := in.queue.n
	at := cursor[T]{in.queue.head, in.queue.first}
	in.mu.Unlock()

	var rest []T
	if left > 0 { // nothing is accepted any more
		rest = at.copyTo(make([]T, 0, left), left)
		in.opts.Settled(rest, why)
	}
	in.mu.Lock()
	in.ended, in.rest, in.unwritten = true, rest, left
	in.endedAt = in.settled.Load()
	in.stats.Failed += uint64(in.stats.Queued)
	in.stats.Queued, in.bytes = 0, 0
	in.queue, in.groups, in.out, in.free = queue[T]{}, nil, out{}, nil
	if left > 0 {
		in.failures.add(in.endedAt+1, in.accepted.Load(), why)
	}
	woken := in.settle(in.accepted.Load())
	in.mu.Unlock()
	release(woken)
}

// handOver gives out what was not written, once. err is why a stream that lives
// was stopped.
func (in *Ingester[T]) handOver(err error) ([]T, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.unwritten > 0 && err == nil {
		err = ErrClosed // stopped by another call
	}
	if in.unwritten == 0 {
		err = nil // written in time after all
	}
	if in.dead != nil {
		err = in.dead
	}
	rest := in.rest
	in.rest, in.handed = nil, true
	return rest, err
}
