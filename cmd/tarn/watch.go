package main

import (
	"context"
	"io"
	"sync"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

// watched returns a context whose operation is shown on w, stage by stage, and what
// ends that. It is called before anything else is printed.
func watched(ctx context.Context, w io.Writer) (context.Context, func()) {
	show := progress.New(w)
	var mu sync.Mutex
	now, total := "", int64(0)
	ctx = tarn.WithProgress(ctx, func(stage string, done, of int64) {
		mu.Lock()
		defer mu.Unlock()
		if stage != now || of != total {
			now, total = stage, of
			show.Start(stage, int(of), progress.Things)
		}
		show.Set(int(done))
	})
	return ctx, show.Stop
}

// watched is watched for a command on a store.
func (r *request) watched(ctx context.Context) (context.Context, func()) {
	return watched(ctx, r.cmd.Root().ErrWriter)
}

// reading shows how much of a file is read.
type reading struct {
	show  progress.Show
	what  string // lines or rows: the number of the last one stands in the label
	begun bool
}

// Show is told bytes and lines.
func (p *reading) Show(done, total int64, lines uint64) {
	label := p.what + " " + count(lines)
	if !p.begun {
		p.begun = true
		p.show.Start(label, int(total), progress.Bytes)
	}
	p.show.Label(label)
	p.show.Set(int(done))
}

// End leaves what is drawn.
func (p *reading) End() { p.show.Stop() }

// measured shows how much was read of r, or written to w.
type measured struct {
	r    io.Reader
	show progress.Show
}

func (m *measured) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.show.Add(n)
	return n, err
}
