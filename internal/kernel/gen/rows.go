package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// rowArgs are the parameters by which every function finds its rows: their
// addresses, of which there are n, made up to a multiple of groupRows by
// repeating the last.
const rowArgs = "rows *uintptr, n int"

const (
	lineSize  = 64 // bytes of a cache line
	groupRows = 4  // rows computed or fetched together, at most
)

// walk is the loop over the rows: they are computed in groups while the rows of
// a later group are fetched.
type walk struct {
	i GPVirtual // index of the first row of the group
}

func newWalk() walk {
	w := walk{GP64()}
	XORQ(w.i, w.i)
	return w
}

// argument loads a parameter into a new register.
func argument(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// param is a parameter as a memory operand.
func param(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// addresses loads the addresses of n rows from index at on.
func addresses(at GPVirtual, n int) []GPVirtual {
	list, rows := argument("rows"), make([]GPVirtual, n)
	for j := range rows {
		rows[j] = GP64()
		MOVQ(Mem{Base: list, Index: at, Scale: 8, Disp: 8 * j}, rows[j])
	}
	return rows
}

// pair returns the addresses of the rows of this group, and of the group whose
// rows are to be fetched meanwhile. If that is past the end it goes to label.
func (w walk) pair(n int, label string) (rows, next []GPVirtual) {
	at := argument("ahead")
	ADDQ(w.i, at)
	CMPQ(at, param("n"))
	JGE(LabelRef(label))
	next = addresses(at, n)
	return addresses(w.i, n), next
}

// fetch asks for a cache line that will be needed some rows later. It goes to
// the second level only: the first has too few buffers for lines under way.
func fetch(m Mem) { PREFETCHT1(m) }

// fetchRows writes the function that asks for the lines of a list of rows.
func fetchRows() {
	TEXT("fetchRows", NOSPLIT, "func("+rowArgs+", lines int)")
	w := newWalk()
	Label("group")
	rows, lines, off := addresses(w.i, groupRows), argument("lines"), GP64()
	XORQ(off, off)
	Label("line")
	for _, r := range rows {
		fetch(Mem{Base: r, Index: off, Scale: 1})
	}
	ADDQ(Imm(lineSize), off)
	DECQ(lines)
	JNZ(LabelRef("line"))
	ADDQ(Imm(groupRows), w.i)
	CMPQ(w.i, param("n"))
	JL(LabelRef("group"))
	RET()
}

// prefetch writes the function that asks for the lines of anything, at once to
// the first level: it will be needed soon.
func prefetch() {
	TEXT("prefetch", NOSPLIT, "func(p *byte, lines int)")
	p, lines := argument("p"), argument("lines")
	Label("next")
	SUBQ(Imm(1), lines)
	JL(LabelRef("done"))
	PREFETCHT0(Mem{Base: p})
	ADDQ(Imm(lineSize), p)
	JMP(LabelRef("next"))
	Label("done")
	RET()
}
