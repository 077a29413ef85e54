package collection

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/delta"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/watch"
)

// rebuilder is the state of Rebuild.
//
//	live - new graph:  ████████████ ──build──> ██ ──audit, catch up──> ▌ ──publish──> its delta
//	serving graph:     goes on taking new points, answers every search until the swap
type rebuilder struct {
	running atomic.Bool // written under the writer lock: no slot is reused meanwhile
	pressed atomic.Bool // writers are about as fast: the indexer of the serving graph spends credit
	credit  atomic.Int64
	done    atomic.Int64
}

const (
	// smallRest is the difference that is left to the new graph's delta.
	smallRest = 256
	// maxRounds bounds the catching up with writers that are faster.
	maxRounds = 12
	// pace is how many slots a rebuild that does not gain on the writers inserts for
	// each one that the indexer may take out of the serving graph's delta, which is
	// what makes room for writers. What is missing after a round is then at most a
	// delta and a quarter of the round: 4/3 of a delta in the end.
	pace = 4
)

// Rebuild builds a new graph beside the serving one, from the live points, and
// swaps them; writes and searches go on. Zero fields of cfg mean as configured;
// the rest is persisted at the swap. A second call waits for the first.
func (c *Collection) Rebuild(ctx context.Context, cfg IndexConfig) error {
	if err := c.enterWrite(); err != nil {
		return err
	}
	defer c.gate.leave()
	if err := invalidConfig(cfg.problems()...); err != nil {
		return c.wrap(err)
	}
	if have := c.Config().Index.Engine; cfg.Engine != EngineNative && cfg.Engine != have {
		return c.wrap(fmt.Errorf("%w: Index.Engine is fixed for life: it is %v", ErrInvalidConfig, have))
	}
	if err := c.lockAdmin(ctx); err != nil {
		return c.wrap(err)
	}
	defer c.unlockAdmin()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.bg, cancel)()
	err := c.rebuildGraph(ctx, c.Config().Index.merged(cfg))
	if err != nil && c.bg.Err() != nil {
		err = ErrClosed
	}
	return c.wrap(err)
}

func (c *Collection) rebuildGraph(ctx context.Context, cfg IndexConfig) error {
	if err := c.failed(); err != nil {
		return err
	}
	next, err := c.newEngine(cfg)
	if err != nil {
		return err
	}
	if err := c.swapGraph(ctx, next, cfg); err != nil {
		return err
	}
	c.check.config.Store(true)
	return c.checkpoint(context.WithoutCancel(ctx), true)
}

// swapGraph fills next and publishes it.
func (c *Collection) swapGraph(ctx context.Context, next engine, cfg IndexConfig) error {
	c.setRebuilding(true)
	defer c.maintain.kick() // audits waited
	defer c.setRebuilding(false)
	lost, err := c.fill(ctx, next, ownBeam(beam(cfg.EfSearch)))
	if err != nil {
		return err
	}
	c.hook("rebuild: before publication")
	c.publishGraph(next, lost, cfg)
	c.hook("rebuild: after publication")
	c.rebuild.done.Add(1)
	return nil
}

func (c *Collection) setRebuilding(on bool) {
	c.writer <- struct{}{}
	c.rebuild.running.Store(on)
	c.unlockWriter()
}

// fill builds next from the live points and catches up with what was written
// meanwhile. Between the two every slot that it holds is asked for by its own
// vector, and again what new links may have pushed out: no search shall miss after the
// swap what it found before. lost are slots that it holds and does not find, however
// they are linked.
func (c *Collection) fill(ctx context.Context, next engine, ef int) (lost *bitmap.Set, err error) {
	a := asking{c: c, g: next, ef: ef}
	if err := c.catchUp(ctx, next, func(slot uint32) error { return next.Insert(ctx, slot) }); err != nil {
		return nil, err
	}
	c.hook("rebuild: before audit")
	if err := a.all(ctx, c.heldBy(next)); err != nil {
		return nil, err
	}
	asked := next.Len()
	if err := c.catchUp(ctx, next, func(slot uint32) error { return a.each(ctx, slot, c.insert) }); err != nil {
		return nil, err
	}
	c.maintain.late.Add(int64(next.Len() - asked)) // they may have pushed out others
	return &a.lost, a.settle(ctx)
}

// asking asks a new graph for what it holds.
type asking struct {
	c     *Collection
	g     engine
	ef    int
	lost  bitmap.Set // not found, however they were linked
	loose bitmap.Set // to be asked for again
}

// askRounds bounds how often all are asked for: what is linked anew may push out
// others. After that nothing is linked any more, and what is lost stays in the delta.
const askRounds = 4

// all asks for slots, until nothing had to be linked.
func (a *asking) all(ctx context.Context, slots []uint32) error {
	if _, ok := a.g.(linker); !ok {
		return nil
	}
	for range askRounds {
		var linked atomic.Int64
		err := a.c.crewDo(ctx, "asking for every point", slots, func(slot uint32) error {
			if a.g.Finds(slot, a.ef) {
				a.found(slot, true)
				return nil
			}
			linked.Add(1)
			return a.each(ctx, slot, a.c.linked)
		})
		if err != nil || linked.Load() == 0 {
			return err
		}
	}
	return a.only(ctx, slots)
}

// only asks for slots and links nothing.
func (a *asking) only(ctx context.Context, slots []uint32) error {
	if len(slots) == 0 {
		return ctx.Err()
	}
	return a.c.crewDo(ctx, "asking for every point", slots, func(slot uint32) error {
		a.found(slot, a.g.Finds(slot, a.ef))
		return nil
	})
}

// settle asks for what was pushed out since all were asked for.
func (a *asking) settle(ctx context.Context) error {
	var slots []uint32
	for slot := range a.loose.All() {
		if a.g.Contains(slot) {
			slots = append(slots, slot)
		}
	}
	return a.only(ctx, slots)
}

func (a *asking) found(slot uint32, yes bool) {
	if yes {
		a.lost.Remove(slot)
	} else {
		a.lost.Add(slot)
	}
}

// each does something with a slot and notes what comes of it.
func (a *asking) each(ctx context.Context, slot uint32, do func(ctx context.Context, g engine, slot uint32, ef int, loose []uint32) (bool, []uint32, error)) error {
	found, loose, err := do(ctx, a.g, slot, a.ef, nil)
	if err != nil {
		return err
	}
	for _, s := range loose {
		a.loose.Add(s)
	}
	a.found(slot, found)
	return nil
}

// catchUp inserts what a graph lacks, in rounds, until that is little. If a round
// leaves nearly as much to do as it did, because writers replace as many points, they
// are slowed by the delta of the serving graph, which is emptied no more than pace
// allows, and not at all in the last round: it fills, and they wait.
func (c *Collection) catchUp(ctx context.Context, next engine, insert func(slot uint32) error) error {
	defer c.press(false)
	before := math.MaxInt
	for range maxRounds {
		c.hook("rebuild: round")
		todo := c.missingFrom(next)
		if len(todo) == 0 || next.Len() > 0 && (len(todo) <= smallRest || c.outrun(before, len(todo))) {
			return nil
		}
		if gained(before, len(todo)) {
			before = len(todo)
		} else {
			c.press(true)
		}
		do := insert
		if len(todo) > 2*c.opts.Knobs.DeltaLimit {
			do = func(slot uint32) error { c.earn(); return insert(slot) }
		}
		if err := c.crewDo(ctx, "building the graph", todo, do); err != nil {
			return err
		}
	}
	return nil
}

// gained reports whether a round leaves less to do than it did.
func gained(before, now int) bool { return now <= before/4*3 }

// outrun reports whether writers are about as fast as the catching up, so that it
// would not end, and the rest fits the delta, which slows them.
func (c *Collection) outrun(before, now int) bool {
	return !gained(before, now) && now <= c.opts.Knobs.DeltaLimit
}

// press lets the indexer of the serving graph go on only as a rebuild does, or frees
// it again.
func (c *Collection) press(on bool) {
	c.rebuild.pressed.Store(on)
	c.rebuild.credit.Store(0)
	if !on {
		c.index.work.broadcast()
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

// missingFrom returns the live slots that a graph does not hold.
func (c *Collection) missingFrom(g engine) []uint32 {
	var slots []uint32
	in := g.InGraph()
	for slot := range c.live.All() {
		if !in.Has(slot) {
			slots = append(slots, slot)
		}
	}
	return slots
}

// heldBy returns the live slots that a graph holds.
func (c *Collection) heldBy(g engine) []uint32 {
	var slots []uint32
	for slot := range g.InGraph().All() {
		if c.live.Has(slot) {
			slots = append(slots, slot)
		}
	}
	return slots
}

// crewDo does something with each slot that is live when its turn comes, with as
// many workers as the crew allows.
func (c *Collection) crewDo(parent context.Context, stage string, slots []uint32, do func(slot uint32) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(slots)/unit+1) {
		wg.Go(func() {
			for {
				from := int(next.Add(unit)) - unit
				if from >= len(slots) {
					return
				}
				watch.Tell(ctx, stage, int64(from), int64(len(slots)))
				err := guard(func() error { return c.crewUnit(ctx, slots[from:min(from+unit, len(slots))], do) })
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

func (c *Collection) crewUnit(ctx context.Context, slots []uint32, do func(slot uint32) error) error {
	if err := shared.acquire(ctx, pressing); err != nil {
		return err
	}
	defer shared.release()
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

// publishGraph swaps the view (I3): the delta of the new one is exactly what the
// new graph does not hold, or does not find, at that instant.
func (c *Collection) publishGraph(g engine, lost *bitmap.Set, cfg IndexConfig) {
	c.publish.Lock()
	c.pubs.Add(1)
	v := c.newView(g, lost)
	c.view.Store(v)
	c.config.Index = cfg
	c.ef.Store(int64(cfg.EfSearch))
	c.pubs.Add(1)
	c.publish.Unlock()
	c.index.old.Store(0)
	c.maintain.audited.Store(v)
	c.index.work.broadcast()
	c.maintain.kick()
	c.room.broadcast()
}

// newView returns the view of a graph: its delta is live and not in-graph.
func (c *Collection) newView(g engine, lost *bitmap.Set) *view {
	d := delta.New()
	in := g.InGraph()
	for i := range c.live.Pieces() * bitmap.PieceWords {
		w := c.live.Word(i)
		w &= ^in.Word(i) | lost.Word(i)
		for ; w != 0; w &= w - 1 {
			d.Add(uint32(i)<<6 | uint32(bits.TrailingZeros64(w)))
		}
	}
	v := &view{graph: g, delta: d}
	v.missed.parkAll(lost, g.Len())
	return v
}

// lockAdmin takes the lock of calls that change how the collection works.
func (c *Collection) lockAdmin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.admin <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.gate.closing():
		return ErrClosed
	}
}

func (c *Collection) unlockAdmin() { <-c.admin }
