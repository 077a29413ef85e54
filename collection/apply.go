package collection

import (
	"errors"
	"fmt"

	"github.com/tarndb/tarn/internal/invariant"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/vfs"
)

// A batch under the writer lock. Of a large one the parts overlap:
//
//	slots given ──> record ──> log ──────┐  ┌─> published ─┐
//	      └───────> half of the slots ───┤  │              ├─> acknowledged
//	                the other half <─────┘──┴─> fsync ─────┘
//
// logAndApply runs under the writer lock (I4). An error before the log has the
// record leaves everything as it was; one after it is sticky.
func (c *Collection) logAndApply(w *write) error {
	slots, err := c.giveSlots(w.ops)
	if err != nil {
		return err
	}
	c.hook("write: before log")
	known := false
	defer func() {
		if !known { // a panic: the log may have what nobody sees
			c.fail(fmt.Errorf("%w: write %d broke off", vfs.ErrFailed, c.wal.Last()))
		}
	}()
	logged, err := c.logAndWriteSlots(w)
	switch {
	case err != nil && logged:
		err = c.fail(fmt.Errorf("%w: the log has the write, the slot files do not: %w", vfs.ErrFailed, err))
	case err != nil:
		c.slots.giveBack(slots)
		if errors.Is(err, vfs.ErrFailed) {
			err = c.fail(err)
		}
	default:
		c.syncBeside(w)
		c.hook("write: before publication")
		err = guard(func() error { c.publishRecord(&w.record, w.lsn); return nil })
		if err != nil { // the entry of a slot that dies cannot be read
			err = c.fail(fmt.Errorf("%w: the log has the write, it could not be published: %w", vfs.ErrFailed, err))
		}
	}
	known = true
	if err != nil {
		return err
	}
	c.hook("write: after publication")
	c.afterWrite(&w.record)
	return nil
}

// logAndWriteSlots puts a batch into the log and then, if it is large also beside
// that, into its slots. The slots are new: until the batch is published nothing reaches
// them, whatever becomes of the log's part.
func (c *Collection) logAndWriteSlots(w *write) (logged bool, err error) {
	lsn := c.wal.Last() + 1 // the writer lock is held
	entries := c.entries(w.ops, lsn)
	defer clear(entries) // the vectors are the caller's
	err = c.store.WriteBeside(entries, func() error {
		got, err := c.appendLog(&w.record)
		if err != nil {
			return err
		}
		invariant.Check(got == lsn, "record %d was to be %d", got, lsn)
		w.lsn, logged = lsn, true
		c.hook("write: after log")
		return nil
	})
	return logged, err
}

// buffers are reused under the writer lock.
type buffers struct {
	record  encoder
	slots   []uint32
	entries []vecfile.Entry
}

// appendLog encodes a record and appends it to the log.
func (c *Collection) appendLog(r *record) (lsn uint64, err error) {
	parts := c.buffers.record.encode(r)
	defer clear(parts) // the vectors are the caller's
	return c.wal.Append(recordOps, parts...)
}

// syncBeside begins the fsync of a large batch, which goes on while the batch is
// published. durably waits for it. It begins no sooner: the log was told to
// start writing, and an fsync keeps one of Go's processors from the slots meanwhile.
func (c *Collection) syncBeside(w *write) {
	if !w.durable || recordSize(&w.record, c.config.Dim) < 2*c.opts.Knobs.RunBytes {
		return
	}
	w.syncing = make(chan error, 1)
	go func() { w.syncing <- c.syncLog(w.lsn) }()
}

func (c *Collection) giveSlots(ops []op) ([]uint32, error) {
	n := 0
	for i := range ops {
		if !ops[i].isDelete() {
			n++
		}
	}
	slots, err := c.slots.take(n, c.store.Reserve, c.buffers.slots[:0])
	if err != nil {
		return nil, err
	}
	c.buffers.slots = slots
	next := 0
	for i := range ops {
		if ops[i].slot = noSlot; !ops[i].isDelete() {
			ops[i].slot = slots[next]
			next++
		}
	}
	return slots, nil
}

// entries says what the slots of a batch hold.
func (c *Collection) entries(ops []op, lsn uint64) []vecfile.Entry {
	entries := c.buffers.entries[:0]
	for i := range ops {
		if o := &ops[i]; !o.isDelete() {
			entries = append(entries, vecfile.Entry{Slot: o.slot, ID: o.id, LSN: lsn, Payload: o.payload != nil || o.key != "", Vector: o.vector})
		}
	}
	c.buffers.entries = entries
	return entries
}
