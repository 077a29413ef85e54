package bench

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/kernel"
)

// newGraph makes a graph of a whole set, without a store around it.
func newGraph(b *testing.B, s *data.Set, workers int) *hnsw.Index {
	b.Helper()
	metric := map[tarn.Metric]kernel.Metric{tarn.L2: kernel.L2, tarn.Cosine: kernel.Cosine, tarn.Dot: kernel.Dot}[s.Metric]
	x, err := hnsw.NewIndex(hnsw.Config{Dim: s.Dim(), Metric: metric})
	require.NoError(b, err)
	_, err = x.AddAll(ctx, s.Base, workers)
	require.NoError(b, err)
	return x
}

// BenchmarkGraphBuild builds the graph alone, with one worker and with as many as
// there are processors.
func BenchmarkGraphBuild(b *testing.B) {
	forEachSet(b, func(b *testing.B, s *data.Set) {
		for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
			b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
				var x *hnsw.Index
				for b.Loop() {
					x = newGraph(b, s, workers)
				}
				n := float64(len(s.Base))
				b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
				b.ReportMetric(float64(x.Graph().Distances())/n, "distances/vector")
			})
		}
	})
}

// BenchmarkGraphSearch asks the graph alone.
func BenchmarkGraphSearch(b *testing.B) {
	const k = 10
	forEachSet(b, func(b *testing.B, s *data.Set) {
		x := newGraph(b, s, runtime.GOMAXPROCS(0))
		for _, ef := range beams {
			b.Run(fmt.Sprintf("k=%d/ef=%d", k, ef), func(b *testing.B) { searchGraph(b, x, s, k, ef) })
		}
	})
}

func searchGraph(b *testing.B, x *hnsw.Index, s *data.Set, k, ef int) {
	judge := s.NewJudge(k)
	var near []hnsw.Neighbour
	before := x.Graph().Distances()
	for i, q := range s.Queries {
		var err error
		near, err = x.Search(ctx, q, k, ef, near)
		require.NoError(b, err)
		rows := make([]uint32, len(near))
		for j, n := range near {
			rows[j] = n.Slot
		}
		judge.Add(i, rows)
	}
	evaluations := float64(x.Graph().Distances()-before) / float64(len(s.Queries))
	took := make(spread, 0, 1<<16)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		var err error
		if near, err = x.Search(ctx, s.Queries[i%len(s.Queries)], k, ef, near); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	took.report(b)
	b.ReportMetric(judge.Recall(), "recall")
	b.ReportMetric(evaluations, "distances/op")
}
