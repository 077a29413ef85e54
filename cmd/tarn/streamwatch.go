package main

import (
	"context"
	"time"

	"github.com/tarndb/tarn"
)

// watchStream looks at the stream of c every second while something is read into it. It
// returns a context, and what ends the looking.
//
//	look ──┬── full: it stays so ──> the context ends
//	       └── behind ──> said once: a bar that has become slow does not say why
func (p *reading) watchStream(ctx context.Context, c *tarn.Collection) (context.Context, func()) {
	tick := time.NewTicker(time.Second)
	ctx, end := p.lookAt(ctx, c.Stats, tick.C)
	return ctx, func() {
		end()
		tick.Stop()
	}
}

// lookAt is watchStream at the times that look tells.
func (p *reading) lookAt(ctx context.Context, stats func() tarn.Stats, look <-chan time.Time) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var (
			f    full
			b    behind
			said bool
		)
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-look:
				s := stats()
				if err := f.look(now, s.Stream); err != nil {
					cancel(err)
				}
				if b.look(s) && !said {
					said = true
					p.show.Say("waiting for the indexer, %s points behind: %ss are stored at its pace now", count(s.InDelta), p.what)
				}
			}
		}
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-done
	}
}
