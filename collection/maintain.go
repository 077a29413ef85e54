package collection

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
)

// maintainer keeps the graph good while points die and after it was loaded or
// swapped.
//
//	loaded, swapped ──> audit: what the graph does not find goes back into the delta
//	many deaths     ──> rows that lead to dead slots are repaired ──> audit
//	too many dead, too many not found, or of other parameters than configured ──> rebuild
type maintainer struct {
	kicked      chan struct{}
	audited     atomic.Pointer[view] // the view whose graph was audited whole
	cursor      uint32               // where the next partial audit begins
	begun       *view                // the view whose whole audit has begun
	owed        atomic.Int64         // slots that are still to be audited
	late        atomic.Int64         // slots that a rebuild inserted after it had asked for every point
	seen        atomic.Uint64        // slots that had left the delta when the last audit began
	deaths      atomic.Int64         // since the last repair
	returned    atomic.Int64         // slots that were put back into the delta
	relinked    atomic.Int64         // of those that were linked anew, found or not, since the last audit
	lost        int                  // slots not found when a rebuild began because of them
	outdated    *view                // whose graph a rebuild began because of its parameters
	uncompacted atomic.Int64         // slots that the last Compact had to leave
	gaveUp      atomic.Int64         // slots that held no point when a rebuild or Compact failed; 0: none has
}

const (
	// repairShare and rebuildShare are the parts of a graph, one in so many slots,
	// whose death starts a repair and a rebuild. Measured: see docs/tuning.md.
	repairShare  = 20
	rebuildShare = 3
	// lostShare is the part of a graph, one in so many slots, that it holds and does
	// not find however they are linked, above which a new one is tried.
	lostShare = 20
)

func (m *maintainer) init() { m.kicked = make(chan struct{}, 1) }

func (m *maintainer) kick() {
	select {
	case m.kicked <- struct{}{}:
	default:
	}
}

// died counts a death under the writer lock.
func (m *maintainer) died(graph, few int) {
	if n := m.deaths.Add(1); n >= int64(max(few, graph/repairShare)) {
		m.kick()
	}
}

// maintainLoop does what is due, when somebody says so.
func (c *Collection) maintainLoop() {
	var hold pin
	c.pins.register(&hold)
	defer c.pins.unregister(&hold)
	for {
		select {
		case <-c.maintain.kicked:
		case <-c.bg.Done():
			return
		}
		err := guard(func() error { return c.maintainGraph(&hold) })
		hold.release()
		if err != nil && c.bg.Err() == nil { // a full disk, say: what is due then is tried when there is more of it
			c.background("upkeep of the graph", err)
		}
		if c.failed() != nil {
			return
		}
	}
}

func (c *Collection) maintainGraph(hold *pin) error {
	hold.hold(&c.clock)
	v := c.view.Load()
	n := v.graph.Len()
	if !c.opts.ReadOnly && !c.inVain() && c.compactDue() {
		hold.release()
		return c.large(c.compactItself)
	}
	if why := c.rebuildDue(v, n); why != "" && !c.opts.ReadOnly {
		hold.release()
		return c.large(func() error { return c.rebuildItself(v, why) })
	}
	if c.maintain.deaths.Load() >= int64(max(c.opts.Knobs.FewDeaths, n/repairShare)) {
		c.maintain.deaths.Store(0)
		if err := c.repair(v); err != nil {
			return err
		}
	}
	return c.auditDue(hold, v, n)
}

// large does what makes a whole graph anew, and remembers when it failed.
func (c *Collection) large(do func() error) error {
	c.maintain.deaths.Store(0)
	err := do()
	c.maintain.gaveUp.Store(0)
	if err != nil {
		c.maintain.gaveUp.Store(c.slots.gone.Load())
	}
	return err
}

// inVain reports whether a rebuild or Compact failed and little has died since: what
// ends one kicks the maintainer, who would try again and again.
func (c *Collection) inVain() bool {
	failed := c.maintain.gaveUp.Load()
	change := c.slots.gone.Load() - failed
	return failed > 0 && max(change, -change) < max(int64(c.opts.Knobs.FewDeaths), failed/repairShare)
}

// repair takes links to dead slots out of the graph.
func (c *Collection) repair(v *view) error {
	c.retryParked(v, true)
	r, ok := v.graph.(repairer)
	if !ok {
		return nil
	}
	if err := shared.acquire(c.bg, leisurely); err != nil {
		return err
	}
	defer shared.release()
	_, err := r.Repair(c.bg, &c.live)
	c.maintain.owed.Add(int64(v.graph.Len())) // ways that led over the dead may be gone
	return err
}

// rebuildDue says why a graph of n slots should be built anew, "" if it should not.
func (c *Collection) rebuildDue(v *view, n int) string {
	few, m := c.opts.Knobs.FewDeaths, &c.maintain
	lost := int(v.missed.parked.Load())
	switch {
	case !c.inVain() && c.goneFrom(v.graph) >= max(few, n/rebuildShare, c.live.Len()/(rebuildShare-1)):
		return "a large part of the graph is dead"
	case lost >= max(few, n/lostShare) && lost > 2*m.lost:
		m.lost = lost // not again for as many
		return "a large part of the graph is not found"
	case n > 0 && c.outdated(v.graph) && m.outdated != v:
		m.outdated = v
		return "the graph is not of the parameters configured"
	}
	return ""
}

// outdated reports whether a graph is of other parameters than those configured:
// its file is older than a change of theirs, or of their defaults.
func (c *Collection) outdated(g engine) bool {
	have, ok := g.(interface{ Config() hnsw.Config })
	if !ok {
		return false
	}
	want, err := hnsw.New(c.graphConfig(c.Config().Index), c.store)
	return err == nil && (want.Config().M != have.Config().M || want.Config().EfConstruction != have.Config().EfConstruction)
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

// rebuildItself is Rebuild with the configuration in force, unless the view was
// swapped meanwhile.
func (c *Collection) rebuildItself(v *view, why string) error {
	if err := c.lockAdmin(c.bg); err != nil {
		return nil // closing
	}
	defer c.unlockAdmin()
	if c.failed() != nil || c.view.Load() != v {
		return nil
	}
	c.log.Info("rebuilding: "+why, "collection", c.name)
	if err := c.rebuildGraph(c.bg, c.Config().Index); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	return nil
}

const (
	// auditShare is how many slots are audited for each one that came into the graph
	// since the last audit: new links push old ones out.
	auditShare = 2
	// auditLost is how many more are for each one that was lost and is linked anew: where
	// one was lost there are others, and what brings it back may push out some. Audits go
	// on until fewer than one in so many is.
	auditLost = 4_000
)

// auditDue audits a graph whole when it was loaded or swapped, and a part of it in
// turn when it has grown. What is put back is linked by the indexer, which asks
// for the next audit when it is done. What an audit that gives way leaves is owed.
func (c *Collection) auditDue(hold *pin, v *view, n int) error {
	m := &c.maintain
	c.retryParked(v, false)
	done := c.index.done.Load()
	grown := int64(min(done-m.seen.Load(), uint64(n))) + m.late.Swap(0)
	relinked := m.relinked.Load()
	owed := int(min(m.owed.Add(grown*auditShare+relinked*auditLost), int64(n)))
	m.relinked.Add(-relinked)
	m.seen.Store(done)
	if m.audited.Load() != v && m.begun != v {
		m.begun, m.cursor, owed = v, 0, n
	}
	left, err := c.audit(hold, v, owed)
	if err == nil && left == 0 && m.audited.Load() != v {
		m.audited.Store(v)
	}
	m.owed.Store(int64(left))
	return err
}

// audit asks the graph for some of its live slots. What it does not find goes back
// into the delta at once (I2); the indexer links it anew. Some are left if there is
// something better to do: many points have died.
func (c *Collection) audit(hold *pin, v *view, budget int) (left int, err error) {
	if _, ok := v.graph.(linker); !ok {
		return 0, nil
	}
	many := int64(max(c.opts.Knobs.FewDeaths, v.graph.Len()/repairShare))
	for round := false; budget > 0; {
		if c.rebuild.running.Load() {
			return budget, nil // of a graph that will be replaced; if it is not, the next audit goes on here
		}
		if c.maintain.deaths.Load() >= many {
			c.maintain.kick()
			return budget, nil
		}
		hold.hold(&c.clock) // what dies from now on stays; unless v was swapped nothing of it was given away
		slots := c.auditUnit(v, &c.maintain.cursor)
		if len(slots) == 0 {
			if round {
				break
			}
			c.maintain.cursor, round = 0, true
			continue
		}
		budget -= len(slots)
		if err := c.auditSlots(v, slots); err != nil {
			return budget, err
		}
	}
	return 0, nil
}

// auditSlots asks for a few slots. A fault in a mapped file must not keep the place
// in the crew.
func (c *Collection) auditSlots(v *view, slots []uint32) error {
	if err := shared.acquire(c.bg, leisurely); err != nil {
		return err
	}
	defer shared.release()
	c.askAgain(v, slots)
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
		v.missed.lost(slot)
		v.delta.Add(slot)
		c.maintain.returned.Add(1)
	}
	c.publish.Unlock()
	c.index.work.broadcast()
}
