package collection

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// indexer moves slots from the delta of the serving graph into that graph.
//
//	delta ──Claim──> insert ──> found by its own vector? ──yes──> leaves the delta (I2)
//	   ^                               │ no: linked anew, asked again
//	   └──────────Release──────────────┘ still no: stays searchable in the delta,
//	                                     and is tried again when the graph has changed
type indexer struct {
	work   signal       // the delta may have something to claim
	old    atomic.Int64 // slots that Open found in the delta and that are still there: they do not count against new writes
	done   atomic.Uint64
	paused bool

	mu     sync.Mutex
	missed map[uint32]int // slots of the delta that the graph holds and did not find, by how often
	parked atomic.Int64   // of those, how many are not tried again for now
}

// maxMisses is how often a slot that the graph does not find is tried again before
// the graph has changed.
const maxMisses = 3

// miss notes that the graph of v did not find a slot and reports whether to try
// again.
func (c *Collection) miss(v *view, slot uint32) bool {
	x := &c.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if c.view.Load() != v || !v.delta.Has(slot) {
		return false // nobody asks any more
	}
	if x.missed == nil {
		x.missed = map[uint32]int{}
	}
	x.missed[slot]++
	if x.missed[slot] < maxMisses {
		return true
	}
	x.parked.Add(1)
	return false
}

// left forgets a slot that is in the delta no longer.
func (x *indexer) left(slot uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.missed[slot] >= maxMisses {
		x.parked.Add(-1)
	}
	delete(x.missed, slot)
}

// forgive forgets all misses and returns what was parked.
func (x *indexer) forgive() []uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	var parked []uint32
	for slot, n := range x.missed {
		if n >= maxMisses {
			parked = append(parked, slot)
		}
	}
	x.missed = nil
	x.parked.Store(0)
	return parked
}

// unit is how many slots a worker takes at a time.
const unit = 8

// startIndexers starts as many workers as there are processors.
func (c *Collection) startIndexers() {
	if c.index.paused = c.opts.Knobs.PauseIndexer; c.index.paused {
		return
	}
	for range runtime.GOMAXPROCS(0) {
		c.workers.Go(c.indexLoop)
	}
}

func (c *Collection) indexLoop() {
	var (
		hold    pin
		claimed []uint32
	)
	c.pins.register(&hold)
	defer c.pins.unregister(&hold)
	for {
		work := c.index.work.wait()
		hold.hold(&c.applied)
		v := c.view.Load()
		claimed = v.delta.Claim(unit, claimed[:0])
		if len(claimed) == 0 {
			hold.release()
			if c.index.done.Load() != c.maintain.seen.Load() {
				c.maintain.kick() // there is time to look at what the new links pushed out
			}
			select {
			case <-work:
				continue
			case <-c.bg.Done():
				return
			}
		}
		err := c.indexUnit(v, claimed)
		hold.release()
		c.room.broadcast()
		if err != nil {
			if c.bg.Err() == nil {
				c.fail(fmt.Errorf("indexing: %w", err))
			}
			return
		}
	}
}

// indexUnit inserts slots that were claimed from v.delta into v.graph (I3).
func (c *Collection) indexUnit(v *view, claimed []uint32) error {
	if err := shared.acquire(c.bg, pressing); err != nil {
		return err
	}
	defer shared.release()
	for _, slot := range claimed {
		if !c.live.Has(slot) {
			c.leaveDelta(v, slot)
			continue
		}
		found, err := c.insert(c.bg, v.graph, slot)
		if err != nil {
			return err
		}
		c.hook("index: between graph and delta")
		if found {
			c.leaveDelta(v, slot)
		} else if c.miss(v, slot) {
			v.delta.Release(slot)
		}
	}
	return nil
}

// insert puts a slot into a graph and reports whether the graph finds it (I2).
func (c *Collection) insert(ctx context.Context, g engine, slot uint32) (found bool, err error) {
	if err := g.Insert(ctx, slot); err != nil {
		return false, err
	}
	ef := c.efOwn()
	if g.Finds(slot, ef) {
		return true, nil
	}
	l, ok := g.(linker)
	if !ok {
		return true, nil
	}
	if err := l.Link(ctx, slot, ef); err != nil {
		return false, err
	}
	return g.Finds(slot, ef), nil
}

// efOwn is the beam with which a search for one point walks the graph at least.
func (c *Collection) efOwn() int { return max(c.efSearch(), 1+spare) }

// leaveDelta takes a slot that the graph finds, or a dead one, out of the delta.
func (c *Collection) leaveDelta(v *view, slot uint32) {
	if !v.delta.Remove(slot) {
		return
	}
	if c.view.Load() == v {
		c.index.left(slot)
	}
	c.index.done.Add(1)
	if c.index.old.Load() > 0 {
		c.index.old.Add(-1)
	}
}

// deltaFull reports whether writers that add to the delta have to wait. What is
// parked does not count: no waiting makes it less.
func (c *Collection) deltaFull() bool {
	if c.index.paused {
		return false
	}
	waiting := c.view.Load().delta.Len() - int(c.index.parked.Load())
	return waiting >= c.opts.Knobs.DeltaLimit+int(max(0, c.index.old.Load()))
}
