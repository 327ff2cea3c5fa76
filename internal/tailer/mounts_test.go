package tailer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// A gate is what a mount is that does not answer while it is shut.
type gate struct {
	mu   sync.Mutex
	shut chan struct{}
}

func (g *gate) close() { g.mu.Lock(); g.shut = make(chan struct{}); g.mu.Unlock() }
func (g *gate) open()  { g.mu.Lock(); close(g.shut); g.shut = nil; g.mu.Unlock() }

func (g *gate) pass(name string) {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil && name == "far.log" {
		<-shut
	}
}

// TestSilentMount: a mount does not answer, when its files are looked at or when they
// are read. What is elsewhere is followed all the same, the rest when it answers.
func TestSilentMount(t *testing.T) {
	f := following(t, "near.log", "far/*.log")
	real := readMounts
	t.Cleanup(func() { readMounts = real })
	readMounts = func() []mount { return append(real(), mount{f.path("far"), "nfs4"}) }
	var look, read gate
	f.touch, f.take = look.pass, read.pass
	f.put("near.log", "1\n")
	f.put("far/far.log", "a\n")
	look.close()
	f.start()
	f.want("1")
	f.told("far (nfs4) does not answer")
	stalled := func() (paths []string) {
		for _, s := range f.x.Files(context.Background()) {
			if _, moved := s.Turn(); s.Mode == "stalled" && moved.IsZero() {
				paths = append(paths, s.Path)
			}
		}
		return paths
	}
	if got := stalled(); !slices.Equal(got, []string{f.path("far")}) {
		t.Errorf("stalled: %q", got)
	}
	look.open()
	f.told("far answers again")
	f.want("1", "a")

	read.close()
	f.put("far/far.log", "b\n")
	f.put("near.log", "2\n")
	f.want("1", "a", "2")
	for end := time.Now().Add(patience); !slices.Equal(stalled(), []string{f.path("far/far.log")}); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("stalled: %q", stalled())
		}
	}
	read.open()
	f.want("1", "a", "2", "b")

	look.close()
	f.put("far/far.log", "c\n")
	for end := time.Now().Add(patience); len(stalled()) == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	f.stop() // does not wait for it
	f.put("near.log", "3\n")
	look.open()
	f.start()
	f.want("1", "a", "2", "b", "3", "c")
}

// TestMounts: which mount a path is on, by the longest of their names.
func TestMounts(t *testing.T) {
	list := []mount{{"/", ""}, {"/mnt", "nfs"}, {"/mnt/here", ""}, {"/mnt/a b", "fuse.sshfs"}}
	for path, want := range map[string]string{"/var/log/x": "", "/mnt": "/mnt", "/mnt/x/y": "/mnt", "/mntx/y": "", "/mnt/here/y": "", "/mnt/a b/*.log": "/mnt/a b"} {
		if got := farFrom(list, path).dir; got != want {
			t.Errorf("%s is on %q, want %q", path, got, want)
		}
	}
	if got := unquoteMount(`/mnt/a\040b\134c\x`); got != `/mnt/a b\c\x` {
		t.Errorf("%q", got)
	}
	dir, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if list := readMounts(); len(list) == 0 || farFrom(list, dir).dir != "" {
		t.Errorf("%s is on %v of %v", dir, farFrom(list, dir), list)
	}
}
