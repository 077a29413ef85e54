package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tarndb/tarn"
)

// fullFor is how long a stream may find the disk full before a command gives up:
// the stream itself would try for ever.
const fullFor = 5 * time.Second

// untilFull returns a context that ends when the stream of c has found the disk full
// for a while and written nothing, and what ends the looking.
func untilFull(ctx context.Context, stats func() tarn.StreamStats, look <-chan time.Time) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var since time.Time
		var written uint64
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-look:
				s := stats()
				if !errors.Is(s.LastError, tarn.ErrNoSpace) || s.Written != written || s.Queued == 0 {
					since, written = now, s.Written
				} else if now.Sub(since) >= fullFor {
					cancel(fmt.Errorf("%w; what is not stored goes on with the next run", s.LastError))
				}
			}
		}
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-done
	}
}

// fullness is why a context of untilFull ended, if it was for that; else err.
func fullness(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, tarn.ErrNoSpace) {
		return cause
	}
	return err
}
