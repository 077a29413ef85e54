package watch

import "context"

type key struct{}

// With returns a context whose operations tell fn how far they are.
func With(ctx context.Context, fn func(stage string, done, total int64)) context.Context {
	return context.WithValue(ctx, key{}, fn)
}

// Tell tells who watches that done of total steps of a stage are done.
func Tell(ctx context.Context, stage string, done, total int64) {
	if fn, ok := ctx.Value(key{}).(func(string, int64, int64)); ok && fn != nil {
		fn(stage, min(done, total), total)
	}
}
