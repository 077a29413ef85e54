package bench

import (
	"testing"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

// BenchmarkFill writes a whole set durably and waits until the graph holds it and
// was audited, as many workers building it as the store has.
func BenchmarkFill(b *testing.B) {
	forEachSet(b, func(b *testing.B, s *data.Set) {
		for b.Loop() {
			c := newCollection(b, s, tarn.CollectionConfig{})
			start := time.Now()
			fill(b, c, s)
			b.ReportMetric(float64(len(s.Base))/time.Since(start).Seconds(), "vectors/s")
		}
	})
}
