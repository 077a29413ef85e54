package demo

import (
	"context"
	"time"

	"github.com/tarndb/tarn"
)

// window is how many writes a feed has unacknowledged at most: two batches,
// so that one can be filled while the other is made durable.
const window = 256

// feed sends writes into a stream, waits for their tickets in order, and tells
// the ledger.
type feed struct {
	stream  *tarn.Stream
	ledger  *ledger
	show    Progress
	room    chan struct{}
	pending chan sent
	done    chan struct{}
	cancel  context.CancelCauseFunc
	ctx     context.Context

	// the waiter's until done is closed
	waits []time.Duration
	err   error
}

type sent struct {
	ticket tarn.Ticket
	at     time.Time
	id     uint64
	vector []float32 // nil: a delete
	fresh  bool      // a new point, which counts as progress
}

func newFeed(ctx context.Context, s *tarn.Stream, l *ledger, show Progress) *feed {
	f := &feed{
		stream: s, ledger: l, show: show,
		room: make(chan struct{}, window), pending: make(chan sent, window), done: make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	go f.wait()
	return f
}

// put sends a new point.
func (f *feed) put(p tarn.Point) error {
	return f.send(sent{id: p.ID, vector: p.Vector, fresh: true}, func() (tarn.Ticket, error) { return f.stream.Send(f.ctx, p) })
}

// move sends a point that is there already to another vector.
func (f *feed) move(p tarn.Point) error {
	return f.send(sent{id: p.ID, vector: p.Vector}, func() (tarn.Ticket, error) { return f.stream.Send(f.ctx, p) })
}

// remove sends a delete.
func (f *feed) remove(id uint64) error {
	return f.send(sent{id: id}, func() (tarn.Ticket, error) { return f.stream.Delete(f.ctx, id) })
}

func (f *feed) send(s sent, send func() (tarn.Ticket, error)) (err error) {
	select {
	case f.room <- struct{}{}:
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
	f.ledger.begin(s.id)
	s.at = time.Now()
	if s.ticket, err = send(); err != nil {
		return err
	}
	f.pending <- s
	return nil
}

func (f *feed) wait() {
	defer close(f.done)
	for s := range f.pending {
		if err := s.ticket.Wait(f.ctx); err == nil {
			f.settle(s)
		} else if f.err == nil {
			f.err = err
			f.cancel(err)
		}
		<-f.room
	}
}

// settle notes that s is durable.
func (f *feed) settle(s sent) {
	f.waits = append(f.waits, time.Since(s.at))
	if s.vector == nil {
		f.ledger.remove(s.id)
	} else {
		f.ledger.settle(s.id, s.vector)
	}
	if s.fresh {
		f.show.Add(1)
	}
}

// close waits until everything sent is durable, or says why something is not.
func (f *feed) close() ([]time.Duration, error) {
	close(f.pending)
	<-f.done
	f.cancel(nil)
	return f.waits, f.err
}
