package main

import (
	"math"
	"math/rand/v2"

	"github.com/tarndb/tarn"
)

// reading returns reading n of the source: the spectrum of a machine that runs
// smoothly and, one time in fifty, rattles in its upper bands.
func reading(n uint64) tarn.Point {
	r := rand.New(rand.NewPCG(n, 17))
	state, loose := "smooth", 0.0
	if r.IntN(50) == 0 {
		state, loose = "rattling", 3
	}
	v := make([]float32, bands)
	for i := range v {
		at := float64(i) / bands
		v[i] = float32(math.Exp(-4*at) + loose*at*at + 0.1*r.Float64())
	}
	return tarn.Point{ID: n, Vector: v, Payload: tarn.Payload{"state": state}}
}
