package streaming

import (
	"errors"
	"fmt"
	"time"
)

// A batch that failed for a transient reason is tried again after firstBackoff,
// then after twice as long each time, up to maxBackoff, for as long as the
// stream is not stopped.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second
)

// errGoexit is the death of a stream whose Flush ended the goroutine.
var errGoexit = errors.New("flush ended its goroutine")

// write flushes a batch until it has an outcome. False: the stream ends, and
// the batch is not written.
func (in *Ingester[T]) write(b *batch[T]) bool {
	backoff := firstBackoff
	for {
		err := in.flush(b.items)
		var part *PartialError
		switch {
		case err == nil:
			in.wrote(b, nil)
			return true
		case errors.As(err, &part) && part.check(len(b.items)) == nil:
			in.wrote(b, part)
			return true
		case in.stopped(err):
			return false
		case !in.opts.Transient(err):
			in.die(err)
			return false
		}
		in.opts.Logger.Warn("stream: flush failed, the batch is kept", "points", b.cost.points, "again_in", backoff, "error", err)
		if !in.retry(err, backoff) {
			return false
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// flush calls Flush; a panic in it is an error.
func (in *Ingester[T]) flush(items []T) (err error) {
	err = errGoexit
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil {
			err = fmt.Errorf("flush panicked: %v", p)
			return
		}
		in.die(errGoexit)
	}()
	err = in.opts.Flush(in.ctx, items)
	returned = true
	return err
}

// stopped reports whether err only says that the stream was told to stop.
func (in *Ingester[T]) stopped(err error) bool {
	if in.ctx.Err() == nil {
		return false
	}
	return errors.Is(err, in.ctx.Err()) || in.opts.Transient(err)
}

// retry waits before the next attempt. False: the stream was told to stop.
func (in *Ingester[T]) retry(err error, backoff time.Duration) bool {
	in.crowd(false)
	in.mu.Lock()
	in.stats.LastError = err
	in.trouble = err
	select {
	case <-in.kick: // asked for the attempt that has just failed
	default:
	}
	if a := in.attempt; a != nil {
		a.err = err
		close(a.failed)
		in.attempt = nil
	}
	in.mu.Unlock()
	wait := time.NewTimer(backoff)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-in.kick:
	case <-in.ctx.Done():
		return false
	}
	return true
}

// wrote settles a batch of which all but the parts named is written.
func (in *Ingester[T]) wrote(b *batch[T], part *PartialError) {
	var failed []FailedRange
	if part != nil {
		failed = part.Failed
	}
	in.tell(b.items, failed)
	lost := b.lost(failed)
	b.at.wipe(len(b.items))
	clear(b.items)

	in.mu.Lock()
	for _, f := range failed {
		in.failures.add(b.from+uint64(f.From), b.from+uint64(f.To)-1, f.Err)
	}
	if part != nil {
		in.stats.LastError = part
	}
	in.trouble = nil
	in.stats.Batches++
	in.stats.Written += uint64(b.cost.points - lost)
	in.stats.Failed += uint64(lost)
	in.stats.Queued -= b.cost.points
	in.bytes -= b.cost.bytes
	in.queue.drop(len(b.items))
	if b.group {
		in.groups = in.groups[1:]
	}
	woken := in.settle(b.to)
	in.admit()
	in.mu.Unlock()
	release(woken)
}

// tell reports the fates of a batch's items in order.
func (in *Ingester[T]) tell(items []T, failed []FailedRange) {
	at := 0
	for _, f := range failed {
		if f.From > at {
			in.opts.Settled(items[at:f.From], nil)
		}
		in.opts.Settled(items[f.From:f.To], f.Err)
		at = f.To
	}
	if at < len(items) {
		in.opts.Settled(items[at:], nil)
	}
}

// lost returns the points of the items that failed.
func (b *batch[T]) lost(failed []FailedRange) (points int) {
	k, at := b.at, 0
	for _, f := range failed {
		for ; at < f.To; at++ {
			c, j := k.next()
			if at >= f.From {
				points += int(c.costs[j].points)
			}
		}
	}
	return points
}

// die makes the stream refuse everything from now on. What is queued fails when
// the drain goroutine ends.
func (in *Ingester[T]) die(cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead != nil || in.ended {
		return
	}
	in.dead = fmt.Errorf("%w: %w", ErrStreamDead, cause)
	in.stats.LastError = cause
	in.turnAway(in.dead)
	in.opts.Logger.Error("stream: dead", "queued", in.stats.Queued, "error", cause)
}
