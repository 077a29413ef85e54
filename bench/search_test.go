package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

// beams are the widths that trace recall against speed.
var beams = []int{10, 20, 40, 64, 100, 200, 400}

// BenchmarkSearch asks one question after another through the public Search.
func BenchmarkSearch(b *testing.B) {
	const k = 10
	forEachSet(b, func(b *testing.B, s *data.Set) {
		c := newCollection(b, s, tarn.CollectionConfig{})
		fill(b, c, s)
		for _, ef := range beams {
			b.Run(fmt.Sprintf("k=%d/ef=%d", k, ef), func(b *testing.B) { searchAll(b, c, s, k, ef) })
		}
		b.Run(fmt.Sprintf("k=%d/exact", k), func(b *testing.B) { searchAll(b, c, s, k, 0, tarn.WithExact()) })
	})
}

// searchAll measures b.N searches and, beside that, the recall of each query once.
func searchAll(b *testing.B, c *tarn.Collection, s *data.Set, k, ef int, opts ...tarn.SearchOption) {
	opts = append(opts, tarn.WithoutPayload())
	if ef > 0 {
		opts = append(opts, tarn.WithEf(ef))
	}
	judge := s.NewJudge(k)
	before := c.Stats().GraphDistances
	for i, q := range s.Queries {
		got, err := c.Search(ctx, q, k, opts...)
		require.NoError(b, err)
		judge.AddResults(i, got)
	}
	evaluations := float64(c.Stats().GraphDistances-before) / float64(len(s.Queries))
	took := make(spread, 0, 1<<16)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if _, err := c.Search(ctx, s.Queries[i%len(s.Queries)], k, opts...); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	took.report(b)
	b.ReportMetric(judge.Recall(), "recall")
	b.ReportMetric(evaluations, "distances/op")
}
