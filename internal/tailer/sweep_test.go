package tailer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkSweep looks at 10,000 files in 1,000 directories, which nothing
// happens to.
func BenchmarkSweep(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		p := filepath.Join(dir, fmt.Sprintf("d%03d", i%1000), fmt.Sprintf("app-%05d.log", i))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("a line\n"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	x, err := New(Options{Sources: []Source{{Name: "s", Paths: []string{filepath.Join(dir, "**/*.log")}}}}, func(c *Chunk) (int, error) { return len(c.Data), nil }, func() {})
	if err != nil {
		b.Fatal(err)
	}
	t := x.t
	t.sweeper = time.NewTimer(time.Hour)
	t.watch = newWatcher(t.notice)
	defer t.watch.close()
	t.sweep()
	t.swept = true
	for b.Loop() {
		t.sweep()
	}
	for _, g := range t.all {
		g.close()
	}
}
