package ingest

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/tarndb/tarn"
)

const (
	batchLines = 256
	batchBytes = 4 << 20
)

// batch is some lines in order, and what was made of them.
type batch struct {
	lines [][]byte // nil: too long
	first uint64   // number of the first
	read  int64    // bytes of the file up to its end

	ops   []tarn.Op
	from  []uint64 // the line of each
	bad   []badLine
	ready chan struct{} // closed when it is parsed
}

func (b *batch) last() uint64 { return b.first + uint64(len(b.lines)) - 1 }

func (b *batch) parse(dim int) {
	defer close(b.ready)
	for i, line := range b.lines {
		at := b.first + uint64(i)
		switch {
		case line == nil:
			b.refuse(at, nil, errLongLine)
		case len(line) > 0:
			op, err := parse(line, dim)
			if err != nil {
				b.refuse(at, line, err)
				continue
			}
			b.ops, b.from = append(b.ops, op), append(b.from, at)
		}
	}
}

func (b *batch) refuse(line uint64, text []byte, err error) {
	b.bad = append(b.bad, badLine{Line: line, Error: err.Error(), Text: string(text[:min(len(text), keptText)])})
}

// drop takes operation i out and refuses its line.
func (b *batch) drop(i int, err error) {
	b.refuse(b.from[i], b.lines[b.from[i]-b.first], err)
	b.ops = append(b.ops[:i], b.ops[i+1:]...)
	b.from = append(b.from[:i], b.from[i+1:]...)
}

// batches reads all lines and hands them out in order; those after it in the
// channel are being parsed meanwhile. The error is told once the channel is closed.
func batches(ctx context.Context, s *source, dim, most int) (<-chan *batch, func() error) {
	out := make(chan *batch, 2*runtime.GOMAXPROCS(0))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var failed error
	var work sync.WaitGroup
	work.Go(func() {
		defer close(out)
		for {
			b, err := readBatch(s, most, func() bool { return len(out) > 0 })
			if b != nil {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return
				}
				work.Go(func() {
					b.parse(dim)
					<-slots
				})
				select {
				case out <- b:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					failed = err
				}
				return
			}
		}
	})
	return out, func() error {
		work.Wait()
		return failed
	}
}

// readBatch returns the next lines, at most so many, if there are any, and the error that ended them.
// Who takes batches and is not busy gets what there is before more is waited for.
func readBatch(s *source, most int, busy func() bool) (*batch, error) {
	b := &batch{first: s.n + 1, ready: make(chan struct{})}
	bytes := 0
	for len(b.lines) < most && bytes < batchBytes {
		if len(b.lines) > 0 && s.mayWait() && !busy() {
			return b, nil
		}
		line, err := s.next()
		if errors.Is(err, errLongLine) {
			line = nil
		} else if err != nil {
			if len(b.lines) == 0 {
				b = nil
			}
			return b, err
		} else if line == nil {
			line = []byte{}
		}
		b.lines = append(b.lines, line)
		b.read = s.read.Load()
		bytes += len(line)
	}
	return b, nil
}
