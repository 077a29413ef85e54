package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/tarndb/tarn"
)

// watch is a searcher at work beside a stream.
type watch struct{ *searcher }

func (d *demo) watch(ctx context.Context) watch {
	return watch{startSearcher(ctx, d.c, d.ledger, &d.tally)}
}

// end stops the searcher and keeps its times.
func (w watch) end(ctx context.Context, d *demo) error {
	took, err := w.close(ctx)
	d.report.searched(took)
	return err
}

// rebuild is a Rebuild at work beside a stream.
type rebuild struct {
	done   chan struct{}
	cancel context.CancelFunc
	took   time.Duration
	err    error
}

func (d *demo) startRebuild(ctx context.Context) *rebuild {
	ctx, cancel := context.WithCancel(ctx)
	r := &rebuild{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(r.done)
		start := time.Now()
		r.err = d.c.Rebuild(ctx, tarn.IndexConfig{})
		r.took = time.Since(start)
	}()
	return r
}

// end waits for the rebuild, which is cancelled if the stream beside it failed.
func (r *rebuild) end(d *demo, streamErr error) error {
	if streamErr != nil {
		r.cancel()
		<-r.done
		return streamErr
	}
	<-r.done
	r.cancel()
	if r.err != nil {
		return fmt.Errorf("rebuild: %w", r.err)
	}
	d.report.Rebuilds++
	d.report.RebuildMS = milliseconds(r.took)
	return nil
}
