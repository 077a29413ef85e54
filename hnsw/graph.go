package hnsw

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// stripes is the number of locks that share out the slots.
const stripes = 1024

// Source gives a graph the rows of its slots. The rows of a slot are readable
// before Insert is called with it and do not change while the graph lives.
type Source interface {
	Codes() *kernel.Rows
	Vectors() *kernel.Rows
	// Check is called with slots whose float32 rows are read next; its error
	// fails the search.
	Check(slots []uint32) error
}

// ErrSlot is returned for a slot that has no rows, or is above MaxSlots.
var ErrSlot = errors.New("slot has no row")

// Graph is an index over slots. Its methods may be called by many goroutines.
type Graph struct {
	cfg   Config
	src   Source
	in    bitmap.Set
	live  *bitmap.Set // see Prefer
	entry entry
	hubs  hubs

	base  *table // links on layer 0, by slot
	nodes *table // anchors and upper rows, by slot
	upper *table // links on the layers above, layer 1 of a slot first

	rows    [stripes]sync.Mutex // of a slot's link rows; held one at a time
	inserts [stripes]sync.Mutex // of a slot's insertion
	early   sync.Mutex          // one at a time while the graph is small
	linking sync.Mutex          // held by who changes anchors of slots that have one
	saving  int                 // snapshots that are being written: no anchor is changed; guarded by linking

	levels sync.Mutex // guards uppers, and the entry point's rise
	uppers uint32     // rows of upper given out

	counting func() // of tests, nil elsewhere: goes on when Save begins to look for hubs

	idle  idle
	evals atomic.Int64 // distances computed by all walks
}

// New returns an empty graph over the rows of src.
func New(cfg Config, src Source) (*Graph, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("graph config: %w", err)
	}
	memory := new(chunks)
	g := &Graph{
		cfg:   cfg,
		src:   src,
		base:  newTable(2*cfg.M, wholeLines(2*cfg.M), memory),
		nodes: newTable(nodeWords, nodeWords, memory),
		upper: newTable(cfg.M, wholeLines(cfg.M), memory),
	}
	memory.ownedBy(g)
	return g, nil
}

// Prefer makes inserts link to slots of live, which may change at any time, rather
// than to those that are not in it: a dead one that lies where a new one comes would
// stand between it and the others. It is called before the first insert.
func (g *Graph) Prefer(live *bitmap.Set) { g.live = live }

// wholeLines rounds a number of words up to cache lines.
func wholeLines(words int) int { return (words + 15) &^ 15 }

// Config returns the configuration with its defaults filled in.
func (g *Graph) Config() Config { return g.cfg }

// Contains reports whether the graph holds slot.
func (g *Graph) Contains(slot uint32) bool { return g.in.Has(slot) }

// InGraph returns the set of slots the graph holds. It is read only.
func (g *Graph) InGraph() *bitmap.Set { return &g.in }

// Len returns the number of slots the graph holds.
func (g *Graph) Len() int { return g.in.Len() }

// Distances returns how many distances the graph's searches and inserts have
// computed by codes: what they cost, whatever the machine.
func (g *Graph) Distances() int64 { return g.evals.Load() }

// linkMetric is the distance by which slots are linked. The inner product is
// none: a long vector is nearer to others than they are to themselves.
func (g *Graph) linkMetric() kernel.Metric {
	if g.cfg.Metric == kernel.Dot {
		return kernel.L2
	}
	return g.cfg.Metric
}
