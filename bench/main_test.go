package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
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

// openCollection is newCollection for who ends it himself. The folder goes at its end: else
// what is not on the disk yet would be written while the next one is measured.
func openCollection(b *testing.B, s *data.Set, cfg tarn.CollectionConfig) (c *tarn.Collection, end func()) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "db")
	db, err := tarn.Open(path, nil)
	require.NoError(b, err)
	cfg.Dim, cfg.Metric = s.Dim(), s.Metric
	c, err = db.CreateCollection(ctx, "bench", cfg)
	require.NoError(b, err)
	return c, func() { require.NoError(b, errors.Join(db.Close(), os.RemoveAll(path))) }
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

// indexed waits until all is indexed and audited.
func indexed(b *testing.B, c *tarn.Collection) {
	b.Helper()
	require.NoError(b, await.Idle(ctx, c))
}

// emptied waits until nothing more leaves the delta, and returns since when.
func emptied(b *testing.B, c *tarn.Collection) time.Time {
	b.Helper()
	at, err := await.Indexed(ctx, c)
	require.NoError(b, err)
	return at
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
