package demo

import (
	"context"
	"fmt"

	"github.com/tarndb/tarn"
)

// Some symbols are streamed as drafts first, at another symbol's vector, and
// moved to their own while the index is rebuilt.
const (
	draftEvery = 37 // one symbol in so many
	draftAway  = 11 // and how far away in the set its first vector is taken from
)

// firstVector is where symbol i is streamed to at first.
func (d *demo) firstVector(i int) []float32 {
	if d.isDraft(i) {
		return d.awayVector(i)
	}
	return d.set.Symbols[i].Vector
}

func (d *demo) isDraft(i int) bool {
	return i%draftEvery == 5 && i < len(d.set.Symbols)*9/20 && !d.set.Symbols[i].Deprecated
}

func (d *demo) awayVector(i int) []float32 {
	return d.set.Symbols[(i+draftAway)%len(d.set.Symbols)].Vector
}

// sendAndChange streams [from, to). Spread over it go the changes of what is
// durable already: drafts move home, deprecated symbols are deleted, every other
// one through the stream and the rest by calls beside it.
func (d *demo) sendAndChange(ctx context.Context, f *feed, from, to int) error {
	deprecated := d.deprecated(0, from)
	byStream, byCall := deprecated[:len(deprecated)/2], deprecated[len(deprecated)/2:]
	changes := d.changes(f, d.drafts(from), byStream)
	every := max(1, (to-from)/(len(changes)+1))
	for i := from; i < to; i++ {
		if err := f.put(d.point(i, d.firstVector(i))); err != nil {
			return err
		}
		if (i-from)%every == 0 && len(changes) > 0 {
			if err := changes[0](); err != nil {
				return err
			}
			changes = changes[1:]
		}
	}
	for _, change := range changes { // of a set too small to spread them over
		if err := change(); err != nil {
			return err
		}
	}
	return d.removeDeprecated(ctx, byCall)
}

// changes returns, in turns, the moves home of drafts and the deletes of ids.
func (d *demo) changes(f *feed, drafts []int, ids []uint64) []func() error {
	var out []func() error
	for len(drafts)+len(ids) > 0 {
		if len(drafts) > 0 {
			i := drafts[0]
			drafts = drafts[1:]
			out = append(out, func() error {
				d.report.Moved++
				return f.move(d.point(i, d.set.Symbols[i].Vector))
			})
		}
		if len(ids) > 0 {
			id := ids[0]
			ids = ids[1:]
			out = append(out, func() error {
				d.report.Deleted++
				return f.remove(id)
			})
		}
	}
	return out
}

// removeDeprecated deletes ids in calls of a few at a time, beside the stream.
func (d *demo) removeDeprecated(ctx context.Context, ids []uint64) error {
	const atOnce = 8
	for len(ids) > 0 {
		some := ids[:min(atOnce, len(ids))]
		ids = ids[len(some):]
		for _, id := range some {
			d.ledger.begin(id)
		}
		deleted, err := d.c.Delete(ctx, some...)
		if err != nil {
			return err
		}
		if deleted != len(some) {
			return fmt.Errorf("deleted %d of %d points that were there", deleted, len(some))
		}
		for _, id := range some {
			d.ledger.remove(id)
		}
		d.report.Deleted += len(some)
	}
	return nil
}

// swing moves a few symbols away and home again until the rebuild is done, so
// that it has writes beside it to its end however long it takes.
func (d *demo) swing(ctx context.Context, durable int, done <-chan struct{}) error {
	s, err := d.c.Stream()
	if err != nil {
		return err
	}
	drafts := d.drafts(durable)
	drafts = drafts[:min(32, len(drafts))]
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		for _, to := range []func(int) []float32{d.awayVector, func(i int) []float32 { return d.set.Symbols[i].Vector }} {
			if err := d.move(ctx, s, drafts, to); err != nil {
				return err
			}
		}
	}
}

// move sends symbols to where to says and waits until they are there.
func (d *demo) move(ctx context.Context, s *tarn.Stream, symbols []int, to func(int) []float32) error {
	f := newFeed(ctx, s, d.ledger, Silent{})
	var sendErr error
	for _, i := range symbols {
		if sendErr = f.move(d.point(i, to(i))); sendErr != nil {
			break
		}
		d.report.Moved++
	}
	if _, err := f.close(); err != nil {
		return err
	}
	return sendErr
}

// drafts returns the symbols below end that were streamed as drafts.
func (d *demo) drafts(end int) []int {
	var out []int
	for i := range end {
		if d.isDraft(i) {
			out = append(out, i)
		}
	}
	return out
}

// deprecated returns the ids of the deprecated symbols in [from, to).
func (d *demo) deprecated(from, to int) []uint64 {
	var out []uint64
	for _, s := range d.set.Symbols[from:to] {
		if s.Deprecated {
			out = append(out, s.ID)
		}
	}
	return out
}
