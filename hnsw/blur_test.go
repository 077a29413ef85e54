package hnsw

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// alike returns vectors that differ by far less than a step of their codes.
func alike(seed uint64, n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	one := drawn(r, dim, 1)
	vecs := make([][]float32, n)
	for i := range vecs {
		v := make([]float32, dim)
		for j := range v {
			v[j] = one[j] * (1 + float32(r.NormFloat64()*1e-5))
		}
		vecs[i] = v
	}
	return vecs
}

func TestVectorsThatTheirCodesDoNotTellApartAreFound(t *testing.T) {
	const n = 2_600
	for name, tc := range map[string]struct {
		cfg  Config
		more [][]float32
	}{
		"nothing else": {cfg: Config{Dim: 8}},
		"one in two":   {cfg: Config{Dim: 8}, more: clustered(33, n, 8)},
		"wide":         {cfg: Config{Dim: 40}},
		"cosine":       {cfg: Config{Dim: 8, Metric: Cosine}},
	} {
		t.Run(name, func(t *testing.T) {
			base := append(alike(33, n, tc.cfg.Dim), tc.more...)
			r := rand.New(rand.NewPCG(33, 2))
			r.Shuffle(len(base), func(i, j int) { base[i], base[j] = base[j], base[i] })
			x := newIndex(t, tc.cfg, base, 2)
			requireWhole(t, x.g, &x.live)
			missed := 0
			even := new(bitmap.Set)
			for slot := range uint32(len(base)) {
				if !x.g.Finds(slot, 64) {
					missed++
				}
				if slot%2 == 0 {
					even.Add(slot)
				}
			}
			require.LessOrEqual(t, missed, n/1_000)
			requireRecall(t, x, base, even)
			for slot := range uint32(len(base)) {
				if slot%4 == 1 {
					x.Delete(slot)
				}
			}
			_, err := x.Repair(ctx)
			require.NoError(t, err)
			requireRecall(t, x, base, even)
		})
	}
}

// requireRecall asks for the ten nearest to some of base, of all and of a half.
func requireRecall(t *testing.T, x *Index, base [][]float32, half *bitmap.Set) {
	t.Helper()
	const k = 10
	var all, some, asked, walked float64
	var q kernel.Query
	for slot := uint32(0); slot < uint32(len(base)); slot += 50 {
		var truth, ofHalf []float32
		for s := range x.live.All() {
			d := x.distance(base[slot], s)
			if truth = append(truth, d); half.Has(s) {
				ofHalf = append(ofHalf, d)
			}
		}
		slices.Sort(truth)
		slices.Sort(ofHalf)
		got, err := x.Search(ctx, base[slot], k, 64, nil)
		require.NoError(t, err)
		asked++
		for _, n := range got {
			if x.distance(base[slot], n.Slot) <= truth[k-1] {
				all++
			}
		}
		q.Set(x.g.cfg.Metric, base[slot])
		among := Among{Filter: half.Words(nil), Share: 0.5, Others: len(base) / 2, Scan: 100 * len(base)}
		few, ok, err := x.g.SearchFiltered(ctx, &q, k, 64, &x.live, among, nil)
		require.NoError(t, err)
		if !ok {
			continue // a scan does it
		}
		walked++
		for _, c := range few {
			if x.distance(base[slot], c.Slot) <= ofHalf[k-1] {
				some++
			}
		}
	}
	require.Greater(t, all/asked/k, 0.95)
	require.Greater(t, walked, asked/2)
	require.Greater(t, some/walked/k, 0.95)
}

// distance is the exact distance between a vector and a slot, by the kernels that
// searches use.
func (x *Index) distance(vec []float32, slot uint32) float32 {
	var q kernel.Query
	var d [1]float32
	q.Set(x.g.cfg.Metric, vec)
	q.Vectors(x.rows.Codes(), x.rows.Vectors(), []uint32{slot}, d[:])
	return d[0]
}

// copies returns vectors of which one in two is the same, and the others nearly are.
func copies(seed uint64, n, dim int) [][]float32 {
	vecs := alike(seed, n, dim)
	for i := 2; i < n; i += 2 {
		copy(vecs[i], vecs[0])
	}
	return vecs
}

func TestManyEqualVectorsHideFewThatNearlyEqualThem(t *testing.T) {
	const n = 2_500
	for _, m := range []Metric{L2, Cosine, Dot} {
		x := newIndex(t, Config{Dim: 8, Metric: m}, copies(35, n, 8), 2)
		missed := 0
		for slot := range uint32(n) {
			if !x.g.Finds(slot, 64) {
				missed++
			}
		}
		require.Less(t, missed, n/25, "%v", m)
	}
}

func TestSearchesWhereCodesDoNotTellApartDoNotAllocate(t *testing.T) {
	if raceOn {
		t.Skip("the race detector allocates")
	}
	base := alike(8, 2_000, 16)
	for _, m := range []Metric{L2, Cosine, Dot} {
		x := newIndex(t, Config{Dim: 16, Metric: m}, base, 1)
		out := make([]Neighbour, 0, 16)
		var err error
		i := 0
		require.Zero(t, testing.AllocsPerRun(100, func() {
			out, err = x.Search(ctx, base[i], 10, 64, out)
			i++
		}), "%v", m)
		require.NoError(t, err)
	}
}

func TestGraphsOfOneWorkerAreEqualWhereCodesDoNotTellApart(t *testing.T) {
	base := copies(36, 1_500, 8)
	a, b := newIndex(t, Config{Dim: 8}, base, 1), newIndex(t, Config{Dim: 8}, base, 1)
	v, w := a.g.base.view.Load(), b.g.base.view.Load()
	for slot := range uint32(len(base)) {
		require.Equal(t, v.row(slot), w.row(slot))
	}
	for _, q := range base[:50] {
		one, err := a.Search(ctx, q, 10, 64, nil)
		require.NoError(t, err)
		other, err := b.Search(ctx, q, 10, 64, nil)
		require.NoError(t, err)
		require.Equal(t, one, other)
	}
}
