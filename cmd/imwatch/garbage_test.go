//go:build linux

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

// TestPercentFor: little in use leaves room for the least garbage, much for half of it.
func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{0: 200, 4 << 20: 200, 5 << 20: 150, 16 << 20: 50, 100 << 20: 50} {
		if got := percentFor(live); got != want {
			t.Errorf("%d bytes in use: %d %%, not %d", live, got, want)
		}
	}
}

// TestCollectByUse: the collector's goal follows what is in use.
func TestCollectByUse(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	t.Setenv("GOGC", "") // the program's own choice
	if err := os.Unsetenv("GOGC"); err != nil {
		t.Fatal(err)
	}
	collectByUse()
	much := make([]byte, 64<<20)
	read := func(name string) int64 {
		sample := []metrics.Sample{{Name: name}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	for range 1000 { // the finalizer runs soon after a collection
		runtime.GC()
		if read("/gc/gogc:percent") == leastPercent {
			break
		}
		runtime.Gosched()
	}
	if got := read("/gc/gogc:percent"); got != leastPercent {
		t.Errorf("%d %% with %d bytes in use", got, read("/gc/heap/live:bytes"))
	}
	runtime.KeepAlive(much)
}
