package hnsw

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
)

// between is a context that lets somebody else work once it was asked so many times.
type between struct {
	context.Context
	after int
	do    func()
}

func (b *between) Err() error {
	if b.after--; b.after == -1 {
		b.do()
	}
	return nil
}

func TestARepairCutsNoLinkToASlotThatCameInANewChunkBesideIt(t *testing.T) {
	cfg := Config{Dim: 4, M: 4}
	m := newMemory(cfg, gauss(3, 1<<15+500, cfg.Dim))
	g, err := New(cfg, m)
	require.NoError(t, err)
	live := new(bitmap.Set)
	g.Prefer(live)
	for slot := range uint32(500) {
		live.Add(slot)
		require.NoError(t, g.Insert(ctx, slot))
	}
	for slot := uint32(0); slot < 500; slot += 5 {
		live.Remove(slot)
	}
	_, err = g.Repair(&between{ctx, 8, func() { // the dead are buried by then
		first := uint32(g.base.view.Load().rows())
		for slot := first; slot < first+200; slot++ {
			live.Add(slot)
			require.NoError(t, g.Insert(ctx, slot))
		}
		requireWhole(t, g, live)
	}}, live)
	require.NoError(t, err)
	requireWhole(t, g, live)
}
