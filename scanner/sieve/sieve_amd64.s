#include "go_asm.h"
#include "textflag.h"

DATA lowNibbles<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibbles<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibbles<>+16(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA lowNibbles<>+24(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL lowNibbles<>(SB), RODATA|NOPTR, $32

DATA counting<>+0(SB)/8, $0x0706050403020100
DATA counting<>+8(SB)/8, $0x0f0e0d0c0b0a0908
DATA counting<>+16(SB)/8, $0x1716151413121110
DATA counting<>+24(SB)/8, $0x1f1e1d1c1b1a1918
DATA counting<>+32(SB)/8, $0x2726252423222120
DATA counting<>+40(SB)/8, $0x2f2e2d2c2b2a2928
DATA counting<>+48(SB)/8, $0x3736353433323130
DATA counting<>+56(SB)/8, $0x3f3e3d3c3b3a3938
GLOBL counting<>(SB), RODATA|NOPTR, $64

// KEEP keeps a place of the list if the map has its window. BX is the end of the list, DX minus
// how many places are left, AX the shift that leaves of a hash which word of the map it is.
#define KEEP(at) \
	MOVL  at(BX)(DX*4), R10; \
	ANDNL (SI)(R10*1), R12, R11; \
	IMUL3L $0x9E3779B1, R11, R11; \
	SHRXL AX, R11, R13; \
	SHRL  $15, R11; \
	MOVL  tables_bits(DI)(R13*4), R13; \
	MOVL  R10, (R8)(R9*4); \
	BTL   R11, R13; \
	ADCQ  $0, R9

// What both kernels share. Registers: DI the tables, SI the data, DX the last place where a
// block can be, R8 the list of places, R9 how many are in it, R12 the bits of a window that
// the bit map ignores, CX where the block is.
#define BEGIN \
	MOVQ v+0(FP), DI; \
	MOVQ data+8(FP), SI; \
	MOVQ n+16(FP), DX; \
	MOVQ places+24(FP), R8; \
	MOVL tables_ignored(DI), R12; \
	XORQ CX, CX; \
	XORQ R9, R9; \
	SUBQ $const_block, DX

// BLOCK begins the loop over the blocks; the list must have room for one.
#define BLOCK \
block: \
	CMPQ CX, DX; \
	JGT  done; \
	CMPQ R9, $(const_MaxPlaces-64); \
	JGT  done

// REST writes the places that AX still marks, of the block before CX, to R10, and goes on
// with the next block. Behind the last one it keeps of the list those places whose window
// has its bit set in the map, and returns. The map is read 32 bits at a time: of the 17 bits
// of a hash, the upper 12 say which, the lower 5 the bit in it.
#define REST \
more: \
	TZCNTQ AX, R11; \
	LEAL -64(R11)(CX*1), R11; \
	MOVL R11, (R10); \
	ADDQ $4, R10; \
	BLSRQ AX, AX; \
	JNZ  more; \
	JMP  block; \
done: \
	VZEROUPPER; \
	LEAQ (R8)(R9*4), BX; \
	MOVQ R9, DX; \
	XORQ R9, R9; \
	NEGQ DX; \
	JZ   end; \
	MOVL $20, AX; \
	TESTQ $1, DX; \
	JZ   keep; \
	DECQ DX; \
	JMP  odd; \
keep: \
	KEEP(0); \
odd: \
	KEEP(4); \
	ADDQ $2, DX; \
	JNZ  keep; \
end: \
	MOVQ R9, found+32(FP); \
	MOVQ CX, next+40(FP); \
	RET

// FIVE sets Y13 to the buckets that the bytes at a place select by bits 0 to 4: bit 4 says
// which row, the others where in it. VPSHUFB and VPBLENDVB ask the highest bit, so Y9 keeps
// only the low nibble, and a shift brings bit 4 up.
#define FIVE(at, row0, row1) \
	VMOVDQU at(SI)(CX*1), Y10; \
	VPSLLW  $3, Y10, Y11; \
	VPAND   Y9, Y10, Y10; \
	VPSHUFB Y10, row0, Y13; \
	VPSHUFB Y10, row1, Y14; \
	VPBLENDVB Y11, Y14, Y13, Y13

// FOUR does it by the low nibble alone.
#define FOUR(at, row) \
	VPAND   at(SI)(CX*1), Y9, Y10; \
	VPSHUFB Y10, row, Y13

// SIX does it with four rows: bit 6 says whether it is one of the upper two. Registers hold
// row0 and row3; the others are read from the tables.
#define SIX(at, row0, row1, row2, row3) \
	VMOVDQU at(SI)(CX*1), Y10; \
	VPSLLW  $3, Y10, Y11; \
	VPADDB  Y10, Y10, Y12; \
	VPAND   Y9, Y10, Y10; \
	VPSHUFB Y10, row0, Y13; \
	VBROADCASTI128 row2(DI), Y14; \
	VPSHUFB Y10, Y14, Y14; \
	VPBLENDVB Y12, Y14, Y13, Y13; \
	VBROADCASTI128 row1(DI), Y14; \
	VPSHUFB Y10, Y14, Y14; \
	VPSHUFB Y10, row3, Y10; \
	VPBLENDVB Y12, Y10, Y14, Y14; \
	VPBLENDVB Y11, Y14, Y13, Y13

// REFUSED sets the bits of those places, of the 32 from at, that no bucket lets pass.
#define REFUSED(at, places) \
	SIX(at, Y0, (tables_rows+16), (tables_rows+32), Y1); \
	VMOVDQA Y13, Y8; \
	FIVE((at+1), Y2, Y3); \
	VPAND   Y13, Y8, Y8; \
	FOUR((at+2), Y4); \
	VPAND   Y13, Y8, Y8; \
	SIX((at+3), Y5, (tables_rows+208), (tables_rows+224), Y6); \
	VPAND   Y13, Y8, Y8; \
	VPCMPEQB Y15, Y8, Y8; \
	VPMOVMSKB Y8, places

// WRITE writes the next place that AX marks to the list.
#define WRITE(to) \
	TZCNTQ AX, R11; \
	ADDL   CX, R11; \
	MOVL   R11, to(R10); \
	BLSRQ  AX, AX

// func sift256(v *tables, data *byte, n int, places *uint32) (found, next int)
//
// For 64 places at a time: each of the next four bytes selects a set of buckets, by what the
// grain fewBits knows of it; a bucket that is in all four marks the place. It ends behind the
// last whole block, or when the list may be full. Of the marked places those are kept whose
// window has its bit set in the map.
//
// Neither half branches on how many places are marked, unless it is more than four in a
// block, as in one of 300 with the built-in rules, or more than ten where R13 says that there
// are many: a wrong guess costs as much as several places.
TEXT ·sift256(SB), NOSPLIT, $0-48
	BEGIN
	VBROADCASTI128 (tables_rows+0)(DI), Y0
	VBROADCASTI128 (tables_rows+48)(DI), Y1
	VBROADCASTI128 (tables_rows+64)(DI), Y2
	VBROADCASTI128 (tables_rows+80)(DI), Y3
	VBROADCASTI128 (tables_rows+128)(DI), Y4
	VBROADCASTI128 (tables_rows+192)(DI), Y5
	VBROADCASTI128 (tables_rows+240)(DI), Y6
	VMOVDQU lowNibbles<>(SB), Y9
	VPXOR Y15, Y15, Y15
	MOVL tables_many(DI), R13

	BLOCK
	REFUSED(0, AX)
	REFUSED(32, BX)
	SHLQ $32, BX
	ORQ  BX, AX
	NOTQ AX
	POPCNTQ AX, BX
	LEAQ (R8)(R9*4), R10
	WRITE(0)
	WRITE(4)
	WRITE(8)
	WRITE(12)
	ADDQ $16, R10
	TESTL R13, R13
	JZ   few
	WRITE(0)
	WRITE(4)
	WRITE(8)
	WRITE(12)
	WRITE(16)
	WRITE(20)
	ADDQ $24, R10
few:
	ADDQ BX, R9
	ADDQ $64, CX
	TESTQ AX, AX
	JZ   block

	REST

// func sift512(v *tables, data *byte, n int, places *uint32) (found, next int)
//
// The same with the instructions of AVX-512: a byte selects its set of buckets at once,
// by its lower seven bits, and what is marked is written to the list in one step, unless
// it is more than sixteen.
TEXT ·sift512(SB), NOSPLIT, $0-48
	BEGIN
	VMOVDQU8 (tables_bytes+0)(DI), Z0
	VMOVDQU8 (tables_bytes+64)(DI), Z1
	VMOVDQU8 (tables_bytes+128)(DI), Z2
	VMOVDQU8 (tables_bytes+192)(DI), Z3
	VMOVDQU8 (tables_bytes+256)(DI), Z4
	VMOVDQU8 (tables_bytes+320)(DI), Z5
	VMOVDQU8 (tables_bytes+384)(DI), Z6
	VMOVDQU8 (tables_bytes+448)(DI), Z7
	VMOVDQU8 counting<>(SB), Z16
	VPXORQ Z17, Z17, Z17 // where the block is
	MOVL $64, AX
	VPBROADCASTD AX, Z18

	BLOCK
	VMOVDQU8 0(SI)(CX*1), Z8
	VMOVDQU8 1(SI)(CX*1), Z9
	VMOVDQU8 2(SI)(CX*1), Z10
	VMOVDQU8 3(SI)(CX*1), Z11
	VPERMI2B Z1, Z0, Z8
	VPERMI2B Z3, Z2, Z9
	VPERMI2B Z5, Z4, Z10
	VPERMI2B Z7, Z6, Z11
	VPANDQ Z9, Z8, Z8
	VPANDQ Z11, Z10, Z10
	VPTESTMB Z10, Z8, K1
	KMOVQ K1, AX
	VPCOMPRESSB.Z Z16, K1, Z12
	VPMOVZXBD X12, Z12
	VPADDD Z17, Z12, Z12
	VMOVDQU32 Z12, (R8)(R9*4)
	VPADDD Z18, Z17, Z17
	POPCNTQ AX, BX
	LEAQ (R8)(R9*4), R10
	ADDQ BX, R9
	ADDQ $64, CX
	CMPQ BX, $16
	JBE  block

	REST
