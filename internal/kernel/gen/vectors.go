package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sums is the number of partial sums of a row. Vector i of a row goes to sum
// i%4, the last, partial one to sum 3, however many rows are computed together:
// so a distance does not depend on its neighbours in the list (I1).
const sums = 4

// vectorFunc writes one float32 function of one tier.
type vectorFunc struct {
	name  string
	lanes int // float32 components of a register
	group int // rows computed together
	l2    bool
}

// vectors writes the one-to-many functions on float32 rows.
func vectors() {
	tailMasks()
	for _, f := range []vectorFunc{
		{"dotAVX2", 8, 2, false},
		{"l2AVX2", 8, 2, true},
		{"dotAVX512", 16, 4, false},
		{"l2AVX512", 16, 4, true},
	} {
		f.function()
	}
}

// tailMasks is eight set words and eight clear ones, for VMASKMOVPS.
func tailMasks() {
	GLOBL("tailMasks", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(0xffffffff*uint32(1-i/8)))
	}
}

func (f vectorFunc) function() {
	TEXT(f.name, NOSPLIT, "func(out *float32, "+rowArgs+", ahead int, dim int, q *float32)")
	f.tailMask()
	w := newWalk()
	Label("group")
	rows, next := w.pair(f.group, "last")
	f.row("group", rows, next)
	f.store(w, f.group)
	JMP(LabelRef("group"))

	Label("last") // the groups whose rows have been asked for
	left := argument("n")
	SUBQ(w.i, left)
	CMPQ(left, U32(f.group))
	JL(LabelRef("singles"))
	f.row("last", addresses(w.i, f.group), nil)
	f.store(w, f.group)
	JMP(LabelRef("last"))

	Label("singles")
	CMPQ(w.i, param("n"))
	JGE(LabelRef("done"))
	f.row("single", addresses(w.i, 1), nil)
	f.store(w, 1)
	JMP(LabelRef("singles"))
	Label("done")
	VZEROUPPER()
	RET()
}

// tailMask prepares K1 or Y15 for the last, partial vector of a row.
func (f vectorFunc) tailMask() {
	rest := argument("dim")
	ANDQ(U32(f.lanes-1), rest)
	if f.lanes == 16 {
		ones := GP64()
		MOVQ(I64(-1), ones)
		BZHIQ(rest, ones, ones)
		KMOVW(ones.As32(), K1)
		return
	}
	table := Mem{Symbol: Symbol{Name: "tailMasks", Static: true}, Base: StaticBase}
	p := GP64()
	LEAQ(table, p)
	SHLQ(Imm(2), rest)
	SUBQ(rest, p)
	VMOVUPS(Mem{Base: p, Disp: 32}, Y15)
}

// reg returns vector register i in the size of the tier.
func (f vectorFunc) reg(i int) VecPhysical {
	if f.lanes == 16 {
		return zmm[i]
	}
	return ymm[i]
}

// sum returns the register of partial sum s of row j.
func (f vectorFunc) sum(j, s int) VecPhysical { return f.reg(sums*j + s) }

// scratch returns a register that is no sum.
func (f vectorFunc) scratch(i int) VecPhysical { return f.reg(sums*f.group + i) }

// row computes the given rows and fetches the lines of the next ones.
func (f vectorFunc) row(kind string, rows, next []GPVirtual) {
	for i := range sums * len(rows) {
		VXORPS(xmm[i], xmm[i], xmm[i])
	}
	size := 4 * f.lanes
	q, rest, off := argument("q"), argument("dim"), GP64()
	XORQ(off, off)
	SUBQ(U32(sums*f.lanes), rest)
	JL(LabelRef(kind + "_rest"))
	Label(kind + "_loop")
	for s := range sums {
		f.step(rows, next, q, off, s, s*size)
	}
	ADDQ(U32(sums*size), off)
	SUBQ(U32(sums*f.lanes), rest)
	JGE(LabelRef(kind + "_loop"))
	Label(kind + "_rest")
	ADDQ(U32(sums*f.lanes), rest)
	for s := range sums - 1 {
		SUBQ(U32(f.lanes), rest)
		JL(LabelRef(kind + "_tail"))
		f.step(rows, next, q, off, s, 0)
		ADDQ(U32(size), off)
	}
	SUBQ(U32(f.lanes), rest)
	Label(kind + "_tail")
	ADDQ(U32(f.lanes), rest)
	JZ(LabelRef(kind + "_done"))
	f.tail(rows, q, off)
	Label(kind + "_done")
	f.fold(len(rows))
}

// step adds one vector of each row to its partial sum s.
func (f vectorFunc) step(rows, next []GPVirtual, q, off GPVirtual, s, disp int) {
	if disp%lineSize == 0 {
		for j := range next {
			fetch(Mem{Base: next[j], Index: off, Scale: 1, Disp: disp})
		}
	}
	VMOVUPS(Mem{Base: q, Index: off, Scale: 1, Disp: disp}, f.scratch(0))
	for j, r := range rows {
		f.add(j, s, Mem{Base: r, Index: off, Scale: 1, Disp: disp})
	}
}

// tail adds the last components, fewer than a vector, to partial sum 3.
func (f vectorFunc) tail(rows []GPVirtual, q, off GPVirtual) {
	load := func(p GPVirtual, to VecPhysical) {
		m := Mem{Base: p, Index: off, Scale: 1}
		if f.lanes == 16 {
			VMOVUPS_Z(m, K1, to)
		} else {
			VMASKMOVPS(m, Y15, to)
		}
	}
	load(q, f.scratch(0))
	for j, r := range rows {
		load(r, f.scratch(2))
		f.add(j, sums-1, f.scratch(2))
	}
}

// add adds the products of the query in scratch 0 and x to a partial sum, or
// the squares of their difference.
func (f vectorFunc) add(j, s int, x Op) {
	if !f.l2 {
		VFMADD231PS(x, f.scratch(0), f.sum(j, s))
		return
	}
	VSUBPS(x, f.scratch(0), f.scratch(1))
	VFMADD231PS(f.scratch(1), f.scratch(1), f.sum(j, s))
}

// fold adds up the partial sums of each row, in the same order whatever the
// number of rows, into the lanes of X0.
func (f vectorFunc) fold(rows int) {
	for j := range rows {
		VADDPS(f.sum(j, 1), f.sum(j, 0), f.sum(j, 0))
		VADDPS(f.sum(j, 3), f.sum(j, 2), f.sum(j, 2))
		VADDPS(f.sum(j, 2), f.sum(j, 0), f.sum(j, 0))
		if f.lanes == 16 {
			VEXTRACTF64X4(Imm(1), zmm[sums*j], ymm[sums*j+1])
			VADDPS(ymm[sums*j+1], ymm[sums*j], ymm[sums*j])
		}
	}
	switch rows {
	case 1:
		VHADDPS(Y0, Y0, Y0)
		VHADDPS(Y0, Y0, Y0)
	case 2:
		VHADDPS(Y4, Y0, Y0)
		VHADDPS(Y0, Y0, Y0)
	case 4:
		VHADDPS(Y4, Y0, Y0)
		VHADDPS(Y12, Y8, Y8)
		VHADDPS(Y8, Y0, Y0)
	default:
		panic(fmt.Sprintf("fold of %d rows", rows))
	}
	VEXTRACTF128(Imm(1), Y0, X1)
	VADDPS(X1, X0, X0)
}

// store writes the results of the given number of rows and goes on to the next.
func (f vectorFunc) store(w walk, rows int) {
	out := argument("out")
	to := Mem{Base: out, Index: w.i, Scale: 4}
	switch rows {
	case 1:
		VMOVSS(X0, to)
	case 2:
		VMOVSD(X0, to)
	case 4:
		VMOVUPS(X0, to)
	}
	ADDQ(U32(rows), w.i)
}
