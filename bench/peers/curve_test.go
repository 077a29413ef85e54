package main

import (
	"math"
	"testing"
)

func TestValueIsInterpolatedBetweenTheBeamsAround(t *testing.T) {
	curve := []point{{20, 0.98, 400}, {10, 0.90, 1600}, {40, 0.98, 100}, {80, 0.999, 50}}
	for _, c := range []struct {
		recall, want float64
		atLeast, ok  bool
	}{
		{0.80, 1600, true, true},
		{0.90, 1600, true, true},
		{0.94, 800, false, true},
		{0.98, 400, false, true},
		{0.9999, 0, false, false},
	} {
		got, atLeast, ok := at(curve, c.recall)
		if math.Abs(got-c.want) > 1e-6 || atLeast != c.atLeast || ok != c.ok {
			t.Errorf("at %v: %v %v %v, want %v", c.recall, got, atLeast, ok, c)
		}
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	if m := median([]float64{9, 1, 5}); m != 5 {
		t.Error(m)
	}
	if m := median([]float64{4, 1, 2, 9}); m != 3 {
		t.Error(m)
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing")
	}
}
