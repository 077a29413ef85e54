package collection

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
)

// hard returns points of random dimensions, which are all about equally far from each
// other: a narrow beam misses many of them.
func hard(seed uint64, n, dim int) []Point {
	r := rand.New(rand.NewPCG(seed, 1))
	ps := make([]Point, n)
	for i := range ps {
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32(r.NormFloat64())
		}
		ps[i] = Point{ID: uint64(i), Vector: v}
	}
	return ps
}

// notFound returns how many live slots are neither in the delta nor found.
func (c *Collection) notFound() (n int) {
	v := c.view.Load()
	for slot := range c.live.All() {
		if !v.delta.Has(slot) && !v.graph.Finds(slot, v.efOwn()) {
			n++
		}
	}
	return n
}

// quiet reports whether the indexer and the audits have nothing left to do.
func (c *Collection) quiet() bool {
	v := c.view.Load()
	return int64(v.delta.Len()) == v.missed.parked.Load() && c.maintain.audited.Load() == v &&
		c.maintain.seen.Load() == c.index.done.Load() && c.maintain.owed.Load() == 0 && c.maintain.relinked.Load() == 0
}

// hardToFind is a collection with such points, a thin graph and a narrow beam.
func hardToFind(t *testing.T, k Knobs) *Collection {
	const n, dim = 2_500, 48
	fs := tempFS(t)
	require.NoError(t, Create(fs, Config{Dim: dim, Index: IndexConfig{M: 6, EfConstruction: 24, EfSearch: 8}}, [16]byte{1}))
	c, err := Open(Options{Name: "test", FS: fs, MaxPayload: 1 << 10, MaxK: 100, Knobs: k})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.Upsert(t.Context(), hard(41, n, dim)...))
	return c
}

func TestI2_WhatIsHardToFindIsFoundOrInTheDeltaOnceAllIsQuiet(t *testing.T) {
	c := hardToFind(t, Knobs{ExactThreshold: -1, FewDeaths: 1 << 30})
	untilTrue(t, "all is quiet", c.quiet)
	require.NotZero(t, c.Stats().Relinked, "some were lost on the way")
	require.Zero(t, c.notFound())
}

func TestI2_WhatIsHardToFindIsFoundOrInTheDeltaAfterARebuild(t *testing.T) {
	c := hardToFind(t, Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, PauseIndexer: true})
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
	require.Zero(t, c.notFound())
	require.Less(t, c.Stats().InDelta, 250, "most are found")
}

// fickle is a graph that ceases to find a slot, until it is linked anew.
type fickle struct {
	*hnsw.Graph
	lost atomic.Uint32
}

func (f *fickle) Finds(slot uint32, ef int) bool {
	return slot+1 != f.lost.Load() && f.Graph.Finds(slot, ef)
}

func (f *fickle) Link(ctx context.Context, slot uint32, ef int, loose []uint32) ([]uint32, error) {
	f.lost.CompareAndSwap(slot+1, 0)
	return f.Graph.Link(ctx, slot, ef, loose)
}

// Repair loses slot 250.
func (f *fickle) Repair(ctx context.Context, live *bitmap.Set) (int, error) {
	n, err := f.Graph.Repair(ctx, live)
	f.lost.Store(250 + 1)
	return n, err
}

func TestI2_WhatARepairLosesIsFoundInTheEnd(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, FewDeaths: 20})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "all is in the graph", c.quiet)
	g := &fickle{Graph: c.view.Load().graph.(*hnsw.Graph)}
	c.view.Store(&view{graph: g, delta: c.view.Load().delta})
	c.maintain.kick() // an audit
	untilTrue(t, "all was asked for", c.quiet)
	_, err := c.Delete(t.Context(), ids(0, 20)...)
	require.NoError(t, err)
	untilTrue(t, "it was lost, and is linked anew", func() bool {
		return c.Stats().Relinked > 0 && g.lost.Load() == 0 && c.quiet()
	})
	require.Zero(t, c.notFound())
}

// TestI2_WhatIsPushedOutWhileItLeavesTheDelta has another worker's insert cut the link
// to a slot when this slot was found, and is not out of the delta yet.
func TestI2_WhatIsPushedOutWhileItLeavesTheDeltaIsFoundInTheEnd(t *testing.T) {
	const slot = 5_000 // more than an audit asks for that follows one that was linked anew
	var c *Collection
	var armed atomic.Bool
	g := &fickle{}
	c = newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, Hook: func(step string) {
		if step == "index: between graph and delta" && armed.CompareAndSwap(true, false) {
			g.lost.Store(slot + 1)
			c.askAgain(c.view.Load(), []uint32{slot})
		}
	}})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, slot)...))
	untilTrue(t, "all is in the graph", c.quiet)
	v := c.view.Load()
	g.Graph = v.graph.(*hnsw.Graph)
	c.view.Store(&view{graph: g, delta: v.delta})
	c.maintain.kick() // an audit
	untilTrue(t, "all was asked for", c.quiet)
	c.maintain.cursor = 1 // the next ends before the slot
	armed.Store(true)
	require.NoError(t, c.Upsert(t.Context(), randomPoints(2, slot, 1)...))
	untilTrue(t, "all is quiet", func() bool { return !armed.Load() && c.quiet() })
	require.Zero(t, c.notFound())
}

// rivals is a graph in which two slots push each other out whenever one is linked.
type rivals struct {
	*hnsw.Graph
	lost  atomic.Uint32
	links atomic.Int64
}

func (r *rivals) Finds(slot uint32, ef int) bool {
	return slot != r.lost.Load() && r.Graph.Finds(slot, ef)
}

func (r *rivals) Link(_ context.Context, slot uint32, _ int, loose []uint32) ([]uint32, error) {
	r.links.Add(1)
	r.lost.Store(7 - slot)
	return append(loose, 7-slot), nil
}

func TestTwoThatPushEachOtherOutAreParkedInTheEnd(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, FewDeaths: 1 << 30})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "all is in the graph", c.quiet)
	g := &rivals{Graph: c.view.Load().graph.(*hnsw.Graph)}
	g.lost.Store(3)
	v := &view{graph: g, delta: c.view.Load().delta}
	c.view.Store(v)
	c.maintain.kick() // an audit
	untilTrue(t, "one is parked, and all is quiet", func() bool { return v.missed.parked.Load() == 1 && c.quiet() })
	require.LessOrEqual(t, g.links.Load(), int64(2*maxMisses))
	require.True(t, v.delta.Has(g.lost.Load()))
	linked := g.links.Load()

	require.NoError(t, c.Upsert(t.Context(), randomPoints(2, 1_000, 10)...))
	untilTrue(t, "they are tried again", func() bool { return g.links.Load() > linked && v.missed.parked.Load() == 1 && c.quiet() })
	require.LessOrEqual(t, g.links.Load(), linked+3*2*maxMisses, "it has grown by three hundredths")
}

func TestTheIndexerAsksForMoreWhereMoreIsLost(t *testing.T) {
	var k care
	require.Equal(t, math.MaxInt, k.links(), "for all, as long as nothing is known")
	for range 10 {
		k.saw(careAfter, 0)
	}
	require.Equal(t, 8, k.links())
	k.saw(careAfter/2, 2)
	require.Equal(t, 8, k.links(), "too few to tell")
	k.saw(careAfter/2, 2)
	require.Equal(t, 16, k.links())
	k.saw(1_000, 5)
	require.Equal(t, 16, k.links(), "between the two")
	for range 10 {
		k.saw(careAfter, careAfter)
	}
	require.Equal(t, math.MaxInt, k.links())
}

// TestHardToFindLong counts, on data made to be hard, what is missed while a burst is
// indexed, and asserts that nothing is once all is quiet and after a rebuild.
func TestHardToFindLong(t *testing.T) {
	if os.Getenv("TARN_HARD") == "" {
		t.Skip("TARN_HARD is not set")
	}
	const n = 20_000
	for name, tc := range map[string]struct{ dim, decades int }{
		"norms over 30 decades": {8, 31}, "64 dimensions": {64, 1}, "256 dimensions": {256, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fs := tempFS(t)
			require.NoError(t, Create(fs, Config{Dim: tc.dim}, [16]byte{1}))
			c, err := Open(Options{Name: "test", FS: fs, MaxPayload: 1 << 10, MaxK: 100, Knobs: Knobs{ExactThreshold: -1}})
			require.NoError(t, err)
			defer c.Close()
			ps := hard(43, n, tc.dim)
			for i, p := range ps {
				for j := range p.Vector {
					p.Vector[j] *= float32(math.Pow(10, float64(i%tc.decades-tc.decades/2)))
				}
			}
			require.NoError(t, c.Upsert(t.Context(), ps...))
			missed := func() (n int) {
				for _, p := range ps {
					near, err := c.Search(t.Context(), p.Vector, 1)
					require.NoError(t, err)
					if near[0].ID != p.ID && near[0].Distance > 0 {
						n++
					}
				}
				return n
			}
			t.Log("missed beside the indexer", missed())
			require.Eventually(t, c.quiet, 5*time.Minute, 10*time.Millisecond)
			require.Zero(t, missed(), "once all is quiet")
			t.Log("left in the delta", c.Stats().InDelta, "linked anew", c.Stats().Relinked)
			require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
			require.Zero(t, missed(), "after a rebuild")
		})
	}
}
