//go:build !amd64

package scanner

const (
	fastSieve  = false
	sieveBlock = 0
)

func fastSift(*sieve, []byte, *[maxPlaces]uint32) (n, next int) { return 0, 0 }
