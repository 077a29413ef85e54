package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// block is the number of components that one round of an encoding loop does:
// the eight lanes of the portable code.
const block = 8

// encode writes the loops of EncodeCode and Set, with the operations of the
// portable code, none fused unless the product is exact, so that all tiers write
// the same rows (I2). Those of AVX2 do n components, a multiple of block.
func encode() {
	sumLoop()
	normaliseLoop()
	spreadLoop()
	quantiseLoop()
	widePart()
	packLoop("packBytes", 1)
	packLoop("packWords", 2)
}

// rounds writes a loop over the blocks of a parameter; p is a block's address.
func rounds(name string, body func(p GPVirtual)) {
	p, n := argument(name), argument("n")
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

// halves makes two registers of float64 of the 32-bit numbers in a register.
func halves(convert func(...Op), from, lo, hi int) {
	VEXTRACTF128(Imm(1), ymm[from], xmm[hi])
	convert(xmm[from], ymm[lo])
	convert(xmm[hi], ymm[hi])
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
	rounds("v", func(p GPVirtual) {
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
	rounds("v", func(p GPVirtual) {
		scaled(p)
		VMOVUPS(Y8, Mem{Base: dst})
		ADDQ(U32(4*block), dst)
	})
	finish()
}

const (
	spreadArgs   = "func(residuals, v *float32, n int, inv float64, mean float32, squares *[8]float64) (lo, hi float32)"
	quantiseArgs = "func(codes *byte, residuals *float32, n int, step, scale float32, zero int32, sum *[8]int32, squares, misses *[8]float64)"
)

func spreadLoop() {
	TEXT("spreadAVX2", NOSPLIT, spreadArgs)
	VBROADCASTSD(param("inv"), Y15)
	VBROADCASTSS(param("mean"), Y14)
	infinities(Y0, Y1)
	zeros(Y2, Y3)
	residuals := argument("residuals")
	rounds("v", func(p GPVirtual) {
		scaled(p)
		VSUBPS(Y14, Y8, Y8)
		VMOVUPS(Y8, Mem{Base: residuals})
		ADDQ(U32(4*block), residuals)
		VMINPS(Y8, Y0, Y0)
		VMAXPS(Y8, Y1, Y1)
		halves(VCVTPS2PD, 8, 10, 11)
		VFMADD231PD(Y10, Y10, Y2)
		VFMADD231PD(Y11, Y11, Y3)
	})
	extremes()
	results("squares", Y2, Y3)
	finish()
}

// infinities sets what the smallest and the largest component are looked for from.
func infinities(lo, hi VecPhysical) {
	for _, e := range []struct {
		bits uint32
		to   VecPhysical
	}{{0x7f800000, lo}, {0xff800000, hi}} {
		r := GP32()
		MOVL(U32(e.bits), r)
		VMOVD(r, X8)
		VBROADCASTSS(X8, e.to)
	}
}

// extremes returns the smallest number in Y0 and the largest in Y1.
func extremes() {
	for i, op := range []func(...Op){VMINPS, VMAXPS} {
		VEXTRACTF128(Imm(1), ymm[i], X8)
		op(X8, xmm[i], xmm[i])
		VPERMILPS(Imm(0b01_00_11_10), xmm[i], X8)
		op(X8, xmm[i], xmm[i])
		VPERMILPS(Imm(0b10_11_00_01), xmm[i], X8)
		op(X8, xmm[i], xmm[i])
	}
	VMOVSS(X0, result("lo"))
	VMOVSS(X1, result("hi"))
}

// result is a result as a memory operand.
func result(name string) Mem {
	b, err := Return(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// limits sets the smallest and the largest number of steps whose codes, by adding
// the zero code, fit in a byte.
func limits(zero, lo, hi VecPhysical) {
	for _, l := range []struct {
		code int32
		to   VecPhysical
	}{{-128, lo}, {127, hi}} {
		r := GP32()
		MOVL(I32(l.code), r)
		VMOVD(r, X8)
		VPBROADCASTD(X8, l.to)
		VPSUBD(zero, l.to, l.to)
	}
}

func quantiseLoop() {
	TEXT("quantiseAVX2", NOSPLIT, quantiseArgs)
	VBROADCASTSS(param("step"), Y15)
	VBROADCASTSS(param("scale"), X14)
	VCVTPS2PD(X14, Y14)
	VBROADCASTSS(param("zero"), Y13)
	limits(Y13, Y11, Y12)
	zeros(Y0, Y1, Y2, Y3, Y4)
	codes := argument("codes")
	rounds("residuals", func(p GPVirtual) {
		VMULPS(Mem{Base: p}, Y15, Y10)
		VCVTPS2DQ(Y10, Y10)
		VPMAXSD(Y11, Y10, Y10)
		VPMINSD(Y12, Y10, Y10)
		VPADDD(Y13, Y10, Y9)
		VPADDD(Y9, Y4, Y4)
		VEXTRACTI128(Imm(1), Y9, X8)
		VPACKSSDW(X8, X9, X8)
		VPACKSSWB(X8, X8, X8)
		VMOVQ(X8, Mem{Base: codes})
		ADDQ(Imm(block), codes)
		halves(VCVTDQ2PD, 10, 8, 9)
		VFMADD231PD(Y8, Y8, Y0)
		VFMADD231PD(Y9, Y9, Y1)
		double(p, Y5, Y6)
		for i := range 2 { // what the codes miss
			VFNMADD231PD(Y14, ymm[8+i], ymm[5+i])
			VFMADD231PD(ymm[5+i], ymm[5+i], ymm[2+i])
		}
	})
	results("sum", Y4)
	results("squares", Y0, Y1)
	results("misses", Y2, Y3)
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
