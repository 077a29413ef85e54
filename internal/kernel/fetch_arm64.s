#include "textflag.h"

// func fetchRows(rows *uintptr, n, lines int)
TEXT ·fetchRows(SB), NOSPLIT, $0-24
	MOVD rows+0(FP), R1
	MOVD n+8(FP), R2
	MOVD lines+16(FP), R4

row:
	MOVD.P 8(R1), R12
	MOVD   R4, R7

line:
	PRFM (R12), PLDL2KEEP
	ADD  $64, R12
	SUBS $1, R7
	BNE  line
	SUBS $1, R2
	BNE  row
	RET

// func prefetch(p unsafe.Pointer, lines int)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R1
	MOVD lines+8(FP), R4

next:
	SUBS $1, R4
	BLT  stop
	PRFM (R1), PLDL1KEEP
	ADD  $64, R1
	B    next

stop:
	RET
