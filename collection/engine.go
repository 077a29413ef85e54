package collection

import (
	"context"
	"io"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// engine is a graph over slots, as hnsw and hnsw/coder have it.
type engine interface {
	Insert(ctx context.Context, slot uint32) error
	Contains(slot uint32) bool
	InGraph() *bitmap.Set
	Len() int
	Finds(slot uint32, ef int) bool
	Search(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, filter bitmap.Words, out []kernel.Candidate) ([]kernel.Candidate, error)
}

// linker is an engine that can mend itself.
type linker interface {
	InsertNoting(ctx context.Context, slot uint32, few int, loose []uint32) ([]uint32, error)
	Link(ctx context.Context, slot uint32, ef int, loose []uint32) ([]uint32, error)
	Unreachable(live *bitmap.Set) []uint32
}

// saver is an engine that can be written to a file and mapped again.
type saver interface {
	Save(w io.Writer, uuid [16]byte) (hnsw.Saved, error)
}

// counter is an engine that counts its work.
type counter interface{ Distances() int64 }

var (
	_ counter = (*hnsw.Graph)(nil)
	_ engine  = (*hnsw.Graph)(nil)
	_ linker  = (*hnsw.Graph)(nil)
	_ saver   = (*hnsw.Graph)(nil)
)

// newEngine returns an empty graph for the configuration in cfg.
func (c *Collection) newEngine(cfg IndexConfig) (engine, error) {
	if cfg.Engine == EngineCoder {
		return c.newCoder(cfg)
	}
	g, err := hnsw.New(c.graphConfig(cfg), c.store)
	if err != nil {
		return nil, err
	}
	g.Prefer(&c.live)
	return g, nil
}

func (c *Collection) graphConfig(cfg IndexConfig) hnsw.Config {
	return hnsw.Config{
		Dim:            c.config.Dim,
		Metric:         c.config.Metric.kernel(),
		M:              cfg.M,
		EfConstruction: cfg.EfConstruction,
		Seed:           graphSeed,
	}
}

// graphSeed makes the levels of a graph repeatable.
const graphSeed = 0x7461726e

// defaultEfSearch is the beam of a search where nothing else was asked for.
const defaultEfSearch = 64

// efSearch returns the beam of a search that asks for none.
func (v *view) efSearch() int { return beam(v.ef) }

// beam is an EfSearch with its default.
func beam(efSearch int) int {
	if efSearch > 0 {
		return efSearch
	}
	return defaultEfSearch
}
