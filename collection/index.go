package collection

import (
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/vecfile"
)

// index finds the slot of an id. It is kept in memory and built in the background
// after Open; until it is there, a look-up scans the ids of the slots that were
// live at Open, after what has changed since.
//
//	found? ── changed since Open ──> all (built) or scan of base (being built)
//
// The publication lock guards it; the writer, who alone changes it, may also read
// it under the writer lock.
type index struct {
	all     map[uint64]uint32 // nil: being built
	changed map[uint64]uint32 // id -> slot, noSlot: deleted; only while being built
	base    *bitmap.Set       // live at Open, before the replay
	store   *vecfile.Store

	fault atomic.Pointer[error] // a scan could not read an id: what was not found may be there
}

func (x *index) init(store *vecfile.Store, base *bitmap.Set) {
	x.store = store
	if base.Len() == 0 {
		x.all = map[uint64]uint32{}
		return
	}
	x.base, x.changed = base, map[uint64]uint32{}
}

// set gives id a slot; noSlot deletes it.
func (x *index) set(id uint64, slot uint32) {
	switch {
	case x.all == nil:
		x.changed[id] = slot
	case slot == noSlot:
		delete(x.all, id)
	default:
		x.all[id] = slot
	}
}

// get returns the slot of id, noSlot if there is none.
func (x *index) get(id uint64) uint32 {
	if x.all != nil {
		if slot, ok := x.all[id]; ok {
			return slot
		}
		return noSlot
	}
	if slot, ok := x.changed[id]; ok {
		return slot
	}
	found := uint32(noSlot)
	x.scan(func(slot uint32, have uint64) bool {
		if have == id {
			found = slot
		}
		return have != id
	})
	return found
}

// getAll calls found for each of n ids that has a slot, with the places of id and
// in one pass over the base if that is needed.
func (x *index) getAll(n int, id func(i int) uint64, found func(i int, slot uint32)) {
	if x.all != nil || n == 1 {
		for i := range n {
			found(i, x.get(id(i)))
		}
		return
	}
	wanted := map[uint64]int{}
	for i := range n {
		if slot, ok := x.changed[id(i)]; ok {
			found(i, slot)
			continue
		}
		wanted[id(i)] = i
	}
	x.scan(func(slot uint32, have uint64) bool {
		if i, ok := wanted[have]; ok {
			found(i, slot)
			delete(wanted, have)
		}
		return len(wanted) > 0
	})
	for _, i := range wanted {
		found(i, noSlot)
	}
}

// scan calls fn for every slot of the base until it returns false.
func (x *index) scan(fn func(slot uint32, id uint64) bool) {
	if err := x.store.ScanIDs(x.base, 0, noSlot, fn); err != nil {
		x.fault.Store(&err)
	}
}

// err returns why look-ups cannot be trusted, nil if they can.
func (x *index) err() error {
	if p := x.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// build reads the base without a lock; stop ends it early with nil.
func (x *index) build(stop func() bool) map[uint64]uint32 {
	all := make(map[uint64]uint32, x.base.Len())
	n, stopped := 0, false
	x.scan(func(slot uint32, id uint64) bool {
		all[id] = slot
		n++
		stopped = n%4096 == 0 && stop()
		return !stopped
	})
	if stopped || x.err() != nil {
		return nil
	}
	return all
}

// adopt puts what build returned into force, under both locks.
func (x *index) adopt(all map[uint64]uint32) {
	for id, slot := range x.changed {
		if slot == noSlot {
			delete(all, id)
		} else {
			all[id] = slot
		}
	}
	x.all, x.changed, x.base = all, nil, nil
}
