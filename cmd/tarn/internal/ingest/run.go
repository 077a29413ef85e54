package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tarndb/tarn"
)

// Options say what to read and how to report it. Source and BadFile are required.
type Options struct {
	File     string    // "-": Stdin
	Stdin    io.Reader //
	Source   string    // the name its place is stored under
	Resume   bool      // go on behind the place that is stored
	BadFile  string    // takes the lines that could not be stored
	Progress Progress  // nil: none
}

// Summary is what a run came to.
type Summary struct {
	Collection string  `json:"collection"`
	Source     string  `json:"source"`
	Lines      uint64  `json:"lines"`   // read in this run
	Stored     uint64  `json:"stored"`  // points written, durable
	Deleted    uint64  `json:"deleted"` // deletes written
	Bad        uint64  `json:"bad"`     // lines in the side file, of this run
	Resumed    uint64  `json:"resumed"` // lines that were stored before
	Position   uint64  `json:"position"`
	Points     int     `json:"points"` // of the collection now
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"points_per_s"` // durable ones
	BadFile    string  `json:"bad_file,omitempty"`
}

// Progress is told how far a run is. done and total are bytes of the file, total 0
// if not known; lines are durable.
type Progress interface {
	Show(done, total int64, lines uint64)
	End()
}

// errStored: the source was read before, and nobody said to go on with it.
var errStored = errors.New("lines of this source are stored already: --resume goes on behind them, --source NAME begins anew under another name")

type run struct {
	c      *tarn.Collection
	stream *tarn.Stream
	opts   Options
	bad    sideFile
	sum    Summary
}

// Run ingests. The summary is right, as far as it came, with an error too.
func Run(ctx context.Context, c *tarn.Collection, o Options) (Summary, error) {
	begun := time.Now()
	r := &run{c: c, opts: o, bad: sideFile{name: o.BadFile, collection: c.Name(), source: o.Source, sync: syncRegular}, sum: Summary{Collection: c.Name(), Source: o.Source}}
	err := r.all(ctx)
	r.sum.Position, _ = c.Position(o.Source)
	r.sum.Points = c.Len()
	r.sum.Seconds = time.Since(begun).Seconds()
	r.sum.PerSecond = float64(r.sum.Stored) / r.sum.Seconds
	if r.sum.Bad > 0 {
		r.sum.BadFile = o.BadFile
	}
	return r.sum, err
}

func (r *run) all(ctx context.Context) (err error) {
	at, known := r.c.Position(r.opts.Source)
	if known && !r.opts.Resume {
		return fmt.Errorf("line %d: %w", at, errStored)
	}
	if r.stream, err = r.c.Stream(); errors.Is(err, tarn.ErrNotConfigured) {
		r.stream, err = r.c.EnableStreaming(ctx, tarn.DefaultStreamingConfig())
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx) // reads end with it too: a pipe may be silent for long
	defer cancel(nil)
	src, err := openSource(ctx, r.opts.File, r.opts.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close(), r.bad.close()) }()
	if err := r.bad.forgetAfter(at); err != nil {
		return err
	}
	if err := src.skip(at); err != nil {
		return err
	}
	r.sum.Resumed = at
	return r.transfer(ctx, cancel, src)
}

// open is a batch whose ticket is waited for.
type open struct {
	ticket tarn.Ticket
	batch  *batch
}

// transfer sends batch after batch and waits for their tickets beside that.
func (r *run) transfer(ctx context.Context, cancel context.CancelCauseFunc, src *source) error {
	patient, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), tarn.ErrNoSpace) {
			leave() // I3, but for a disk that stays full: nothing comes of waiting
		}
	})()
	opened, waited := make(chan open, 256), make(chan struct{})
	go func() {
		defer close(waited)
		for o := range opened { // I3: what was accepted is waited for, whatever happened
			if err := o.ticket.Wait(patient); err != nil {
				cancel(err)
				continue
			}
			r.count(o.batch)
			r.show(o.batch.read, src.size, o.batch.last())
		}
	}()
	in, failed := batches(ctx, src, r.c.Config().Dim, min(batchLines, r.stream.Config().BufferSize))
	err := r.send(ctx, in, opened)
	close(opened)
	<-waited
	if r.opts.Progress != nil {
		r.opts.Progress.End()
	}
	if err != nil {
		cancel(err)
	}
	err = errors.Join(err, failed())
	if cause := context.Cause(ctx); cause != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = cause // not that reads ended for it
	}
	return err
}

// send sends batches until there are no more, or one is not accepted.
func (r *run) send(ctx context.Context, in <-chan *batch, opened chan<- open) error {
	for b := range in {
		<-b.ready
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		ticket, err := r.sendBatch(ctx, b)
		if err != nil {
			return fmt.Errorf("lines %d to %d: %w", b.first, b.last(), err)
		}
		opened <- open{ticket, b}
	}
	return nil
}

// sendBatch sends what the stream takes of a batch, with its place (I1).
func (r *run) sendBatch(ctx context.Context, b *batch) (tarn.Ticket, error) {
	told := 0
	for {
		if err := r.bad.add(b.bad[told:]); err != nil { // I2
			return tarn.Ticket{}, err
		}
		told = len(b.bad)
		ticket, err := r.stream.SendOps(ctx, b.ops, tarn.From(r.opts.Source, b.last()))
		var wrong *tarn.InvalidPointError
		if !errors.As(err, &wrong) {
			return ticket, err
		}
		b.drop(wrong.Index, wrong.Err)
	}
}

func (r *run) count(b *batch) {
	r.sum.Lines += uint64(len(b.lines))
	r.sum.Bad += uint64(len(b.bad))
	for i := range b.ops {
		if b.ops[i].Delete {
			r.sum.Deleted++
		} else {
			r.sum.Stored++
		}
	}
}

func (r *run) show(done, total int64, lines uint64) {
	if r.opts.Progress != nil {
		r.opts.Progress.Show(done, total, lines)
	}
}
