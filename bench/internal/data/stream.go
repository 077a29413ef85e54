package data

import (
	"cmp"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tarndb/tarn"
)

// Stream draws a set like Generate's of the same shape, but row by row, for sets
// that shall not lie in memory. The rows are other ones than Generate's. A row
// belongs to who was handed it.
func Stream(s Shape) (queries [][]float32, base iter.Seq[[]float32]) {
	s = s.withDefaults()
	r := rand.New(rand.NewPCG(s.Seed, 0x7461726e))
	centres := normals(r, s.Clusters, s.Intrinsic, 1)
	basis := normals(r, s.Intrinsic, s.Dim, 1/math.Sqrt(float64(s.Intrinsic)))
	for range s.Queries {
		queries = append(queries, place(r, centres[r.IntN(len(centres))], basis))
	}
	return queries, func(yield func([]float32) bool) {
		r := rand.New(rand.NewPCG(s.Seed, 0x73747265))
		for range s.N {
			if !yield(place(r, centres[r.IntN(len(centres))], basis)) {
				return
			}
		}
	}
}

// Nearest keeps the distances of the k nearest of the rows that it is shown.
type Nearest struct {
	metric tarn.Metric
	query  []float32
	k      int
	dists  []float64 // sorted
}

// NewNearest returns a Nearest of one query.
func NewNearest(metric tarn.Metric, query []float32, k int) *Nearest {
	return &Nearest{metric: metric, query: query, k: k}
}

// Show is shown a row.
func (n *Nearest) Show(row []float32) {
	d := distance(n.metric, n.query, row)
	if len(n.dists) == n.k && d >= n.dists[n.k-1] {
		return
	}
	at, _ := slices.BinarySearchFunc(n.dists, d, cmp.Compare)
	n.dists = slices.Insert(n.dists, at, d)
	n.dists = n.dists[:min(n.k, len(n.dists))]
}

// Share returns which part of the k nearest an answer holds (I3).
func (n *Nearest) Share(answer [][]float32) float64 {
	if len(n.dists) == 0 {
		return 1
	}
	far := n.dists[len(n.dists)-1]
	far += 1e-6*math.Abs(far) + 1e-9
	right := 0
	for _, row := range answer {
		if distance(n.metric, n.query, row) <= far {
			right++
		}
	}
	return float64(min(right, len(n.dists))) / float64(len(n.dists))
}
