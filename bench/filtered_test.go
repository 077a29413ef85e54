package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

// BenchmarkSearchFiltered asks under filters that leave a share of the points, which
// has nothing to do with where they are. Recall is against the exact answer under the
// same filter.
func BenchmarkSearchFiltered(b *testing.B) {
	const k, ef, parts = 10, 64, 1000
	forEachSet(b, func(b *testing.B, s *data.Set) {
		c := newCollection(b, s, tarn.CollectionConfig{Fields: []string{"part"}})
		for from := 0; from < len(s.Base); from += 512 {
			var points []tarn.Point
			for i := from; i < min(from+512, len(s.Base)); i++ {
				points = append(points, tarn.Point{ID: uint64(i), Vector: s.Base[i], Payload: tarn.Payload{"part": i * 7919 % parts}})
			}
			require.NoError(b, c.Upsert(ctx, points...))
		}
		indexed(b, c)
		for _, share := range []float64{0.5, 0.1, 0.01} {
			under := tarn.WithFilter(tarn.Lt("part", int(share*parts)))
			b.Run(fmt.Sprintf("k=%d/ef=%d/share=%v", k, ef, share), func(b *testing.B) { searchFiltered(b, c, s, k, ef, under) })
		}
	})
}

func searchFiltered(b *testing.B, c *tarn.Collection, s *data.Set, k, ef int, under tarn.SearchOption) {
	ask := func(q []float32, opts ...tarn.SearchOption) []tarn.Result {
		near, err := c.Search(ctx, q, k, append(opts, under, tarn.WithoutPayload())...)
		if err != nil {
			b.Fatal(err)
		}
		return near
	}
	right, of := 0, 0
	before := c.Stats().GraphDistances
	for _, q := range s.Queries {
		near, truth := ask(q, tarn.WithEf(ef)), ask(q, tarn.WithExact())
		for _, r := range near {
			if r.Distance <= truth[len(truth)-1].Distance {
				right++
			}
		}
		of += len(truth)
	}
	evaluations := float64(c.Stats().GraphDistances-before) / float64(len(s.Queries))
	took := make(spread, 0, 1<<16)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		ask(s.Queries[i%len(s.Queries)], tarn.WithEf(ef))
		took = append(took, time.Since(start))
	}
	took.report(b)
	b.ReportMetric(float64(right)/float64(of), "recall")
	b.ReportMetric(evaluations, "distances/op")
}
