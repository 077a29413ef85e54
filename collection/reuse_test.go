package collection

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
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
		require.LessOrEqual(t, int(c.slots.next), n+3*moving, "those that live, those that the last checkpoint calls so, and those being written")
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
		requireNoneLive(t, c, c.rebuild.next.InGraph())
	})
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
	requirePoints(t, c, randomPoints(5, 0, n)...)
}

// TestI6_NoSlotIsWrittenAgainUnderAWorkerOfARebuild has points die that a worker has
// seen alive and not yet inserted: no graph holds them.
func TestI6_NoSlotIsWrittenAgainUnderAWorkerOfARebuild(t *testing.T) {
	const n = 300
	c := duringRebuild(t, n, "rebuild: slot", func(c *Collection) {
		for seed := range uint64(4) {
			overwrite(t, c, 2+seed, 0, n)
		}
		var first bitmap.Set
		for slot := range uint32(n) {
			first.Add(slot)
		}
		requireNoneLive(t, c, &first)
	})
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
	requirePoints(t, c, randomPoints(5, 0, n)...)
	before := c.slots.next
	overwrite(t, c, 6, 0, n)
	require.Equal(t, before, c.slots.next, "now they are")
	requirePoints(t, c, randomPoints(6, 0, n)...)
}

func requireNoneLive(t *testing.T, c *Collection, slots *bitmap.Set) {
	for slot := range slots.All() {
		require.False(t, c.live.Has(slot), "slot %d was written again", slot)
	}
}
