package hnsw

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// All points are written anew with the vectors that they had: what dies has them too.
func TestASlotIsNotFoundBecauseADeadOneHasItsVector(t *testing.T) {
	const ef, dim = 10, 64
	base := gauss(7, 1_500, dim)
	n := uint32(len(base))
	cfg := Config{Dim: dim, M: 8, EfConstruction: 64, Seed: 1}
	m := newMemory(cfg, append(append([][]float32{}, base...), base...))
	g, err := New(cfg, m)
	require.NoError(t, err)
	live := new(bitmap.Set)
	g.Prefer(live)
	for slot := range 2 * n {
		live.Add(slot)
		if slot >= n {
			live.Remove(slot - n)
		}
		require.NoError(t, g.Insert(ctx, slot))
	}
	var q kernel.Query
	wrong := 0
	for slot := range live.All() {
		q.Set(cfg.Metric, m.vecs.Float32s(slot, dim))
		got, err := g.Search(ctx, &q, 1, ef, live, nil, nil)
		require.NoError(t, err)
		if g.Finds(slot, ef) && (len(got) == 0 || got[0].Dist > 0) {
			wrong++
		}
	}
	require.Zero(t, wrong, "slots that Finds finds and no search for live ones does")
}
