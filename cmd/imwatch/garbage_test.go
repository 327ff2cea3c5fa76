//go:build linux

package main

import (
	"runtime"
	"testing"
)

// TestPercentFor: little in use leaves room for the least garbage, much for its half.
func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{0: 800, 4 << 20: 200, 5 << 20: 150, 16 << 20: 50, 100 << 20: 50} {
		if got := percentFor(8<<20, live); got != want {
			t.Errorf("%d bytes in use: %d %%, not %d", live, got, want)
		}
	}
	if live() == 0 {
		runtime.GC()
		if live() == 0 {
			t.Error("nothing is in use")
		}
	}
}
