package bench

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// generated are the sets that every benchmark can run on.
var generated = []data.Shape{
	{N: 20_000, Dim: 128, Intrinsic: 16, Metric: tarn.L2},
	{N: 10_000, Dim: 384, Intrinsic: 20, Metric: tarn.Cosine},
}

// forEachSet runs fn with the generated sets and, where TARN_DATA names their
// folder, the real ones.
func forEachSet(b *testing.B, fn func(b *testing.B, s *data.Set)) {
	for _, shape := range generated {
		s := data.Generate(shape)
		on(b, s.Name, func(b *testing.B) { fn(b, s) })
	}
	for _, name := range data.Names {
		s, err := data.Load(name)
		if errors.Is(err, data.ErrNoFolder) {
			continue
		}
		require.NoError(b, err)
		on(b, name, func(b *testing.B) { fn(b, s) })
	}
}

// on runs fn under the name of what it is measured with, which is a part of the name of
// each benchmark.
func on(b *testing.B, data string, fn func(b *testing.B)) { b.Run("data="+data, fn) }

// newCollection opens a store for a set, in a folder that goes with the benchmark.
func newCollection(b *testing.B, s *data.Set, cfg tarn.CollectionConfig) *tarn.Collection {
	b.Helper()
	c, end := openCollection(b, s, cfg)
	b.Cleanup(end)
	return c
}

// openCollection is newCollection for who ends it himself.
func openCollection(b *testing.B, s *data.Set, cfg tarn.CollectionConfig) (c *tarn.Collection, end func()) {
	b.Helper()
	db, err := tarn.Open(filepath.Join(b.TempDir(), "db"), nil)
	require.NoError(b, err)
	cfg.Dim, cfg.Metric = s.Dim(), s.Metric
	c, err = db.CreateCollection(ctx, "bench", cfg)
	require.NoError(b, err)
	return c, func() { require.NoError(b, db.Close()) }
}

// fill writes the set, ids being rows, and waits until the graph holds all of it.
func fill(b *testing.B, c *tarn.Collection, s *data.Set) {
	b.Helper()
	const batch = 512
	points := make([]tarn.Point, 0, batch)
	for from := 0; from < len(s.Base); from += batch {
		points = points[:0]
		for i, v := range s.Base[from:min(from+batch, len(s.Base))] {
			points = append(points, tarn.Point{ID: uint64(from + i), Vector: v})
		}
		require.NoError(b, c.Upsert(ctx, points...))
	}
	indexed(b, c)
}

// indexed waits until nothing more leaves the delta, where a few points may stay that no
// search of the graph finds, and the audit that follows is done, which is when the
// graph computes no more distances of its own.
func indexed(b *testing.B, c *tarn.Collection) {
	b.Helper()
	limit := time.Now().Add(10 * time.Minute)
	for idle, last := 0, [2]int64{-1}; idle < 10; time.Sleep(5 * time.Millisecond) {
		s := c.Stats()
		now := [2]int64{int64(s.InDelta), s.GraphDistances}
		require.True(b, time.Now().Before(limit), "the indexers do not come to an end: %d points in the delta", s.InDelta)
		if idle++; now != last {
			idle, last = 0, now
		}
	}
	require.Less(b, c.Stats().InDelta, 1+c.Len()/1000)
}

// spread collects durations and reports their quantiles.
type spread []time.Duration

func (s spread) report(b *testing.B) {
	slices.Sort(s)
	at := func(q float64) float64 { return float64(s[int(q*float64(len(s)-1))].Nanoseconds()) / 1e3 }
	b.ReportMetric(at(0.50), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}
