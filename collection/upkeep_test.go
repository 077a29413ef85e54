package collection

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/vfs"
)

// newTestCollection opens a new collection of 8 dimensions on fs.
func newTestCollection(t *testing.T, fs vfs.FS, k Knobs) *Collection {
	t.Helper()
	require.NoError(t, Create(fs, Config{Dim: 8}, [16]byte{1}))
	c, err := Open(Options{Name: "test", FS: fs, MaxPayload: 1 << 10, MaxK: 100, Knobs: k})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func tempFS(t *testing.T) vfs.FS {
	t.Helper()
	fs, err := vfs.OS(t.TempDir())
	require.NoError(t, err)
	return fs
}

func randomPoints(seed uint64, first, n int) []Point {
	r := rand.New(rand.NewPCG(seed, 1))
	ps := make([]Point, n)
	for i := range ps {
		v := make([]float32, 8)
		for j := range v {
			v[j] = float32(r.NormFloat64())
		}
		ps[i] = Point{ID: uint64(first + i), Vector: v}
	}
	return ps
}

func untilTrue(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 3*time.Minute, time.Millisecond, what)
}

// blind is a graph that does not find some of the slots that it holds.
type blind struct {
	*hnsw.Graph
	to func(slot uint32) bool
}

func (b *blind) Finds(slot uint32, ef int) bool { return !b.to(slot) && b.Graph.Finds(slot, ef) }

// InsertNoting says nothing of what it took links from: that is for an audit to find.
func (b *blind) InsertNoting(ctx context.Context, slot uint32, _ int, loose []uint32) ([]uint32, error) {
	return loose, b.Insert(ctx, slot)
}

func TestD18_WhatANewGraphDoesNotFindIsInItsDeltaWhenItIsPublished(t *testing.T) {
	var audit atomic.Bool
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true,
		Hook: func(step string) { audit.Store(audit.Load() || step == "rebuild: before audit") }})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	g, err := c.newEngine(c.Config().Index)
	require.NoError(t, err)
	next := &blind{Graph: g.(*hnsw.Graph), to: func(slot uint32) bool {
		return slot == 7 || audit.Load() && slot%100 == 3 // found when it was inserted, pushed out by later ones
	}}
	lost, err := c.fill(t.Context(), next, 64)
	require.NoError(t, err)
	var slots []uint32
	for slot := range lost.All() {
		slots = append(slots, slot)
	}
	require.Equal(t, []uint32{3, 7, 103, 203}, slots)
	c.publishGraph(next, lost, c.Config().Index)
	require.Equal(t, 4, c.Stats().InDelta)
	require.Equal(t, 300, next.Len(), "the graph holds all")
}

func TestAGraphThatDoesNotFindMuchOfWhatItHoldsIsBuiltAnew(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, FewDeaths: 10})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	c.publish.Lock()
	g := c.view.Load().graph.(*hnsw.Graph)
	c.view.Store(&view{graph: &blind{Graph: g, to: func(slot uint32) bool { return slot%10 == 3 }}, delta: c.view.Load().delta})
	c.publish.Unlock()
	c.maintain.kick()
	untilTrue(t, "a rebuild", func() bool { return c.Stats().Rebuilds == 1 && !c.Stats().Rebuilding })
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	require.IsType(t, &hnsw.Graph{}, c.view.Load().graph)
}

func TestD20_ParkedSlotsAreSearchedDoNotCountAndAreTriedAgainWhenTheGraphHasGrown(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, DeltaLimit: 4})
	var can atomic.Bool
	c.publish.Lock()
	g := c.view.Load().graph.(*hnsw.Graph)
	c.view.Store(&view{graph: &blind{Graph: g, to: func(slot uint32) bool { return !can.Load() && slot < 20 }}, delta: c.view.Load().delta})
	c.publish.Unlock()
	ps := randomPoints(1, 0, 21)
	for _, p := range ps[:20] {
		require.NoError(t, c.Upsert(t.Context(), p), "five times as many as the limit")
	}
	untilTrue(t, "all are parked", func() bool { return c.view.Load().missed.parked.Load() == 20 })
	for _, p := range ps[:20] {
		found, err := c.Search(t.Context(), p.Vector, 1)
		require.NoError(t, err)
		require.Equal(t, p.ID, found[0].ID)
	}
	n, err := c.Delete(t.Context(), 0, 1)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	untilTrue(t, "the dead are forgotten", func() bool { return c.view.Load().missed.parked.Load() == 18 })
	can.Store(true)
	require.NoError(t, c.Upsert(t.Context(), ps[20]))
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	require.Zero(t, c.view.Load().missed.parked.Load())
}

func TestManyDeathsAskForARebuildAndAFullDiskMeanwhileIsNotTheEndOfIt(t *testing.T) {
	var full atomic.Bool
	noSpace := &vfs.Fault{Ops: []vfs.Op{vfs.OpCreate}, Glob: "graph-*.snap.tmp", When: func(vfs.Call) bool { return full.Load() }, Err: vfs.ErrNoSpace}
	c := newTestCollection(t, vfs.NewInject(tempFS(t), noSpace), Knobs{ExactThreshold: -1, FewDeaths: 50})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	full.Store(true)
	deleteFrom := func(first uint64, n int) {
		ids := make([]uint64, n)
		for i := range ids {
			ids[i] = first + uint64(i)
		}
		_, err := c.Delete(t.Context(), ids...)
		require.NoError(t, err)
	}
	deleteFrom(0, 150)
	untilTrue(t, "its snapshot failed", func() bool { return c.untold.Load() != nil })
	require.EqualValues(t, 1, c.Stats().Rebuilds)
	full.Store(false)
	deleteFrom(150, 100)
	untilTrue(t, "the next rebuild", func() bool { return c.Stats().Rebuilds == 2 && !c.Stats().Rebuilding })
	require.Equal(t, 50, c.view.Load().graph.Len())
}

func TestHelpersIndexBesideSearchesOnlyAboveTheSoftLimit(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, PauseIndexer: true, SoftLimit: 10})
	v := c.view.Load()
	shared.busy.Store(0)
	require.True(t, c.wantsHelp(v), "no searches")
	shared.busy.Store(1 << 20)
	t.Cleanup(func() { shared.busy.Store(0) })
	require.False(t, c.wantsHelp(v))
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 11)...))
	require.True(t, c.wantsHelp(v))
	_, err := c.Delete(t.Context(), 1)
	require.NoError(t, err)
	require.False(t, c.wantsHelp(v))
	shared.urge()
	require.True(t, c.wantsHelp(v), "a writer waits")
	shared.calm()
}

// Close refuses new writes before it ends background work. A compaction of the
// collection's own that it meets then was not asked for and has not failed.
func TestACompactionOfItsOwnThatCloseEndsIsNoError(t *testing.T) {
	var c *Collection
	c = newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true, Hook: func(step string) {
		if step == "compact: before moves" {
			c.gate.shut() // the first thing that Close does; c.bg ends later
		}
	}})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 50)...))
	_, err := c.Delete(t.Context(), 1, 2, 3)
	require.NoError(t, err)
	defer func() { c.workersEnd(); require.NoError(t, c.release()) }()
	require.NoError(t, c.compactItself(), "the maintainer tells of it, and Close returns that")
}
