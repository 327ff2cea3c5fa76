package sieve

import "golang.org/x/sys/cpu"

// kernels are the sifting functions in sieve_amd64.s that can run here, the fastest first.
var kernels = func() (list []kernel) {
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VBMI && x.HasAVX512VBMI2 && x.HasBMI1 && x.HasPOPCNT {
		list = append(list, sift512)
	}
	if x.HasAVX2 && x.HasBMI1 && x.HasPOPCNT {
		list = append(list, sift)
	}
	return list
}()

//go:noescape
func sift(v *tables, data *byte, n int, places *uint32) (found, next int)

//go:noescape
func sift512(v *tables, data *byte, n int, places *uint32) (found, next int)
