package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// slacks writes the function that computes the error bounds of code rows, by
// the formula at slackConstants, four rows at a time.
func slacks() {
	TEXT("slacksAVX2", NOSPLIT, "func(out *float32, "+rowArgs+", k *byte)")
	w, k := newWalk(), argument("k")
	// Constants 0 to 7 in X8 to X15.
	for i := range 8 {
		VBROADCASTSS(Mem{Base: k, Disp: 4 * i}, xmm[8+i])
	}
	Label("group")
	rows := addresses(w.i, groupRows)
	// Second halves of four headers, transposed: rr, norm, resid, rnorm in X0
	// to X3, mean in X4.
	for j, r := range rows {
		VMOVUPS(Mem{Base: r, Disp: 16}, xmm[j])
	}
	transpose([4]VecPhysical{X0, X1, X2, X3}, [4]VecPhysical{X0, X1, X2, X3}, [4]VecPhysical{X4, X5, X6, X7})
	gather(rows, 12, X4)
	VSUBPS(X8, X4, X4)
	VPCMPEQD(X7, X7, X7)
	VPSRLD(Imm(1), X7, X7) // all but the sign
	VANDPS(X7, X4, X4)     // dev
	VMULPS(X4, X4, X5)
	VFMADD231PS(X9, X5, X0) // rr + dim*dev²
	VMULPS(X12, X0, X0)
	VFMADD231PS(X10, X3, X0)
	VFMADD231PS(X11, X2, X0)
	VFMADD231PS(X13, X1, X0)
	VFMADD231PS(X14, X4, X0)
	VADDPS(X15, X0, X0)
	w.store("last")
	ADDQ(Imm(groupRows), w.i)
	CMPQ(w.i, param("n"))
	JL(LabelRef("group"))
	RET()
}
