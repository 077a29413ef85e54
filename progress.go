package tarn

import (
	"context"

	"github.com/tarndb/tarn/internal/watch"
)

// WithProgress returns a context under which Backup, Verify, Repair, Rebuild and
// Compact tell fn how far they are: done of total steps of a stage, which a person
// can read. fn is called often, from several goroutines at once; it must return soon
// and call nothing of the store.
func WithProgress(ctx context.Context, fn func(stage string, done, total int64)) context.Context {
	return watch.With(ctx, fn)
}
