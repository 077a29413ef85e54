//go:build !amd64

package kernel

// No assembly for encoding on this machine: the Go loops do all components.

func sumBlocks([]float32, *[lanes]float64, *[lanes]float64) int { return 0 }

func normaliseBlocks(_, _ []float32, _ float64) int { return 0 }

func spreadBlocks([]float32, float64, float32, *[lanes]float32, *[lanes]float32, *[lanes]float64) int {
	return 0
}

func quantiseBlocks([]float32, float64, *header, float32, []byte, *[lanes]int32, *[lanes]float64) int {
	return 0
}

func squareBlocks([]byte) (sum int64, done int) { return 0, 0 }
