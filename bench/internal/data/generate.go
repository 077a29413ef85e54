package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/kernel"
)

// Shape says how a set is drawn: points around cluster centres in a space of
// Intrinsic dimensions, turned into Dim ones by one random linear map, with a
// thousandth of noise added. Zero fields but N and Dim take a default.
type Shape struct {
	N, Dim    int
	Intrinsic int // dimensions that the points really fill; default 20, as text has
	Clusters  int // default N/500
	Queries   int // drawn like the points; default 200
	Metric    tarn.Metric
	Seed      uint64
}

func (s Shape) withDefaults() Shape {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&s.Intrinsic, min(20, s.Dim))
	def(&s.Clusters, max(1, s.N/500))
	def(&s.Queries, 200)
	return s
}

// Generate draws the set of a shape (I2).
func Generate(s Shape) *Set {
	s = s.withDefaults()
	r := rand.New(rand.NewPCG(s.Seed, 0x7461726e))
	centres := normals(r, s.Clusters, s.Intrinsic, 1)
	basis := normals(r, s.Intrinsic, s.Dim, 1/math.Sqrt(float64(s.Intrinsic)))
	draw := func(n int) [][]float32 {
		rows := make([][]float32, n)
		for i := range rows {
			rows[i] = place(r, centres[r.IntN(len(centres))], basis)
		}
		return rows
	}
	set := &Set{
		Name:   fmt.Sprintf("gen-d%d-i%d-n%d", s.Dim, s.Intrinsic, s.N),
		Metric: s.Metric, Base: draw(s.N), Queries: draw(s.Queries),
	}
	set.Truth = nearest(set, Neighbours)
	return set
}

func normals(r *rand.Rand, n, dim int, scale float64) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(r.NormFloat64() * scale)
		}
	}
	return rows
}

// place draws a point near a centre and maps it.
func place(r *rand.Rand, centre []float32, basis [][]float32) []float32 {
	const spread, noise = 0.7, 0.001
	v := make([]float32, len(basis[0]))
	for i, c := range centre {
		x := c + float32(r.NormFloat64()*spread)
		for j, b := range basis[i] {
			v[j] += float32(x * b) // not fused, by I2
		}
	}
	for j := range v {
		v[j] += float32(r.NormFloat64() * noise)
	}
	return v
}

// nearest works out the truth with the exact kernel.
func nearest(s *Set, k int) [][]uint32 {
	metric := map[tarn.Metric]kernel.Metric{tarn.L2: kernel.L2, tarn.Cosine: kernel.Cosine, tarn.Dot: kernel.Dot}[s.Metric]
	dists := make([]float32, len(s.Base))
	order := make([]uint32, len(s.Base))
	truth := make([][]uint32, len(s.Queries))
	for i, q := range s.Queries {
		for j, v := range s.Base {
			dists[j], order[j] = kernel.Distance(metric, q, v), uint32(j)
		}
		slices.SortFunc(order, func(a, b uint32) int {
			if dists[a] != dists[b] {
				if dists[a] < dists[b] {
					return -1
				}
				return 1
			}
			return int(a) - int(b)
		})
		truth[i] = slices.Clone(order[:min(k, len(order))])
	}
	return truth
}
