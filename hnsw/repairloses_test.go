package hnsw

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
)

// TestARepairLosesNextToNothing counts the live slots that are found by their own vectors
// before a repair and not after it. Where there are some an audit finds them.
// TARN_DATA counts them on a real set, and with TARN_SET=normal on vectors without
// any structure.
func TestARepairLosesNextToNothing(t *testing.T) {
	base, cfg := clustered(13, 2_000, 24), Config{Dim: 24}
	allowed := 0
	switch set := os.Getenv("TARN_SET"); {
	case set == "normal":
		base, cfg = gauss(5, 6_000, 128), Config{Dim: 128}
		allowed = len(base) / 100
	case os.Getenv("TARN_DATA") != "":
		d := loadDataset(t, cmpOr(set, "godoc-minilm"))
		base, cfg = d.base[:min(20_000, len(d.base))], Config{Dim: len(d.base[0]), Metric: d.metric}
	}
	g, err := New(cfg, newMemory(cfg, base))
	require.NoError(t, err)
	live := &bitmap.Set{}
	for slot := range uint32(len(base)) {
		require.NoError(t, g.Insert(ctx, slot))
		live.Add(slot)
	}
	for _, ef := range []int{40, 64} {
		for range 3 {
			found := &bitmap.Set{}
			for slot := range live.All() {
				if slot%20 == uint32(live.Len()%20) {
					live.Remove(slot)
				} else if g.Finds(slot, ef) {
					found.Add(slot)
				}
			}
			repaired, err := g.Repair(ctx, live)
			require.NoError(t, err)
			require.Positive(t, repaired)
			lost := 0
			for slot := range found.All() {
				if live.Has(slot) && !g.Finds(slot, ef) {
					lost++
				}
			}
			t.Logf("beam %d: %d rows repaired, %d of %d lost", ef, repaired, lost, found.Len())
			require.LessOrEqual(t, lost, allowed)
		}
	}
}
