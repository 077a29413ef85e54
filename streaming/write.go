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
		err := in.flush(b)
		switch {
		case err == nil:
			if backoff > firstBackoff {
				in.mu.Lock()
				in.trouble = nil
				in.mu.Unlock()
			}
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

// flush calls Flush, and asks what to wait for then. An error means that nothing of the
// batch is written.
func (in *Ingester[T]) flush(b *batch[T]) error {
	return in.guard(func() error {
		err := in.opts.Flush(in.ctx, b.items)
		b.part = nil
		if errors.As(err, &b.part) && b.part.check(len(b.items)) == nil {
			err = nil
		}
		if err == nil {
			b.durable = in.opts.Durable()
		}
		return err
	})
}

// guard calls fn; a panic in it is an error.
func (in *Ingester[T]) guard(fn func() error) (err error) {
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
	err = fn()
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
