#include "textflag.h"
#include "neon_arm64.h"

// 32 products of the query in V4, V5 with the row at reg, added to V(acc): the
// products of signed bytes fit in 16 bits, the sum of two of them might not.
#define MULTIPLY(reg, acc) \
	VLD1.P 32(reg), [V6.B16, V7.B16] \
	SMULL(6, 4, 8)  \
	SMULL2(6, 4, 9) \
	SADALP(8, acc)  \
	SADALP(9, acc)  \
	SMULL(7, 5, 8)  \
	SMULL2(7, 5, 9) \
	SADALP(8, acc)  \
	SADALP(9, acc)

#define DOT(reg, acc) \
	VLD1.P 32(reg), [V6.B16, V7.B16] \
	SDOT(6, 4, acc) \
	SDOT(7, 5, acc)

#define FETCH(reg) \
	PRFM (reg), PLDL2KEEP \
	ADD  $64, reg

// func codesNEON(out *float32, rows *uintptr, n, ahead, lines int, q *byte, k *codeConstants, sdot bool)
//
// R0 out, R1 rows, R2 rows left, R3 ahead, R4 lines, R5 query; V16 to V24 the
// constants in their order.
TEXT ·codesNEON(SB), NOSPLIT, $0-57
	MOVD    out+0(FP), R0
	MOVD    rows+8(FP), R1
	MOVD    n+16(FP), R2
	MOVD    ahead+24(FP), R3
	MOVD    lines+32(FP), R4
	MOVD    q+40(FP), R5
	MOVD    k+48(FP), R6
	ADD     $32, R5
	VLD1R.P 4(R6), [V16.S4]
	VLD1R.P 4(R6), [V17.S4]
	VLD1R.P 4(R6), [V18.S4]
	VLD1R.P 4(R6), [V19.S4]
	VLD1R.P 4(R6), [V20.S4]
	VLD1R.P 4(R6), [V21.S4]
	VLD1R.P 4(R6), [V22.S4]
	VLD1R.P 4(R6), [V23.S4]
	VLD1R   (R6), [V24.S4]

group:
	CMP  R3, R2
	BLE  compute
	ADD  R3<<3, R1, R7 // fetch the four rows that are ahead
	LDP  (R7), (R12, R13)
	LDP  16(R7), (R14, R15)
	MOVD R4, R7

fetch:
	FETCH(R12)
	FETCH(R13)
	FETCH(R14)
	FETCH(R15)
	SUBS $1, R7
	BNE  fetch

compute:
	LDP   (R1), (R8, R9)
	LDP   16(R1), (R10, R11)
	ADD   $32, R8
	ADD   $32, R9
	ADD   $32, R10
	ADD   $32, R11
	MOVD  R5, R12
	LSL   $1, R4, R7 // halves of lines, less the header
	SUB   $1, R7
	VEOR  V0.B16, V0.B16, V0.B16
	VEOR  V1.B16, V1.B16, V1.B16
	VEOR  V2.B16, V2.B16, V2.B16
	VEOR  V3.B16, V3.B16, V3.B16
	MOVBU sdot+56(FP), R13
	CBNZ  R13, dots

products:
	VLD1.P 32(R12), [V4.B16, V5.B16]
	MULTIPLY(R8, 0)
	MULTIPLY(R9, 1)
	MULTIPLY(R10, 2)
	MULTIPLY(R11, 3)
	SUBS   $1, R7
	BNE    products
	B      fold

dots:
	VLD1.P 32(R12), [V4.B16, V5.B16]
	DOT(R8, 0)
	DOT(R9, 1)
	DOT(R10, 2)
	DOT(R11, 3)
	SUBS   $1, R7
	BNE    dots

fold:
	VADDP V1.S4, V0.S4, V0.S4
	VADDP V3.S4, V2.S4, V2.S4
	VADDP V2.S4, V0.S4, V0.S4

	// Four headers, transposed: V1 scale, V2 zero, V3 sum, V4 mean, V5 rr.
	LDP   (R1), (R8, R9)
	LDP   16(R1), (R10, R11)
	VLD1  (R8), [V6.S4]
	VLD1  (R9), [V7.S4]
	VLD1  (R10), [V8.S4]
	VLD1  (R11), [V9.S4]
	VZIP1 V7.S4, V6.S4, V10.S4
	VZIP1 V9.S4, V8.S4, V11.S4
	VZIP2 V7.S4, V6.S4, V12.S4
	VZIP2 V9.S4, V8.S4, V13.S4
	VZIP1 V11.D2, V10.D2, V1.D2
	VZIP2 V11.D2, V10.D2, V2.D2
	VZIP1 V13.D2, V12.D2, V3.D2
	VZIP2 V13.D2, V12.D2, V4.D2
	ADD   $16, R8
	ADD   $16, R9
	ADD   $16, R10
	ADD   $16, R11
	VLD1  (R8), V5.S[0]
	VLD1  (R9), V5.S[1]
	VLD1  (R10), V5.S[2]
	VLD1  (R11), V5.S[3]

	// The formula at codeConstants, operation by operation.
	MUL(16, 2, 2)           // zero*usum
	VSUB V2.S4, V0.S4, V0.S4
	MUL(17, 3, 3)           // sum*uzero
	VSUB V3.S4, V0.S4, V0.S4
	SCVTF(0, 0)
	FMUL(1, 0, 0)           // T*scale
	FMUL(18, 0, 0)          // *factor
	FMUL(21, 5, 5)          // rr*rrFactor
	FADD(22, 5, 5)          // +base
	FSUB(19, 4, 1)          // mean-qmean
	FMUL(1, 1, 1)
	FMUL(20, 1, 1)          // *devFactor
	FADD(1, 5, 5)
	FMUL(23, 4, 4)          // mean*meanFactor
	FADD(4, 5, 5)
	FSUB(0, 5, 0)
	FMAX(24, 0, 0)

	ADD    $32, R1
	CMP    $4, R2
	BLT    some
	VST1.P [V0.S4], 16(R0)
	SUBS   $4, R2
	BNE    group
	RET

some:
	VST1.P V0.S[0], 4(R0)
	CMP    $1, R2
	BEQ    done
	VST1.P V0.S[1], 4(R0)
	CMP    $2, R2
	BEQ    done
	VST1   V0.S[2], (R0)

done:
	RET
