package collection

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vfs"
)

// checkpointer makes the log's beginning unnecessary (I7).
type checkpointer struct {
	lock   chan struct{} // the checkpoint lock: a token
	kicked chan struct{}
	burst  atomic.Bool           // the stream has one, see checkpointIfDue and courtesy
	lsn    atomic.Uint64         // of the last durable checkpoint
	err    atomic.Pointer[error] // of the last attempt, nil when it went well

	// By the checkpoint lock:
	generation uint64
	live       *bitmap.Set // of the last durable checkpoint
	named      snapshotFile
	bad        atomic.Bool // the named file was in doubt: the next checkpoint names it no more
	reclaimed  engine      // the graph that served when slots were last freed
	dropped    []uint32    // slots freed since: their payloads go

	config atomic.Bool // the configuration has changed since
}

// snapshotFile is the graph file that a checkpoint names.
type snapshotFile struct {
	name  string // "": none
	crc   uint32
	slots int    // in the graph, as written
	size  int64  // as it was mapped
	graph engine // whose file it is; nil: of none that is in use
	leftover
}

// large reports whether the file was mapped with its links unseen.
func (f snapshotFile) large() bool { return f.graph != nil && f.size > hnsw.CheckedAtLoad }

func (k *checkpointer) init() {
	k.lock = make(chan struct{}, 1)
	k.kicked = make(chan struct{}, 1)
}

// kick asks for a checkpoint in the background.
func (k *checkpointer) kick() {
	select {
	case k.kicked <- struct{}{}:
	default:
	}
}

func (k *checkpointer) lastError() error {
	if p := k.err.Load(); p != nil {
		return *p
	}
	return nil
}

// Checkpoint makes all that was acknowledged durable in the collection's own
// files; the log is empty afterwards.
func (c *Collection) Checkpoint(ctx context.Context) error {
	if err := c.enterWrite(); err != nil {
		return err
	}
	defer c.gate.leave()
	return c.wrap(c.checkpoint(ctx, false))
}

// checkpoint writes one, with a snapshot of the graph if that is due or wanted.
func (c *Collection) checkpoint(ctx context.Context, withSnapshot bool) error {
	select {
	case c.check.lock <- struct{}{}:
		defer func() { <-c.check.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := c.failed(); err != nil {
		return err
	}
	err := c.checkpointLocked(ctx, withSnapshot)
	if err == nil {
		err = c.addLeft()
	}
	if err == nil && c.fieldsDue(withSnapshot) {
		err = c.saveFields()
	}
	if err == nil {
		c.check.err.Store(nil)
	} else if ctx.Err() == nil {
		c.check.err.Store(&err)
	}
	c.room.broadcast()
	return err
}

func (c *Collection) checkpointLocked(ctx context.Context, withSnapshot bool) error {
	k := &c.check
	named := k.named
	if c.snapshotDue(withSnapshot) {
		file, err := c.writeSnapshot()
		if err != nil {
			return c.sticky(fmt.Errorf("graph snapshot: %w", err))
		}
		named = file
	} else if k.lsn.Load() == c.applied.Load() && !k.config.Load() {
		return nil
	} else if g := c.view.Load().graph; k.bad.Load() || g.Len() == 0 && k.named.graph != g {
		named = snapshotFile{} // an empty graph has no file, and what it replaced is not wanted back
	}
	if err := c.commitCheckpoint(ctx, named); err != nil {
		if !errors.Is(err, vfs.ErrFailed) { // else the commit may be there after all, and name it
			c.removeSnapshot(named, k.named)
		}
		return c.sticky(err)
	}
	c.removeSnapshot(k.named, named)
	if named.name == "" || named.graph == c.view.Load().graph { // else it was dropped meanwhile
		k.bad.Store(false)
	}
	k.named = named
	c.hook("checkpoint: before log delete")
	if err := c.wal.Advance(k.lsn.Load()); err != nil {
		return c.sticky(err)
	}
	c.hook("checkpoint: after log delete")
	c.reclaim()
	c.warmSoon()
	return nil
}

// sticky makes an error of an fsync stop everything (I8).
func (c *Collection) sticky(err error) error {
	if errors.Is(err, vfs.ErrFailed) {
		return c.fail(err)
	}
	return err
}

// moment is what a checkpoint makes durable.
type moment struct {
	lsn      uint64
	slots    uint32
	live     *bitmap.Set
	digest   uint64
	payloads iter.Seq2[uint32, []byte]
	keys     meta.KeyChanges
	config   Config
}

// moment takes the state of one LSN under the writer lock.
func (c *Collection) moment() moment {
	c.writer <- struct{}{}
	defer c.unlockWriter()
	return moment{
		lsn:      c.applied.Load(),
		slots:    c.slots.next,
		live:     c.live.Clone(),
		digest:   c.digest.Load(),
		payloads: c.payloads.freeze(),
		keys:     c.keys.freeze(),
		config:   c.Config(),
	}
}

func (c *Collection) commitCheckpoint(ctx context.Context, named snapshotFile) (err error) {
	changed := c.check.config.Swap(false)
	m := c.moment()
	committed := false
	defer func() {
		c.payloads.thaw(committed)
		c.keys.thaw(committed)
		if !committed && changed {
			c.check.config.Store(true)
		}
	}()
	c.hook("checkpoint: before log sync")
	if err := c.syncLog(m.lsn); err != nil {
		return err
	}
	c.hook("checkpoint: before data sync")
	if err := c.store.Sync(); err != nil {
		return err
	}
	c.hook("checkpoint: after data sync")
	if err := ctx.Err(); err != nil {
		return err
	}
	config, err := encodeConfig(m.config)
	if err != nil {
		return err
	}
	u := meta.Update{
		Checkpoint: &meta.Checkpoint{
			LSN: m.lsn, Slots: m.slots, Live: m.live, Digest: m.digest,
			Generation: c.check.generation + 1, Snapshot: named.name, SnapshotCRC: named.crc, UUID: c.uuid,
		},
		Payloads:     m.payloads,
		DropPayloads: c.check.dropped,
		Positions:    c.places.at(m.lsn),
		Config:       config,
		Keys:         m.keys,
	}
	c.hook("checkpoint: before commit")
	if err := c.meta.Commit(u); err != nil {
		return err
	}
	committed = true
	k := &c.check
	k.generation++
	k.live, k.dropped = m.live, nil
	k.lsn.Store(m.lsn)
	c.hook("checkpoint: after commit")
	return nil
}

// reclaim frees the dead slots that may be written again (I6). The checkpoint lock is
// held.
func (c *Collection) reclaim() {
	slots := c.outOfUse()
	if len(slots) == 0 {
		return
	}
	c.hook("reclaim: before forgetting")
	c.forget(slots)
	c.writer <- struct{}{}
	defer c.unlockWriter()
	c.slots.release(slots)
	c.check.dropped = append(c.check.dropped, slots...)
}

// outOfUse takes the slots that nothing will look at any more from those that are dead.
func (c *Collection) outOfUse() []uint32 {
	k := &c.check
	c.writer <- struct{}{}
	defer c.unlockWriter()
	g := c.view.Load().graph
	if k.named.name != "" && k.named.graph != g {
		return nil
	}
	if k.reclaimed != g {
		// A search that began before the swap may still walk the old graph, which
		// held slots that this one does not: every pin of before now holds them back.
		c.slots.holdBack(c.clock.Add(1))
		k.reclaimed = g
	}
	oldest := c.pins.oldest() // first: what a worker held back until now is in its graph
	slots := c.slots.reclaim(func(d deadSlot) bool {
		return d.died <= oldest && !k.live.Has(d.slot) && !g.Contains(d.slot) && !c.building(d.slot)
	})
	for _, slot := range slots {
		c.payloads.drop(slot)
	}
	return slots
}

// building reports whether the graph that is being filled holds a slot. The writer lock
// is held.
func (c *Collection) building(slot uint32) bool {
	next := c.rebuild.next
	return next != nil && next.Contains(slot)
}

// checkpointLoop writes checkpoints when the log has grown or somebody asks.
func (c *Collection) checkpointLoop() {
	for {
		select {
		case <-c.bg.Done():
			return
		case <-c.check.kicked:
		}
		if err := c.checkpoint(c.bg, false); err != nil && c.bg.Err() == nil {
			c.background("checkpoint", err)
			c.retryCheckpoint()
		}
	}
}

// afterWrite runs under the writer lock after each write.
func (c *Collection) afterWrite(r *record) {
	c.index.work.broadcast()
	if slices.ContainsFunc(r.ops, func(o op) bool { return o.isDelete() }) {
		c.room.broadcast() // the delta is smaller, and there may be nothing left to index
	}
	c.checkpointIfDue()
}

// burstShare is how much longer the log gets in a burst before a checkpoint is due.
const burstShare = 2

// checkpointIfDue asks for a checkpoint when the log is long. While a stream has a burst
// it may get twice as long: the fsyncs of a checkpoint would keep a processor from what
// writers wait for.
func (c *Collection) checkpointIfDue() {
	due := c.opts.Knobs.CheckpointBytes
	if c.check.burst.Load() {
		due = min(burstShare*due, c.opts.Knobs.LogLimit)
	}
	if c.wal.Size() >= due {
		c.check.kick()
	}
}
