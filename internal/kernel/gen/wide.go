package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// pair is the number of components that one round of an encoding loop in AVX-512
// does: two blocks, the first before the second in every lane. They are one
// register of float32 and two of float64.
const pair = 2 * block

// widePart writes the loops of EncodeCode and Set in AVX-512, for any n > 0.
func widePart() {
	wideSums()
	wideNormalise()
	wideSpread()
	wideQuantise()
}

// part says which components of a pair there are: all of them, or those of K1 of
// float32, and of K1 and K2 of float64. The others count as zero where sums are
// made, and are in memory neither read nor written.
type part bool

const (
	whole part = false
	rest  part = true
)

// pairs writes a loop over the pairs of a parameter, and what is left of it; p is
// a pair's address.
func pairs(name string, body func(p GPVirtual, k part)) {
	p, n := argument(name), argument("n")
	SUBQ(Imm(pair), n)
	JL(LabelRef("rest"))
	Label("round")
	body(p, whole)
	ADDQ(Imm(4*pair), p)
	SUBQ(Imm(pair), n)
	JGE(LabelRef("round"))
	Label("rest")
	ADDQ(Imm(pair), n)
	JZ(LabelRef("done"))
	ones := GP64()
	MOVQ(I64(-1), ones)
	BZHIQ(n, ones, ones)
	KMOVW(ones.As32(), K1)
	KSHIFTRW(Imm(block), K1, K2)
	body(p, rest)
	Label("done")
}

// kept does an operation that leaves its result as it was for components not
// there.
func (k part) kept(op func(...Op), ops ...Op) {
	if last := len(ops) - 1; k == rest {
		ops = append(ops[:last:last], K1, ops[last])
	}
	op(ops...)
}

// double loads a pair as float64.
func (k part) double(p GPVirtual, first, second VecPhysical) {
	if k == rest {
		VCVTPS2PD_Z(Mem{Base: p}, K1, first)
		VCVTPS2PD_Z(Mem{Base: p, Disp: 4 * block}, K2, second)
		return
	}
	VCVTPS2PD(Mem{Base: p}, first)
	VCVTPS2PD(Mem{Base: p, Disp: 4 * block}, second)
}

// single loads a pair as float32.
func (k part) single(p GPVirtual, to VecPhysical) {
	if k == rest {
		VMOVUPS_Z(Mem{Base: p}, K1, to)
		return
	}
	VMOVUPS(Mem{Base: p}, to)
}

// scaled loads a pair times inv, in Z31, rounded to float32, into Z16.
func (k part) scaled(p GPVirtual) {
	k.double(p, Z16, Z17)
	VMULPD(Z31, Z16, Z16)
	VMULPD(Z31, Z17, Z17)
	VCVTPD2PS(Z16, Y16)
	VCVTPD2PS(Z17, Y17)
	VINSERTF64X4(Imm(1), Y17, Z16, Z16)
}

func wideSums() {
	TEXT("sumsAVX512", NOSPLIT, "func(v *float32, n int, sum, squares *[8]float64)")
	zeros(X0, X1)
	pairs("v", func(p GPVirtual, k part) {
		k.double(p, Z16, Z17)
		VADDPD(Z16, Z0, Z0)
		VFMADD231PD(Z16, Z16, Z1)
		VADDPD(Z17, Z0, Z0)
		VFMADD231PD(Z17, Z17, Z1)
	})
	results("sum", Z0)
	results("squares", Z1)
	finish()
}

func wideNormalise() {
	TEXT("normaliseAVX512", NOSPLIT, "func(dst, v *float32, n int, inv float64)")
	VBROADCASTSD(param("inv"), Z31)
	dst := argument("dst")
	pairs("v", func(p GPVirtual, k part) {
		k.scaled(p)
		k.kept(VMOVUPS, Z16, Mem{Base: dst})
		ADDQ(Imm(4*pair), dst)
	})
	finish()
}

func wideSpread() {
	TEXT("spreadAVX512", NOSPLIT, spreadArgs)
	VBROADCASTSD(param("inv"), Z31)
	VBROADCASTSS(param("mean"), Z30)
	infinities(Z0, Z1)
	zeros(X2)
	residuals := argument("residuals")
	pairs("v", func(p GPVirtual, k part) {
		k.scaled(p)
		VSUBPS(Z30, Z16, Z16)
		k.kept(VMOVUPS, Z16, Mem{Base: residuals})
		k.kept(VMINPS, Z16, Z0, Z0)
		k.kept(VMAXPS, Z16, Z1, Z1)
		k.double(residuals, Z18, Z19)
		VFMADD231PD(Z18, Z18, Z2)
		VFMADD231PD(Z19, Z19, Z2)
		ADDQ(Imm(4*pair), residuals)
	})
	for i, op := range []func(...Op){VMINPS, VMAXPS} {
		VEXTRACTF64X4(Imm(1), zmm[i], Y8)
		op(Y8, ymm[i], ymm[i])
	}
	extremes()
	results("squares", Z2)
	finish()
}

func wideQuantise() {
	TEXT("quantiseAVX512", NOSPLIT, quantiseArgs)
	VBROADCASTSS(param("step"), Z31)
	VBROADCASTSS(param("scale"), Y30)
	VCVTPS2PD(Y30, Z30)
	VBROADCASTSS(param("zero"), Z29)
	limits(Z29, Z27, Z28)
	zeros(X0, X1, X2)
	codes := argument("codes")
	pairs("residuals", func(p GPVirtual, k part) {
		k.single(p, Z16)
		VMULPS(Z31, Z16, Z16)
		VCVTPS2DQ(Z16, Z16)
		VPMAXSD(Z27, Z16, Z16)
		if k == rest { // no steps where there is no component
			VPMINSD_Z(Z28, Z16, K1, Z16)
		} else {
			VPMINSD(Z28, Z16, Z16)
		}
		VPADDD(Z29, Z16, Z17)
		k.kept(VPADDD, Z17, Z2, Z2)
		k.kept(VPMOVSDB, Z17, Mem{Base: codes})
		ADDQ(Imm(pair), codes)
		VEXTRACTI64X4(Imm(1), Z16, Y17)
		k.double(p, Z18, Z19)
		for i := range 2 {
			VCVTDQ2PD(zmm[16+i].AsY(), zmm[16+i])
			VFMADD231PD(zmm[16+i], zmm[16+i], Z0)
			VFNMADD231PD(Z30, zmm[16+i], zmm[18+i]) // what the codes miss
			VFMADD231PD(zmm[18+i], zmm[18+i], Z1)
		}
	})
	VEXTRACTI64X4(Imm(1), Z2, Y3)
	VPADDD(Y3, Y2, Y2)
	results("sum", Y2)
	results("squares", Z0)
	results("misses", Z1)
	finish()
}
