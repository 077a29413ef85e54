package tarn_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/crashtest"
)

func TestMain(m *testing.M) {
	crashtest.RunIfChild(childOptions)
	runChild()
	goleak.VerifyTestMain(m)
}

var ctx = context.Background()

// graphOnly makes searches use the graph however few points there are.
var graphOnly = collection.Knobs{ExactThreshold: -1}

// newDB opens a database in a new directory; it is closed at the end of the test.
func newDB(t testing.TB, opts *tarn.Options) (db *tarn.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "db")
	db, err := tarn.Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, path
}

// newCollection opens a database with one collection.
func newCollection(t testing.TB, cfg tarn.CollectionConfig, opts *tarn.Options) (*tarn.Collection, *tarn.DB, string) {
	t.Helper()
	db, path := newDB(t, opts)
	c, err := db.CreateCollection(ctx, "test", cfg)
	require.NoError(t, err)
	return c, db, path
}

// reopen closes db and opens it again.
func reopen(t testing.TB, db *tarn.DB, path string, opts *tarn.Options) (*tarn.Collection, *tarn.DB) {
	t.Helper()
	require.NoError(t, db.Close())
	db, err := tarn.Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, err := db.Collection("test")
	require.NoError(t, err)
	return c, db
}

type rng = rand.Rand

func newRand(seed uint64) *rng { return rand.New(rand.NewPCG(seed, 7)) }

// vector returns a random vector.
func vector(r *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// points returns n random points with ids from first on.
func points(r *rand.Rand, first uint64, n, dim int) []tarn.Point {
	ps := make([]tarn.Point, n)
	for i := range ps {
		ps[i] = tarn.Point{ID: first + uint64(i), Vector: vector(r, dim), Payload: tarn.Payload{"n": int64(i)}}
	}
	return ps
}

// requirePoint asserts that c holds p, by Get and by its own vector.
func requirePoint(t testing.TB, c *tarn.Collection, p tarn.Point) {
	t.Helper()
	got, err := c.Get(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, p.Vector, got.Vector)
	require.Equal(t, p.Payload, got.Payload)
	near, err := c.Search(ctx, p.Vector, 1, tarn.WithExact())
	require.NoError(t, err)
	require.Len(t, near, 1)
	require.Equal(t, p.ID, near[0].ID)
}
