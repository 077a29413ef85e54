package streaming

import (
	"errors"
	"fmt"
)

var (
	// ErrBufferFull is returned when the queue has no room, or what room there is
	// belongs to senders that wait for it.
	ErrBufferFull = errors.New("stream buffer is full")
	// ErrClosed is returned by a stream that takes no more, and by the tickets of
	// what Shutdown or Abort handed back.
	ErrClosed = errors.New("closed")
	// ErrStreamDead is returned, wrapping the cause too, once a flush failed for good.
	ErrStreamDead = errors.New("stream is dead")
	// ErrTooLarge is returned for what can never fit into the queue.
	ErrTooLarge = errors.New("too large")
	// ErrForgotten is returned by a ticket so old that its outcome is not kept any more.
	ErrForgotten = errors.New("outcome is no longer known")
)

// A PartialError is what Flush returns when it refused some items for good and
// has written all others of the batch. The stream goes on; the tickets of the
// refused items return their errors. Flush must not return one for a batch of
// which it does not know that the rest is durable, or that Durable will say so.
type PartialError struct {
	Failed []FailedRange // ascending, not overlapping
}

// A FailedRange are the items From to To-1 of the batch, refused for one reason.
type FailedRange struct {
	From, To int
	Err      error
}

func (e *PartialError) Error() string {
	n := 0
	for _, f := range e.Failed {
		n += f.To - f.From
	}
	if len(e.Failed) == 0 {
		return "no item failed"
	}
	return fmt.Sprintf("%d items failed, the first: %v", n, e.Failed[0].Err)
}

// Unwrap returns the errors of the ranges.
func (e *PartialError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f.Err
	}
	return errs
}

// check reports whether the ranges are what a batch of n items can have.
func (e *PartialError) check(n int) error {
	at := 0
	for _, f := range e.Failed {
		if f.From < at || f.To <= f.From || f.To > n || f.Err == nil {
			return fmt.Errorf("flush named items %d to %d of a batch of %d", f.From, f.To, n)
		}
		at = f.To
	}
	return nil
}
