package collection

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/internal/watch"
)

// Compact gives the space of deleted points back, through ordinary logged writes:
//
//	rebuild ──> no graph holds dead slots ──> checkpoint ──> they are free
//	last points ──upsert──> the first free slots            (searchable all the way)
//	rebuild ──> checkpoint ──> the end of the slot files is free
//	checkpoint of fewer slots, log anew ──> files beyond it removed ──> meta.db rewritten
//
// It can be killed anywhere; what is left to do is done by the next one. Writes
// and searches go on. What a search, an iterator or a backup under way still looks
// at stays where it is.
func (c *Collection) Compact(ctx context.Context) error {
	if err := c.enterWrite(); err != nil {
		return err
	}
	defer c.gate.leave()
	if err := c.lockAdmin(ctx); err != nil {
		return c.wrap(err)
	}
	defer c.unlockAdmin()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.bg, cancel)()
	err := c.compact(ctx)
	if err != nil && c.bg.Err() != nil {
		err = ErrClosed
	}
	return c.wrap(err)
}

func (c *Collection) compact(ctx context.Context) error {
	if err := c.failed(); err != nil {
		return err
	}
	if c.slots.gone.Load() > 0 {
		if err := c.rebuildGraph(ctx, c.Config().Index); err != nil {
			return err
		}
		c.hook("compact: before moves")
		moved, err := c.moveTail(ctx)
		if err != nil {
			return err
		}
		c.hook("compact: after moves")
		if moved > 0 {
			if err := c.rebuildGraph(ctx, c.Config().Index); err != nil {
				return err
			}
		}
	}
	if err := c.outwait(ctx); err != nil {
		return err
	}
	if err := c.cutTail(ctx); err != nil {
		return err
	}
	c.hook("compact: before tables")
	if err := ctx.Err(); err != nil {
		return err
	}
	err := c.sticky(c.meta.Compact())
	c.hook("compact: after tables")
	c.maintain.uncompacted.Store(c.slots.gone.Load())
	return err
}

const (
	moveCount = 256     // points of one batch of moves, at most
	moveBytes = 4 << 20 // and about their bytes
)

// moveTail writes the points of the last slots anew into the first free ones,
// until those lie behind.
func (c *Collection) moveTail(ctx context.Context) (moved int, err error) {
	m := mover{c: c, top: noSlot}
	total := int64(0) // about: writes go on
	for slot, ok := c.live.Next(uint32(c.live.Len())); ok; slot, ok = c.live.Next(slot + 1) {
		total++
	}
	for {
		w := &write{decide: m.decide, adds: true}
		if err := c.commit(ctx, w, c.gate.closing()); err != nil {
			return moved, err
		}
		if len(w.ops) == 0 {
			if moved > 0 {
				watch.Tell(ctx, "moving points", total, total) // others moved of themselves, or died
			}
			return moved, nil
		}
		moved += len(w.ops)
		watch.Tell(ctx, "moving points", min(int64(moved), total), total)
		c.hook("compact: moved")
	}
}

// mover chooses what moves next.
type mover struct {
	c   *Collection
	top uint32 // no slot at or above is looked at again
}

// decide returns the next moves: under the writer lock, so that what is moved is
// what the id's slot holds.
func (m *mover) decide() (ops []op, err error) {
	free := m.c.slots.free
	size := 0
	err = guard(func() error {
		for len(ops) < min(moveCount, len(free)) && size < moveBytes {
			slot, ok := lastBelow(&m.c.live, min(m.top, m.c.slots.next))
			if !ok || free[len(free)-1-len(ops)] > slot {
				return nil
			}
			o, err := m.move(slot)
			if err != nil {
				return err
			}
			size += opSize(&o, m.c.config.Dim)
			ops = append(ops, o)
			m.top = slot
		}
		return nil
	})
	return ops, err
}

// lastBelow returns the highest slot of a set that is below bound.
func lastBelow(s *bitmap.Set, bound uint32) (uint32, bool) {
	for i := (int(bound) + 63) / 64; i > 0; {
		i--
		w := s.Word(i)
		if top := uint32(i) * 64; bound-top < 64 {
			w &= 1<<(bound-top) - 1
		}
		if w != 0 {
			return uint32(i)*64 + uint32(bits.Len64(w)) - 1, true
		}
	}
	return 0, false
}

// move returns the upsert that writes the point of a slot anew.
func (m *mover) move(slot uint32) (op, error) {
	o := op{id: m.c.store.ID(slot), old: slot}
	var err error
	if o.vector, err = m.c.store.Vector(slot, nil); err != nil || !m.c.store.HasPayload(slot) {
		return o, err
	}
	data, ok := m.c.payloads.get(slot)
	if !ok {
		if data, err = m.c.meta.Payload(slot); err == nil && data == nil {
			err = fmt.Errorf("%w: the payload of slot %d is missing", codec.ErrCorrupt, slot)
		}
	}
	if err != nil {
		return o, err
	}
	key, payload, err := m.c.splitBlob(data)
	o.key, o.payload = string(key), payload
	return o, err
}

const (
	pinWait  = 50 * time.Millisecond
	pinWaits = 20
)

// outwait frees what died before now, once those who may look at it have gone on:
// searches do at once, an audit soon. For a backup nothing waits.
func (c *Collection) outwait(ctx context.Context) error {
	now := c.clock.Load()
	for n := 0; n < pinWaits && c.pins.oldest() < now; n++ {
		c.pause(pinWait, ctx.Done())
	}
	select {
	case c.check.lock <- struct{}{}:
		defer func() { <-c.check.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c.reclaim()
	return nil
}

// cutTail makes the collection end with its last slot that is not free.
func (c *Collection) cutTail(ctx context.Context) error {
	if err := c.lockWriter(ctx, c.gate.closing()); err != nil {
		return err
	}
	c.slots.cut()
	c.unlockWriter()
	if err := c.wal.Turn(); errors.Is(err, vfs.ErrNoSpace) {
		c.log.Warn("the log keeps its last segment", "collection", c.name, "error", err)
	} else if err != nil {
		return c.sticky(err)
	}
	c.hook("compact: before checkpoint")
	c.check.config.Store(true) // so that one is written, and names fewer slots
	if err := c.checkpoint(ctx, false); err != nil {
		return err
	}
	c.hook("compact: before files")
	if err := c.lockWriter(ctx, c.gate.closing()); err != nil {
		return err
	}
	defer c.unlockWriter()
	// Slots of a checkpoint or a writer since lie below next, which only grows.
	if err := c.store.Shrink(c.slots.next); err != nil {
		c.log.Warn("files that are not needed could not be removed", "collection", c.name, "error", err)
	}
	c.hook("compact: after files")
	return c.failed()
}

// cut gives up the free slots at the end.
func (a *allocator) cut() {
	n := 0
	for n < len(a.free) && a.free[n] == a.next-1 {
		a.next--
		n++
	}
	a.free = a.free[n:]
	a.gone.Add(-int64(n))
}

const defaultCompactBytes = 64 << 20

// compactDue reports whether the collection compacts itself: when more slots are
// dead or free than live, they hold CompactBytes or more, and they are twice what
// the last Compact had to leave. So each costs at most as much as was written
// since the one before, and the files are at most about twice what they need be.
func (c *Collection) compactDue() bool {
	gone := c.slots.gone.Load()
	row := int64(kernel.VectorStride(c.config.Dim) + kernel.CodeStride(c.config.Dim))
	return gone > int64(c.live.Len()) && gone*row >= c.opts.Knobs.CompactBytes && gone >= 2*c.maintain.uncompacted.Load()
}

// compactItself is Compact when it is due.
func (c *Collection) compactItself() error {
	if err := c.lockAdmin(c.bg); err != nil {
		return nil // closing
	}
	defer c.unlockAdmin()
	if c.failed() != nil {
		return nil
	}
	c.log.Info("compacting: more slots are dead than live", "collection", c.name)
	if err := c.compact(c.bg); err != nil && !errors.Is(err, ErrClosed) { // by Close, which refuses writes before it ends c.bg
		return fmt.Errorf("compact: %w", err)
	}
	return nil
}
