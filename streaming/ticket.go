package streaming

import "context"

// A Ticket stands for items that were accepted together. It is a value; the
// zero Ticket is done.
type Ticket struct {
	core     *core
	from, to uint64
}

// Wait returns when the items have their outcome: nil when all are written,
// otherwise the error of the first that failed. If ctx ends before that, its error.
func (t Ticket) Wait(ctx context.Context) error {
	if t.core == nil || t.to == 0 {
		return nil
	}
	if err := t.core.await(ctx, t.to, nil); err != nil {
		return err
	}
	return t.core.outcome(t.from, t.to)
}

// A Mark is a place in a stream: behind everything accepted before it was drawn.
type Mark uint64

// Mark draws the place behind all that has been accepted so far.
func (c *core) Mark() Mark {
	return Mark(c.accepted.Load())
}

// Reached reports whether everything before m has its outcome.
func (c *core) Reached(m Mark) bool {
	return c.settled.Load() >= uint64(m)
}
