package sieve

import "golang.org/x/sys/cpu"

// assembly tells whether the assembly can run here.
var assembly = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

// A block and the three bytes behind it that its last windows reach into.
const block = 64 + Window - 1

// fastSift is Sift 64 bytes at a time. data has at least block bytes; what
// is left behind the last block is not looked at.
func fastSift(v *tables, data []byte, places *[MaxPlaces]uint32) (n, next int) {
	return sift(v, &data[0], len(data), &places[0])
}

// sift is in sieve_amd64.s.
//
//go:noescape
func sift(v *tables, data *byte, n int, places *uint32) (found, next int)
