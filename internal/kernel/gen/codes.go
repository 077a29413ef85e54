package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// codeTier is how a tier multiplies query codes with row codes.
type codeTier struct {
	name string
	unit int // bytes of a row done by one step
	size int // bytes of a vector register
	reg  []VecPhysical
	step func(q, acc, tmp VecPhysical, row Mem)
}

var (
	xmm = []VecPhysical{X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15}
	ymm = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
	zmm = []VecPhysical{Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31}
)

// widen multiplies 16-bit query codes with the row's codes widened to 16 bits:
// VPMADDUBSW on the bytes themselves would saturate.
func widen(q, acc, tmp VecPhysical, row Mem) {
	VPMOVSXBW(row, tmp)
	VPMADDWD(q, tmp, tmp)
	VPADDD(tmp, acc, acc)
}

// codes writes the one-to-many functions on code rows.
func codes() {
	for _, t := range []codeTier{
		{"codesAVX2", 16, 32, ymm, widen},
		{"codesAVX512", 32, 64, zmm, widen},
		{"codesVNNI", 64, 64, zmm, func(q, acc, _ VecPhysical, row Mem) { VPDPBUSD(row, q, acc) }},
	} {
		t.function()
	}
}

func (t codeTier) function() {
	TEXT(t.name, NOSPLIT, "func(out *float32, "+rowArgs+", ahead int, lines int, q *byte, k *byte)")
	w := newWalk()
	Label("group")
	rows, next := w.pair(groupRows, "last")
	t.group(w, "group", rows, next)
	JMP(LabelRef("group"))

	Label("last") // the groups whose rows have been asked for
	t.group(w, "last", addresses(w.i, groupRows), nil)
	CMPQ(w.i, param("n"))
	JL(LabelRef("last"))
	VZEROUPPER()
	RET()
}

// group computes one group of rows, and fetches the next ones if there are any.
func (t codeTier) group(w walk, kind string, rows, next []GPVirtual) {
	t.dots(kind, rows, next)
	t.fold()
	distances(rows)
	w.store(kind)
	ADDQ(Imm(groupRows), w.i)
}

// dots sums query times row for each row in registers 0 to 3, and fetches the
// lines of the next rows. The query has zeros where the rows have header or
// padding.
func (t codeTier) dots(kind string, rows, next []GPVirtual) {
	for j := range rows {
		VPXOR(xmm[j], xmm[j], xmm[j])
	}
	q, lines, off := argument("q"), argument("lines"), GP64()
	XORQ(off, off)
	steps := lineSize / t.unit
	if steps > 1 { // the half of the first line that is header
		t.line(rows, next, q, off, steps/2)
		DECQ(lines)
		JZ(LabelRef(kind + "_dotted"))
	}
	Label(kind + "_line")
	t.line(rows, next, q, off, 0)
	DECQ(lines)
	JNZ(LabelRef(kind + "_line"))
	Label(kind + "_dotted")
}

// line does one line of each row, from step first on.
func (t codeTier) line(rows, next []GPVirtual, q, off GPVirtual, first int) {
	for _, r := range next {
		fetch(Mem{Base: r, Index: off, Scale: 1})
	}
	for s := first; s < lineSize/t.unit; s++ {
		if t.size == 64 {
			VMOVDQU64(Mem{Base: q, Disp: s * t.size}, t.reg[8])
		} else {
			VMOVDQU(Mem{Base: q, Disp: s * t.size}, t.reg[8])
		}
		for j := range rows {
			t.step(t.reg[8], t.reg[j], t.reg[4+j], Mem{Base: rows[j], Index: off, Scale: 1, Disp: s * t.unit})
		}
	}
	ADDQ(Imm(lineSize), off)
	ADDQ(Imm(uint64(lineSize/t.unit*t.size)), q)
}

// fold adds up registers 0 to 3 into the four lanes of X0.
func (t codeTier) fold() {
	if t.size == 64 {
		for j := range groupRows {
			VEXTRACTI64X4(Imm(1), zmm[j], ymm[4+j])
			VPADDD(ymm[4+j], ymm[j], ymm[j])
		}
	}
	VPHADDD(Y1, Y0, Y0)
	VPHADDD(Y3, Y2, Y2)
	VPHADDD(Y2, Y0, Y0)
	VEXTRACTI128(Imm(1), Y0, X1)
	VPADDD(X1, X0, X0)
}

// distances turns the integer sums in X0 and the rows' headers into distances
// in X0, by the formula at codeConstants, operation by operation.
func distances(rows []GPVirtual) {
	k := argument("k")
	// Four headers, transposed: scale, zero, sum, mean in X1 to X4, rr in X5.
	for j, r := range rows {
		VMOVUPS(Mem{Base: r}, xmm[6+j])
	}
	transpose([4]VecPhysical{X6, X7, X8, X9}, [4]VecPhysical{X1, X2, X3, X4}, [4]VecPhysical{X10, X11, X12, X13})
	gather(rows, 16, X5)
	constant := func(i int) VecPhysical {
		VBROADCASTSS(Mem{Base: k, Disp: 4 * i}, X6)
		return X6
	}
	VPMULLD(constant(0), X2, X2) // zero*usum
	VPSUBD(X2, X0, X0)
	VPMULLD(constant(1), X3, X3) // sum*uzero
	VPSUBD(X3, X0, X0)
	VCVTDQ2PS(X0, X0)
	VMULPS(X1, X0, X0)          // T*scale
	VMULPS(constant(2), X0, X0) // *factor
	VMULPS(constant(5), X5, X5) // rr*rrFactor
	VADDPS(constant(6), X5, X5) // +base
	VSUBPS(constant(3), X4, X1) // mean-qmean
	VMULPS(X1, X1, X1)
	VMULPS(constant(4), X1, X1) // *devFactor
	VADDPS(X1, X5, X5)
	VMULPS(constant(7), X4, X4) // mean*meanFactor
	VADDPS(X4, X5, X5)
	VSUBPS(X0, X5, X0)
	VMAXPS(constant(8), X0, X0)
}
