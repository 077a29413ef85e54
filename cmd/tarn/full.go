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

// full finds out whether the disk of a stream stays full.
type full struct {
	since   time.Time // of the first look, or the last at which it was not or something was written
	written uint64
}

// look is told what there is, and returns an error when the stream has found the disk
// full for a while and written nothing.
func (f *full) look(now time.Time, s tarn.StreamStats) error {
	if f.since.IsZero() || !errors.Is(s.LastError, tarn.ErrNoSpace) || s.Written != f.written || s.Queued == 0 {
		f.since, f.written = now, s.Written
		return nil
	}
	if now.Sub(f.since) < fullFor {
		return nil
	}
	return fmt.Errorf("%w; what is not stored goes on with the next run", s.LastError)
}

// fullness is why the context of a look ended, if it was for that; else err.
func fullness(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, tarn.ErrNoSpace) {
		return cause
	}
	return err
}
