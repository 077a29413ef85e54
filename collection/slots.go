package collection

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/vfs"
)

// errFull: every slot number was given out.
var errFull = fmt.Errorf("%w: %w", vfs.ErrNoSpace, errors.New("the collection has used all of its 2^32 slots"))

// allocator gives slots out, each once per write of a point. The writer lock
// guards it.
type allocator struct {
	next uint32     // slots at or above were never given out
	free []uint32   // may be written again (I6), descending
	dead []deadSlot // not yet known to be free, in order of death

	gone atomic.Int64 // slots that hold no live point: dead and free; read without the lock
}

type deadSlot struct {
	slot uint32
	died uint64 // by the clock of pins, or later
}

// take appends n slots to into. reserve makes room on disk below a bound; if it
// fails nothing is taken.
func (a *allocator) take(n int, reserve func(bound uint32) error, into []uint32) ([]uint32, error) {
	again := min(n, len(a.free))
	fresh := n - again
	if uint64(a.next)+uint64(fresh) >= noSlot {
		return into, errFull
	}
	if fresh > 0 {
		if err := reserve(a.next + uint32(fresh)); err != nil {
			return into, err
		}
	}
	for range again {
		into = append(into, a.free[len(a.free)-1])
		a.free = a.free[:len(a.free)-1]
	}
	a.gone.Add(-int64(again))
	for range fresh {
		into = append(into, a.next)
		a.next++
	}
	return into, nil
}

// giveBack returns slots that take gave and that were not used.
func (a *allocator) giveBack(slots []uint32) {
	a.free = append(a.free, slots...)
	a.sortFree()
	a.gone.Add(int64(len(slots)))
}

func (a *allocator) die(slot uint32, now uint64) {
	a.dead = append(a.dead, deadSlot{slot, now})
	a.gone.Add(1)
}

// holdBack treats every dead slot as if it had died no earlier than now.
func (a *allocator) holdBack(now uint64) {
	for i := range a.dead {
		a.dead[i].died = max(a.dead[i].died, now)
	}
}

// reclaim returns the dead slots that may be written again, and no longer knows them:
// release must follow.
func (a *allocator) reclaim(reusable func(d deadSlot) bool) []uint32 {
	var slots []uint32
	a.dead = slices.DeleteFunc(a.dead, func(d deadSlot) bool {
		if !reusable(d) {
			return false
		}
		slots = append(slots, d.slot)
		return true
	})
	return slots
}

// release makes slots that reclaim returned free.
func (a *allocator) release(slots []uint32) {
	a.free = append(a.free, slots...)
	a.sortFree()
}

func (a *allocator) sortFree() {
	slices.SortFunc(a.free, func(x, y uint32) int {
		return int(int64(y) - int64(x))
	})
}
