package delta

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// vectors are kinds of data that a scan meets.
var vectors = []struct {
	name string
	draw func(r *rand.Rand, dim int) []float32
}{
	{"clusters", func(r *rand.Rand, dim int) []float32 { return clustered(r, dim, 10, 0.3) }},
	{"nearly equal", func(r *rand.Rand, dim int) []float32 { return clustered(r, dim, 1, 1e-6) }},
	{"few distinct", func(r *rand.Rand, dim int) []float32 { return clustered(r, dim, 4, 0) }},
	{"far from the origin", func(r *rand.Rand, dim int) []float32 {
		v := clustered(r, dim, 10, 1)
		for i := range v {
			v[i] += 1000
		}
		return v
	}},
	{"sparse", func(r *rand.Rand, dim int) []float32 {
		v := make([]float32, dim)
		v[r.IntN(dim)] = 1
		return v
	}},
	{"one component hides the rest", func(r *rand.Rand, dim int) []float32 {
		v := clustered(r, dim, 1e9, 1)
		v[0] = 300 // the codes' steps are wider than the other components
		return v
	}},
	{"many sizes", func(r *rand.Rand, dim int) []float32 {
		v := clustered(r, dim, 10, 1)
		f := float32(r.ExpFloat64())
		for i := range v {
			v[i] *= f * f * f
		}
		return v
	}},
}

func TestI5_AScanEqualsTheComparisonOfAllVectors(t *testing.T) {
	var top Top
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(vectors).Draw(t, "kind")
		metric := rapid.SampledFrom([]kernel.Metric{kernel.L2, kernel.Cosine, kernel.Dot}).Draw(t, "metric")
		dim, n := rapid.IntRange(1, 70).Draw(t, "dim"), rapid.Uint32Range(0, 1500).Draw(t, "n")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		src, b, live, filter := newMemory(metric, dim, n), New(), &bitmap.Set{}, make(bitmap.Words, (n+63)/64)
		var all, matching []uint32
		for slot := range n {
			src.set(slot, kind.draw(r, dim))
			if r.IntN(5) > 0 {
				b.Add(slot)
			}
			if r.IntN(5) > 0 {
				live.Add(slot)
			}
			if r.IntN(2) > 0 {
				filter.Add(slot)
			}
			if live.Has(slot) && b.Has(slot) {
				all = append(all, slot)
			}
			if live.Has(slot) && filter.Has(slot) {
				matching = append(matching, slot)
			}
		}
		k := rapid.IntRange(1, 40).Draw(t, "k")
		var q kernel.Query
		q.Set(metric, kind.draw(r, dim))
		top.Reset(k)
		require.NoError(t, b.Scan(context.Background(), src, &q, live, nil, &top))
		requireCandidates(t, src.nearest(&q, k, all), top.Results(nil))

		top.Reset(k)
		require.NoError(t, ScanSet(context.Background(), src, &q, live, filter, &top))
		requireCandidates(t, src.nearest(&q, k, matching), top.Results(nil))
		farthest, full := top.Full()
		require.Equal(t, len(matching) >= k, full)
		if full {
			require.Equal(t, src.nearest(&q, k, matching)[k-1].Dist, farthest)
		}
	})
}

func TestACoarseCodeNeitherHidesNorFakesANeighbour(t *testing.T) {
	// The query asks for the odd components. Slot 0 has a code that is exact;
	// that of slot 1 has steps of 300/254 because of component 0.
	for name, c := range map[string]struct {
		exact, coarse float32
		nearest       uint32
	}{
		"it seems far":  {exact: 0.4, coarse: 0.5, nearest: 1},
		"it seems near": {exact: 0.95, coarse: 0.9, nearest: 0},
	} {
		t.Run(name, func(t *testing.T) {
			src := newMemory(kernel.Dot, 16, 2)
			vecs, query := [2][]float32{make([]float32, 16), make([]float32, 16)}, make([]float32, 16)
			vecs[1][0] = 300
			for i := range 16 {
				vecs[0][i] = c.exact
				if i%2 == 1 {
					vecs[1][i], query[i] = c.coarse, 1
				}
			}
			for _, slot := range []uint32{0, 1} {
				src.set(slot, vecs[slot])
			}
			var q kernel.Query
			q.Set(kernel.Dot, query)
			approx := make([]float32, 2)
			q.Codes(src.codes, []uint32{0, 1}, approx)
			require.Less(t, approx[1-c.nearest], approx[c.nearest], "the codes lead astray")
			for _, order := range [][]uint32{{0, 1}, {1, 0}} {
				b := New()
				b.Add(order[0])
				b.Add(order[1])
				var top Top
				top.Reset(1)
				require.NoError(t, b.Scan(t.Context(), src, &q, nil, nil, &top))
				require.Equal(t, c.nearest, top.Results(nil)[0].Slot)
			}
		})
	}
}

func TestManyEqualVectorsTieBySlot(t *testing.T) {
	const n = 30_000
	r := rand.New(rand.NewPCG(1, 1))
	src, set := newMemory(kernel.L2, 16, n), &bitmap.Set{}
	same := clustered(r, 16, 1, 0)
	var all []uint32
	for slot := range uint32(n) {
		src.set(slot, same)
		set.Add(slot)
		all = append(all, slot)
	}
	var q kernel.Query
	q.Set(kernel.L2, clustered(r, 16, 1, 1))
	var top Top
	top.Reset(3)
	require.NoError(t, ScanSet(t.Context(), src, &q, set, nil, &top))
	requireCandidates(t, src.nearest(&q, 3, all), top.Results(nil))
	require.Less(t, cap(top.near), 4*nearLimit, "what is kept is bounded")
}

func TestTwoScansOfDifferentSlotsAreOneSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	src, b, set := newMemory(kernel.Cosine, 32, 4000), New(), &bitmap.Set{}
	var all []uint32
	for slot := range uint32(4000) {
		src.set(slot, clustered(r, 32, 10, 0.5))
		if all = append(all, slot); slot%3 == 0 {
			b.Add(slot)
		} else {
			set.Add(slot)
		}
	}
	var top Top
	for range 20 {
		var q kernel.Query
		q.Set(kernel.Cosine, clustered(r, 32, 10, 0.5))
		top.Reset(25)
		require.NoError(t, b.Scan(t.Context(), src, &q, nil, nil, &top))
		require.NoError(t, ScanSet(t.Context(), src, &q, set, nil, &top))
		requireCandidates(t, src.nearest(&q, 25, all), top.Results(nil))
	}
}

func TestOnlySurvivorsAreChecked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	src, b := newMemory(kernel.Cosine, 96, 20_000), New()
	for slot := range uint32(20_000) {
		src.set(slot, clustered(r, 96, 50, 0.7))
		b.Add(slot)
	}
	var q kernel.Query
	q.Set(kernel.Cosine, clustered(r, 96, 50, 0.7))
	var top Top
	top.Reset(10)
	require.NoError(t, b.Scan(t.Context(), src, &q, nil, nil, &top))
	require.Less(t, src.checked.Load(), int64(100), "of 20 000")

	errDamage := errors.New("damage")
	src.broken = map[uint32]error{top.Results(nil)[3].Slot: errDamage}
	top.Reset(10)
	require.ErrorIs(t, b.Scan(t.Context(), src, &q, nil, nil, &top), errDamage)
}

func TestD06_AScanEndsWithItsContext(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	src, b, set := newMemory(kernel.L2, 8, 100), New(), &bitmap.Set{}
	for slot := range uint32(100) {
		src.set(slot, clustered(r, 8, 5, 1))
		b.Add(slot)
		set.Add(slot)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var q kernel.Query
	q.Set(kernel.L2, clustered(r, 8, 5, 1))
	var top Top
	for _, k := range []int{0, 3} {
		top.Reset(k)
		require.ErrorIs(t, b.Scan(over, src, &q, nil, nil, &top), context.Canceled)
		require.ErrorIs(t, ScanSet(over, src, &q, set, nil, &top), context.Canceled)
		require.ErrorIs(t, New().Scan(over, src, &q, nil, nil, &top), context.Canceled)
	}
	top.Reset(0)
	require.NoError(t, b.Scan(t.Context(), src, &q, nil, nil, &top))
	require.NoError(t, ScanSet(t.Context(), src, &q, set, nil, &top))
	require.Empty(t, top.Results(nil))
}

func TestI6_AScanDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	src, b, set := newMemory(kernel.Cosine, 32, 9000), New(), &bitmap.Set{}
	for slot := range uint32(9000) {
		src.set(slot, clustered(r, 32, 10, 0.5))
		b.Add(slot)
		set.Add(slot)
	}
	var q kernel.Query
	q.Set(kernel.Cosine, clustered(r, 32, 10, 0.5))
	var top Top
	out, filter := make([]kernel.Candidate, 0, 100), set.Words(nil)
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(20, func() {
		top.Reset(100)
		_ = b.Scan(ctx, src, &q, set, nil, &top)
		top.Reset(100)
		_ = ScanSet(ctx, src, &q, set, filter, &top)
		out = top.Results(out[:0])
	}))
	require.Len(t, out, 100)
}

func TestASlotBeyondTheRowsIsNotScanned(t *testing.T) {
	src, set := newMemory(kernel.L2, 8, 10), &bitmap.Set{}
	src.codes = kernel.NewRows(src.codes.Stride(), 12).With(make([]byte, 10*src.codes.Stride()))
	kernel.EncodeCode(kernel.L2, make([]float32, 8), src.codes.Bytes(3))
	for _, slot := range []uint32{3, 10, 63, 64, 1 << 31} {
		set.Add(slot)
	}
	var q kernel.Query
	q.Set(kernel.L2, make([]float32, 8))
	var top Top
	top.Reset(5)
	require.NoError(t, ScanSet(t.Context(), src, &q, set, nil, &top))
	require.Equal(t, []kernel.Candidate{{Slot: 3}}, top.Results(nil))
}

func TestI1_ASlotThatMovesToTheGraphIsFoundInOneOfTheTwo(t *testing.T) {
	const n = 4000
	r := rand.New(rand.NewPCG(1, 1))
	src, b, live, graph := newMemory(kernel.L2, 16, n), New(), &bitmap.Set{}, &bitmap.Set{}
	for slot := range uint32(n) {
		src.set(slot, clustered(r, 16, 1000, 1))
	}
	var wg sync.WaitGroup
	added := make(chan uint32, n)
	wg.Go(func() {
		defer close(added)
		for slot := range uint32(n) {
			live.Add(slot)
			b.Add(slot)
			added <- slot
		}
	})
	wg.Go(func() {
		for graph.Len() < n {
			for _, slot := range b.Claim(64, nil) {
				graph.Add(slot)
				b.Remove(slot)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			var q kernel.Query
			var near, far Top
			for slot := range added {
				q.Set(kernel.L2, src.vecs.Float32s(slot, src.dim))
				near.Reset(1)
				far.Reset(1)
				assert.NoError(t, b.Scan(t.Context(), src, &q, live, nil, &near))
				assert.NoError(t, ScanSet(t.Context(), src, &q, graph, live.Words(nil), &far)) // after the delta
				found := append(near.Results(nil), far.Results(nil)...)
				assert.True(t, len(found) > 0 && (found[0].Dist == 0 || found[len(found)-1].Dist == 0), "slot %d", slot)
			}
		})
	}
	wg.Wait()
}
