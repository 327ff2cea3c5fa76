package tailer

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
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

// TestSilentMount: a mount does not answer when its files are looked at. What is
// elsewhere is followed all the same, the rest when it answers. A handler that takes
// its time is no silence.
func TestSilentMount(t *testing.T) {
	real := readMounts
	t.Cleanup(func() { readMounts = real })
	for _, only := range []bool{false, true} {
		f := following(t, "far/*.log", "near.log")
		near := []string{"1", "2", "3"}
		if only {
			f.src.Paths, near = f.src.Paths[:1], nil
		}
		want := func(far int) {
			t.Helper()
			f.want(slices.Concat(near[:min(far, len(near))], []string{"a", "b", "c"}[:far])...)
		}
		readMounts = func() []mount { return append(real(), mount{f.path("far"), "nfs4"}) }
		var look, take gate
		f.touch, f.take = look.pass, take.pass
		stalled := func() (paths []string) {
			for _, s := range f.x.Files(context.Background()) {
				if _, moved := s.Turn(); s.Mode == "stalled" && moved.IsZero() {
					paths = append(paths, s.Path)
				}
			}
			return paths
		}
		f.put("near.log", "1\n")
		f.put("far/far.log", "a\n")
		look.close()
		f.start()
		if got := stalled(); !slices.Equal(got, []string{f.path("far")}) {
			t.Errorf("stalled: %q", got)
		}
		if !only {
			f.want("1")
		}
		f.told("far (nfs4) does not answer")
		look.open()
		f.told("far answers again")
		want(1)

		take.close()
		f.put("far/far.log", "b\n")
		f.put("near.log", "2\n")
		for began := time.Now(); time.Since(began) < 2*stallAfter; time.Sleep(10 * time.Millisecond) {
			if got := stalled(); len(got) > 0 {
				t.Fatalf("stalled: %q, and only the handler waits", got)
			}
		}
		take.open()
		want(2)

		look.close()
		f.put("far/far.log", "c\n")
		for end := time.Now().Add(patience); len(stalled()) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it is not told that nothing is looked at")
			}
		}
		f.stop() // does not wait for it
		f.put("near.log", "3\n")
		look.open()
		f.start()
		want(3)
		f.stop()
	}
}

// TestMounts: which mounts are far, and which a path is on.
func TestMounts(t *testing.T) {
	list := parseMounts(`22 1 0:20 / / rw,relatime - nfs4 boot:/ rw
23 22 0:21 / /mnt rw,relatime shared:5 master:1 - nfs4 a:/x rw
24 23 8:1 / /mnt/here rw - ext4 /dev/sda1 rw
25 23 0:22 / /mnt/a\040b\134c rw - fuse.sshfs h:/ rw
26 22 0:23 / /srv rw - cifs //h/x rw
27 22 0:24 / /srv rw - tmpfs tmpfs rw
28 22 0:25 / /auto rw - autofs systemd-1 rw
29 22 0:26 / /fused rw - fuseblk /dev/sdb rw
nonsense
`)
	for path, want := range map[string]mount{
		"/var/log/x": {}, "/mnt": {"/mnt", "nfs4"}, "/mnt/x/y": {"/mnt", "nfs4"}, "/mntx/y": {}, "/mnt/here/y": {}, "/srv/x": {}, "/auto/x": {"/auto", "autofs"}, "/fused/x": {},
		`/mnt/a b\c/*.log`: {`/mnt/a b\c`, "fuse.sshfs"}, `/mnt/*/x.log`: {"/mnt", "nfs4"},
	} {
		if got := farFrom(list, path); got != want {
			t.Errorf("%s is on %v, want %v", path, got, want)
		}
	}
	if len(readMounts()) == 0 {
		t.Error("no mounts are read")
	}
}

// TestFarPatterns: a file is followed once, whatever patterns and links lead to it,
// and start_at holds for a mount that answers later. What a mount holds that nothing
// is followed on any more is not looked for.
func TestFarPatterns(t *testing.T) {
	real := readMounts
	t.Cleanup(func() { readMounts = real })
	begin := func(patterns ...string) *follow {
		f := following(t, patterns...)
		list := append(real(), mount{f.path("far"), "nfs4"})
		readMounts = func() []mount { return list }
		return f
	}
	for _, patterns := range [][]string{{"**/*.log", "far/*.log"}, {"*/a.log", "far/b.log"}, {"cur.log", "far/*.log"}, {"far/a.log", "far/b.log"}} {
		f := begin(patterns...)
		f.put("far/a.log", "1\n")
		f.put("far/b.log", "2\n")
		f.must(os.Symlink("far/a.log", f.path("cur.log")))
		for range 3 {
			f.start()
			f.want("1", "2")
			f.stop()
		}
		f.put("far/a.log", "3\n")
		f.start()
		f.want("1", "2", "3")
		f.stop()
	}

	f := begin("near.log", "far/*.log")
	f.src.StartAt = "end"
	var look gate
	f.touch = look.pass
	f.put("near.log", "old\n")
	f.put("far/far.log", "old\n")
	look.close()
	f.start()
	f.stop()
	f.start() // a reload
	look.open()
	<-f.x.parts[1].first
	f.put("near.log", "1\n")
	f.want("1")
	f.put("far/far.log", "2\n")
	f.want("1", "2")
	f.stop()

	f.src.Paths = f.src.Paths[:1]
	x, err := New(Options{Sources: []Source{f.src}, Positions: slices.Collect(maps.Values(f.last))}, nil, nil)
	f.must(err)
	for _, p := range x.parts[0].known.byID {
		if strings.Contains(p.Path, "far") {
			t.Errorf("%s would be looked for", p.Path)
		}
	}
}
