//go:build !amd64

package kernel

import "math"

// No assembly for encoding on this machine: the Go loops do all components.

func sumBlocks([]float32, *[lanes]float64, *[lanes]float64) int { return 0 }

func normaliseBlocks(_, _ []float32, _ float64) int { return 0 }

func spreadBlocks(_, _ []float32, _ float64, _ float32, _ *[lanes]float64) (lo, hi float32, n int) {
	return math.MaxFloat32, -math.MaxFloat32, 0
}

func quantiseBlocks([]float32, *header, float32, []byte, *[lanes]int32, *[lanes]float64, *[lanes]float64) int {
	return 0
}
