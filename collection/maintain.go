package collection

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
)

// maintainer keeps the graph good while points die and after it was loaded or
// swapped.
//
//	loaded, swapped ──> audit: what the graph does not find goes back into the delta
//	many deaths     ──> rows that lead to dead slots are repaired
//	too many        ──> rebuild: they are dropped
type maintainer struct {
	kicked   chan struct{}
	audited  atomic.Pointer[view] // the view whose graph was audited whole
	cursor   uint32               // where the next partial audit begins
	seen     atomic.Uint64        // slots that had left the delta when the last audit began
	deaths   atomic.Int64         // since the last repair
	returned atomic.Int64         // slots that an audit put back into the delta
}

const (
	// repairShare and rebuildShare are the parts of a graph, one in so many slots,
	// whose death starts a repair and a rebuild. Measured: see docs/tuning.md.
	repairShare  = 20
	rebuildShare = 3
	// fewDeaths is below what nothing is worth starting.
	fewDeaths = 1_000
)

func (m *maintainer) init() { m.kicked = make(chan struct{}, 1) }

func (m *maintainer) kick() {
	select {
	case m.kicked <- struct{}{}:
	default:
	}
}

// died counts a death under the writer lock.
func (m *maintainer) died(graph int) {
	if n := m.deaths.Add(1); n >= int64(max(fewDeaths, graph/repairShare)) {
		m.kick()
	}
}

// maintainLoop does what is due, when somebody says so.
func (c *Collection) maintainLoop() {
	for {
		select {
		case <-c.maintain.kicked:
		case <-c.bg.Done():
			return
		}
		if err := c.maintainGraph(); err != nil {
			if c.bg.Err() == nil {
				c.background("upkeep of the graph", err)
			}
			return
		}
	}
}

func (c *Collection) maintainGraph() error {
	v := c.view.Load()
	n := v.graph.Len()
	if err := c.auditDue(v, n); err != nil {
		return err
	}
	if gone := c.goneFrom(v.graph); gone >= max(fewDeaths, n/rebuildShare) && !c.opts.ReadOnly {
		c.maintain.deaths.Store(0)
		return c.rebuildItself()
	}
	if c.maintain.deaths.Load() < int64(max(fewDeaths, n/repairShare)) {
		return nil
	}
	c.maintain.deaths.Store(0)
	for _, slot := range c.index.forgive() {
		v.delta.Release(slot)
	}
	if r, ok := v.graph.(repairer); ok {
		if err := shared.acquire(c.bg, leisurely); err != nil {
			return err
		}
		defer shared.release()
		if _, err := r.Repair(c.bg, &c.live); err != nil {
			return err
		}
	}
	return nil
}

// repairer is an engine that can take links to dead slots out.
type repairer interface {
	Repair(ctx context.Context, live *bitmap.Set) (int, error)
}

// goneFrom returns how many slots of a graph are not live.
func (c *Collection) goneFrom(g engine) int {
	in := g.InGraph()
	gone := 0
	for slot := range in.All() {
		if !c.live.Has(slot) {
			gone++
		}
	}
	return gone
}

// rebuildItself is Rebuild with the configuration in force.
func (c *Collection) rebuildItself() error {
	if err := c.lockAdmin(c.bg); err != nil {
		return nil // closing
	}
	defer c.unlockAdmin()
	if c.failed() != nil {
		return nil
	}
	c.log.Info("rebuilding: a large part of the graph is dead", "collection", c.name)
	if err := c.rebuildGraph(c.bg, c.Config().Index); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	return nil
}

// auditShare is how many slots are audited for each one that came into the graph
// since the last audit: new links push old ones out.
const auditShare = 32

// auditDue audits a graph whole when it was loaded or swapped, and a part of it in
// turn when it has grown. What is put back is linked by the indexer, which asks
// for the next audit when it is done.
func (c *Collection) auditDue(v *view, n int) error {
	m := &c.maintain
	done := c.index.done.Load()
	grown := int(min(done-m.seen.Swap(done), uint64(n)))
	if grown > 0 {
		for _, slot := range c.index.forgive() {
			v.delta.Release(slot)
		}
	}
	if m.audited.Load() == v && grown*auditShare < n {
		return c.audit(v, grown*auditShare)
	}
	m.cursor = 0
	err := c.audit(v, n)
	if err == nil {
		m.audited.Store(v)
	}
	return err
}

// audit asks the graph for some of its live slots. What it does not find goes back
// into the delta at once (I2); the indexer links it anew.
func (c *Collection) audit(v *view, budget int) error {
	if _, ok := v.graph.(linker); !ok {
		return nil
	}
	for budget > 0 {
		slots := c.auditUnit(v, &c.maintain.cursor)
		if len(slots) == 0 {
			c.maintain.cursor = 0
			return nil
		}
		budget -= len(slots)
		if err := shared.acquire(c.bg, leisurely); err != nil {
			return err
		}
		for _, slot := range slots {
			if !v.graph.Finds(slot, c.efOwn()) {
				c.returnToDelta(v, slot)
			}
		}
		shared.release()
	}
	return nil
}

// auditUnit returns the next few live slots of the graph.
func (c *Collection) auditUnit(v *view, next *uint32) []uint32 {
	var slots []uint32
	for len(slots) < unit {
		slot, ok := v.graph.InGraph().Next(*next)
		if !ok || c.view.Load() != v {
			break
		}
		*next = slot + 1
		if c.live.Has(slot) && !v.delta.Has(slot) {
			slots = append(slots, slot)
		}
	}
	return slots
}

// returnToDelta makes a slot that the graph holds and does not find searchable
// again.
func (c *Collection) returnToDelta(v *view, slot uint32) {
	c.publish.Lock()
	if c.view.Load() == v && c.live.Has(slot) {
		v.delta.Add(slot)
		c.maintain.returned.Add(1)
	}
	c.publish.Unlock()
	c.index.work.broadcast()
}
