package hnsw

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

// TestChurnCostsNoRecall deletes a tenth and adds it again, ten times at random and
// five times a whole region, with the repairs that a collection does, and compares
// with a graph that was built of what is left. TARN_DATA does it on a real set.
func TestChurnCostsNoRecall(t *testing.T) {
	base, queries, ef := clustered(11, 2_000, 24), clustered(11, 100, 24), 24
	cfg := Config{Dim: 24}
	if os.Getenv("TARN_DATA") != "" {
		d := loadDataset(t, cmpOr(os.Getenv("TARN_SET"), "godoc-minilm"))
		base, queries, ef = d.base, d.queries, 40
		cfg = Config{Dim: len(base[0]), Metric: d.metric}
	}
	churn(t, cfg, base, queries, ef)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func churn(t *testing.T, cfg Config, base, queries [][]float32, ef int) {
	const k = 10
	r := rand.New(rand.NewPCG(12, 12))
	x := newIndex(t, cfg, base, 2)
	slots := make([]uint32, len(base)) // by place in base
	for i := range slots {
		slots[i] = uint32(i)
	}
	for round := range 15 {
		var gone []int
		if round < 10 {
			gone = r.Perm(len(base))[:len(base)/10]
		} else {
			gone = around(cfg.Metric, base, base[r.IntN(len(base))], len(base)/10)
		}
		vecs := make([][]float32, len(gone))
		for i, at := range gone {
			require.Equal(t, 1, x.Delete(slots[at]))
			vecs[i] = base[at]
		}
		_, err := x.Repair(ctx)
		require.NoError(t, err)
		for _, q := range queries[:20] {
			got, err := x.Search(ctx, q, k, ef, nil)
			require.NoError(t, err)
			require.Len(t, got, k)
			for _, n := range got {
				require.True(t, x.live.Has(n.Slot), "a deleted slot is found")
			}
		}
		first, err := x.AddAll(ctx, vecs, 2)
		require.NoError(t, err)
		for i, at := range gone {
			slots[at] = first + uint32(i)
		}
		requireWhole(t, x.g, &x.live)
	}
	worn := meanRecall(t, x, queries, k, ef)
	fresh := meanRecall(t, newIndex(t, cfg, base, 2), queries, k, ef)
	t.Logf("recall@%d at ef %d: %.4f after 15 rounds, %.4f built anew", k, ef, worn, fresh)
	require.GreaterOrEqual(t, worn, fresh-0.005)
}

// around returns the places of the n vectors nearest to one.
func around(m Metric, base [][]float32, centre []float32, n int) []int {
	dists := make([]float32, len(base))
	places := make([]int, len(base))
	for i, v := range base {
		dists[i], places[i] = kernel.Distance(m, centre, v), i
	}
	slices.SortFunc(places, func(a, b int) int {
		if dists[a] < dists[b] || dists[a] == dists[b] && a < b {
			return -1
		}
		return 1
	})
	return places[:n]
}

// TestAGraphWhosePointsMoveAllTheTimeStaysAsQuick moves every vector again and again,
// so that in the end nearly all slots are dead, and counts what inserts cost.
func TestAGraphWhosePointsMoveAllTheTimeStaysAsQuick(t *testing.T) {
	if raceOn {
		t.Skip("one goroutine that counts distances: a minute and a half of nothing to find")
	}
	const n, rounds = 2_000, 8
	base := clustered(13, n, 16)
	for name, c := range map[string]struct {
		repairs int // in a round
		most    float64
	}{
		"repaired as a collection does": {repairs: 10, most: 1.3},
		"never repaired":                {repairs: 0, most: 1.6},
	} {
		t.Run(name, func(t *testing.T) {
			x := newIndex(t, Config{Dim: 16}, base, 1)
			built := x.g.Distances()
			slots := make([]uint32, n)
			for i := range slots {
				slots[i] = uint32(i)
			}
			var last int64
			for round := range rounds {
				last = 0
				for i := range n {
					before := x.g.Distances()
					slot, err := x.Add(base[(i+(round+1)*(n/2+1))%n])
					require.NoError(t, err)
					last += x.g.Distances() - before
					x.Delete(slots[i])
					slots[i] = slot
					if c.repairs > 0 && i%(n/c.repairs) == 0 {
						_, err := x.Repair(ctx)
						require.NoError(t, err)
					}
				}
			}
			t.Logf("%.2f times the distances of the first build", float64(last)/float64(built))
			require.Less(t, float64(last)/float64(built), c.most)
			requireWhole(t, x.g, &x.live)
			worn := meanRecall(t, x, clustered(13, 100, 16), 10, 64)
			fresh := meanRecall(t, newIndex(t, Config{Dim: 16}, base, 1), clustered(13, 100, 16), 10, 64)
			require.GreaterOrEqual(t, worn, fresh-0.01)
		})
	}
}
