package collection

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/streaming"
	"github.com/tarndb/tarn/wal"
)

// Errors of a stream.
var (
	ErrBufferFull = streaming.ErrBufferFull
	ErrStreamDead = streaming.ErrStreamDead
)

// Ticket stands for something accepted, a batch's for all of it. It is a value;
// the zero Ticket is done. Wait returns nil when it is durable and searchable,
// else the point's own error.
type Ticket = streaming.Ticket

// Stream takes points and deletes and writes them in micro-batches. Its methods
// may be called from many goroutines.
type Stream struct {
	c       *Collection
	in      *streaming.Ingester[item]
	cfg     StreamingConfig
	ops     []op         // of flush
	wait    func() error // what durable returns of the last flush
	queued  idCounts
	spares  spares
	skipped atomic.Uint64

	courtesy courtesy
}

// item is what waits in a stream: an operation, or the place that follows the last
// one of a batch with From.
type item struct {
	op     op
	pos    *position // on the last item of such a batch
	marker bool      // no operation: an empty batch with From
}

// newStream starts a stream.
func (c *Collection) newStream(cfg StreamingConfig) (*Stream, error) {
	s := &Stream{c: c, cfg: cfg}
	s.queued.init()
	in, err := streaming.New(streaming.Options[item]{
		Config: streaming.Config{
			BufferSize:    cfg.BufferSize,
			BatchSize:     cfg.BatchSize,
			FlushInterval: cfg.FlushInterval,
		},
		Flush:     s.flush,
		Durable:   s.durable,
		Settled:   s.settled,
		Crowded:   s.crowded,
		Size:      func(it item) int { return opSize(&it.op, c.config.Dim) },
		Points:    itemPoints,
		Transient: isTransient,
		Logger:    c.log,
	})
	s.in = in
	return s, err
}

// isTransient reports whether a later attempt may succeed: nothing was logged, and
// space may be made. What failed for good stays failed, a full disk or not.
func isTransient(err error) bool {
	return errors.Is(err, vfs.ErrNoSpace) && !errors.Is(err, vfs.ErrFailed)
}

func itemPoints(it item) int {
	if it.marker {
		return 0
	}
	return 1
}

// flush writes a micro-batch as one record. It is searchable then, and durable later.
func (s *Stream) flush(ctx context.Context, items []item) error {
	w := &write{record: record{ops: s.ops[:0]}}
	for i := range items {
		if !items[i].marker {
			w.ops = append(w.ops, items[i].op)
		}
		if items[i].pos != nil {
			w.pos = items[i].pos
		}
	}
	s.ops = w.ops
	points := len(w.ops)
	s.courtesy.count(s.c, points)
	w.ops = lastPerName(w.ops)
	w.durable = true
	err := s.c.commit(ctx, w, nil)
	w.ops = nil
	s.wait = func() error { return s.await(w, points) }
	clear(s.ops[:points])
	return err
}

// durable returns what waits until the batch that was just flushed is on stable storage.
func (s *Stream) durable() func() error {
	wait := s.wait
	s.wait = nil
	return wait
}

// await waits until a batch that was flushed is on stable storage. Its points are handed
// back if it does not return, and the log has them: what that means is known after Open.
func (s *Stream) await(w *write, points int) error {
	returned := false
	defer func() {
		if !returned {
			s.c.fail(fmt.Errorf("%w: the fsync of write %d broke off", vfs.ErrFailed, w.lsn))
		}
	}()
	err := s.c.durably(w)
	returned = true
	if err == nil && w.skipped {
		s.skipped.Add(uint64(points))
	}
	return err
}

// settled forgets ids that no longer wait. What was written nobody reads any more.
func (s *Stream) settled(items []item, err error) {
	s.forget(items)
	if err == nil {
		s.spares.put(items)
	}
}

func (s *Stream) forget(items []item) {
	for i := range items {
		if !items[i].marker {
			s.queued.drop(items[i].op.id)
		}
	}
}

// send is what every way of sending does around the ingester: note the ids before
// they are queued, and forget those that were not accepted.
func (s *Stream) send(items []item, queue func() (accepted int, t Ticket, err error)) (int, Ticket, error) {
	for i := range items {
		if !items[i].marker {
			s.queued.add(items[i].op.id)
		}
	}
	n, t, err := queue()
	s.forget(items[n:])
	return n, t, err
}

// newItem validates p and copies what it holds.
func (s *Stream) newItem(p *Point) (item, error) {
	if s.c.opts.ReadOnly {
		return item{}, ErrReadOnly
	}
	o, err := s.c.newOp(p)
	if err != nil {
		s.in.CountRejected(1)
		return item{}, &InvalidPointError{ID: p.ID, Key: p.Key, Err: err}
	}
	o.vector = s.spares.clone(o.vector)
	return item{op: o}, nil
}

// TrySend never blocks. Errors: ErrBufferFull, ErrStreamDead (wraps the cause),
// ErrClosed, *InvalidPointError. What is accepted is applied in the order of
// acceptance, API writes to the same id included.
func (s *Stream) TrySend(p Point) (Ticket, error) {
	it, err := s.newItem(&p)
	if err != nil {
		return Ticket{}, s.c.wrap(err)
	}
	s.queued.add(it.op.id)
	t, err := s.in.TrySend(it)
	if err != nil {
		s.queued.drop(it.op.id)
	}
	return t, s.c.wrap(err)
}

// Send is TrySend that waits for room.
func (s *Stream) Send(ctx context.Context, p Point) (Ticket, error) {
	it, err := s.newItem(&p)
	if err != nil {
		return Ticket{}, s.c.wrap(err)
	}
	return s.sendOne(ctx, it)
}

// Delete deletes a point, in order with the sends. It waits for room.
func (s *Stream) Delete(ctx context.Context, id uint64) (Ticket, error) {
	if err := s.c.wantIDs(); err != nil {
		return Ticket{}, s.c.wrap(err)
	}
	o, err := s.c.deletion(&Point{ID: id})
	if err != nil {
		return Ticket{}, s.c.wrap(err)
	}
	return s.sendOne(ctx, item{op: o})
}

func (s *Stream) sendOne(ctx context.Context, it item) (Ticket, error) {
	s.queued.add(it.op.id)
	t, err := s.in.Send(ctx, it)
	if err != nil {
		s.queued.drop(it.op.id)
	}
	return t, s.c.wrap(err)
}

// TrySendBatch validates all points and then accepts as many as there is room
// for, from the first on; t stands for those.
func (s *Stream) TrySendBatch(points []Point) (accepted int, t Ticket, err error) {
	items, err := s.newItems(upserts(points))
	if err != nil {
		return 0, Ticket{}, s.c.wrap(err)
	}
	accepted, t, err = s.send(items, func() (int, Ticket, error) { return s.in.TrySendBatch(items) })
	return accepted, t, s.c.wrap(err)
}

// SendBatch validates all points and then waits for room, piece by piece. If ctx
// ends half way, an *UndeliveredError holds those that were not accepted, and the
// ticket stands for the others.
func (s *Stream) SendBatch(ctx context.Context, points []Point, opts ...SendOption) (Ticket, error) {
	return s.SendOps(ctx, upserts(points), opts...)
}

// SendOps is SendBatch for upserts and deletes mixed. What carries its place in a
// source is accepted whole or not at all.
func (s *Stream) SendOps(ctx context.Context, ops []Op, opts ...SendOption) (Ticket, error) {
	pos, err := newPosition(opts)
	if err != nil {
		s.in.CountRejected(len(ops))
		return Ticket{}, s.c.wrap(err)
	}
	items, err := s.newItems(ops)
	if err != nil {
		return Ticket{}, s.c.wrap(err)
	}
	var (
		n int
		t Ticket
	)
	if pos != nil {
		n, t, err = s.sendGroup(ctx, items, pos)
	} else {
		n, t, err = s.send(items, func() (int, Ticket, error) { return s.in.SendBatch(ctx, items) })
	}
	if err != nil && n < len(ops) && !errors.Is(err, ErrTooLarge) {
		err = &UndeliveredError{Ops: slices.Clone(ops[n:]), Err: err}
	}
	return t, s.c.wrap(err)
}

// sendGroup sends items that are one record with their place in a source.
func (s *Stream) sendGroup(ctx context.Context, items []item, pos *position) (int, Ticket, error) {
	if len(items) == 0 {
		items = []item{{marker: true}}
	}
	size := recordFixed + len(pos.source) + 8
	for i := range items {
		size += opSize(&items[i].op, s.c.config.Dim)
	}
	if size > wal.MaxRecord {
		s.in.CountRejected(len(items))
		return 0, Ticket{}, fmt.Errorf("%w: the batch is %d bytes, at most %d are written as one", ErrTooLarge, size, wal.MaxRecord)
	}
	items[len(items)-1].pos = pos
	return s.send(items, func() (int, Ticket, error) {
		t, err := s.in.SendGroup(ctx, items)
		if err != nil {
			return 0, t, err
		}
		return len(items), t, nil
	})
}

// newItems validates ops and copies what they hold; all or none.
func (s *Stream) newItems(ops []Op) ([]item, error) {
	items := make([]item, len(ops))
	for i := range ops {
		p := &ops[i].Point
		enter := s.c.newOp
		if ops[i].Delete {
			enter = s.c.deletion
		}
		o, err := enter(p)
		if err != nil {
			s.in.CountRejected(len(ops))
			return nil, &InvalidPointError{Index: i, ID: p.ID, Key: p.Key, Err: err}
		}
		o.vector = s.spares.clone(o.vector)
		items[i].op = o
	}
	return items, nil
}

func upserts(points []Point) []Op {
	ops := make([]Op, len(points))
	for i := range points {
		ops[i].Point = points[i]
	}
	return ops
}

// Ingest sends all that seq yields and then flushes; n counts what was accepted.
// An error of seq or of a point ends it; what was accepted before is written all
// the same.
func (s *Stream) Ingest(ctx context.Context, seq iter.Seq2[Point, error]) (n int, err error) {
	for p, err := range seq {
		if err != nil {
			return n, err
		}
		if _, err := s.Send(ctx, p); err != nil {
			var bad *InvalidPointError
			if errors.As(err, &bad) {
				bad.Index = n
			}
			return n, err
		}
		n++
	}
	return n, s.Flush(ctx)
}

// Flush returns nil when all that was accepted before the call is durable and
// searchable; else the error says what is not.
func (s *Stream) Flush(ctx context.Context) error { return s.c.wrap(s.in.Flush(ctx)) }

// Shutdown accepts no more and drains. At the end of ctx, or if the stream is
// dead, an *UndeliveredError holds the rest.
func (s *Stream) Shutdown(ctx context.Context) error {
	rest, err := s.in.Shutdown(ctx)
	return s.c.wrap(undelivered(rest, err))
}

// Abort stops at once and hands back what was accepted and not written, in order.
func (s *Stream) Abort() []Op { return itemOps(s.in.Abort()) }

// Config returns the configuration with its defaults filled in.
func (s *Stream) Config() StreamingConfig { return s.cfg }

// Stats returns the counters at one instant.
func (s *Stream) Stats() StreamStats {
	skipped := s.skipped.Load()
	st := s.in.Stats()
	return StreamStats{
		Accepted: st.Accepted, Written: st.Written, Failed: st.Failed, Rejected: st.Rejected,
		Skipped: min(skipped, st.Written), Queued: st.Queued, Batches: st.Batches, LastError: st.LastError,
	}
}

func undelivered(rest []item, err error) error {
	if ops := itemOps(rest); err != nil && len(ops) > 0 {
		return &UndeliveredError{Ops: ops, Err: err}
	}
	return err
}

// itemOps turns what was queued into what the caller sent.
func itemOps(items []item) []Op {
	var ops []Op
	for i := range items {
		if items[i].marker {
			continue
		}
		o := &items[i].op
		p := Point{ID: o.id, Vector: o.vector}
		if o.key != "" {
			p.ID, p.Key = 0, o.key
		}
		p.Payload, _ = decodePayload(o.payload) // encoded by us a moment ago
		ops = append(ops, Op{Delete: o.isDelete(), Point: p})
	}
	return ops
}
