package collection

import (
	"sync"
	"sync/atomic"
)

// misses are the slots of a view's delta that its graph holds and did not find.
type misses struct {
	mu     sync.Mutex
	tries  map[uint32]int // how often each was not found
	parked atomic.Int64   // how many of them are not tried again for now
}

// maxMisses is how often a slot that the graph does not find is tried again before
// the graph has changed.
const maxMisses = 3

// miss notes that the graph of v did not find a slot and reports whether to try
// again.
func (v *view) miss(slot uint32) bool {
	x := &v.missed
	x.mu.Lock()
	defer x.mu.Unlock()
	if !v.delta.Has(slot) {
		return false // nobody asks any more
	}
	if x.tries == nil {
		x.tries = map[uint32]int{}
	}
	x.tries[slot]++
	if x.tries[slot] < maxMisses {
		return true
	}
	x.parked.Add(1)
	return false
}

// left forgets a slot that is in the delta no longer.
func (x *misses) left(slot uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tries[slot] >= maxMisses {
		x.parked.Add(-1)
	}
	delete(x.tries, slot)
}

// retryParked has the indexer try again what was parked: the graph has changed.
func (c *Collection) retryParked(v *view) {
	x := &v.missed
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.parked.Load() == 0 {
		return
	}
	for slot, n := range x.tries {
		if n >= maxMisses {
			v.delta.Release(slot)
		}
	}
	x.tries = nil
	x.parked.Store(0)
	c.index.work.broadcast()
}
