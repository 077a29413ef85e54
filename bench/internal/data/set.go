package data

import (
	"math"

	"github.com/tarndb/tarn"
)

// Neighbours is how many true neighbours a Set holds per query, if it has as many
// vectors.
const Neighbours = 100

// Set is base vectors, queries that are not among them, and the truth.
type Set struct {
	Name    string
	Metric  tarn.Metric
	Base    [][]float32
	Queries [][]float32
	Truth   [][]uint32 // per query the rows of its nearest, nearest first
}

// Dim returns the dimension.
func (s *Set) Dim() int { return len(s.Base[0]) }

// Distance returns the distance of two vectors by the set's metric, of L2 the square.
func (s *Set) Distance(a, b []float32) float64 { return distance(s.Metric, a, b) }

// Head returns the set cut to its first n vectors, with the truth worked out anew.
func (s *Set) Head(n int) *Set {
	if n >= len(s.Base) {
		return s
	}
	cut := &Set{Name: s.Name, Metric: s.Metric, Base: s.Base[:n], Queries: s.Queries}
	cut.Truth = nearest(cut, Neighbours)
	return cut
}

// Nearest works out the truth, for a set that was made by hand.
func (s *Set) Nearest() [][]uint32 { return nearest(s, Neighbours) }

// Judge counts right answers (I3).
type Judge struct {
	set  *Set
	far  []float64 // per query the distance of its k-th true neighbour
	k    int
	hits int
	of   int
}

// NewJudge returns a judge of the first k answers.
func (s *Set) NewJudge(k int) *Judge {
	j := &Judge{set: s, k: k, far: make([]float64, len(s.Queries))}
	for i, q := range s.Queries {
		j.far[i] = distance(s.Metric, q, s.Base[s.Truth[i][min(k, len(s.Truth[i]))-1]])
	}
	return j
}

// Add judges the rows that a search answered query i with.
func (j *Judge) Add(i int, rows []uint32) {
	limit := j.far[i] + 1e-6*math.Abs(j.far[i]) + 1e-9
	j.of += min(j.k, len(j.set.Truth[i]))
	for _, r := range rows[:min(j.k, len(rows))] {
		if distance(j.set.Metric, j.set.Queries[i], j.set.Base[r]) <= limit {
			j.hits++
		}
	}
}

// AddResults is Add for points whose ids are their rows.
func (j *Judge) AddResults(i int, results []tarn.Result) {
	rows := make([]uint32, len(results))
	for n, r := range results {
		rows[n] = uint32(r.ID)
	}
	j.Add(i, rows)
}

// Recall returns the share of right answers so far.
func (j *Judge) Recall() float64 { return float64(j.hits) / float64(max(1, j.of)) }

// distance is the kernel's distance in float64.
func distance(m tarn.Metric, a, b []float32) float64 {
	var dot, aa, bb, dd float64
	for i, x := range a {
		x, y := float64(x), float64(b[i])
		dot += x * y
		aa += x * x
		bb += y * y
		dd += (x - y) * (x - y)
	}
	switch m {
	case tarn.L2:
		return dd
	case tarn.Dot:
		return -dot
	}
	return 1 - dot/math.Sqrt(aa*bb)
}
