package bench

import (
	"testing"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/data"
)

// BenchmarkSmall sets the exact scan of a collection beside its graph at the default
// beam, just above the size up to which all points are scanned. docs/tuning.md has
// the figures.
func BenchmarkSmall(b *testing.B) {
	for _, dim := range []int{128, 384, 768} {
		for _, n := range []int{2_100, 4_000, 8_000} {
			s := data.Generate(data.Shape{N: n, Dim: dim, Metric: tarn.Cosine})
			on(b, s.Name, func(b *testing.B) {
				c := newCollection(b, s, tarn.CollectionConfig{})
				fill(b, c, s)
				b.Run("k=10/exact", func(b *testing.B) { searchAll(b, c, s, 10, 0, tarn.WithExact()) })
				b.Run("k=10/graph", func(b *testing.B) { searchAll(b, c, s, 10, 0) })
			})
		}
	}
}
