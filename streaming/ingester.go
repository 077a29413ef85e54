package streaming

import (
	"context"
	"errors"
	"fmt"
)

// An Ingester is a running stream.
type Ingester[T any] struct {
	core
	opts  Options[T]
	queue queue[T]
	room  []*sender[T] // who waits for room, first come first

	groups   []group // not settled yet, oldest first
	out      out     // what was flushed and is not settled yet
	free     [][]T   // empty, for the next batches
	promptTo uint64  // items up to here leave without waiting for a full batch
	wake     wakeOn  // what the drain goroutine wants to be woken for
	abort    bool    // stop without writing what is queued

	ended     bool   // the drain goroutine is at its end; rest is
	rest      []T    // what was accepted and not written,
	unwritten int    // its length, and
	endedAt   uint64 // the number before its first item
	handed    bool   // rest was given to somebody

	alarm  chan struct{} // something for the drain goroutine to look at
	kick   chan struct{} // a retry need not wait
	done   chan struct{} // closed when the drain goroutine has ended
	ctx    context.Context
	cancel context.CancelFunc

	drain drainer[T]
}

// group is the range of items that one call of Flush gets by itself.
type group struct{ from, to uint64 }

// New starts a stream. It ends with Shutdown or Abort; an error names every bad
// option.
func New[T any](o Options[T]) (*Ingester[T], error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("streaming: %w", err)
	}
	in := &Ingester[T]{
		opts:  o.withDefaults(),
		queue: newQueue[T](),
		alarm: make(chan struct{}, 1),
		kick:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	in.ctx, in.cancel = context.WithCancel(context.Background())
	in.drain.reach = 1
	go in.run()
	return in, nil
}

// Config returns the configuration with defaults filled in.
func (in *Ingester[T]) Config() Config {
	return in.opts.Config
}

// Flush returns when everything accepted before the call has its outcome: nil
// if all that was accepted since the previous Flush is written, otherwise what
// is not. A partial batch leaves at once. On a stream that was shut down or
// aborted nothing is left to wait for.
func (in *Ingester[T]) Flush(ctx context.Context) error {
	return in.flushUntil(ctx, nil)
}

// errInterrupted is the end of a wait for an outcome that does not interest any more.
var errInterrupted = errors.New("interrupted")

// flushUntil is Flush, ended with errInterrupted by stop.
func (in *Ingester[T]) flushUntil(ctx context.Context, stop <-chan struct{}) error {
	in.mu.Lock()
	from, to := in.told+1, in.accepted.Load()
	if in.ended && in.dead == nil {
		to = in.endedAt // the rest was handed back
	}
	in.prompt(to)
	in.mu.Unlock()
	if err := in.await(ctx, to, stop); err != nil {
		return in.unfinished(err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead != nil {
		return in.dead
	}
	in.told = max(in.told, to)
	if err := in.failures.find(from, to); err != nil {
		return fmt.Errorf("%d items were not written: %w", in.failures.count(from, to), err)
	}
	return nil
}

// WaitMark returns when everything before m is written or will never be: nil,
// or ctx's error. A partial batch leaves at once.
func (in *Ingester[T]) WaitMark(ctx context.Context, m Mark) error {
	if in.Reached(m) {
		return nil
	}
	in.mu.Lock()
	in.prompt(uint64(m))
	in.mu.Unlock()
	return in.await(ctx, uint64(m), nil)
}

// prompt makes the items up to seq leave without waiting for a full batch. The
// lock is held.
func (in *Ingester[T]) prompt(seq uint64) {
	if seq > in.promptTo && seq > in.settled.Load() {
		in.promptTo = seq
		in.signal()
	}
}

// signal wakes the drain goroutine, now or when it next looks.
func (in *Ingester[T]) signal() {
	select {
	case in.alarm <- struct{}{}:
	default:
	}
}

// unfinished adds to a context's error why the stream has not got further.
func (in *Ingester[T]) unfinished(err error) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.trouble != nil {
		return fmt.Errorf("%w: %d points wait: %w", err, in.stats.Queued, in.trouble)
	}
	return err
}
