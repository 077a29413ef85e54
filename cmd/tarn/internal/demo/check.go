package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

// reopen times the way from Open to the first answer, and looks whether the
// stream runs and everything is there before anything new is written.
func (d *demo) reopen(ctx context.Context) (err error) {
	live, _ := d.ledger.live()
	if len(live) == 0 {
		return errors.New("nothing was streamed")
	}
	x, _ := d.ledger.expect(live[len(live)/2])
	start := time.Now()
	if d.db, err = tarn.Open(d.dir, nil); err != nil {
		return err
	}
	if d.c, err = d.db.Collection(collection); err != nil {
		return err
	}
	if _, err := ask(ctx, d.c, d.ledger, &d.tally, x); err != nil {
		return err
	}
	d.report.ReopenMS = milliseconds(time.Since(start))

	s, err := d.c.Stream()
	if err != nil && !errors.Is(err, tarn.ErrNotConfigured) {
		return err
	}
	d.report.StreamRestored = err == nil && s.Config() == tarn.DefaultStreamingConfig()
	if !d.report.StreamRestored {
		d.show.Say("opened again: the stream is NOT as it was, starting it by hand")
		if _, err := d.c.EnableStreaming(ctx, tarn.DefaultStreamingConfig()); err != nil {
			return err
		}
	}
	if err := d.lookup(ctx); err != nil {
		return err
	}
	d.show.Say("opened again: first answer after %.1f ms, %s points, the stream is running",
		d.report.ReopenMS, thousands(d.c.Len()))
	return nil
}

// check looks for every point by its id, by its own vector, and in the listing.
func (d *demo) check(ctx context.Context) error {
	if err := d.lookup(ctx); err != nil {
		return err
	}
	if err := d.list(ctx); err != nil {
		return err
	}
	live, _ := d.ledger.live()
	d.show.Start("asking for every point", len(live), progress.Things)
	for _, id := range live {
		x, _ := d.ledger.expect(id)
		if _, err := ask(ctx, d.c, d.ledger, &d.tally, x); err != nil {
			return err
		}
		d.show.Add(1)
	}
	d.report.Points = d.c.Len()
	d.report.Lost = len(d.report.lost)
	d.tally.into(&d.report)
	return nil
}

// lookup gets every id: what is live must be there as it was written, what was
// deleted must not.
func (d *demo) lookup(ctx context.Context) error {
	live, deleted := d.ledger.live()
	for _, id := range live {
		x, _ := d.ledger.expect(id)
		p, err := d.c.Get(ctx, id)
		if err != nil && !errors.Is(err, tarn.ErrNotFound) {
			return fmt.Errorf("get %d: %w", id, err)
		}
		if err != nil || !slices.Equal(p.Vector, x.vector) || p.Payload["symbol"] != d.set.Symbols[id-1].Symbol {
			d.report.lose(id)
		}
	}
	for _, id := range deleted {
		_, err := d.c.Get(ctx, id)
		if err == nil {
			d.tally.seen(id)
		} else if !errors.Is(err, tarn.ErrNotFound) {
			return fmt.Errorf("get %d: %w", id, err)
		}
	}
	return nil
}

// list walks over all points: the live ones must come once each, no other.
func (d *demo) list(ctx context.Context) error {
	live, deleted := d.ledger.live()
	times := map[uint64]int{}
	for p, err := range d.c.All(ctx) {
		if err != nil {
			return fmt.Errorf("list all points: %w", err)
		}
		times[p.ID]++
	}
	for _, id := range live {
		if times[id] != 1 {
			d.report.lose(id)
		}
	}
	for _, id := range deleted {
		if times[id] != 0 {
			d.tally.seen(id)
		}
	}
	return nil
}
