package collection

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

func ids(first uint64, n int) []uint64 {
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = first + uint64(i)
	}
	return ids
}

// TestD20_AWriterThatWaitsForRoomGoesOnWhenDeletesMakeIt has no indexer that would
// say so: a rebuild has taken its credit, as between two rounds, or it has just looked.
func TestD20_AWriterThatWaitsForRoomGoesOnWhenDeletesMakeIt(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, DeltaLimit: 10, NoBackground: true})
	c.press(true)
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 10)...))
	before := shared.urgent.Load()
	written := make(chan error, 1)
	go func() { written <- c.Upsert(t.Context(), randomPoints(2, 100, 1)...) }()
	untilTrue(t, "it waits", func() bool { return shared.urgent.Load() > before })
	n, err := c.Delete(t.Context(), ids(0, 10)...)
	require.NoError(t, err)
	require.Equal(t, 10, n)
	untilTrue(t, "it is written", func() bool { return len(written) == 1 })
	require.NoError(t, <-written)
}

// blindTo swaps the serving graph for one that does not find a slot, as if what came
// in since had pushed it out, and that counts as audited.
func blindTo(c *Collection, slot uint32) *view {
	c.publish.Lock()
	defer c.publish.Unlock()
	old := c.view.Load()
	v := &view{graph: &blind{Graph: old.graph.(*hnsw.Graph), to: func(s uint32) bool { return s == slot }}, delta: old.delta}
	c.view.Store(v)
	c.maintain.audited.Store(v)
	return v
}

func TestI2_AnAuditThatGaveWayToARebuildIsMadeUpForWhenThatFails(t *testing.T) {
	var beforeAudit func()
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, Hook: func(step string) {
		if step == "rebuild: before audit" {
			beforeAudit()
		}
	}})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	idle := func() bool { return c.Stats().InDelta == 0 && c.maintain.seen.Load() == c.index.done.Load() }
	untilTrue(t, "all is in the graph, and audited", idle)
	ctx, cancel := context.WithCancel(t.Context())
	var v *view
	beforeAudit = func() {
		v = blindTo(c, 7)
		if c.Upsert(context.Background(), randomPoints(2, 1000, 300)...) == nil {
			untilTrue(t, "all is in the graph, and an audit was asked for", idle)
		}
		cancel()
	}
	require.ErrorIs(t, c.Rebuild(ctx, IndexConfig{}), context.Canceled)
	untilTrue(t, "what the graph does not find is in the delta", func() bool { return v.delta.Has(7) })
}

// TestI2_WhatARebuildInsertsAfterItsAuditIsFollowedByAnother has an indexer that stands
// still: what it inserts into the old graph would ask for an audit of the new one.
func TestI2_WhatARebuildInsertsAfterItsAuditIsFollowedByAnother(t *testing.T) {
	var late func()
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, PauseIndexer: true, Hook: func(step string) {
		if step == "rebuild: before audit" {
			late()
		}
	}})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	late = func() { _ = c.Upsert(context.Background(), randomPoints(2, 1000, 400)...) }
	next, err := c.newEngine(c.Config().Index)
	require.NoError(t, err)
	// Slot 7 is found until what came late is in.
	pushed := &blind{Graph: next.(*hnsw.Graph)}
	pushed.to = func(slot uint32) bool { return slot == 7 && pushed.Len() > 600 }
	require.NoError(t, c.swapGraph(t.Context(), pushed, c.Config().Index))
	require.Same(t, pushed, c.view.Load().graph)
	untilTrue(t, "what the new graph does not find any more is in its delta", func() bool { return c.view.Load().delta.Has(7) })
}

func TestAWholeAuditIsNotBegunAgainEachTimeItGivesWay(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	g := c.view.Load().graph.(*hnsw.Graph)
	asked := map[uint32]int{}
	v := &view{delta: c.view.Load().delta}
	v.graph = &blind{Graph: g, to: func(slot uint32) bool {
		asked[slot]++
		if len(asked)%100 == 99 {
			c.maintain.deaths.Store(1 << 40) // many have died
		}
		return false
	}}
	c.view.Store(v)
	var hold pin
	c.pins.register(&hold)
	for range 8 {
		require.NoError(t, c.auditDue(&hold, v, g.Len()))
		c.maintain.deaths.Store(0)
	}
	require.Same(t, v, c.maintain.audited.Load())
	require.Len(t, asked, 300)
	for slot, n := range asked {
		require.Equal(t, 1, n, "slot %d", slot)
	}
}

// TestACompactThatFailsIsNotTriedAgainAtOnce has no room for the graph's file: the
// rebuild that is the first step of a Compact kicks the maintainer when it ends.
func TestACompactThatFailsIsNotTriedAgainAtOnce(t *testing.T) {
	var full atomic.Bool
	noSpace := &vfs.Fault{Ops: []vfs.Op{vfs.OpCreate}, Glob: "graph-*.snap.tmp", When: func(vfs.Call) bool { return full.Load() }, Err: vfs.ErrNoSpace}
	c := newTestCollection(t, vfs.NewInject(tempFS(t), noSpace), Knobs{ExactThreshold: -1, FewDeaths: 50, CompactBytes: 1})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	full.Store(true)
	_, err := c.Delete(t.Context(), ids(0, 200)...)
	require.NoError(t, err)
	untilTrue(t, "its snapshot failed", func() bool { return c.untold.Load() != nil })
	tried := c.Stats().Rebuilds
	for range 5 { // somebody else has the maintainer look
		c.maintain.kick()
		untilTrue(t, "it has looked", func() bool { return len(c.maintain.kicked) == 0 })
	}
	require.LessOrEqual(t, c.Stats().Rebuilds, tried+1)
	full.Store(false)
	_, err = c.Delete(t.Context(), ids(200, 60)...)
	require.NoError(t, err)
	untilTrue(t, "when more have died it is", func() bool { return c.slots.gone.Load() == 0 })
	require.Equal(t, 40, c.Len())
}

// TestARebuildThatFailsIsNotTriedAgainAtOnce has a vector that cannot be read: the
// rebuild that is due at Open comes upon it, and kicks the maintainer when it ends.
func TestARebuildThatFailsIsNotTriedAgainAtOnce(t *testing.T) {
	dir := t.TempDir()
	open := func(k Knobs) *Collection {
		fs, err := vfs.OS(dir)
		require.NoError(t, err)
		if entries, _ := os.ReadDir(dir); len(entries) == 0 {
			require.NoError(t, Create(fs, Config{Dim: 8}, [16]byte{1}))
		}
		c, err := Open(Options{Name: "test", FS: fs, MaxPayload: 1 << 10, MaxK: 100, Knobs: k})
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := open(Knobs{ExactThreshold: -1, NoBackground: true, CompactBytes: 1 << 40})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	_, err := c.Delete(t.Context(), ids(0, 150)...)
	require.NoError(t, err)
	require.NoError(t, c.Close())

	files, err := filepath.Glob(filepath.Join(dir, slotName, "*.vec"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff, 0xff, 0x7e, 0x40}, 4096+200*64)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	var rounds atomic.Int64
	c = open(Knobs{ExactThreshold: -1, FewDeaths: 50, CompactBytes: 1 << 40, Hook: func(step string) {
		if step == "rebuild: before audit" {
			rounds.Add(1)
		}
	}})
	untilTrue(t, "what cannot be read is in the delta, and stops the indexer", func() bool { return c.failed() != nil })
	require.ErrorIs(t, c.failed(), codec.ErrCorrupt)
	require.ErrorContains(t, *c.untold.Load(), "rebuild: ")
	require.EqualValues(t, 1, rounds.Load())
}

// TestI3_ASwapWaitsForAPublicationUnderWay stands for a writer who has loaded the view:
// what he adds to its delta after the swap nobody would see.
func TestI3_ASwapWaitsForAPublicationUnderWay(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true})
	before := c.view.Load()
	next, err := c.newEngine(c.Config().Index)
	require.NoError(t, err)
	c.publish.RLock()
	swapped := make(chan struct{})
	go func() {
		c.publishGraph(next, nil, c.config.Index)
		close(swapped)
	}()
	untilTrue(t, "it waits for the lock, or does not", func() bool {
		if c.view.Load() != before {
			return true
		}
		free := c.publish.TryRLock()
		if free {
			c.publish.RUnlock()
		}
		return !free
	})
	require.Same(t, before, c.view.Load())
	c.publish.RUnlock()
	<-swapped
	require.NotSame(t, before, c.view.Load())
}

// TestI6_WhatTheNamedGraphFileHoldsIsNotWrittenAgain has no room for the file of a new
// graph: the checkpoints after the rebuild name the old one, which after a crash would
// lead over its slots.
func TestI6_WhatTheNamedGraphFileHoldsIsNotWrittenAgain(t *testing.T) {
	var full atomic.Bool
	noSpace := &vfs.Fault{Ops: []vfs.Op{vfs.OpCreate}, Glob: "graph-*.snap.tmp", When: func(vfs.Call) bool { return full.Load() }, Err: vfs.ErrNoSpace}
	c := newTestCollection(t, vfs.NewInject(tempFS(t), noSpace), Knobs{ExactThreshold: -1, NoBackground: true})
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, 300)...))
	untilTrue(t, "the delta is empty", func() bool { return c.Stats().InDelta == 0 })
	require.NoError(t, c.checkpoint(t.Context(), true))
	_, err := c.Delete(t.Context(), ids(0, 100)...)
	require.NoError(t, err)
	full.Store(true)
	require.ErrorIs(t, c.Rebuild(t.Context(), IndexConfig{}), vfs.ErrNoSpace)
	require.EqualValues(t, 1, c.Stats().Rebuilds)
	require.NoError(t, c.Checkpoint(t.Context()))
	require.NoError(t, c.Upsert(t.Context(), randomPoints(2, 1000, 100)...))
	require.EqualValues(t, 100, c.slots.gone.Load(), "none was given to a new point")
	full.Store(false)
	next := 2000
	untilTrue(t, "now they are, unless an indexer looks at them", func() bool {
		next++
		require.NoError(t, c.checkpoint(t.Context(), true))
		require.NoError(t, c.Upsert(t.Context(), randomPoints(3, next, 1)...))
		return c.slots.gone.Load() < 100
	})
}
