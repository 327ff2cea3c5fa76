package sieve

import "golang.org/x/sys/cpu"

// kernels are those that can run here, the fastest first.
var kernels = func() (list []kernel) {
	x := &cpu.X86
	common := x.HasAVX2 && x.HasBMI1 && x.HasBMI2 && x.HasPOPCNT
	if common && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VBMI && x.HasAVX512VBMI2 {
		list = append(list, avx512)
	}
	if common {
		list = append(list, avx2)
	}
	return append(list, portable)
}()

// sift runs a kernel that is not portable over data, which has block bytes at least.
func (k kernel) sift(v *tables, data []byte, places *[MaxPlaces]uint32) (n, next int) {
	if k == avx512 {
		return sift512(v, &data[0], len(data), &places[0])
	}
	return sift256(v, &data[0], len(data), &places[0])
}

//go:noescape
func sift256(v *tables, data *byte, n int, places *uint32) (found, next int)

//go:noescape
func sift512(v *tables, data *byte, n int, places *uint32) (found, next int)
