package collection

import (
	"context"
	"errors"
	"fmt"

	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

// Upsert writes the points as one atomic batch: after a crash all of them are
// there or none. Of two points with one id in a batch the later one wins. A batch
// with one invalid point is refused whole, with an *InvalidPointError that names
// it. ctx is looked at until the batch is logged: ctx.Err() means that nothing was
// written.
func (c *Collection) Upsert(ctx context.Context, points ...Point) error {
	if err := c.enterWrite(); err != nil {
		return err
	}
	defer c.gate.leave()
	ops, err := c.newOps(points)
	if err != nil {
		return c.wrap(err)
	}
	return c.wrap(c.writeAPI(ctx, &write{record: record{ops: ops}}))
}

// Delete removes points as one atomic batch; deleted counts those that were there.
func (c *Collection) Delete(ctx context.Context, ids ...uint64) (deleted int, err error) {
	if err := c.enterWrite(); err != nil {
		return 0, err
	}
	defer c.gate.leave()
	if err := c.wantIDs(); err != nil {
		return 0, c.wrap(err)
	}
	ops := make([]op, len(ids))
	for i, id := range ids {
		ops[i] = op{id: id, slot: noSlot, old: noSlot}
	}
	w := &write{record: record{ops: lastPerName(ops)}}
	if err := c.writeAPI(ctx, w); err != nil {
		return 0, c.wrap(err)
	}
	return len(w.ops), nil
}

func (c *Collection) enterWrite() error {
	if err := c.gate.enter(); err != nil {
		return c.wrap(err)
	}
	if c.opts.ReadOnly {
		c.gate.leave()
		return c.wrap(ErrReadOnly)
	}
	return nil
}

// write is a batch on its way through the log.
type write struct {
	record
	lsn     uint64               // the last LSN that the batch depends on
	skipped bool                 // its position was there already
	adds    bool                 // decide may return upserts
	durable bool                 // the caller waits for the fsync
	syncing chan error           // of an fsync that has begun, for durably; nil: none
	decide  func() ([]op, error) // says under the writer lock what the batch is; nil: it is known
}

// writeAPI is a write by a call: after what a stream accepted for the same ids,
// and acknowledged as WriteMode says. Of nothing there is nothing to write.
func (c *Collection) writeAPI(ctx context.Context, w *write) error {
	if len(w.ops) == 0 && w.decide == nil {
		return ctx.Err()
	}
	if err := c.stream.before(ctx, w.ops); err != nil {
		return err
	}
	w.durable = c.Config().WriteMode != WriteStreaming
	if err := c.commitDurably(ctx, w, c.gate.closing()); err != nil {
		return err
	}
	if !w.durable {
		c.sync.kick()
	}
	return nil
}

// commitDurably is commit and then the fsync, if the caller waits for one.
func (c *Collection) commitDurably(ctx context.Context, w *write, closing <-chan struct{}) error {
	if err := c.commit(ctx, w, closing); err != nil || !w.durable {
		return err
	}
	return c.durably(w)
}

// durably waits until a batch that was committed is on stable storage.
func (c *Collection) durably(w *write) error {
	if w.syncing != nil {
		return <-w.syncing
	}
	return c.syncLog(w.lsn)
}

// commit logs, applies and publishes a batch, and may begin an fsync that durably waits
// for. Until its LSN is given the end of ctx or of closing (nil: never) makes it return
// with nothing written.
func (c *Collection) commit(ctx context.Context, w *write, closing <-chan struct{}) (err error) {
	done := false
	defer func() {
		if w.syncing != nil && (!done || err != nil) {
			<-w.syncing // also after a panic: nobody else waits for it
		}
	}()
	err = c.commitLocked(ctx, w, closing)
	done = true
	return err
}

func (c *Collection) commitLocked(ctx context.Context, w *write, closing <-chan struct{}) error {
	if err := c.checkSize(w); err != nil {
		return err
	}
	if err := c.lockForRoom(ctx, w, closing); err != nil {
		return err
	}
	defer c.unlockWriter()
	shared.write()
	defer shared.wrote()
	if err := c.failed(); err != nil {
		return err
	}
	if w.pos != nil {
		if at, ok := c.logged[w.pos.source]; ok && w.pos.offset <= at {
			w.skipped, w.lsn = true, c.wal.Last()
			return nil
		}
	}
	if err := c.resolve(w); err != nil {
		return err
	}
	if err := c.checkSize(w); err != nil {
		return err
	}
	if len(w.ops) == 0 && w.pos == nil {
		w.lsn = c.wal.Last() // what it saw may not be durable yet
		return nil
	}
	return c.logAndApply(w)
}

// checkSize refuses a batch that is no single record of the log.
func (c *Collection) checkSize(w *write) error {
	if n := recordSize(&w.record, c.config.Dim); n > wal.MaxRecord {
		return fmt.Errorf("%w: the batch is %d bytes, at most %d are written as one", ErrTooLarge, n, wal.MaxRecord)
	}
	return nil
}

// resolve finds the slots that die and drops deletes of what is not there.
func (c *Collection) resolve(w *write) (err error) {
	if w.decide != nil {
		w.ops, err = w.decide()
		return err
	}
	if c.byKey() {
		if err := c.resolveKeys(w.ops); err != nil {
			return err
		}
	}
	c.ids.getAll(len(w.ops), func(i int) uint64 { return w.ops[i].id }, func(i int, slot uint32) {
		w.ops[i].old = slot
	})
	if err := c.ids.err(); err != nil {
		return c.fail(err)
	}
	kept := w.ops[:0]
	for _, o := range w.ops {
		if !o.isDelete() || o.old != noSlot {
			kept = append(kept, o)
		}
	}
	w.ops = kept
	return nil
}

// lockWriter takes the writer lock or gives up.
func (c *Collection) lockWriter(ctx context.Context, closing <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-closing:
		return ErrClosed
	default:
	}
	c.coming.Add(1)
	defer c.coming.Add(-1)
	select {
	case c.writer <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closing:
		return ErrClosed
	}
}

func (c *Collection) unlockWriter() { <-c.writer }

// lockForRoom takes the writer lock while there is room: writers who waited for it
// together enter one by one, so that one batch overshoots a limit and no more.
func (c *Collection) lockForRoom(ctx context.Context, w *write, closing <-chan struct{}) error {
	for {
		if err := c.awaitRoom(ctx, w, closing); err != nil {
			return err
		}
		if err := c.lockWriter(ctx, closing); err != nil {
			return err
		}
		if full, err := c.full(w.grows()); err == nil && !full {
			return nil
		}
		c.unlockWriter()
	}
}

// grows reports whether a batch adds to the delta: deletes need no room there.
func (w *write) grows() bool {
	if w.adds {
		return true
	}
	for i := range w.ops {
		if !w.ops[i].isDelete() {
			return true
		}
	}
	return false
}

// awaitRoom waits, holding no lock, while the delta or the log is at its limit.
func (c *Collection) awaitRoom(ctx context.Context, w *write, closing <-chan struct{}) error {
	grows, waits := w.grows(), false
	defer func() {
		if waits {
			shared.calm()
		}
	}()
	for {
		changed := c.room.wait()
		full, err := c.full(grows)
		if err != nil || !full {
			return err
		}
		if !waits {
			waits = true
			shared.urge()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-closing:
			return ErrClosed
		}
	}
}

// full reports whether writers have to wait, and starts what makes room.
func (c *Collection) full(grows bool) (bool, error) {
	if err := c.failed(); err != nil {
		return false, err
	}
	if grows && c.deltaFull() {
		return true, nil
	}
	if c.wal.Size() < c.opts.Knobs.LogLimit {
		return false, nil
	}
	if err := c.check.lastError(); errors.Is(err, vfs.ErrNoSpace) {
		c.check.kick()
		return false, fmt.Errorf("the log is at its limit and no checkpoint can be written: %w", err)
	}
	c.check.kick()
	return true, nil
}

// syncLog waits until lsn is on stable storage.
func (c *Collection) syncLog(lsn uint64) error {
	if lsn <= c.wal.Durable() {
		return nil
	}
	c.hook("write: before sync")
	shared.write()
	defer shared.wrote()
	if err := c.wal.Sync(lsn); err != nil {
		return c.fail(err)
	}
	return nil
}
