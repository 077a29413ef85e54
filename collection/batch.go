package collection

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// SearchBatch is Search for many queries, with as many at a time as there are
// processors. The results are in the order of the queries; all queries are looked
// at before the first is searched for, and the first error ends the rest. A filter is
// decided once for all of them: a point that is new since the batch began may be missing.
func (c *Collection) SearchBatch(ctx context.Context, queries [][]float32, k int, opts ...SearchOption) ([][]Result, error) {
	if err := c.gate.enter(); err != nil {
		return nil, c.wrap(err)
	}
	defer c.gate.leave()
	o, err := c.searchOptions(k, opts)
	if err != nil {
		return nil, c.wrap(err)
	}
	for i, q := range queries {
		if err := c.checkVector(q); err != nil {
			return nil, c.wrap(fmt.Errorf("query %d: %w", i, err))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, c.wrap(err)
	}
	if o.filter != nil && len(queries) > 1 {
		s := c.takeScratch()
		defer c.putScratch(s)
		if err := guard(func() (err error) { o.decided, err = c.decideNow(ctx, s, o.filter); return err }); err != nil {
			return nil, c.wrap(err)
		}
	}
	results := make([][]Result, len(queries))
	err = together(ctx, len(queries), func(ctx context.Context, i int) (err error) {
		results[i], err = c.search(ctx, queries[i], k, &o)
		return err
	})
	if err != nil {
		return nil, c.wrap(err)
	}
	return results, nil
}

// together calls fn with 0 to n-1 from as many goroutines as there are processors,
// and returns when all have ended; the first error ends the rest.
func together(parent context.Context, n int, fn func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
			if err := fn(ctx, i); err != nil {
				cancel(err)
				return
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return outcome(parent, ctx)
}

// outcome returns what ended a context that was made of parent: parent's own error,
// whatever its cause, or the error that it was cancelled with; nil if nothing did.
func outcome(parent, ctx context.Context) error {
	if err := parent.Err(); err != nil && ctx.Err() != nil {
		return err
	}
	return context.Cause(ctx)
}
