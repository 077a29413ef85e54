package demo

import (
	"context"
	"errors"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
	"time"
)

// streamMost streams nine tenths. When half of it is durable a Rebuild starts;
// beside it the stream goes on, drafts move home, and deprecated symbols go.
func (d *demo) streamMost(ctx context.Context) (err error) {
	n := len(d.set.Symbols)
	half, most := n*9/20, n*9/10
	d.show.Start("streaming", most, progress.Things)
	watch := d.watch(ctx)
	defer func() { err = errors.Join(err, watch.end(ctx, d)) }()

	if err := d.stream(ctx, func(f *feed) error { return d.sendRange(f, 0, half) }); err != nil {
		return err
	}
	d.show.Say("rebuilding the index beside the stream; moving and deleting points meanwhile")
	rebuild := d.startRebuild(ctx)
	defer func() { err = rebuild.end(d, err) }()
	if err := d.stream(ctx, func(f *feed) error { return d.sendAndChange(ctx, f, half, most) }); err != nil {
		return err
	}
	return d.swing(ctx, half, rebuild.done)
}

// streamRest streams the last tenth into the reopened store.
func (d *demo) streamRest(ctx context.Context) (err error) {
	n := len(d.set.Symbols)
	most := n * 9 / 10
	d.show.Start("streaming the rest", n-most, progress.Things)
	watch := d.watch(ctx)
	defer func() { err = errors.Join(err, watch.end(ctx, d)) }()
	if err := d.stream(ctx, func(f *feed) error { return d.sendRange(f, most, n) }); err != nil {
		return err
	}
	return d.removeDeprecated(ctx, d.deprecated(n*9/20, n))
}

// stream runs send on a feed, and times it.
func (d *demo) stream(ctx context.Context, send func(*feed) error) error {
	s, err := d.c.Stream()
	if err != nil {
		return err
	}
	start := time.Now()
	f := newFeed(ctx, s, d.ledger, d.show)
	if err = send(f); err == nil {
		err = s.Flush(ctx) // the source has come to its end: nothing waits for a batch to fill
	}
	waits, waitErr := f.close()
	d.report.accepted(len(waits), time.Since(start), waits)
	if waitErr != nil {
		return waitErr // the cause of send's own
	}
	return err
}

func (d *demo) sendRange(f *feed, from, to int) error {
	for i := from; i < to; i++ {
		if err := f.put(d.point(i, d.firstVector(i))); err != nil {
			return err
		}
	}
	return nil
}
