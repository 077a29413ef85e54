package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// block is the number of components that one round of an encoding loop does:
// the eight lanes of the portable code.
const block = 8

// encode writes the loops of EncodeCode and Set. Each does n components, a
// multiple of block, with the operations of the portable code, none fused
// unless the product is exact, so that all tiers write the same rows (I2).
func encode() {
	sumLoop()
	normaliseLoop()
	spreadLoop()
	quantiseLoop()
	squareLoop()
	packLoop("packBytes", 1)
	packLoop("packWords", 2)
}

// rounds writes body once per block, p being the address of the components.
func rounds(body func(p GPVirtual)) {
	p, n := argument("v"), argument("n")
	Label("round")
	body(p)
	ADDQ(U32(4*block), p)
	SUBQ(U32(block), n)
	JG(LabelRef("round"))
}

// double loads a block as two registers of float64.
func double(p GPVirtual, lo, hi VecPhysical) {
	VCVTPS2PD(Mem{Base: p}, lo)
	VCVTPS2PD(Mem{Base: p, Disp: 16}, hi)
}

// scaled loads a block times inv, in Y15, rounded to float32, into Y8.
func scaled(p GPVirtual) {
	double(p, Y8, Y9)
	VMULPD(Y15, Y8, Y8)
	VMULPD(Y15, Y9, Y9)
	VCVTPD2PSY(Y8, X8)
	VCVTPD2PSY(Y9, X9)
	VINSERTF128(Imm(1), X9, Y8, Y8)
}

// widened converts the float32 in Y8 to float64 in lo and hi.
func widened(lo, hi VecPhysical) {
	VEXTRACTF128(Imm(1), Y8, X9)
	VCVTPS2PD(X8, lo)
	VCVTPS2PD(X9, hi)
}

// zeros clears registers.
func zeros(regs ...VecPhysical) {
	for _, r := range regs {
		VXORPS(r, r, r)
	}
}

// results writes registers to a parameter that points to lanes.
func results(name string, regs ...VecPhysical) {
	p := argument(name)
	for i, r := range regs {
		VMOVUPS(r, Mem{Base: p, Disp: 32 * i})
	}
}

func finish() {
	VZEROUPPER()
	RET()
}

func sumLoop() {
	TEXT("sumsAVX2", NOSPLIT, "func(v *float32, n int, sum, squares *[8]float64)")
	zeros(Y0, Y1, Y2, Y3)
	rounds(func(p GPVirtual) {
		double(p, Y8, Y9)
		VADDPD(Y8, Y0, Y0)
		VADDPD(Y9, Y1, Y1)
		VFMADD231PD(Y8, Y8, Y2)
		VFMADD231PD(Y9, Y9, Y3)
	})
	results("sum", Y0, Y1)
	results("squares", Y2, Y3)
	finish()
}

func normaliseLoop() {
	TEXT("normaliseAVX2", NOSPLIT, "func(dst, v *float32, n int, inv float64)")
	VBROADCASTSD(param("inv"), Y15)
	dst := argument("dst")
	rounds(func(p GPVirtual) {
		scaled(p)
		VMOVUPS(Y8, Mem{Base: dst})
		ADDQ(U32(4*block), dst)
	})
	finish()
}

// residuals loads what the loops below keep in registers.
func residuals() {
	VBROADCASTSD(param("inv"), Y15)
	VBROADCASTSS(param("mean"), Y14)
}

func spreadLoop() {
	TEXT("spreadAVX2", NOSPLIT, "func(v *float32, n int, inv float64, mean float32, lo, hi *[8]float32, squares *[8]float64)")
	residuals()
	zeros(Y2, Y3)
	p := argument("lo")
	VMOVUPS(Mem{Base: p}, Y0)
	p = argument("hi")
	VMOVUPS(Mem{Base: p}, Y1)
	rounds(func(p GPVirtual) {
		scaled(p)
		VSUBPS(Y14, Y8, Y8)
		VMINPS(Y8, Y0, Y0)
		VMAXPS(Y8, Y1, Y1)
		widened(Y10, Y11)
		VFMADD231PD(Y10, Y10, Y2)
		VFMADD231PD(Y11, Y11, Y3)
	})
	results("lo", Y0)
	results("hi", Y1)
	results("squares", Y2, Y3)
	finish()
}

func quantiseLoop() {
	TEXT("quantiseAVX2", NOSPLIT, "func(codes *byte, v *float32, n int, inv float64, mean, step, scale float32, zero int32, sum *[8]int32, squares *[8]float64)")
	residuals()
	VBROADCASTSS(param("step"), Y13)
	VBROADCASTSS(param("scale"), X12)
	VCVTPS2PD(X12, Y12)
	VBROADCASTSS(param("zero"), Y7)
	limit := GP32()
	for _, l := range []struct {
		value int32
		x     VecPhysical
		y     VecPhysical
	}{{-128, X5, Y5}, {127, X6, Y6}} {
		MOVL(I32(l.value), limit)
		MOVD(limit, l.x)
		VPBROADCASTD(l.x, l.y)
	}
	zeros(Y0, Y1, Y2)
	codes := argument("codes")
	rounds(func(p GPVirtual) {
		scaled(p)
		VSUBPS(Y14, Y8, Y8)
		VMULPS(Y13, Y8, Y10)
		VCVTPS2DQ(Y10, Y10)
		VPADDD(Y7, Y10, Y10)
		VPMAXSD(Y5, Y10, Y10)
		VPMINSD(Y6, Y10, Y10)
		VPADDD(Y10, Y2, Y2)
		VEXTRACTI128(Imm(1), Y10, X11)
		VPACKSSDW(X11, X10, X11)
		VPACKSSWB(X11, X11, X11)
		VMOVQ(X11, Mem{Base: codes})
		ADDQ(Imm(block), codes)
		miss()
	})
	results("sum", Y2)
	results("squares", Y0, Y1)
	finish()
}

// miss adds the squares of what the codes in Y10 miss of the residuals in Y8.
func miss() {
	VPSUBD(Y7, Y10, Y10)
	VEXTRACTI128(Imm(1), Y10, X11)
	VCVTDQ2PD(X10, Y10)
	VCVTDQ2PD(X11, Y11)
	VMULPD(Y12, Y10, Y10)
	VMULPD(Y12, Y11, Y11)
	widened(Y3, Y4)
	VSUBPD(Y10, Y3, Y3)
	VSUBPD(Y11, Y4, Y4)
	VMULPD(Y3, Y3, Y3)
	VMULPD(Y4, Y4, Y4)
	VADDPD(Y3, Y0, Y0)
	VADDPD(Y4, Y1, Y1)
}

// squareLoop adds the squares of n signed codes, a multiple of 32, to int32: a lane
// takes 4 of them a round.
func squareLoop() {
	TEXT("squaresAVX2", NOSPLIT, "func(codes *byte, n int, sum *[8]int32)")
	zeros(Y0, Y1)
	p, n := argument("codes"), argument("n")
	Label("round")
	VPMOVSXBW(Mem{Base: p}, Y2)
	VPMOVSXBW(Mem{Base: p, Disp: 16}, Y3)
	VPMADDWD(Y2, Y2, Y2)
	VPMADDWD(Y3, Y3, Y3)
	VPADDD(Y2, Y0, Y0)
	VPADDD(Y3, Y1, Y1)
	ADDQ(U32(32), p)
	SUBQ(U32(32), n)
	JG(LabelRef("round"))
	VPADDD(Y1, Y0, Y0)
	results("sum", Y0)
	finish()
}

// packLoop makes unsigned codes of n signed ones, a multiple of 32, size bytes
// each.
func packLoop(name string, size int) {
	TEXT(name, NOSPLIT, "func(dst, src *byte, n int)")
	sign := GP32()
	MOVL(U32(0x80808080), sign)
	MOVD(sign, X0)
	VPBROADCASTD(X0, Y0)
	dst, src, n := argument("dst"), argument("src"), argument("n")
	Label("round")
	VPXOR(Mem{Base: src}, Y0, Y1)
	if size == 1 {
		VMOVDQU(Y1, Mem{Base: dst})
	} else {
		VEXTRACTI128(Imm(1), Y1, X2)
		VPMOVZXBW(X1, Y1)
		VPMOVZXBW(X2, Y2)
		VMOVDQU(Y1, Mem{Base: dst})
		VMOVDQU(Y2, Mem{Base: dst, Disp: 32})
	}
	ADDQ(U32(32), src)
	ADDQ(U32(32*size), dst)
	SUBQ(U32(32), n)
	JG(LabelRef("round"))
	finish()
}
