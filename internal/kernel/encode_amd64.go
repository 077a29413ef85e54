package kernel

import "unsafe"

// The loops of EncodeCode and Set in AVX2, for every assembly tier. Each does
// n > 0 components, a multiple of lanes, as the Go loops do them; what is left
// is done in Go, which goes on from the same lanes.

//go:noescape
func sumsAVX2(v *float32, n int, sum, squares *[lanes]float64)

//go:noescape
func normaliseAVX2(dst, v *float32, n int, inv float64)

//go:noescape
func spreadAVX2(v *float32, n int, inv float64, mean float32, lo, hi *[lanes]float32, squares *[lanes]float64)

//go:noescape
func quantiseAVX2(codes *byte, v *float32, n int, inv float64, mean, step, scale float32, zero int32, sum *[lanes]int32, squares *[lanes]float64)

// squaresAVX2 does n > 0 codes, a multiple of squareBlock.
//
//go:noescape
func squaresAVX2(codes *byte, n int, sum *[lanes]int32)

// packBytes and packWords make unsigned codes of n > 0 signed ones, a multiple
// of 32.

//go:noescape
func packBytes(dst, src *byte, n int)

//go:noescape
func packWords(dst, src *byte, n int)

// blocks returns how many of n components the assembly does.
func blocks(n int) int {
	if active == tierGo {
		return 0
	}
	return n &^ (lanes - 1)
}

func sumBlocks(v []float32, sum, squares *[lanes]float64) int {
	n := blocks(len(v))
	if n > 0 {
		sumsAVX2(unsafe.SliceData(v), n, sum, squares)
	}
	return n
}

func normaliseBlocks(dst, v []float32, inv float64) int {
	n := blocks(len(v))
	if n > 0 {
		normaliseAVX2(unsafe.SliceData(dst), unsafe.SliceData(v), n, inv)
	}
	return n
}

func spreadBlocks(v []float32, inv float64, mean float32, lo, hi *[lanes]float32, squares *[lanes]float64) int {
	n := blocks(len(v))
	if n > 0 {
		spreadAVX2(unsafe.SliceData(v), n, inv, mean, lo, hi, squares)
	}
	return n
}

func quantiseBlocks(v []float32, inv float64, h *header, step float32, codes []byte, sum *[lanes]int32, squares *[lanes]float64) int {
	n := blocks(len(v))
	if n > 0 {
		quantiseAVX2(unsafe.SliceData(codes), unsafe.SliceData(v), n, inv, h.mean, step, h.scale, h.zero, sum, squares)
	}
	return n
}

const (
	squareBlock = 32
	squareMost  = 1 << 19 // codes whose squares do not overflow the lanes
)

// squareBlocks adds the squares of codes and returns how many it did.
func squareBlocks(codes []byte) (sum int64, done int) {
	if active == tierGo {
		return 0, 0
	}
	for {
		n := min(len(codes)-done, squareMost) &^ (squareBlock - 1)
		if n == 0 {
			return sum, done
		}
		var l [lanes]int32
		squaresAVX2(&codes[done], n, &l)
		for _, s := range l {
			sum += int64(s)
		}
		done += n
	}
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
