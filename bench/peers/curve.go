package main

import (
	"math"
	"slices"
)

// point is what a contender did with one beam in one round.
type point struct {
	Ef     int     `json:"ef"`
	Recall float64 `json:"recall"`
	Value  float64 `json:"value"` // queries per second, or distances per query
}

// at returns the value of a curve at a recall: by interpolation of its logarithm
// between the two beams around it. Where the narrowest beam is above already, its
// value is a bound, and atLeast is true; ok is false where even the widest is below.
func at(curve []point, recall float64) (value float64, atLeast, ok bool) {
	curve = slices.Clone(curve)
	slices.SortFunc(curve, func(a, b point) int { return a.Ef - b.Ef })
	for i, p := range curve {
		if p.Recall < recall {
			continue
		}
		if i == 0 {
			return p.Value, true, true
		}
		low := curve[i-1]
		if p.Recall <= low.Recall {
			return p.Value, false, true
		}
		share := (recall - low.Recall) / (p.Recall - low.Recall)
		return math.Exp(math.Log(low.Value)*(1-share) + math.Log(p.Value)*share), false, true
	}
	return 0, false, false
}

// median returns the middle of values, NaN of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	values = slices.Clone(values)
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
