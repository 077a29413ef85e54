package kernel

import (
	"math"
	"unsafe"
)

// The loops of EncodeCode and Set, which do n > 0 components as the Go loops do
// them. Those in AVX2 hold the lanes of float64 in two registers, and n is a
// multiple of lanes: what is left is done in Go, which goes on from the same lanes.
// Those in AVX-512 hold them in one, and do any n.

//go:noescape
func sumsAVX2(v *float32, n int, sum, squares *[lanes]float64)

//go:noescape
func sumsAVX512(v *float32, n int, sum, squares *[lanes]float64)

//go:noescape
func normaliseAVX2(dst, v *float32, n int, inv float64)

//go:noescape
func normaliseAVX512(dst, v *float32, n int, inv float64)

//go:noescape
func spreadAVX2(residuals, v *float32, n int, inv float64, mean float32, squares *[lanes]float64) (lo, hi float32)

//go:noescape
func spreadAVX512(residuals, v *float32, n int, inv float64, mean float32, squares *[lanes]float64) (lo, hi float32)

//go:noescape
func quantiseAVX2(codes *byte, residuals *float32, n int, step, scale float32, zero int32, sum *[lanes]int32, squares, misses *[lanes]float64)

//go:noescape
func quantiseAVX512(codes *byte, residuals *float32, n int, step, scale float32, zero int32, sum *[lanes]int32, squares, misses *[lanes]float64)

// packBytes and packWords make unsigned codes of n > 0 signed ones, a multiple
// of 32.

//go:noescape
func packBytes(dst, src *byte, n int)

//go:noescape
func packWords(dst, src *byte, n int)

// blocks returns how many of n components the assembly does.
func blocks(n int) int {
	switch active {
	case tierGo:
		return 0
	case tierAVX2:
		return n &^ (lanes - 1)
	}
	return n
}

func sumBlocks(v []float32, sum, squares *[lanes]float64) int {
	n := blocks(len(v))
	switch {
	case n == 0:
	case active == tierAVX2:
		sumsAVX2(unsafe.SliceData(v), n, sum, squares)
	default:
		sumsAVX512(unsafe.SliceData(v), n, sum, squares)
	}
	return n
}

func normaliseBlocks(dst, v []float32, inv float64) int {
	n := blocks(len(v))
	switch {
	case n == 0:
	case active == tierAVX2:
		normaliseAVX2(unsafe.SliceData(dst), unsafe.SliceData(v), n, inv)
	default:
		normaliseAVX512(unsafe.SliceData(dst), unsafe.SliceData(v), n, inv)
	}
	return n
}

func spreadBlocks(residuals, v []float32, inv float64, mean float32, squares *[lanes]float64) (lo, hi float32, n int) {
	n = blocks(len(v))
	switch {
	case n == 0:
		lo, hi = math.MaxFloat32, -math.MaxFloat32
	case active == tierAVX2:
		lo, hi = spreadAVX2(unsafe.SliceData(residuals), unsafe.SliceData(v), n, inv, mean, squares)
	default:
		lo, hi = spreadAVX512(unsafe.SliceData(residuals), unsafe.SliceData(v), n, inv, mean, squares)
	}
	return lo, hi, n
}

func quantiseBlocks(residuals []float32, h *header, step float32, codes []byte, sum *[lanes]int32, squares, misses *[lanes]float64) int {
	n := blocks(len(residuals))
	r, c := unsafe.SliceData(residuals), unsafe.SliceData(codes)
	switch {
	case n == 0:
	case active == tierAVX2:
		quantiseAVX2(c, r, n, step, h.scale, h.zero, sum, squares, misses)
	default:
		quantiseAVX512(c, r, n, step, h.scale, h.zero, sum, squares, misses)
	}
	return n
}

// packCode writes the query form of a code row: unsigned codes, zeros for
// header and padding; for the tiers that multiply 16 bits, widened to 16.
func packCode(t tier, dst, row []byte, _ int) []byte {
	size := 1
	switch t {
	case tierGo:
		return packUnsigned(dst, row)
	case tierAVX2, tierAVX512:
		size = 2
	}
	dst = grow(dst, size*len(row))
	clear(dst[:size*headerSize])
	if size == 1 {
		packBytes(&dst[headerSize], &row[headerSize], len(row)-headerSize)
	} else {
		packWords(&dst[2*headerSize], &row[headerSize], len(row)-headerSize)
	}
	return dst
}

// codeBias is added to a row's zero code to get the query's.
func codeBias(tier) int32 { return unsignedBias }
