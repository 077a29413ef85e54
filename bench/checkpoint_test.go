package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

// BenchmarkCheckpoint moves points and makes a checkpoint of that, over and over; only
// the checkpoint is timed.
func BenchmarkCheckpoint(b *testing.B) {
	forEachSet(b, func(b *testing.B, s *data.Set) {
		for _, moves := range []int{100, 2_000} {
			b.Run(fmt.Sprintf("moves=%d", moves), func(b *testing.B) {
				c := newCollection(b, s, tarn.CollectionConfig{})
				fill(b, c, s)
				require.NoError(b, c.Checkpoint(ctx))
				took := make(spread, 0, 1<<10)
				for round := 1; b.Loop(); round++ {
					b.StopTimer()
					for from := 0; from < moves; from += 500 {
						points := make([]tarn.Point, 0, 500)
						for i := from; i < min(from+500, moves); i++ {
							points = append(points, tarn.Point{ID: uint64(i), Vector: s.Base[(i+round)%len(s.Base)]})
						}
						require.NoError(b, c.Upsert(ctx, points...))
					}
					b.StartTimer()
					start := time.Now()
					require.NoError(b, c.Checkpoint(ctx))
					took = append(took, time.Since(start))
				}
				took.report(b)
			})
		}
	})
}

// BenchmarkMemory opens a closed store, searches it, and reports what the process
// holds of it: what no file backs, what Go's heap has of that, and the mapped files.
func BenchmarkMemory(b *testing.B) {
	forEachSet(b, func(b *testing.B, s *data.Set) {
		path := b.TempDir() + "/db"
		db, err := tarn.Open(path, nil)
		require.NoError(b, err)
		c, err := db.CreateCollection(ctx, "bench", tarn.CollectionConfig{Dim: s.Dim(), Metric: s.Metric})
		require.NoError(b, err)
		fill(b, c, s)
		require.NoError(b, db.Close())
		before, anonymous, file := heap(), resident("RssAnon"), resident("RssFile")
		for b.Loop() {
			db, err := tarn.Open(path, nil)
			require.NoError(b, err)
			c, err := db.Collection("bench")
			require.NoError(b, err)
			for _, q := range s.Queries {
				_, err := c.Search(ctx, q, 10, tarn.WithoutPayload())
				require.NoError(b, err)
			}
			indexed(b, c)
			n := float64(len(s.Base))
			b.ReportMetric(float64(heap()-before)/n, "heap-B/point")
			b.ReportMetric(float64(resident("RssAnon")-anonymous)/n, "anonymous-B/point")
			b.ReportMetric(float64(resident("RssFile")-file)/n, "mapped-B/point")
			b.ReportMetric(float64(c.Stats().DiskBytes)/n, "disk-B/point")
			require.NoError(b, db.Close())
		}
	})
}

// resident is what Linux says of this process's memory, 0 elsewhere.
func resident(what string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, what+": %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}
