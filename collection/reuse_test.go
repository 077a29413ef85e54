package collection

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/vfs"
)

// duringRebuild returns a collection of n points in slots 0 to n-1 whose rebuilds do
// something at their first step of a name.
func duringRebuild(t *testing.T, n int, step string, do func(c *Collection)) *Collection {
	var c *Collection
	var once sync.Once
	c = newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true, Hook: func(at string) {
		if at == step {
			once.Do(func() { do(c) })
		}
	}})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, n)...))
	return c
}

// overwrite writes points anew, and frees what may be freed.
func overwrite(t *testing.T, c *Collection, seed uint64, first, n int) {
	require.NoError(t, c.Upsert(context.Background(), randomPoints(seed, first, n)...))
	require.NoError(t, c.Checkpoint(context.Background()))
}

func requirePoints(t *testing.T, c *Collection, ps ...Point) {
	for _, p := range ps {
		got, err := c.Get(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, p.Vector, got.Vector)
		near, err := c.Search(t.Context(), p.Vector, 1)
		require.NoError(t, err)
		require.Len(t, near, 1)
		require.Equal(t, p.ID, near[0].ID)
	}
}

func TestD20_SlotsThatNoGraphHasSeenAreWrittenAgainWhileARebuildRuns(t *testing.T) {
	const n, moving, rounds = 300, 100, 20
	c := duringRebuild(t, n, "rebuild: before audit", func(c *Collection) {
		for i := range uint64(rounds) {
			overwrite(t, c, 2+i, 0, moving)
		}
		require.LessOrEqual(t, int(c.slots.next), n+2*moving, "those that the graph being filled holds, those that live, and those being written")
	})
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
	requirePoints(t, c, randomPoints(1+rounds, 0, moving)...)
	requirePoints(t, c, randomPoints(1, 0, n)[moving:]...)
}

func TestI6_WhatTheGraphBeingFilledHoldsIsNotWrittenAgain(t *testing.T) {
	const n = 300
	c := duringRebuild(t, n, "rebuild: before audit", func(c *Collection) {
		require.Equal(t, n, c.rebuild.next.Len())
		for seed := range uint64(4) {
			overwrite(t, c, 2+seed, 0, n)
		}
		requireUntouched(t, c, c.rebuild.next.InGraph())
	})
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
	requirePoints(t, c, randomPoints(5, 0, n)...)
}

// requireUntouched requires that slots hold what the first batch wrote.
func requireUntouched(t *testing.T, c *Collection, slots *bitmap.Set) {
	for slot := range slots.All() {
		require.Equal(t, uint64(1), c.store.LSN(slot), "slot %d was written again", slot)
	}
}

// laden does something when the first slot is inserted, before it is.
type laden struct {
	*hnsw.Graph
	once sync.Once
	then func(slot uint32)
}

func (l *laden) Insert(ctx context.Context, slot uint32) error {
	l.once.Do(func() { l.then(slot) })
	return l.Graph.Insert(ctx, slot)
}

func newLaden(t *testing.T, c *Collection, then func(slot uint32)) *laden {
	g, err := c.newEngine(c.Config().Index)
	require.NoError(t, err)
	return &laden{Graph: g.(*hnsw.Graph), then: then}
}

func TestI6_NoSlotIsWrittenAgainUntilAWorkerHasInsertedIt(t *testing.T) {
	const n = 300
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, n)...))
	next := newLaden(t, c, func(slot uint32) {
		for seed := range uint64(4) {
			overwrite(t, c, 2+seed, 0, n)
		}
		require.Equal(t, uint64(1), c.store.LSN(slot), "it was written again")
	})
	require.NoError(t, c.swapGraph(t.Context(), next, c.Config().Index))
	requirePoints(t, c, randomPoints(5, 0, n)...)
}

// late is a graph that does something after it was asked whether it holds a slot, and
// before it says so.
type late struct {
	engine
	slot uint32
	then func()
}

func (l *late) Contains(slot uint32) bool {
	held := l.engine.Contains(slot)
	if slot == l.slot {
		l.then()
	}
	return held
}

// TestI6_PinsAreLookedAtBeforeTheGraphs has a worker insert a slot that died and go on, after
// the graph being filled was asked for the slot.
func TestI6_PinsAreLookedAtBeforeTheGraphs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one worker: it begins with slot 0
	const n = 300
	stands, goes, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ended := sync.OnceFunc(func() { close(gone) })
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true, Hook: func(at string) {
		if at == "rebuild: before audit" { // the worker has ended
			ended()
		}
	}})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, n)...))
	next := newLaden(t, c, func(uint32) {
		close(stands)
		<-goes
	})
	done := make(chan error, 1)
	go func() { done <- c.swapGraph(context.Background(), next, c.Config().Index) }()
	<-stands
	letGo := sync.OnceFunc(func() {
		close(goes)
		<-gone
	})
	c.writer <- struct{}{}
	c.rebuild.next = &late{next, 0, letGo}
	c.unlockWriter()
	overwrite(t, c, 2, 0, n)
	letGo() // if nobody asked
	for seed := range uint64(3) {
		overwrite(t, c, 3+seed, 0, n)
	}
	require.NoError(t, <-done)
	require.True(t, next.Contains(0))
	require.Equal(t, uint64(1), c.store.LSN(0), "it was written again")
	requirePoints(t, c, randomPoints(5, 0, n)...)
}

// TestI6_FromItsFirstSlotUntilItServesTheGraphBeingFilledIsAskedFor looks at every step.
func TestI6_FromItsFirstSlotUntilItServesTheGraphBeingFilledIsAskedFor(t *testing.T) {
	const n = 300
	for _, step := range []string{"rebuild: before audit", "rebuild: before asking again", "rebuild: before publication", "rebuild: after publication"} {
		t.Run(step, func(t *testing.T) {
			var next engine
			var c *Collection
			var once, set sync.Once
			c = newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true, Hook: func(at string) {
				if at == "rebuild: before audit" {
					set.Do(func() {
						next = c.rebuild.next
						require.NoError(t, c.Upsert(t.Context(), randomPoints(9, n, 2*smallRest)...)) // for another round
					})
				}
				if at == step {
					once.Do(func() {
						for seed := range uint64(4) {
							overwrite(t, c, 2+seed, 0, n)
						}
						requireUntouched(t, c, lowOf(next, n))
					})
				}
			}})
			require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, n)...))
			require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
			require.NotNil(t, next)
			once.Do(func() { t.Error("the step was not taken") })
			requirePoints(t, c, randomPoints(5, 0, n)...)
		})
	}
}

func lowOf(g engine, n uint32) *bitmap.Set {
	var s bitmap.Set
	for slot := range g.InGraph().All() {
		if slot < n {
			s.Add(slot)
		}
	}
	return &s
}

func TestI6_WhatTheServingGraphHoldsIsNotWrittenAgain(t *testing.T) {
	const n = 300
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, PauseIndexer: true, NoBackground: true})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, n)...))
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
	for seed := range uint64(4) {
		overwrite(t, c, 2+seed, 0, n)
	}
	requireUntouched(t, c, lowOf(c.view.Load().graph, n))
}

func TestI6_WhatDiesWhileACheckpointCallsItLiveIsNotFreed(t *testing.T) {
	const n = 300
	var c *Collection
	var armed atomic.Bool
	c = newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, PauseIndexer: true, NoBackground: true, Hook: func(at string) {
		if at == "checkpoint: before commit" && armed.CompareAndSwap(true, false) {
			require.NoError(t, c.Upsert(context.Background(), randomPoints(2, 0, n)...))
		}
	}})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, n)...))
	armed.Store(true)
	require.NoError(t, c.Checkpoint(t.Context()))
	for _, slot := range c.slots.free {
		require.False(t, c.check.live.Has(slot), "slot %d is free, and live in the checkpoint", slot)
	}
	require.Equal(t, n, c.check.live.Len())
	require.NoError(t, c.Checkpoint(t.Context()))
}

// The pin of who builds the map of ids is to keep what the checkpoint calls live. It does
// not keep what died in the replay: that may be written again once another checkpoint is
// durable, while the sum of the checkpoint's entries is still being made.
func TestWhatTheCheckpointCalledLiveStaysWhileItsSumIsMade(t *testing.T) {
	ctx := t.Context()
	disk := vfs.NewMem()
	const n = smallStore + 64
	require.NoError(t, Create(disk, Config{Dim: 1}, [16]byte{1}))
	o := Options{Name: "test", FS: disk, MaxPayload: 1000, MaxK: 100, Knobs: Knobs{NoBackground: true, PauseIndexer: true}}
	c, err := Open(o)
	require.NoError(t, err)
	var ps []Point
	for i := range n {
		ps = append(ps, Point{ID: uint64(i), Vector: []float32{float32(i)}})
	}
	require.NoError(t, c.Upsert(ctx, ps...))
	require.NoError(t, c.Checkpoint(ctx))
	_, err = c.Delete(ctx, 7) // in the log only
	require.NoError(t, err)
	after := disk.Crash(1, vfs.Crash{})
	require.NoError(t, c.Close())

	at, on := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o.FS = after
	o.Knobs.Hook = func(step string) {
		if step == "open: before the sum" {
			once.Do(func() { close(at); <-on })
		}
	}
	c, err = Open(o)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	<-at
	require.NoError(t, c.Checkpoint(ctx))
	require.NoError(t, c.Upsert(ctx, Point{ID: 1 << 40, Vector: []float32{1}}))
	close(on)
	untilTrue(t, "the map is there", func() bool {
		c.publish.RLock()
		defer c.publish.RUnlock()
		return c.ids.all != nil || c.failed() != nil
	})
	require.NoError(t, c.failed())
}
