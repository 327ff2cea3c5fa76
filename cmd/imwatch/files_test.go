//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/web"
)

// mkdir makes a directory of the follower's own.
func (f *follower) mkdir(name string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.Mkdir(path, 0o755); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// TestOverlay follows on an overlay file system, as in a container: a file of
// the image that is open when its first writer makes another one of it, with the
// same name and inode number, and one that is deleted there and made anew.
func TestOverlay(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "logs/*.log")
	logs, layers := f.mkdir("logs"), f.mkdir("layers")
	mount(t, layers, "-t", "tmpfs", "-o", "size=16m", "tmpfs")
	lower, upper, work := f.mkdir("layers/lower"), f.mkdir("layers/upper"), f.mkdir("layers/work")
	put(t, filepath.Join(lower, "app.log"), numberedLine(1))
	put(t, filepath.Join(lower, "other.log"), numberedLine(2))
	mount(t, logs, "-t", "overlay", "-o", "lowerdir="+lower+",upperdir="+upper+",workdir="+work, "overlay")
	app, other := filepath.Join(logs, "app.log"), filepath.Join(logs, "other.log")
	f.start()
	f.came(2)
	put(t, app, numberedLine(3)) // copied up
	f.came(3)
	put(t, app, numberedLine(4))
	f.came(4)
	if err := os.Remove(other); err != nil { // a whiteout
		t.Fatal(err)
	}
	put(t, other, numberedLine(5))
	f.came(5)
	if err := os.Rename(app, app+".1"); err != nil {
		t.Fatal(err)
	}
	put(t, app, numberedLine(6))
	f.verify(6)
}

// TestMountedOver: another file system is mounted over the directory of a followed
// file, and goes again: what is written in either is read.
func TestMountedOver(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "logs/*.log")
	logs := f.mkdir("logs")
	path := filepath.Join(logs, "app.log")
	put(t, path, numberedLine(1))
	below, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer below.Close()
	f.start()
	f.came(1)
	mount(t, logs, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
	put(t, path, numberedLine(2))
	f.came(2)
	if _, err := below.WriteString(numberedLine(3)); err != nil { // by who had it open
		t.Fatal(err)
	}
	f.came(3)
	if err := syscall.Unmount(logs, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	put(t, path, numberedLine(4))
	f.verify(4)
}

// TestFileSizeLimit: neither the state nor the events may have a larger file. What
// was read meanwhile comes when they may.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app.log")
	n := 0
	var text strings.Builder
	for range 3_000 {
		n++
		text.WriteString(longLine(n))
	}
	put(t, filepath.Join(f.dir, "app.log"), text.String())
	f.begin("sh", "-c", `ulimit -f 512; exec "$@"`, "sh")
	f.told("file too large")
	f.kill()
	f.verify(n)
}

// TestLogDiskFull: the disk that the log is on is full in the middle of a line.
// When there is room again the writer goes on with the rest, which comes as one
// line; half a line that is rotated away comes as such.
func TestLogDiskFull(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "logs/app.log*")
	logs := f.mkdir("logs")
	mount(t, logs, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
	path, n := filepath.Join(logs, "app.log"), 0
	for _, filler := range []string{"1", "2"} {
		if err := os.WriteFile(filepath.Join(logs, filler), make([]byte, 300_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	torn := func(filler string, words int) (rest string) { // and makes room
		for {
			n++
			l := strings.TrimSuffix(numberedLine(n), "\n") + strings.Repeat(" x", words) + " end\n"
			k, err := w.WriteString(l)
			if err == nil {
				continue
			}
			if !errors.Is(err, syscall.ENOSPC) || k == 0 || k == len(l) {
				t.Fatalf("%d of %d bytes written: %v", k, len(l), err)
			}
			f.came(n - 1)
			time.Sleep(300 * time.Millisecond) // time to go wrong in
			if f.events()[n] != nil {
				t.Error("half a line came before its end")
			}
			if err := os.Remove(filepath.Join(logs, filler)); err != nil {
				t.Fatal(err)
			}
			return l[k:]
		}
	}
	f.start()
	if _, err := w.WriteString(torn("1", 300)); err != nil {
		t.Fatal(err)
	}
	f.came(n)
	joined := n
	torn("2", 3000)
	half := n
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	n++
	put(t, path, numberedLine(n))
	f.verify(n)
	b, err := os.ReadFile(filepath.Join(f.dir, "events.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) { // it has no more of a line than its beginning
		var i int
		if _, after, ok := bytes.Cut(line, []byte(`"original":"`)); ok {
			fmt.Sscanf(string(after), "soak %d ", &i)
		}
		whole := bytes.Contains(line, []byte(`x end"`))
		if partial := bytes.Contains(line, []byte(`"partial"`)); partial != (i == half) || whole != (i <= joined) {
			t.Errorf("line %d (joined: %d, half: %d): partial %v, whole %v: %s", i, joined, half, partial, whole, tailOf(string(line), 300))
		}
	}
}

// TestSlowStateDisk: each sync takes 200 ms; 300 files that get a line each are
// read on meanwhile, and what was read since the last sync is synced together.
func TestSlowStateDisk(t *testing.T) {
	strace := injectable(t)
	t.Parallel()
	f := newFollower(t, "app-*.log")
	calls := filepath.Join(f.dir, "calls")
	f.begin(strace, "-f", "-qqq", "-o", calls, "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=200000")
	f.told(`"ready"`)
	n := 0
	for range 300 {
		n++
		put(t, filepath.Join(f.dir, fmt.Sprintf("app-%03d.log", n)), numberedLine(n))
		time.Sleep(5 * time.Millisecond)
	}
	f.came(n)
	b, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	if syncs := bytes.Count(b, []byte("fdatasync(")); syncs < 4 || syncs > n/2 {
		t.Errorf("%d syncs for %d files", syncs, n)
	} else {
		t.Logf("%d syncs for %d files", syncs, n)
	}
}

// TestDeadSink: a sink that takes nothing holds no file: what was read is in the
// store, a deleted file's descriptor is given back, and the sink gets it all
// later.
func TestDeadSink(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "*.log")
	good, err := os.ReadFile(f.conf)
	if err == nil {
		err = os.WriteFile(f.conf, bytes.Replace(good, []byte(f.dir+"/events.ndjson"), []byte("/dev/full"), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.start()
	f.told(`"ready"`)
	const n = 20
	for i := range n {
		put(t, filepath.Join(f.dir, fmt.Sprintf("%d.log", i)), numberedLine(i+1))
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %s", what, tailOf(f.log.String(), 3000))
			}
		}
	}
	until("not kept", func() bool {
		s := imwatch(t, f.dir, "status", "-c", f.conf, "-o", "json")
		var st web.Status
		return s.end(0) == 0 && json.Unmarshal([]byte(s.out.String()), &st) == nil && st.Store.Kept == n
	})
	for i := range n {
		if err := os.Remove(filepath.Join(f.dir, fmt.Sprintf("%d.log", i))); err != nil {
			t.Fatal(err)
		}
	}
	fds := fmt.Sprintf("/proc/%d/fd", f.cmd.Process.Pid)
	until("deleted files are held", func() bool {
		held, err := os.ReadDir(fds)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range held {
			if to, err := os.Readlink(filepath.Join(fds, fd.Name())); err == nil && strings.HasSuffix(to, ".log (deleted)") {
				return false
			}
		}
		return true
	})
	if err := os.WriteFile(f.conf, good, 0o644); err != nil {
		t.Fatal(err)
	}
	f.kill()
	f.verify(n)
}
