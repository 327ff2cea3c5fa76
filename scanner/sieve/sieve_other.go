//go:build !amd64

package sieve

const (
	assembly = false
	block    = 0
)

func fastSift(*tables, []byte, *[MaxPlaces]uint32) (n, next int) { return 0, 0 }
