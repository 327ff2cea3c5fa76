//go:build linux

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// A daemon's memory is worth more than the little time that collecting it takes: much of
// what it has is kept for each file. But it collects for leastGarbage at once.
const (
	leastGarbage   = 8 << 20 // bytes
	garbagePercent = 50      // of what is in use, where that is more
)

// collectFor makes the collector wait for so much garbage. It looks again after each
// collection: what is in use grows with the files. The environment stands above it.
func collectFor(least uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	percent := 0
	var look func(*[16]byte)
	look = func(*[16]byte) {
		if now := percentFor(least, live()); now != percent {
			percent = now
			debug.SetGCPercent(now)
		}
		runtime.SetFinalizer(new([16]byte), look) // which the next collection finds
	}
	look(nil)
}

// percentFor returns the collector's percentage, in steps that small changes don't move.
func percentFor(least, live uint64) int {
	const step = 25
	return max(garbagePercent, int(least*100/max(live, 1<<20))/step*step)
}

// live returns how many bytes the last collection left.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
