package collection

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
)

// misses are the slots that a view's graph holds and was seen not to find.
//
//	not found ──> linked anew ──> found: leaves the delta ──> pushed out again ──┐
//	   ^                └──> not found                                           │
//	   └───────────────────────┴─────────────────────────────────────────────────┘
//	          at most maxMisses times, then parked: it stays in the delta, where
//	          searches find it, and is linked no more until the graph has grown
type misses struct {
	mu     sync.Mutex
	tries  map[uint32]int      // how often each was not found since the graph has grown
	aside  map[uint32]struct{} // those parked
	parked atomic.Int64        // how many those are
	size   int                 // of the graph when all were last tried again
	losses uint64              // how often a slot was found no more
	lostAt map[uint32]uint64   // losses when that befell a slot last, since the graph's file was begun
}

const (
	// maxMisses is how often a slot that the graph does not find is tried again before
	// the graph has grown: two that push each other out would go on for ever.
	maxMisses = 3
	// grownShare is the part of a graph, one in so many slots, by which it has grown
	// when what was parked is worth another try.
	grownShare = 100
)

// miss notes that the graph of v did not find a slot of its delta and reports
// whether to try again.
func (v *view) miss(slot uint32) (again bool) {
	x := &v.missed
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.count(slot) < maxMisses {
		return true
	}
	if v.delta.Has(slot) { // or nobody asks any more
		x.park(slot)
	}
	return false
}

// lost notes that the graph does not find a slot any more.
func (x *misses) lost(slot uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count(slot)
	x.losses++
	if x.lostAt == nil {
		x.lostAt = map[uint32]uint64{}
	}
	x.lostAt[slot] = x.losses
}

// lostSince returns the slots that were lost since there were so many losses.
func (x *misses) lostSince(since uint64) *bitmap.Set {
	x.mu.Lock()
	defer x.mu.Unlock()
	lost := new(bitmap.Set)
	for slot, at := range x.lostAt {
		if at > since {
			lost.Add(slot)
		}
	}
	return lost
}

// forget forgets the slots that were lost when there were so many losses.
func (x *misses) forget(losses uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	maps.DeleteFunc(x.lostAt, func(_ uint32, at uint64) bool { return at <= losses })
}

// since returns how often a slot was found no more, to ask with.
func (x *misses) since() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.losses
}

// remove takes a slot that the graph was seen to find out of the delta, unless some
// slot was lost since: if it was this one, who noted that has left it in the delta,
// where it was. now is what to ask with again.
func (v *view) remove(slot uint32, since uint64) (now uint64, removed, ok bool) {
	x := &v.missed
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.losses != since {
		return x.losses, false, false
	}
	return since, v.delta.Remove(slot), true
}

// parkAll makes the slots of lost hopeless from the start: a rebuild has tried.
func (x *misses) parkAll(lost *bitmap.Set, size int) {
	x.size = size
	x.tries, x.aside = map[uint32]int{}, map[uint32]struct{}{}
	for slot := range lost.All() {
		x.tries[slot] = maxMisses
	}
}

// hopeless reports whether a slot has been tried often enough.
func (x *misses) hopeless(slot uint32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tries[slot] >= maxMisses
}

// left forgets that a slot is parked which is in the delta no longer, and reports
// whether it had been missed.
func (x *misses) left(slot uint32) (was bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.aside, slot)
	x.parked.Store(int64(len(x.aside)))
	return x.tries[slot] > 0
}

// count notes a miss and returns how many there were. The lock is held.
func (x *misses) count(slot uint32) int {
	if x.tries == nil {
		x.tries, x.aside = map[uint32]int{}, map[uint32]struct{}{}
	}
	x.tries[slot]++
	return x.tries[slot]
}

// park is called with the lock held.
func (x *misses) park(slot uint32) {
	x.aside[slot] = struct{}{}
	x.parked.Store(int64(len(x.aside)))
}

// retryParked has the indexer try again what was parked, if the graph has changed
// since: it has grown, or was repaired.
func (c *Collection) retryParked(v *view, repaired bool) {
	x := &v.missed
	x.mu.Lock()
	defer x.mu.Unlock()
	n := v.graph.Len()
	if n <= x.size+x.size/grownShare && !repaired {
		return
	}
	x.size = n
	for slot := range x.aside {
		v.delta.Release(slot)
	}
	clear(x.tries)
	if len(x.aside) > 0 {
		clear(x.aside)
		x.parked.Store(0)
		c.index.work.broadcast()
	}
}
