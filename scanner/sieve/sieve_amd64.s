#include "textflag.h"

DATA lowNibbles<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibbles<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibbles<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibbles<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL lowNibbles<>(SB), RODATA|NOPTR, $32

// func sift(v *tables, data *byte, n int, places *uint32) (found, next int)
//
// For 64 places at a time: the low and the high nibble of each of the next four
// bytes select a set of buckets; a bucket that is in all eight sets marks the
// place. Of the marked places those are noted whose window has its bit set in
// the map. It ends behind the last whole block, or when the list may be full.
TEXT ·sift(SB), NOSPLIT, $0-48
	MOVQ v+0(FP), DI
	MOVQ data+8(FP), SI
	MOVQ n+16(FP), DX
	MOVQ places+24(FP), R8
	VBROADCASTI128 0(DI), Y0
	VBROADCASTI128 16(DI), Y1
	VBROADCASTI128 32(DI), Y2
	VBROADCASTI128 48(DI), Y3
	VBROADCASTI128 64(DI), Y4
	VBROADCASTI128 80(DI), Y5
	VBROADCASTI128 96(DI), Y6
	VBROADCASTI128 112(DI), Y7
	MOVL 128(DI), R12
	VMOVDQU lowNibbles<>(SB), Y8
	VPXOR Y13, Y13, Y13
	XORQ CX, CX
	XORQ R9, R9
	SUBQ $67, DX

block:
	CMPQ CX, DX
	JGT  done
	CMPQ R9, $960 // room for 64 more of 1,024
	JGT  done
	VMOVDQU 0(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y0, Y9
	VPSHUFB Y10, Y1, Y10
	VPAND   Y10, Y9, Y11
	VMOVDQU 1(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y2, Y9
	VPSHUFB Y10, Y3, Y10
	VPAND   Y10, Y9, Y9
	VPAND   Y9, Y11, Y11
	VMOVDQU 2(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y4, Y9
	VPSHUFB Y10, Y5, Y10
	VPAND   Y10, Y9, Y9
	VPAND   Y9, Y11, Y11
	VMOVDQU 3(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y6, Y9
	VPSHUFB Y10, Y7, Y10
	VPAND   Y10, Y9, Y9
	VPAND   Y9, Y11, Y11
	VPCMPEQB Y13, Y11, Y11
	VPMOVMSKB Y11, AX
	VMOVDQU 32(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y0, Y9
	VPSHUFB Y10, Y1, Y10
	VPAND   Y10, Y9, Y11
	VMOVDQU 33(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y2, Y9
	VPSHUFB Y10, Y3, Y10
	VPAND   Y10, Y9, Y9
	VPAND   Y9, Y11, Y11
	VMOVDQU 34(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y4, Y9
	VPSHUFB Y10, Y5, Y10
	VPAND   Y10, Y9, Y9
	VPAND   Y9, Y11, Y11
	VMOVDQU 35(SI)(CX*1), Y9
	VPSRLW  $4, Y9, Y10
	VPAND   Y8, Y9, Y9
	VPAND   Y8, Y10, Y10
	VPSHUFB Y9, Y6, Y9
	VPSHUFB Y10, Y7, Y10
	VPAND   Y10, Y9, Y9
	VPAND   Y9, Y11, Y11
	VPCMPEQB Y13, Y11, Y11
	VPMOVMSKB Y11, BX
	SHLQ $32, BX
	ORQ  BX, AX
	NOTQ AX
	TESTQ AX, AX
	JZ   next

mark:
	BSFQ AX, R10
	ADDQ CX, R10
	MOVL (SI)(R10*1), R11
	ANDL R12, R11
	IMUL3L $0x9E3779B1, R11, R11
	SHRL $16, R11
	MOVL R11, R13
	SHRL $3, R13
	MOVBLZX 144(DI)(R13*1), R13
	ANDL $7, R11
	MOVL R10, (R8)(R9*4)
	BTL  R11, R13
	ADCQ $0, R9
	LEAQ -1(AX), R13
	ANDQ R13, AX
	JNZ  mark

next:
	ADDQ $64, CX
	JMP  block

done:
	VZEROUPPER
	MOVQ R9, found+32(FP)
	MOVQ CX, next+40(FP)
	RET
