#include "textflag.h"
#include "neon_arm64.h"

// Both functions do one row after the other: component i of a row is added to
// one of four vectors of partial sums, whatever the number of rows (I1).
//
// R0 out, R1 rows, R2 rows left, R3 ahead, R5 query, R6 dim; in a row R7
// components left, R8 and R9 row and query.

#define ARGUMENTS \
	MOVD out+0(FP), R0    \
	MOVD rows+8(FP), R1   \
	MOVD n+16(FP), R2     \
	MOVD ahead+24(FP), R3 \
	MOVD dim+32(FP), R6   \
	MOVD q+40(FP), R5

// FETCH asks for the lines of the row that is ahead, if there is one.
#define FETCH(line, none) \
	CMP  R3, R2             \
	BLE  none               \
	MOVD (R1)(R3<<3), R8    \
	MOVD R6, R7             \
line:                    \
	PRFM (R8), PLDL2KEEP    \
	ADD  $64, R8            \
	SUBS $16, R7            \
	BGT  line               \
none:

#define BEGIN \
	MOVD.P 8(R1), R8            \
	MOVD   R5, R9               \
	MOVD   R6, R7               \
	VEOR   V0.B16, V0.B16, V0.B16 \
	VEOR   V1.B16, V1.B16, V1.B16 \
	VEOR   V2.B16, V2.B16, V2.B16 \
	VEOR   V3.B16, V3.B16, V3.B16

#define LOAD16 \
	VLD1.P 64(R8), [V4.S4, V5.S4, V6.S4, V7.S4]     \
	VLD1.P 64(R9), [V16.S4, V17.S4, V18.S4, V19.S4]

#define END \
	FADD(1, 0, 0)       \
	FADD(3, 2, 2)       \
	FADD(2, 0, 0)       \
	FADDP(0, 0, 0)      \
	FADDP(0, 0, 0)      \
	FMOVS.P F0, 4(R0)   \
	SUBS    $1, R2

// func dotNEON(out *float32, rows *uintptr, n, ahead, dim int, q *float32)
TEXT ·dotNEON(SB), NOSPLIT, $0-48
	ARGUMENTS

row:
	FETCH(line, none)
	BEGIN
	SUBS $16, R7
	BLT  rest

loop:
	LOAD16
	VFMLA V16.S4, V4.S4, V0.S4
	VFMLA V17.S4, V5.S4, V1.S4
	VFMLA V18.S4, V6.S4, V2.S4
	VFMLA V19.S4, V7.S4, V3.S4
	SUBS  $16, R7
	BGE   loop

rest:
	ADD $16, R7

four:
	SUBS   $4, R7
	BLT    tail
	VLD1.P 16(R8), [V4.S4]
	VLD1.P 16(R9), [V16.S4]
	VFMLA  V16.S4, V4.S4, V1.S4
	B      four

tail:
	ADD $4, R7

one: // a load of one component clears the other three
	SUBS    $1, R7
	BLT     end
	FMOVS.P 4(R8), F4
	FMOVS.P 4(R9), F16
	VFMLA   V16.S4, V4.S4, V2.S4
	B       one

end:
	END
	BNE row
	RET

// func l2NEON(out *float32, rows *uintptr, n, ahead, dim int, q *float32)
TEXT ·l2NEON(SB), NOSPLIT, $0-48
	ARGUMENTS

row:
	FETCH(line, none)
	BEGIN
	SUBS $16, R7
	BLT  rest

loop:
	LOAD16
	FSUB(4, 16, 4)
	FSUB(5, 17, 5)
	FSUB(6, 18, 6)
	FSUB(7, 19, 7)
	VFMLA V4.S4, V4.S4, V0.S4
	VFMLA V5.S4, V5.S4, V1.S4
	VFMLA V6.S4, V6.S4, V2.S4
	VFMLA V7.S4, V7.S4, V3.S4
	SUBS  $16, R7
	BGE   loop

rest:
	ADD $16, R7

four:
	SUBS   $4, R7
	BLT    tail
	VLD1.P 16(R8), [V4.S4]
	VLD1.P 16(R9), [V16.S4]
	FSUB(4, 16, 4)
	VFMLA  V4.S4, V4.S4, V1.S4
	B      four

tail:
	ADD $4, R7

one:
	SUBS    $1, R7
	BLT     end
	FMOVS.P 4(R8), F4
	FMOVS.P 4(R9), F16
	FSUB(4, 16, 4)
	VFMLA   V4.S4, V4.S4, V2.S4
	B       one

end:
	END
	BNE row
	RET
