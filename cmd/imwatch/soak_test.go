//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

var soakTime = flag.Duration("soak", 2*time.Second, "how long each soak writes")

// follower is a real imwatch run, killed and started again.
type follower struct {
	t     *testing.T
	bin   string
	dir   string
	conf  string
	cmd   *exec.Cmd
	log   sinktest.Output
	seen  int // "ready" lines before the last start
	kills int
	shown int
	read  int64 // of the events' file, and what stands there
	got   map[int]map[string]int
}

func newFollower(t *testing.T, pattern string) *follower {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{t: t, dir: t.TempDir()}
	f.bin = filepath.Join(f.dir, "imwatch")
	if err := os.Symlink(self, f.bin); err != nil {
		t.Fatal(err)
	}
	f.conf = filepath.Join(f.dir, "imwatch.yaml")
	conf := fmt.Sprintf(`version: 1
state_dir: %[1]s/state
storm: {window: 0s}
sources:
  - name: chat
    paths: ["%[1]s/%[2]s"]
    rotate_wait: 2s
sinks:
  - type: file
    path: %[1]s/events.ndjson
    detail: brief
`, f.dir, pattern)
	if err := os.WriteFile(f.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *follower) start() {
	f.seen = strings.Count(f.log.String(), `"ready"`)
	f.cmd = exec.Command(f.bin, "run", "-c", f.conf)
	f.cmd.Stderr = &f.log
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) end(sig syscall.Signal) error {
	if err := f.cmd.Process.Signal(sig); err != nil {
		return err
	}
	return f.cmd.Wait()
}

// kill ends it as a power cut would, and starts it again.
func (f *follower) kill() {
	if err := f.end(syscall.SIGKILL); err == nil {
		f.t.Error("killed, and it ended well")
	}
	f.kills++
	f.start()
}

// events returns, for each number in the events' original lines, the ids that
// it was delivered with. What it has read once it does not read again.
func (f *follower) events() map[int]map[string]int {
	if f.got == nil {
		f.read, f.got = 0, map[int]map[string]int{}
	}
	got := f.got
	file, err := os.Open(filepath.Join(f.dir, "events.ndjson"))
	if err != nil {
		return got
	}
	defer file.Close()
	if end, err := file.Seek(0, io.SeekEnd); err == nil && end < f.read { // cut: from the beginning
		clear(got)
		f.read = 0
	}
	if _, err := file.Seek(f.read, io.SeekStart); err != nil {
		f.t.Error(err)
	}
	r := bufio.NewReader(file)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return got // a torn last line is written again
		}
		f.read += int64(len(line))
		var e struct {
			Event struct{ ID, Original string }
			Log   struct {
				File   struct{ Path string }
				Offset int64
			}
		}
		if json.Unmarshal(line, &e) != nil {
			f.t.Errorf("an event that is no JSON: %.100s", line)
			continue
		}
		var n int
		if _, err := fmt.Sscanf(e.Event.Original, "soak %d ", &n); err != nil {
			f.t.Errorf("an event of a line that nobody wrote: %s", e.Event.Original)
			continue
		}
		if got[n] == nil {
			got[n] = map[string]int{}
		}
		if got[n][e.Event.ID]++; len(got[n]) == 2 && f.shown < 3 && got[n][e.Event.ID] == 1 {
			f.shown++
			f.t.Logf("line %d came again with another id from %s at %d", n, filepath.Base(e.Log.File.Path), e.Log.Offset)
		}
	}
}

// term ends it as systemd would, once it is up.
func (f *follower) term() {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); strings.Count(f.log.String(), `"ready"`) == f.seen && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if err := f.end(syscall.SIGTERM); err != nil {
		f.t.Errorf("SIGTERM: %v\n%s", err, tailOf(f.log.String(), 3000))
	}
}

// verify waits until every number has come and holds it against the promise.
func (f *follower) verify(lines int) {
	f.t.Helper()
	var got map[int]map[string]int
	// A loaded machine is slow, but as long as lines come it is not done.
	for had, end := -1, time.Now(); ; time.Sleep(100 * time.Millisecond) {
		got = f.events()
		if len(got) > had {
			had, end = len(got), time.Now().Add(30*time.Second)
		}
		if len(got) >= lines || time.Now().After(end) {
			break
		}
	}
	f.got = nil
	got = f.events() // the whole file, as it is in the end
	f.term()
	missing, repeats, changed := 0, 0, 0
	for n := 1; n <= lines; n++ {
		ids := got[n]
		switch {
		case len(ids) == 0:
			if missing++; missing <= 3 {
				f.t.Errorf("line %d was lost", n)
			}
		case len(ids) > 1:
			if changed++; changed <= 3 {
				f.t.Errorf("line %d was delivered with %d ids", n, len(ids))
			}
		}
		for _, times := range ids {
			repeats += times - 1
		}
	}
	f.t.Logf("%d lines, %d kills: %d missing, %d repeated with the same id, %d with another", lines, f.kills, missing, repeats, changed)
	if missing > 0 {
		f.t.Logf("its log:\n%s", tailOf(f.log.String(), 3000))
	}
}

func tailOf(s string, n int) string { return s[max(0, len(s)-n):] }

// writer writes numbered lines with a code in each, torn in two now and then.
type writer struct {
	t    *testing.T
	r    *rand.Rand
	path string
	f    *os.File
	n    int
}

func (w *writer) open() *os.File {
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *writer) line(to io.Writer) {
	w.n++
	l := fmt.Sprintf("soak %d {\"type\":206,\"message\":\"the user is already logged on another device\"} %s\n", w.n, strings.Repeat("x", w.r.IntN(80)))
	if w.r.IntN(50) == 0 {
		cut := w.r.IntN(len(l))
		w.put(to, l[:cut])
		time.Sleep(time.Duration(w.r.IntN(10)) * time.Millisecond)
		l = l[cut:]
	}
	w.put(to, l)
}

func (w *writer) put(to io.Writer, s string) {
	if _, err := io.WriteString(to, s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) shift(keep int) {
	for i := keep; i >= 1; i-- {
		if err := os.Rename(fmt.Sprintf("%s.%d", w.path, i), fmt.Sprintf("%s.%d", w.path, i+1)); err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
	}
}

// rename rotates as logrotate does; the writer keeps its old file for a while.
func (w *writer) rename() {
	w.shift(500)
	if err := os.Rename(w.path, w.path+".1"); err != nil {
		w.t.Fatal(err)
	}
	old := w.f
	for range w.r.IntN(20) {
		w.line(old)
	}
	w.f = w.open()
	if err := old.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// copyTruncate rotates by copying; nothing is written in between.
func (w *writer) copyTruncate() {
	w.shift(500)
	data, err := os.ReadFile(w.path)
	if err == nil {
		err = os.WriteFile(w.path+".1", data, 0o644)
	}
	if err == nil {
		err = os.Truncate(w.path, 0)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestSoak writes about 2,000 lines a second, torn ones among them, rotates
// every 60 to 260 ms and kills the daemon every 40 to 240 ms: nothing is
// missing, and what is delivered again has the same event id.
func TestSoak(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		rotate func(*writer)
		kill   bool
	}{
		{"rename", (*writer).rename, false},
		{"rename and SIGKILL", (*writer).rename, true},
		{"copytruncate", (*writer).copyTruncate, false},
		{"copytruncate and SIGKILL", (*writer).copyTruncate, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFollower(t, "app.log*")
			w := &writer{t: t, r: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)), path: filepath.Join(f.dir, "app.log")}
			w.f = w.open()
			f.start()
			pick := func(from, to int) time.Time {
				return time.Now().Add(time.Duration(from+w.r.IntN(to-from)) * time.Millisecond)
			}
			end, rotate, kill := time.Now().Add(*soakTime), pick(60, 260), pick(40, 240)
			for now := time.Now(); now.Before(end); now = time.Now() {
				w.line(w.f)
				if now.After(rotate) {
					test.rotate(w)
					rotate = pick(60, 260)
				}
				if test.kill && now.After(kill) {
					f.kill()
					kill = pick(40, 240)
				}
				time.Sleep(400 * time.Microsecond)
			}
			if err := w.f.Close(); err != nil {
				t.Fatal(err)
			}
			f.verify(w.n)
		})
	}
}

// TestFoldKill folds through SIGKILLs: the counts of the events, each id once,
// add up to the number of lines, exactly.
func TestFoldKill(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app.log*")
	conf, err := os.ReadFile(f.conf)
	if err == nil {
		err = os.WriteFile(f.conf, bytes.Replace(conf, []byte("window: 0s"), []byte("window: 700ms, first: 3"), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, r: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2)), path: filepath.Join(f.dir, "app.log")}
	w.f = w.open()
	f.start()
	kill := time.Now().Add(100 * time.Millisecond)
	for end := time.Now().Add(*soakTime); time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
		w.line(w.f)
		if time.Now().After(kill) {
			f.kill()
			kill = time.Now().Add(time.Duration(60+w.r.IntN(200)) * time.Millisecond)
		}
	}
	sum := 0
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && sum != w.n; time.Sleep(100 * time.Millisecond) {
		sum = f.counted()
	}
	f.term()
	if sum != w.n {
		t.Errorf("the counts add up to %d of %d lines, after %d kills\n%s", sum, w.n, f.kills, tailOf(f.log.String(), 2000))
	}
	t.Logf("%d lines, %d kills: the counts add up", w.n, f.kills)
}

// counted adds up im.count over the events, each id once.
func (f *follower) counted() (sum int) {
	b, err := os.ReadFile(filepath.Join(f.dir, "events.ndjson"))
	if err != nil {
		return 0
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(b) {
		var e struct {
			Event struct{ ID string }
			IM    struct{ Count int }
		}
		if json.Unmarshal(line, &e) == nil && !seen[e.Event.ID] {
			seen[e.Event.ID] = true
			sum += e.IM.Count
		}
	}
	return sum
}
