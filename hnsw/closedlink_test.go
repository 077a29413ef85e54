package hnsw

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
)

// A worker asks for a slot, it dies, a repair closes it, the worker links it anew.
func TestLinkingASlotThatARepairHasClosedTakesNoChildFromItsAnchorTwice(t *testing.T) {
	base := make([][]float32, 400)
	for i := range base {
		base[i] = []float32{1, 2}
	}
	cfg := Config{Dim: 2, M: 4}
	g, err := New(cfg, newMemory(cfg, append(base, base...)))
	require.NoError(t, err)
	live := new(bitmap.Set)
	g.Prefer(live)
	for slot := range uint32(len(base)) {
		live.Add(slot)
		require.NoError(t, g.Insert(ctx, slot))
	}
	for slot := range uint32(len(base)) {
		if slot%2 == 1 {
			live.Remove(slot)
		}
	}
	_, err = g.Repair(ctx, live)
	require.NoError(t, err)
	requireWhole(t, g, live)
	var shut []uint32
	for slot := range g.in.All() {
		if g.nodes.row(slot)[nodeChildren] == closed {
			shut = append(shut, slot)
		}
	}
	require.NotEmpty(t, shut)
	for _, slot := range shut {
		_, err := g.Link(ctx, slot, 64, nil)
		require.NoError(t, err)
	}
	for slot := range g.in.All() {
		if n := g.nodes.row(slot)[nodeChildren]; n != closed {
			require.LessOrEqual(t, n, uint32(cfg.M), "of slot %d", slot)
		}
	}
	for slot := uint32(len(base)); slot < uint32(len(base))+200; slot++ {
		live.Add(slot)
		require.NoError(t, g.Insert(ctx, slot))
	}
	requireWhole(t, g, live)
}
