package bench

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

const (
	openDim  = 32
	openData = "normal-d32" // openPoints
)

func openPoints(n int, first uint64) []tarn.Point {
	r := rand.New(rand.NewPCG(2, first))
	ps := make([]tarn.Point, n)
	for i := range ps {
		v := make([]float32, openDim)
		for j := range v {
			v[j] = float32(r.NormFloat64())
		}
		ps[i] = tarn.Point{ID: first + uint64(i), Vector: v}
	}
	return ps
}

// closedStore makes a store of n points and closes it.
func closedStore(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "db")
	db, err := tarn.Open(path, nil)
	require.NoError(b, err)
	c, err := db.CreateCollection(ctx, "bench", tarn.CollectionConfig{Dim: openDim, Index: tarn.IndexConfig{M: 8, EfConstruction: 40}})
	require.NoError(b, err)
	for from := 0; from < n; from += 1000 {
		require.NoError(b, c.Upsert(ctx, openPoints(1000, uint64(from))...))
	}
	indexed(b, c)
	require.NoError(b, db.Close())
	return path
}

// firstAnswer returns how long it takes from Open to the first result.
func firstAnswer(b *testing.B, path string) time.Duration {
	b.Helper()
	q := openPoints(1, 7)[0].Vector
	start := time.Now()
	db, err := tarn.Open(path, nil)
	require.NoError(b, err)
	c, err := db.Collection("bench")
	require.NoError(b, err)
	near, err := c.Search(ctx, q, 10)
	took := time.Since(start)
	require.NoError(b, err)
	require.Len(b, near, 10)
	require.NoError(b, db.Close())
	return took
}

// BenchmarkOpenToFirstAnswer opens closed stores of 10 000 and 200 000 points in turn,
// with warm pages.
func BenchmarkOpenToFirstAnswer(b *testing.B) {
	on(b, openData, func(b *testing.B) {
		small, large := closedStore(b, 10_000), closedStore(b, 200_000)
		for b.Loop() {
			var few, many []time.Duration
			for range 11 {
				few, many = append(few, firstAnswer(b, small)), append(many, firstAnswer(b, large))
			}
			b.ReportMetric(float64(medianTime(few).Microseconds())/1e3, "10k-ms")
			b.ReportMetric(float64(medianTime(many).Microseconds())/1e3, "200k-ms")
			b.ReportMetric(float64(medianTime(many))/float64(medianTime(few)), "200k-of-10k")
		}
	})
}

// BenchmarkOpenAfterKill opens what a process that was killed left, with 20 000 points
// in the log that no checkpoint covers.
func BenchmarkOpenAfterKill(b *testing.B) {
	on(b, openData, func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "db")
		db, err := tarn.Open(path, nil)
		require.NoError(b, err)
		c, err := db.CreateCollection(ctx, "bench", tarn.CollectionConfig{Dim: openDim})
		require.NoError(b, err)
		for from := 0; from < 20_000; from += 100 {
			require.NoError(b, c.Upsert(ctx, openPoints(100, uint64(from))...))
		}
		killed := b.TempDir()
		require.NoError(b, os.CopyFS(filepath.Join(killed, "0"), os.DirFS(path)))
		require.NoError(b, db.Close())
		for b.Loop() {
			var took []time.Duration
			for i := range 5 {
				copied := filepath.Join(killed, "again")
				require.NoError(b, os.RemoveAll(copied))
				require.NoError(b, os.CopyFS(copied, os.DirFS(filepath.Join(killed, "0"))))
				if i == 0 {
					allThere(b, copied)
					continue
				}
				took = append(took, firstAnswer(b, copied))
			}
			b.ReportMetric(float64(medianTime(took).Microseconds())/1e3, "first-answer-ms")
		}
	})
}

// allThere opens the store and searches for each of its 20 000 points at once.
func allThere(b *testing.B, path string) {
	b.Helper()
	db, err := tarn.Open(path, nil)
	require.NoError(b, err)
	c, err := db.Collection("bench")
	require.NoError(b, err)
	require.Equal(b, 20_000, c.Len())
	for from := 0; from < 20_000; from += 100 {
		for _, p := range openPoints(100, uint64(from))[:5] {
			near, err := c.Search(ctx, p.Vector, 1)
			require.NoError(b, err)
			require.Equal(b, p.ID, near[0].ID)
		}
	}
	require.NoError(b, db.Close())
}
