package tarn_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

func TestTiesAreOrderedByID(t *testing.T) {
	for _, metric := range metrics {
		for _, knobs := range []collection.Knobs{{}, graphOnly} {
			c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, Metric: metric}, tarn.WithKnobs(knobs))
			v := vector(newRand(1), dim)
			for id := uint64(40); id > 0; id-- { // slots run against ids
				require.NoError(t, c.Upsert(ctx, tarn.Point{ID: id, Vector: v}))
			}
			for _, k := range []int{40, 3, 1} {
				near, err := c.Search(ctx, v, k, tarn.WithExact())
				require.NoError(t, err)
				for i, n := range near {
					require.Equal(t, uint64(i+1), n.ID, "%v, k %d", metric, k)
				}
			}
		}
	}
}

func TestPointsThatShowOneDistanceAreOrderedByID(t *testing.T) {
	for _, metric := range metrics {
		c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, Metric: metric}, nil)
		r := newRand(1)
		v := vector(r, dim)
		q := make([]float32, dim)
		for i := range q {
			q[i] = 1e-3 // all orders of one vector's components are equally near, but for rounding
		}
		for range 400 {
			r.Shuffle(dim, func(i, j int) { v[i], v[j] = v[j], v[i] })
			require.NoError(t, c.Upsert(ctx, tarn.Point{ID: r.Uint64N(1000), Vector: v}))
		}
		all, err := c.Search(ctx, q, 1000)
		require.NoError(t, err)
		require.Len(t, all, c.Len())
		requireOrdered(t, all)
		for _, k := range []int{1, 7, 50} {
			near, err := c.Search(ctx, q, k, tarn.WithExact())
			require.NoError(t, err)
			require.Equal(t, all[:k], near, "the first k of all")
		}
	}
}

// The squared distances of the two groups differ, and their roots do not.
func TestPointsThatOnlyTheRootMakesEquallyFarAreChosenByID(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2}, nil)
	for i := range uint64(20) {
		nearer := tarn.Point{ID: 100 + i, Vector: []float32{1.5, float32(math.Sqrt(0x1p-22))}}
		farther := tarn.Point{ID: 19 - i, Vector: []float32{1.5, float32(math.Sqrt(0x1p-21))}}
		require.NoError(t, c.Upsert(ctx, nearer, farther))
	}
	for k := 1; k <= 40; k++ {
		near, err := c.Search(ctx, []float32{0, 0}, k)
		require.NoError(t, err)
		require.Len(t, near, k)
		for i, n := range near {
			require.Equal(t, near[0].Distance, n.Distance)
			require.Equal(t, uint64(i+i/20*80), n.ID, "the first %d", k)
		}
	}
}

// requireOrdered asserts: nearest first, ties by id, no id twice.
func requireOrdered(t testing.TB, near []tarn.Result) {
	t.Helper()
	seen := map[uint64]bool{}
	for i, n := range near {
		require.False(t, seen[n.ID], "%d twice in %v", n.ID, near)
		seen[n.ID] = true
		if i == 0 {
			continue
		}
		before := near[i-1]
		require.True(t, before.Distance < n.Distance || before.Distance == n.Distance && before.ID < n.ID, "%v before %v", before, n)
	}
}
