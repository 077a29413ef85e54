//go:build !windows

package coder

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"sync"

	graph "github.com/coder/hnsw"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// Source gives a graph the rows of its slots.
type Source interface {
	Codes() *kernel.Rows
	Vectors() *kernel.Rows
	Check(slots []uint32) error
}

// Config fixes the shape of a graph.
type Config struct {
	Dim            int
	Metric         kernel.Metric
	M              int
	EfConstruction int
	Seed           uint64 // of the slots' levels
}

// ErrSlot is returned for a slot that has no row.
var ErrSlot = errors.New("slot has no row")

// Graph is a coder/hnsw graph over slots.
type Graph struct {
	cfg Config
	src Source
	in  bitmap.Set

	mu sync.Mutex // coder/hnsw is not safe for concurrent use, readers included
	g  *graph.Graph[uint32]
}

// New returns an empty graph over the rows of src.
func New(cfg Config, src Source) (*Graph, error) {
	if cfg.Dim < 1 || cfg.Metric > kernel.Dot || cfg.M < 0 || cfg.EfConstruction < 0 {
		return nil, fmt.Errorf("graph config: dim %d, metric %d, m %d, ef construction %d", cfg.Dim, cfg.Metric, cfg.M, cfg.EfConstruction)
	}
	g := graph.NewGraph[uint32]()
	g.Rng = rand.New(rand.NewSource(int64(cfg.Seed)))
	m := cfg.Metric
	g.Distance = func(a, b []float32) float32 { return kernel.Distance(m, a, b) }
	if cfg.M > 0 {
		g.M = cfg.M
	}
	if cfg.EfConstruction > 0 {
		g.EfSearch = cfg.EfConstruction
	}
	return &Graph{cfg: cfg, src: src, g: g}, nil
}

// Config returns the configuration.
func (g *Graph) Config() Config { return g.cfg }

// Contains reports whether slot was inserted.
func (g *Graph) Contains(slot uint32) bool { return g.in.Has(slot) }

// InGraph returns the set of slots that were inserted. It is read only.
func (g *Graph) InGraph() *bitmap.Set { return &g.in }

// Len returns how many slots were inserted.
func (g *Graph) Len() int { return g.in.Len() }

// Finds reports whether slot was inserted: this engine promises no more.
func (g *Graph) Finds(slot uint32, ef int) bool { return g.in.Has(slot) }

// Insert puts slot into the graph; one that it holds already is left alone.
func (g *Graph) Insert(ctx context.Context, slot uint32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	vecs := g.src.Vectors()
	if slot >= vecs.Cap() {
		return fmt.Errorf("insert %d: %w", slot, ErrSlot)
	}
	if err := g.src.Check([]uint32{slot}); err != nil {
		return err
	}
	vec := slices.Clone(vecs.Float32s(slot, g.cfg.Dim))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.in.Has(slot) {
		return nil
	}
	if err := guard(func() { g.g.Add(graph.MakeNode(slot, vec)) }); err != nil {
		return fmt.Errorf("insert %d: %w", slot, err)
	}
	g.in.Add(slot)
	return nil
}

// guard turns a panic of coder/hnsw into an error.
func guard(fn func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("coder/hnsw: %v", p)
		}
	}()
	fn()
	return nil
}
