package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// transpose makes four columns of four rows of four numbers; the columns may be
// in the rows' registers.
func transpose(rows, columns, spare [4]VecPhysical) {
	VUNPCKLPS(rows[1], rows[0], spare[0])
	VUNPCKLPS(rows[3], rows[2], spare[1])
	VUNPCKHPS(rows[1], rows[0], spare[2])
	VUNPCKHPS(rows[3], rows[2], spare[3])
	VUNPCKLPD(spare[1], spare[0], columns[0])
	VUNPCKHPD(spare[1], spare[0], columns[1])
	VUNPCKLPD(spare[3], spare[2], columns[2])
	VUNPCKHPD(spare[3], spare[2], columns[3])
}

// gather loads the number at an offset of each of four rows.
func gather(rows []GPVirtual, offset int, to VecPhysical) {
	VMOVSS(Mem{Base: rows[0], Disp: offset}, to)
	for j := 1; j < groupRows; j++ {
		VINSERTPS(Imm(uint64(j<<4)), Mem{Base: rows[j], Disp: offset}, to, to)
	}
}

// store writes the lanes of X0 to the results of the group; in the last groups
// those only for which there are rows.
func (w walk) store(kind string) {
	out, left := argument("out"), argument("n")
	LEAQ(Mem{Base: out, Index: w.i, Scale: 4}, out)
	if kind == "last" {
		SUBQ(w.i, left)
		CMPQ(left, Imm(groupRows))
		JL(LabelRef("some"))
	}
	VMOVUPS(X0, Mem{Base: out})
	if kind != "last" {
		return
	}
	JMP(LabelRef("stored"))
	Label("some")
	VMOVSS(X0, Mem{Base: out})
	for j := 1; j < groupRows-1; j++ {
		CMPQ(left, Imm(uint64(j)))
		JE(LabelRef("stored"))
		VEXTRACTPS(Imm(uint64(j)), X0, Mem{Base: out, Disp: 4 * j})
	}
	Label("stored")
}
