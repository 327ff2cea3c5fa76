package tailer

import (
	"context"
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
	t := byHand(b, Options{Sources: []Source{{Name: "s", Paths: []string{filepath.Join(dir, "**/*.log")}}}}, func(c *Chunk) (int, error) { return len(c.Data), nil })
	for b.Loop() {
		t.sweep()
	}
}

// byHand is a tailer that has swept once and whose sweeps and turns are called
// by the test.
func byHand(tb testing.TB, o Options, handle Handler) *tailer {
	tb.Helper()
	x, err := New(o, handle, func() {})
	if err != nil {
		tb.Fatal(err)
	}
	t := x.parts[0]
	t.sweeper, t.idle, t.turns = time.NewTimer(time.Hour), t.o.Workers, make(chan turn, t.o.Workers)
	t.watch = newWatcher(t.notice)
	tb.Cleanup(func() {
		t.watch.close()
		for _, g := range t.all {
			g.close()
		}
	})
	t.sweep()
	t.swept = true
	return t
}

// turnAll gives turns until nobody is ready for one.
func (t *tailer) turnAll(tb testing.TB) {
	tb.Helper()
	buf := []byte{}
	for t.dispatch(); len(t.turns) > 0; t.dispatch() {
		x := <-t.turns
		x.res = x.g.turn(context.Background(), &buf, x.final, t.handle)
		t.idle++
		if err := t.end(x); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestCopyClosed: a copy was found empty and its descriptor was given back; it
// has another name and its content now. It waits like any other copy.
func TestCopyClosed(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const text = "a line\nand another one\n"
	write("app.log", text)
	read := ""
	tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{path("app.log")}}}, Idle: time.Nanosecond}, func(c *Chunk) (int, error) {
		read += string(c.Data)
		return len(c.Data), nil
	})
	tail.turnAll(t)
	write("app.log.1", "")
	tail.sweep()
	tail.turnAll(t)
	tail.sweep() // gives descriptors back
	if err := os.Rename(path("app.log.1"), path("app.log.2")); err != nil {
		t.Fatal(err)
	}
	write("app.log.1", "")
	write("app.log.2", text)
	tail.sweep()
	tail.turnAll(t)
	if read != text {
		t.Errorf("read %q", read)
	}
	write("app.log", "a third\n")
	tail.sweep()
	tail.turnAll(t)
	if read != text+"a third\n" {
		t.Errorf("read %q", read)
	}
}
