package collection

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
)

// indexer moves slots from the delta of the serving graph into that graph.
//
//	delta ──Claim──> insert ──> found by its own vector? ──yes──> leaves the delta (I2)
//	   ^                               │ no: linked anew, asked again
//	   └──────────Release──────────────┘ still no: stays searchable in the delta,
//	                                     and is tried again when the graph has changed
type indexer struct {
	work   signal        // the delta may have something to claim
	old    atomic.Int64  // slots that Open found in the delta and that are still there: they do not count against new writes
	done   atomic.Uint64 // slots that left the delta
	linked atomic.Uint64 // slots that a graph took
	paused bool
}

// unit is how many slots a worker takes at a time.
const unit = 8

// startIndexers starts as many workers as there are processors.
func (c *Collection) startIndexers() {
	if c.index.paused = c.opts.Knobs.PauseIndexer; c.index.paused {
		return
	}
	for i := range runtime.GOMAXPROCS(0) {
		c.workers.Go(func() { c.indexLoop(i > 0) })
	}
}

// indexLoop is a worker. One that only helps leaves the processors to searches as
// long as a scan of the delta costs them little.
func (c *Collection) indexLoop(helps bool) {
	var (
		hold    pin
		claimed []uint32
	)
	c.pins.register(&hold)
	defer c.pins.unregister(&hold)
	for {
		work := c.index.work.wait()
		hold.hold(&c.clock)
		v := c.view.Load()
		claimed = claimed[:0]
		if (!helps || c.wantsHelp(v)) && c.mayIndex() {
			claimed = c.claim(v, claimed)
		}
		if len(claimed) == 0 {
			hold.release()
			if c.index.done.Load() != c.maintain.seen.Load() {
				// There is time to look at what the new links pushed out. Whoever ends last
				// says so: the others have looked before.
				c.maintain.kick()
			}
			select {
			case <-work:
				continue
			case <-c.bg.Done():
				return
			}
		}
		err := guard(func() error { return c.indexUnit(v, claimed) })
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

// claim takes the oldest slots of the delta or, if writers are faster than the
// indexers, any: those that are written again soon then need not be inserted.
func (c *Collection) claim(v *view, into []uint32) []uint32 {
	if v.delta.Len() > c.opts.Knobs.DeltaLimit/2 {
		return v.delta.ClaimAny(unit, into)
	}
	return v.delta.Claim(unit, into)
}

// wantsHelp reports whether more than one worker shall index: while searches run
// only when a scan of the delta costs them more than the search of a graph.
func (c *Collection) wantsHelp(v *view) bool {
	return v.delta.Len() > c.opts.Knobs.SoftLimit || !shared.polite()
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
		found, err := c.insert(c.bg, v.graph, slot, c.efOwn())
		if err != nil {
			return err
		}
		c.hook("index: between graph and delta")
		c.index.linked.Add(1)
		if found {
			c.leaveDelta(v, slot)
		} else if v.miss(slot) {
			v.delta.Release(slot)
		} else {
			c.maintain.kick() // too many of them ask for another graph
		}
	}
	return nil
}

// insert puts a slot into a graph and reports whether the graph finds it (I2).
func (c *Collection) insert(ctx context.Context, g engine, slot uint32, ef int) (found bool, err error) {
	if err := g.Insert(ctx, slot); err != nil {
		return false, err
	}
	return c.linked(ctx, g, slot, ef)
}

// linked reports whether a graph finds a slot that it holds, if need be once it is
// linked anew.
func (c *Collection) linked(ctx context.Context, g engine, slot uint32, ef int) (found bool, err error) {
	l, ok := g.(linker)
	if !ok || g.Finds(slot, ef) {
		return true, nil
	}
	if err := l.Link(ctx, slot, ef); err != nil {
		return false, err
	}
	return g.Finds(slot, ef), nil
}

// efOwn is the beam with which a search for one point walks the serving graph at
// least.
func (c *Collection) efOwn() int { return ownBeam(c.efSearch()) }

func ownBeam(efSearch int) int { return max(efSearch, 1+spare) }

// leaveDelta takes a slot that the graph finds, or a dead one, out of the delta.
func (c *Collection) leaveDelta(v *view, slot uint32) {
	if !v.delta.Remove(slot) {
		return
	}
	v.missed.left(slot)
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
	v := c.view.Load()
	waiting := v.delta.Len() - int(v.missed.parked.Load())
	return waiting >= c.opts.Knobs.DeltaLimit+int(max(0, c.index.old.Load()))
}
