//go:build linux

package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
)

// dead is a sink whose other side never answers.
type dead struct{}

func (dead) Send(ctx context.Context, _ []sink.Event) error { <-ctx.Done(); return ctx.Err() }
func (dead) Close() error                                   { return nil }

// follow runs the pipeline over one file until the test ends.
func follow(t *testing.T, text string, o RunOptions, s store.Options) *Running {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(dir, "state"), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Register("dead", true); err != nil {
		t.Fatal(err)
	}
	scan := options(t)
	started := make(chan *Running, 1)
	o.Scanner, o.Resolver = scan.Scanner, scan.Resolver
	o.Files = []tailer.Source{{Name: "s", Paths: []string{path}, StartAt: "beginning"}}
	o.Sources = []resolver.Source{{Name: "s"}}
	o.Notice, o.Ready = func(string, string) {}, func() {}
	o.Started = func(r *Running) { started <- r }
	o.Sinks = []*sink.Delivery{{Name: "dead", Sink: dead{}, Queue: st, Notice: o.Notice, Encode: func(f *finding.Finding) (sink.Event, bool) {
		return sink.Event{ID: f.ID, Finding: f}, true
	}}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, st, o) }()
	t.Cleanup(func() {
		stop()
		<-ended
		st.Close()
	})
	return <-started
}

// turn waits until some file's turn has not moved for longer than the limit.
func turn(t *testing.T, r *Running, limit time.Duration) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, f := range r.Files(t.Context()) {
			if _, moved := f.Turn(); !moved.IsZero() && time.Since(moved) > limit {
				return
			}
		}
	}
	t.Fatal("no turn takes long")
}

// moves asks what is stuck, and again while it is the store: a loaded machine's disk. Only "a
// commit that does not return" is about that.
func moves(t *testing.T, r *Running, limit time.Duration) (files []tailer.Status, stuck string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if files, stuck = r.Moves(t.Context(), limit); !strings.HasPrefix(stuck, "storing ") {
			return files, stuck
		}
	}
	t.Fatal(stuck)
	return nil, ""
}

const oneLine = `user=bob {"type":206,"message":"the user is already logged on another device"}` + "\n"

// TestMoves: the watchdog is for what hangs, not for what waits.
func TestMoves(t *testing.T) {
	const limit = 3 * time.Second
	t.Run("scanning that does not return", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		r := follow(t, oneLine, RunOptions{Muted: func(*finding.Finding) bool { <-release; return false }}, store.Options{})
		t.Cleanup(func() { close(release) })
		turn(t, r, limit)
		if _, stuck := moves(t, r, limit); !strings.Contains(stuck, "reading and scanning") || !strings.Contains(stuck, "a.log") {
			t.Errorf("stuck %q", stuck)
		}
	})
	t.Run("a sink that is down and may not lose anything", func(t *testing.T) {
		t.Parallel()
		r := follow(t, strings.Repeat(oneLine, 40_000), RunOptions{}, store.Options{MaxBytes: 1 << 20})
		// Between two writes that wait a little it scans, which may take long, too.
		waits := time.Now()
		for end := waits.Add(time.Minute); time.Since(waits) <= limit && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if !r.runner.waits() {
				waits = time.Now()
			}
		}
		turn(t, r, limit)
		if _, stuck := moves(t, r, limit); stuck != "" {
			t.Errorf("stuck %q, but it only waits for the sink", stuck)
		}
		if !r.runner.waits() {
			t.Error("nothing waits for room")
		}
	})
	t.Run("a commit that does not return", func(t *testing.T) {
		t.Parallel()
		release, hangs := make(chan struct{}), make(chan struct{})
		once := sync.OnceFunc(func() { close(hangs) })
		r := follow(t, oneLine, RunOptions{}, store.Options{Commit: func(store.Commit) { once(); <-release }})
		t.Cleanup(func() { close(release) })
		<-hangs
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if _, stuck := r.Moves(t.Context(), limit); strings.HasPrefix(stuck, "storing has not moved since ") {
				break
			}
			if time.Now().After(end) {
				t.Fatal("it is not told")
			}
		}
	})
	t.Run("nothing to do", func(t *testing.T) {
		t.Parallel()
		r := follow(t, oneLine, RunOptions{}, store.Options{})
		files, stuck := moves(t, r, limit)
		if len(files) > 1 || stuck != "" {
			t.Errorf("%d files, stuck %q", len(files), stuck)
		}
	})
}
