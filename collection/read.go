package collection

import (
	"context"
	"errors"
	"fmt"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Get returns the point with id, or ErrNotFound. Its vector has the bits that were
// written.
func (c *Collection) Get(ctx context.Context, id uint64) (p Point, err error) {
	if err := c.gate.enter(); err != nil {
		return Point{}, c.wrap(err)
	}
	defer c.gate.leave()
	if err := errors.Join(ctx.Err(), c.wantIDs()); err != nil {
		return Point{}, c.wrap(err)
	}
	err = guard(func() error {
		p, err = c.get(id)
		return err
	})
	return p, c.wrap(err)
}

func (c *Collection) get(id uint64) (Point, error) {
	s := c.takeScratch()
	defer c.putScratch(s)
	slot, err := c.slotOf(id)
	if err != nil {
		return Point{}, err
	}
	if slot == noSlot {
		return Point{}, fmt.Errorf("point %d: %w", id, ErrNotFound)
	}
	c.hook("get: between place and point")
	v, err := c.store.Vector(slot, nil)
	if err != nil {
		return Point{}, err
	}
	out := []Result{{}}
	s.slots = append(s.slots[:0], slot)
	if err := c.fillPayloads(s, out, true); err != nil {
		return Point{}, err
	}
	return Point{ID: id, Key: out[0].Key, Vector: v, Payload: out[0].Payload}, nil
}

// slotOf returns the current slot of id, noSlot if there is none.
func (c *Collection) slotOf(id uint64) (uint32, error) {
	c.publish.RLock()
	defer c.publish.RUnlock()
	return c.ids.get(id), c.ids.err()
}

// guard turns a fault in a mapped file into ErrCorrupt. What fn locks it must not
// hold when it reads mapped memory, unless it unlocks by defer.
func guard(fn func() error) error {
	err := vfs.Guard(fn)
	if errors.Is(err, vfs.ErrFault) {
		return fmt.Errorf("%w: %w", codec.ErrCorrupt, err)
	}
	return err
}

// Position returns the highest durable offset of a source, see From.
func (c *Collection) Position(source string) (offset uint64, ok bool) {
	if c.gate.enter() != nil {
		return 0, false
	}
	defer c.gate.leave()
	return c.places.get(source, c.wal.Durable())
}

// Sync returns when all that was acknowledged is on stable storage.
func (c *Collection) Sync(ctx context.Context) error {
	if err := c.gate.enter(); err != nil {
		return c.wrap(err)
	}
	defer c.gate.leave()
	if err := ctx.Err(); err != nil {
		return c.wrap(err)
	}
	if err := c.failed(); err != nil {
		return err
	}
	return c.syncLog(c.applied.Load())
}

// Stats tells what the collection holds and where. Its numbers are of about one
// moment.
func (c *Collection) Stats() Stats {
	if c.gate.enter() != nil {
		return Stats{}
	}
	defer c.gate.leave()
	st := Stats{
		Rebuilding:    c.rebuild.running.Load(),
		Rebuilds:      c.rebuild.done.Load(),
		WALBytes:      c.wal.Size(),
		DiskBytes:     c.diskBytes(),
		CheckpointLSN: c.check.lsn.Load(),
		Stream:        c.stream.stats(),
		Relinked:      c.maintain.returned.Load(),
	}
	if e, ok := c.view.Load().graph.(counter); ok {
		st.GraphDistances = e.Distances()
	}
	c.publish.RLock()
	defer c.publish.RUnlock()
	st.Points = c.live.Len()
	st.FieldsBuilding = len(c.fields.list) - int(c.fields.ready.Load())
	st.InDelta = c.view.Load().delta.Len()
	st.InGraph = st.Points - st.InDelta
	st.Deleted = int(c.slots.gone.Load())
	st.AppliedLSN = c.applied.Load()
	st.DurableLSN = min(c.wal.Durable(), st.AppliedLSN)
	return st
}
