package collection

import (
	"context"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/tarndb/tarn/delta"
	"github.com/tarndb/tarn/internal/bitmap"
)

// rebuilder is the state of Rebuild.
//
//	live - new graph:  ████████████ ──build──> ██ ──audit, catch up──> ▌ ──publish──> its delta
//	serving graph:     goes on taking new points, answers every search until the swap
type rebuilder struct {
	running atomic.Bool
	next    engine      // by writer: the graph that is being filled, nil between rebuilds
	pressed atomic.Bool // writers are about as fast: the indexer of the serving graph spends credit
	credit  atomic.Int64
	left    atomic.Int64 // slots that are in the serving graph and left to the next one's delta
	done    atomic.Int64
}

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
	c.setRebuilding(next)
	defer c.maintain.kick() // audits waited
	defer c.setRebuilding(nil)
	defer c.press(false)
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

// setRebuilding says which graph is being filled (I6): from before it holds its first
// slot until nobody works on it any more, or it serves.
func (c *Collection) setRebuilding(next engine) {
	c.writer <- struct{}{}
	c.rebuild.next = next
	c.rebuild.running.Store(next != nil)
	c.unlockWriter()
}

// fill builds next from the live points and catches up with what was written
// meanwhile. Between the two every slot that it holds is asked for by its own
// vector, and after that whatever new links may have pushed out: no search shall miss
// after the swap what it found before. lost are slots that it holds and does not find,
// however they are linked. From its end until press(false) no slot leaves the serving
// graph's delta, which then bounds what next lacks.
func (c *Collection) fill(ctx context.Context, next engine, ef int) (lost *bitmap.Set, err error) {
	a := asking{c: c, g: next, ef: ef}
	if err := c.catchUp(ctx, next, func(slot uint32) error { return next.Insert(ctx, slot) }, nil); err != nil {
		return nil, err
	}
	c.press(false)
	c.hook("rebuild: before audit")
	if err := a.all(ctx, c.heldBy(next)); err != nil {
		return nil, err
	}
	asked := next.Len()
	if err := c.catchUp(ctx, next, func(slot uint32) error { return a.each(ctx, slot, c.insert) }, a.settle); err != nil {
		return nil, err
	}
	c.maintain.late.Add(int64(next.Len() - asked)) // they may have pushed out others
	return &a.lost, ctx.Err()
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

// publishGraph swaps the view (I3): the delta of the new one is exactly what the
// new graph does not hold, or does not find, at that instant.
func (c *Collection) publishGraph(g engine, lost *bitmap.Set, cfg IndexConfig) {
	c.publish.Lock()
	c.pubs.Add(1)
	v := c.newView(g, lost, cfg.EfSearch)
	c.view.Store(v)
	c.config.Index = cfg
	c.pubs.Add(1)
	c.publish.Unlock()
	c.index.old.Store(0)
	c.maintain.audited.Store(v)
	c.index.work.broadcast()
	c.maintain.kick()
	c.room.broadcast()
}

// newView returns the view of a graph: its delta is live and not in-graph.
func (c *Collection) newView(g engine, lost *bitmap.Set, ef int) *view {
	d := delta.New()
	in := g.InGraph()
	for i := range c.live.Pieces() * bitmap.PieceWords {
		w := c.live.Word(i)
		w &= ^in.Word(i) | lost.Word(i)
		for ; w != 0; w &= w - 1 {
			d.Add(uint32(i)<<6 | uint32(bits.TrailingZeros64(w)))
		}
	}
	v := &view{graph: g, delta: d, ef: ef}
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
