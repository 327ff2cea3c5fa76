package scanner

import "golang.org/x/sys/cpu"

// fastSieve tells whether the assembly can run here.
var fastSieve = cpu.X86.HasAVX2

// A block and the three bytes behind it that its last windows reach into.
const sieveBlock = 64 + window - 1

// fastSift is sift 64 bytes at a time. data has at least sieveBlock bytes; what
// is left behind the last block is not looked at.
func fastSift(v *sieve, data []byte, places *[maxPlaces]uint32) (n, next int) {
	return sift(v, &data[0], len(data), &places[0])
}

// sift is in sieve_amd64.s.
//
//go:noescape
func sift(v *sieve, data *byte, n int, places *uint32) (found, next int)
