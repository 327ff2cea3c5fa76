//go:build !amd64

package sieve

var kernels []kernel
