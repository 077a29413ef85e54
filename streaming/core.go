package streaming

import (
	"context"
	"sync"
	"sync/atomic"
)

// core is what of a stream does not depend on the item's type: numbers,
// outcomes, counters. Tickets point to it.
type core struct {
	mu sync.Mutex // guards everything below and the queue; the atomics are written under it

	accepted atomic.Uint64 // number of the newest item accepted; the first one is 1
	settled  atomic.Uint64 // all items up to here have their outcome
	stats    Stats
	bytes    int64

	failures failures
	watchers watchers

	paused  bool   // CloseIntake
	closed  bool   // Shutdown, Abort, or the end
	dead    error  // ErrStreamDead with its cause; sticky
	told    uint64 // Flush has reported what failed up to here
	trouble error  // the transient error because of which the batch in flight waits
	attempt *attempt
}

// attempt is what Drain waits for beside the outcome: the next try that fails.
type attempt struct {
	failed chan struct{}
	err    error
}

// Stats are the counters of a stream, taken at one instant.
type Stats struct {
	Accepted, Written, Failed, Rejected uint64 // in points; Accepted == Written + Failed + Queued
	Queued                              int
	Batches                             uint64 // calls of Flush that wrote something
	LastError                           error  // of Flush, transient or not
}

// Stats returns a snapshot of the counters.
func (c *core) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// CountRejected adds points that were refused before they came here.
func (c *core) CountRejected(points int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Rejected += uint64(points)
}

// Err returns the error of a stream that is dead, wrapping ErrStreamDead and the
// cause, and nil before.
func (c *core) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// intake returns why nothing is accepted, or nil. The lock is held.
func (c *core) intake() error {
	switch {
	case c.dead != nil:
		return c.dead
	case c.closed, c.paused:
		return ErrClosed
	}
	return nil
}

// settle moves the watermark up to item to and returns who waited for it. The
// lock is held; failures up to there are recorded already.
func (c *core) settle(to uint64) []*watcher {
	c.settled.Store(to)
	return c.watchers.upTo(to)
}

// await returns when every item up to seq has its outcome, with ctx's error, or
// with errInterrupted when stop is closed.
func (c *core) await(ctx context.Context, seq uint64, stop <-chan struct{}) error {
	if c.settled.Load() >= seq {
		return nil
	}
	c.mu.Lock()
	if c.settled.Load() >= seq {
		c.mu.Unlock()
		return nil
	}
	w := c.watchers.add(seq)
	c.mu.Unlock()
	err := errInterrupted
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-stop:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settled.Load() >= seq {
		return nil
	}
	c.watchers.remove(w)
	return err
}

// outcome returns the error of the first item from..to that failed, as far as
// that is still known.
func (c *core) outcome(from, to uint64) error {
	if !c.failures.any.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures.find(from, to)
}
