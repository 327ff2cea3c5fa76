//go:build !amd64

package sieve

var kernels = []kernel{portable}

func (kernel) sift(*tables, []byte, *[MaxPlaces]uint32) (n, next int) { return 0, 0 }
