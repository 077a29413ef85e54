package endable

import (
	"bytes"
	"context"
	"io"
	"time"
)

// Reader returns r, of which a read ends with ctx.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &reader{ctx: ctx, r: r} }

type reader struct {
	ctx context.Context
	r   io.Reader
	own []byte // the goroutine's: who asked may be gone
}

type result struct {
	n   int
	err error
}

func (x *reader) Read(b []byte) (int, error) {
	if err := x.ctx.Err(); err != nil {
		return 0, err
	}
	if len(x.own) < len(b) {
		x.own = make([]byte, len(b))
	}
	own := x.own[:len(b)]
	done := make(chan result, 1)
	go func() {
		n, err := x.r.Read(own)
		done <- result{n, err}
	}()
	select {
	case got := <-done:
		return copy(b, own[:got.n]), got.err
	case <-x.ctx.Done():
		return 0, x.ctx.Err()
	}
}

// grace is how long a write may take when its context has ended: what is still said
// then, such as a report, is for somebody who listens.
const grace = time.Second

// Writer returns w, of which a write ends soon after ctx.
func Writer(ctx context.Context, w io.Writer) io.Writer { return &writer{ctx: ctx, w: w} }

type writer struct {
	ctx   context.Context
	w     io.Writer
	stuck bool
}

// Unwrap returns what is written to.
func (x *writer) Unwrap() io.Writer { return x.w }

func (x *writer) Write(b []byte) (int, error) {
	if x.stuck {
		return 0, x.ctx.Err()
	}
	own := bytes.Clone(b)
	done := make(chan result, 1)
	go func() {
		n, err := x.w.Write(own)
		done <- result{n, err}
	}()
	select {
	case got := <-done:
		return got.n, got.err
	case <-x.ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case got := <-done:
		return got.n, got.err
	case <-late.C:
		x.stuck = true
		return 0, x.ctx.Err()
	}
}
