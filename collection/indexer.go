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
//	 ^   ^                             │ no: linked anew, asked again
//	 │   └────────Release──────────────┘ still no: stays searchable in the delta,
//	 │                                   and is tried again when the graph has changed
//	 └── those that new links may have pushed out, and that are no longer found
type indexer struct {
	work   signal        // the delta may have something to claim
	old    atomic.Int64  // slots that Open found in the delta and that are still there: they do not count against new writes
	done   atomic.Uint64 // slots that left the delta
	linked atomic.Uint64 // slots that a graph took
	care   care
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
		loose   []uint32
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
			if c.store.Cold() && v.delta.Len() <= int(v.missed.parked.Load()) {
				c.warmSoon()
			}
			select {
			case <-work:
				continue
			case <-c.bg.Done():
				return
			}
		}
		err := guard(func() (err error) { loose, err = c.indexUnit(v, claimed, loose[:0]); return err })
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

// indexUnit inserts slots that were claimed from v.delta into v.graph (I3). loose is
// memory for those that this may have pushed out.
func (c *Collection) indexUnit(v *view, claimed, loose []uint32) ([]uint32, error) {
	if err := shared.acquire(c.bg, pressing); err != nil {
		return loose, err
	}
	defer shared.release()
	for _, slot := range claimed {
		if !c.live.Has(slot) {
			c.leaveDelta(v, slot)
			continue
		}
		since := v.missed.since()
		if v.graph.Contains(slot) && v.missed.hopeless(slot) {
			c.asked(v, slot, v.graph.Finds(slot, v.efOwn()), since)
			continue
		}
		found, pushed, err := c.insert(c.bg, v.graph, slot, v.efOwn(), loose)
		loose = pushed
		if err != nil {
			return loose, err
		}
		c.hook("index: between graph and delta")
		c.index.linked.Add(1)
		c.asked(v, slot, found, since)
	}
	c.index.care.saw(len(loose), c.askAgain(v, loose))
	return loose, nil
}

// asked takes a slot that was claimed out of the delta if the graph finds it. Else it is
// tried again, or parked, and the maintainer looks: too many of them ask for another
// graph, and what was tried may have pushed out others. It is asked again if some slot
// was lost since the question.
func (c *Collection) asked(v *view, slot uint32, found bool, since uint64) {
	for ; found; found = v.graph.Finds(slot, v.efOwn()) {
		var removed, ok bool
		if since, removed, ok = v.remove(slot, since); ok {
			if removed {
				c.leftDelta(v, slot)
			}
			return
		}
	}
	if v.miss(slot) {
		v.delta.Release(slot)
		c.index.work.broadcast() // this worker may be one that only helps
	} else {
		c.index.oldDone()
		c.maintain.relinked.Add(1)
		c.maintain.kick()
	}
}

// askAgain puts those of the slots that v.graph does not find back into v.delta (I2),
// and returns how many were not there.
func (c *Collection) askAgain(v *view, slots []uint32) (lost int) {
	for _, slot := range slots {
		if c.live.Has(slot) && v.graph.Contains(slot) && !v.graph.Finds(slot, v.efOwn()) {
			if !v.delta.Has(slot) {
				lost++
			}
			c.returnToDelta(v, slot)
		}
	}
	return lost
}

// insert puts a slot into a graph and reports whether the graph finds it (I2). It
// appends to loose those that the graph may find no more.
func (c *Collection) insert(ctx context.Context, g engine, slot uint32, ef int, loose []uint32) (found bool, _ []uint32, err error) {
	l, ok := g.(linker)
	if !ok {
		return true, loose, g.Insert(ctx, slot)
	}
	if loose, err = l.InsertNoting(ctx, slot, c.index.care.links(), loose); err != nil {
		return false, loose, err
	}
	return c.linked(ctx, g, slot, ef, loose)
}

// linked reports whether a graph finds a slot that it holds, if need be once it is
// linked anew, which appends to loose as insert does.
func (c *Collection) linked(ctx context.Context, g engine, slot uint32, ef int, loose []uint32) (found bool, _ []uint32, err error) {
	l, ok := g.(linker)
	if !ok || g.Finds(slot, ef) {
		return true, loose, nil
	}
	if loose, err = l.Link(ctx, slot, ef, loose); err != nil {
		return false, loose, err
	}
	return g.Finds(slot, ef), loose, nil
}

// efOwn is the beam with which a search for one point walks the graph at least.
func (v *view) efOwn() int { return ownBeam(v.efSearch()) }

func ownBeam(efSearch int) int { return max(efSearch, 1+spare) }

// leaveDelta takes a dead slot out of the delta.
func (c *Collection) leaveDelta(v *view, slot uint32) {
	if v.delta.Remove(slot) {
		c.leftDelta(v, slot)
	}
}

// leftDelta follows a slot that left the delta.
func (c *Collection) leftDelta(v *view, slot uint32) {
	if v.missed.left(slot) {
		c.maintain.relinked.Add(1)
	}
	c.index.done.Add(1)
	c.index.oldDone()
}

// oldDone is called when a slot is in the delta no longer, or there to stay.
func (x *indexer) oldDone() {
	if x.old.Load() > 0 {
		x.old.Add(-1)
	}
}

// deltaFull reports whether writers that add to the delta have to wait. What is
// parked does not count: no waiting makes it less; what a rebuild leaves to the next
// delta does.
func (c *Collection) deltaFull() bool {
	if c.index.paused {
		return false
	}
	v := c.view.Load()
	waiting := v.delta.Len() - int(v.missed.parked.Load()) + int(c.rebuild.left.Load())
	return waiting >= c.opts.Knobs.DeltaLimit+int(max(0, c.index.old.Load()))
}
