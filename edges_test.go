package tarn_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestD06_EmptyWritesTooEndWithTheirContext(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	k, err := db.CreateCollection(ctx, "keys", tarn.CollectionConfig{Dim: dim, Keys: tarn.StringKeys})
	require.NoError(t, err)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	calls := map[string]func(ctx context.Context) error{
		"upsert":      func(ctx context.Context) error { return c.Upsert(ctx) },
		"delete":      func(ctx context.Context) error { _, err := c.Delete(ctx); return err },
		"delete keys": func(ctx context.Context) error { _, err := k.DeleteKeys(ctx); return err },
		"batch":       func(ctx context.Context) error { _, err := c.SearchBatch(ctx, nil, 1); return err },
	}
	for name, call := range calls {
		require.NoError(t, call(ctx), name)
		require.ErrorIs(t, call(canceled), context.Canceled, name)
	}
	require.NoError(t, db.Close())
	for name, call := range calls {
		require.ErrorIs(t, call(ctx), tarn.ErrClosed, name)
	}
}

func TestADotProductOfZeroShowsNoMinusZero(t *testing.T) {
	for _, opts := range []*tarn.Options{nil, tarn.WithKnobs(graphOnly)} {
		c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Metric: tarn.Dot}, opts)
		require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 1, Vector: []float32{1, 0}}))
		for _, o := range [][]tarn.SearchOption{nil, {tarn.WithExact()}} {
			near, err := c.Search(ctx, []float32{0, 1}, 1, o...)
			require.NoError(t, err)
			require.Len(t, near, 1)
			require.Zero(t, near[0].Distance)
			require.False(t, math.Signbit(float64(near[0].Distance)))
		}
	}
}

func TestD05_AClosedCollectionStillKnowsHowManyPointsItHad(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 0, 7, dim)...))
	require.NoError(t, db.Close())
	require.Equal(t, 7, c.Len())
	require.Equal(t, tarn.Stats{}, c.Stats())
	require.Equal(t, dim, c.Config().Dim)
}
