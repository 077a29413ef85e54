package collection

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/watch"
)

const (
	// smallRest is the difference that is left to the new graph's delta.
	smallRest = 256
	// maxRounds is how many rounds of catching up there may be before writers are slowed,
	// and how many more after that.
	maxRounds = 12
	// pace is how many slots a rebuild that does not gain on the writers inserts for
	// each one that the indexer may take out of the serving graph's delta, which is
	// what makes room for writers. What is missing after a round is then at most a
	// delta and a quarter of the round: 4/3 of a delta in the end.
	pace = 4
)

// catchUp inserts what a graph lacks, in rounds that end with after (nil: nothing),
// until that is little. If a round leaves nearly as much to do as it did, because
// writers replace as many points, or there have been many, they are slowed by the delta
// of the serving graph, which is emptied no more than pace allows, and not at all in the
// last rounds: it fills, and they wait.
//
// When it returns nothing leaves the delta of the serving graph until press(false), and
// what next lacks beyond that delta counts against its limit: all that next lacks in the
// end is a full delta, or smallRest more.
func (c *Collection) catchUp(ctx context.Context, next engine, insert func(slot uint32) error, after func(context.Context) error) error {
	limit := c.opts.Knobs.DeltaLimit
	before := math.MaxInt
	for round := 0; ; round++ {
		c.hook("rebuild: round")
		todo := c.missingFrom(next)
		gained := len(todo) <= before/4*3
		enough := len(todo) <= smallRest || !gained && len(todo) <= limit || round >= 2*maxRounds
		if len(todo) == 0 || next.Len() > 0 && enough {
			c.leave(todo)
			return nil
		}
		if gained {
			before = len(todo)
		}
		if !gained || round >= maxRounds {
			c.press(true)
		}
		do := insert
		switch pressed := c.rebuild.pressed.Load(); {
		case pressed && len(todo) <= 2*limit:
			c.press(true) // what was earned before is not spent in this round
		case pressed:
			do = func(slot uint32) error { c.earn(); return insert(slot) }
		}
		if err := c.crewDo(ctx, "building the graph", todo, do); err != nil {
			return err
		}
		if after != nil {
			if err := after(ctx); err != nil {
				return err
			}
		}
	}
}

// leave leaves slots to the new graph's delta, and holds the serving graph's.
func (c *Collection) leave(todo []uint32) {
	c.press(true)
	held, beyond := c.view.Load().delta, 0
	for _, slot := range todo {
		if !held.Has(slot) {
			beyond++
		}
	}
	c.rebuild.left.Store(int64(beyond))
}

// press lets the indexer of the serving graph go on only as a rebuild does, or frees
// it again.
func (c *Collection) press(on bool) {
	c.rebuild.left.Store(0)
	c.rebuild.pressed.Store(on)
	c.rebuild.credit.Store(0)
	if !on {
		c.index.work.broadcast()
		c.room.broadcast()
	}
}

// earn is called for each slot that a rebuild inserts.
func (c *Collection) earn() {
	if c.rebuild.pressed.Load() && c.rebuild.credit.Add(1)%(pace*unit) == 0 {
		c.index.work.broadcast()
	}
}

// mayIndex reports whether the indexer of the serving graph may take another unit,
// and takes what it costs.
func (c *Collection) mayIndex() bool {
	if !c.rebuild.pressed.Load() {
		return true
	}
	for {
		have := c.rebuild.credit.Load()
		if have < pace*unit {
			return false
		}
		if c.rebuild.credit.CompareAndSwap(have, have-pace*unit) {
			return true
		}
	}
}

// crewDo does something with each slot that is live when its turn comes, with as
// many workers as the crew allows. Until the graph being filled holds a slot, the pin
// of the worker keeps it from being written again.
func (c *Collection) crewDo(parent context.Context, stage string, slots []uint32, do func(slot uint32) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(slots)/unit+1)
	for i := range workers {
		helps := i >= (workers+1)/2
		wg.Go(func() {
			var hold pin
			c.pins.register(&hold)
			defer c.pins.unregister(&hold)
			for {
				from := int(next.Add(unit)) - unit
				if from >= len(slots) {
					return
				}
				watch.Tell(ctx, stage, int64(from), int64(len(slots)))
				err := guard(func() error {
					return c.crewUnit(ctx, c.rebuildRank(helps), &hold, slots[from:min(from+unit, len(slots))], do)
				})
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := outcome(parent, ctx); err != nil {
		return err
	}
	watch.Tell(ctx, stage, int64(len(slots)), int64(len(slots)))
	return nil
}

// rebuildRank is how much a worker of a rebuild presses. While writers wait for the
// indexers of the serving graph, half of the workers press as those do, and what the
// others, who help, do can wait: else a stream that is faster than the graph would go at
// half its pace for as long as the rebuild takes. Once the rebuild has to gain on the
// writers, all press.
func (c *Collection) rebuildRank(helps bool) rank {
	if helps && shared.urgent.Load() > 0 && !c.rebuild.pressed.Load() {
		return leisurely
	}
	return pressing
}

func (c *Collection) crewUnit(ctx context.Context, r rank, hold *pin, slots []uint32, do func(slot uint32) error) error {
	if err := shared.acquire(ctx, r); err != nil {
		return err
	}
	defer shared.release()
	hold.hold(&c.clock) // before live is asked: what dies from now on stays as it is
	defer hold.release()
	c.hook("rebuild: unit")
	for _, slot := range slots {
		if c.live.Has(slot) {
			if err := do(slot); err != nil {
				return err
			}
		}
	}
	return nil
}
