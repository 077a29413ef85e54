package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tarndb/tarn"
)

const (
	variable   = "TARN_CRASHTEST" // carries the Config to the child
	collection = "crash"
	inFlight   = 200 // tickets that a streaming producer leaves open
)

// RunIfChild does not return in a process that Run started: it works until it
// is killed. Call it first in TestMain. options, if not nil, says how the child opens
// its store.
func RunIfChild(options func(Config) *tarn.Options) {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return
	}
	var c Config
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		var opts *tarn.Options
		if options != nil {
			opts = options(c)
		}
		err = child(context.Background(), c, opts)
	}
	fmt.Fprintln(os.Stderr, "crashtest child:", err)
	os.Exit(3)
}

// child returns only with an error.
func child(ctx context.Context, c Config, opts *tarn.Options) error {
	say("B\n")
	db, err := tarn.Open(c.Dir, opts)
	if err != nil {
		return err
	}
	col, err := db.EnsureCollection(ctx, collection, c.collection())
	if err != nil {
		return err
	}
	stream, err := col.Stream() // must run without being asked
	if err != nil {
		return err
	}
	say("O\n")
	if c.OpenOnly {
		time.Sleep(patience)
		return errors.New("nobody came to kill")
	}

	w := worker{Config: c, col: col, stream: stream, failed: make(chan error)}
	for p, kind := range c.Producers {
		switch kind {
		case Stream:
			go w.do(func() error { return w.produceStream(ctx, p) })
		case Source:
			go w.do(func() error { return w.produceSource(ctx, p) })
		case API:
			go w.do(func() error { return w.produceAPI(ctx, p) })
		default:
			return fmt.Errorf("no such producer: %q", kind)
		}
	}
	if c.Rebuild {
		go w.forever(func() error { return col.Rebuild(ctx, tarn.IndexConfig{}) })
	}
	if c.Compact {
		go w.forever(func() error { return col.Compact(ctx) })
	}
	if c.Checkpoint {
		go w.forever(func() error { return col.Checkpoint(ctx) })
	}
	if c.Churn {
		go w.do(func() error { return c.churn(ctx, db) })
	}
	return <-w.failed
}

type worker struct {
	Config
	col    *tarn.Collection
	stream *tarn.Stream
	failed chan error
}

func (w *worker) do(f func() error) { w.failed <- f() }

func (w *worker) forever(f func() error) {
	for {
		if err := f(); err != nil {
			w.failed <- err
			return
		}
	}
}

// open is what was sent and waits for its ticket.
type open struct {
	ticket tarn.Ticket
	batch  []op
}

// produceStream sends one operation at a time and leaves many tickets open.
func (w *worker) produceStream(ctx context.Context, p int) error {
	return w.produceTickets(ctx, p, func(batch []op, _ int) (tarn.Ticket, error) {
		if batch[0].delete {
			return w.send(ctx, w.stream, batch[0].id)
		}
		return w.stream.Send(ctx, w.point(p, batch[0]))
	})
}

// produceSource sends batches that carry their place in a source.
func (w *worker) produceSource(ctx context.Context, p int) error {
	return w.produceTickets(ctx, p, func(batch []op, n int) (tarn.Ticket, error) {
		return w.stream.SendOps(ctx, w.ops(p, batch), tarn.From(w.source(p), w.offset(n)))
	})
}

func (w *worker) produceTickets(ctx context.Context, p int, send func(batch []op, n int) (tarn.Ticket, error)) error {
	opened := make(chan open, inFlight)
	failed := make(chan error, 1)
	var waiter sync.WaitGroup
	waiter.Go(func() {
		for o := range opened {
			if err := o.ticket.Wait(ctx); err != nil {
				failed <- fmt.Errorf("producer %d, operation %d: ticket: %w", p, o.batch[0].seq, err)
				return
			}
			w.acknowledge(p, o.batch)
		}
	})
	n := 0
	for batch := range w.batches(p) {
		w.announce(p, batch)
		ticket, err := send(batch, n)
		if err != nil {
			return fmt.Errorf("producer %d, operation %d: send: %w", p, batch[0].seq, err)
		}
		n++
		select {
		case opened <- open{ticket: ticket, batch: batch}:
		case err := <-failed:
			return err
		}
	}
	return nil
}

// produceAPI calls Upsert and Delete, which return when it is durable.
func (w *worker) produceAPI(ctx context.Context, p int) error {
	for batch := range w.batches(p) {
		w.announce(p, batch)
		if err := w.call(ctx, p, batch); err != nil {
			return fmt.Errorf("producer %d, operation %d: %w", p, batch[0].seq, err)
		}
		w.acknowledge(p, batch)
	}
	return nil
}

func (w *worker) call(ctx context.Context, p int, batch []op) error {
	if batch[0].delete {
		ids := make([]uint64, len(batch))
		for i, o := range batch {
			ids[i] = o.id
		}
		return w.remove(ctx, w.col, ids)
	}
	points := make([]tarn.Point, len(batch))
	for i, o := range batch {
		points[i] = w.point(p, o)
	}
	return w.col.Upsert(ctx, points...)
}

// announce says that everything up to and with batch is about to be sent.
func (w *worker) announce(p int, batch []op) {
	say(fmt.Sprintf("S %d %d\n", p, batch[len(batch)-1].seq+1))
}

func (w *worker) acknowledge(p int, batch []op) {
	var b strings.Builder
	for _, o := range batch {
		if o.delete {
			fmt.Fprintf(&b, "D %d %d %d\n", p, o.seq, o.id)
		} else {
			fmt.Fprintf(&b, "A %d %d %d %08x\n", p, o.seq, o.id, checksum(w.point(p, o)))
		}
	}
	say(b.String())
}

// say writes to the pipe at once: what was said outlives this process.
func say(s string) {
	if _, err := os.Stdout.WriteString(s); err != nil {
		os.Exit(4) // the parent is gone
	}
}
