//go:build linux

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// A daemon's memory is worth more than the little time that collecting it takes, for much
// of what it has is kept for each file. But the collector waits for at least leastGarbage.
const (
	leastGarbage = 8 << 20 // bytes
	leastPercent = 50      // of what is in use
	mostPercent  = 200     // with which the runtime lets a heap grow to 8 MiB, however little is in use
)

// collectByUse sets the collector's percentage by what is in use, after each
// collection anew. The environment stands above it.
func collectByUse() {
	if os.Getenv("GOGC") != "" {
		return
	}
	percent := 0
	type dead struct{ _ *byte } // with a pointer: else the runtime may put it beside what lives
	var look func(*dead)
	look = func(*dead) {
		if now := percentFor(live()); now != percent {
			percent = now
			debug.SetGCPercent(now)
		}
		runtime.SetFinalizer(new(dead), look) // the next collection finds it
	}
	look(nil)
}

// percentFor returns the percentage for so many bytes in use, in steps that small changes
// don't move.
func percentFor(live uint64) int {
	const step = 25
	return min(mostPercent, max(leastPercent, int(leastGarbage*100/max(live, 1))/step*step))
}

// live returns how many bytes the last collection left.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
