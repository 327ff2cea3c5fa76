//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/web"
)

// begin starts the daemon inside another command, which gives it less than it is
// used to.
func (f *follower) begin(around ...string) {
	f.t.Helper()
	f.seen = strings.Count(f.log.String(), `"ready"`)
	f.cmd = exec.Command(around[0], append(around[1:], f.bin, "run", "-c", f.conf)...)
	f.cmd.Stderr = &f.log
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	group := f.cmd.Process.Pid
	f.t.Cleanup(func() { syscall.Kill(-group, syscall.SIGKILL) })
}

// told waits for a text in the daemon's log.
func (f *follower) told(text string) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(f.log.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("%q was not told: %s", text, tailOf(f.log.String(), 3000))
		}
	}
}

// came waits until so many numbered lines have come.
func (f *follower) came(lines int) {
	f.t.Helper()
	for end := time.Now().Add(30 * time.Second); len(f.events()) < lines; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("%d of %d lines came: %s", len(f.events()), lines, tailOf(f.log.String(), 3000))
		}
	}
}

func numberedLine(n int) string { return fmt.Sprintf("soak %d %s\n", n, kicked) }

// longLine takes more room in the store: fewer of them fill it.
func longLine(n int) string {
	return fmt.Sprintf("soak %d user=u%d %s %s\n", n, n, kicked, strings.Repeat("x", 1500))
}

// TestFewDescriptors follows 600 files with 64 descriptors, and loses nothing
// when they grow and are renamed.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app-*.log")
	n := 0
	path := func(i int) string { return filepath.Join(f.dir, fmt.Sprintf("app-%03d.log", i)) }
	for i := range 600 {
		n++
		put(t, path(i), numberedLine(n))
	}
	f.begin("sh", "-c", `ulimit -n 64; exec "$@"`, "sh")
	f.came(n)
	for i := range 600 {
		n++
		put(t, path(i), numberedLine(n))
	}
	f.came(n)
	for i := 0; i < 600; i += 3 { // closed meanwhile, and renamed
		n++
		put(t, path(i), numberedLine(n))
		if err := os.Rename(path(i), path(i)+".1"); err != nil {
			t.Fatal(err)
		}
		n++
		put(t, path(i), numberedLine(n))
	}
	f.verify(n)
	if s := f.log.String(); strings.Contains(s, "too many open files") {
		t.Errorf("told %s", tailOf(s, 1000))
	}
}

// TestFewWatches follows where the kernel has no watches, or no instance of
// notification, left: that is told once, and nothing is missing.
func TestFewWatches(t *testing.T) {
	unshare := need(t, "unshare")
	t.Parallel()
	for limit, says := range map[string]string{"max_inotify_watches": "raise fs.inotify.max_user_watches", "max_inotify_instances": "raise fs.inotify.max_user_instances"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			f := newFollower(t, "**/*.log")
			n := 0
			some := func() {
				for i := range 20 {
					n++
					put(t, filepath.Join(f.dir, fmt.Sprintf("d%d", i), "app.log"), numberedLine(n))
				}
			}
			some()
			few := map[string]string{"max_inotify_watches": "4", "max_inotify_instances": "0"}[limit]
			f.begin(unshare, "-Ur", "sh", "-c", `echo `+few+` >/proc/sys/user/`+limit+` && exec "$@"`, "sh")
			f.told(says)
			some()
			f.came(n)
			if err := os.Rename(filepath.Join(f.dir, "d3", "app.log"), filepath.Join(f.dir, "d3", "app.log.1")); err != nil {
				t.Fatal(err)
			}
			some()
			f.verify(n)
			if s := f.log.String(); strings.Count(s, says) != 1 {
				t.Errorf("told %d times: %s", strings.Count(s, says), tailOf(s, 2000))
			}
		})
	}
}

// TestOverflow stops the daemon while more happens than the kernel's queue of
// notifications holds.
func TestOverflow(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "*.log*")
	a, b := filepath.Join(f.dir, "a.log"), filepath.Join(f.dir, "b.log")
	put(t, a, numberedLine(1))
	f.start()
	f.came(1)
	if err := f.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	open := func(path string) *os.File {
		w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	wa, wb, n := open(a), open(b), 1
	for i := range 20_000 { // writes to one file after another are not folded into one notification
		w := wa
		if i%2 == 1 {
			w = wb
		}
		text := "nothing here\n"
		if i%20 < 2 {
			n++
			text = numberedLine(n)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(a, a+".1"); err != nil {
		t.Fatal(err)
	}
	n++
	put(t, a, numberedLine(n))
	wa.Close()
	wb.Close()
	if err := f.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	f.told("queue of file notifications ran over")
	f.verify(n)
}

// TestUnprivileged runs as a user who may not read a file, a directory: that is
// told once, with what would help, and it goes on when it may.
func TestUnprivileged(t *testing.T) {
	setpriv := need(t, "setpriv")
	if os.Getuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	t.Parallel()
	f := newFollower(t, "logs/**/*.log")
	for dir := f.dir; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	chmod := func(mode os.FileMode, name string) {
		if err := os.Chmod(filepath.Join(f.dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable() // lies where only root may go
	if err == nil {
		var b []byte
		if b, err = os.ReadFile(self); err == nil {
			err = os.Remove(f.bin)
		}
		if err == nil {
			err = os.WriteFile(f.bin, b, 0o755)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(f.dir, "logs/a.log"), numberedLine(1))
	put(t, filepath.Join(f.dir, "logs/secret.log"), numberedLine(2))
	put(t, filepath.Join(f.dir, "logs/deep/b.log"), numberedLine(3))
	chmod(0, "logs/secret.log")
	chmod(0, "logs/deep")
	f.begin(setpriv, "--reuid=65534", "--regid=65534", "--clear-groups")
	f.came(1)
	f.told("secret.log: permission denied")
	f.told("setfacl -m u:65534:rX '" + f.dir + "/logs/secret.log'")
	f.told("logs/deep: permission denied")
	chmod(0o644, "logs/secret.log")
	f.came(2)
	chmod(0o755, "logs/deep")
	f.came(3)
	chmod(0, "logs/a.log") // it is open: reading goes on
	put(t, filepath.Join(f.dir, "logs/a.log"), numberedLine(4))
	f.came(4)
	chmod(0, "logs")
	put(t, filepath.Join(f.dir, "logs/a.log"), numberedLine(5))
	f.came(5)
	chmod(0o755, "logs")
	chmod(0o644, "logs/a.log")
	f.verify(5)
	for _, text := range []string{"read " + f.dir + "/logs/secret.log", "read " + f.dir + "/logs/deep:"} {
		if got := strings.Count(f.log.String(), text); got != 1 {
			t.Errorf("%q was told %d times: %s", text, got, f.log.String())
		}
	}
}

// TestNoInodes starts where the state's file system has no inode left, and goes
// on there.
func TestNoInodes(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app.log*")
	state := f.stateOn("size=64m,nr_inodes=20")
	w := &writer{t: t, r: rand.New(rand.NewPCG(1, 9)), path: filepath.Join(f.dir, "app.log")}
	w.f = w.open()
	f.start()
	w.line(w.f)
	f.came(w.n)
	f.term()
	for i := 0; ; i++ {
		if err := os.WriteFile(filepath.Join(state, fmt.Sprint("filler", i)), nil, 0o600); err != nil {
			break
		}
	}
	f.start()
	for range 50 {
		w.line(w.f)
	}
	w.rename()
	w.line(w.f)
	f.verify(w.n)
}

// TestReloadUnderLoad reloads again and again, with good and bad configurations,
// while a writer writes and rotates: nothing is missing, nothing comes twice.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app.log*")
	good, err := os.ReadFile(f.conf)
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, r: rand.New(rand.NewPCG(1, 10)), path: filepath.Join(f.dir, "app.log")}
	w.f = w.open()
	f.start()
	f.told(`"ready"`)
	for i := range 12 {
		text := string(good)
		switch i % 3 {
		case 1:
			text += "nonsense: true\n"
		case 2:
			text = strings.Replace(text, "rotate_wait: 2s", "rotate_wait: 3s", 1)
		}
		if err := os.WriteFile(f.conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := f.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for j := range 60 {
			w.line(w.f)
			if j%25 == 24 {
				w.rename()
			}
			time.Sleep(time.Millisecond)
		}
	}
	if err := os.WriteFile(f.conf, good, 0o644); err != nil {
		t.Fatal(err)
	}
	f.came(w.n)
	for n, ids := range f.events() {
		for id, times := range ids {
			if times > 1 {
				t.Errorf("line %d came %d times as %s", n, times, id)
			}
		}
	}
	f.verify(w.n)
}

// TestBlocked: a sink that may lose nothing and takes nothing fills the store;
// reading stops, status still answers, SIGTERM still ends the daemon, and with
// a sink that takes what comes everything arrives.
func TestBlocked(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app.log")
	good, err := os.ReadFile(f.conf)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(good), "sinks:", "store: {max_bytes: 16MiB}\nsinks:", 1)
	full := strings.Replace(text, "path: "+f.dir+"/events.ndjson", "path: /dev/full\n    when_full: block", 1)
	if err := os.WriteFile(f.conf, []byte(full), 0o644); err != nil {
		t.Fatal(err)
	}
	path, n := filepath.Join(f.dir, "app.log"), 0
	var b strings.Builder
	for range 8_000 {
		n++
		b.WriteString(longLine(n))
	}
	put(t, path, b.String())
	f.start()
	f.told(`"ready"`)
	var st web.Status
	since := time.Now() // it has kept no more
	for end := since.Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s := imwatch(t, f.dir, "status", "-c", f.conf, "-o", "json")
		if code := s.end(0); code != 0 {
			t.Fatalf("status: exit %d: %s", code, s.err.String())
		}
		was := st.Store.Kept
		if err := json.Unmarshal([]byte(s.out.String()), &st); err != nil {
			t.Fatal(err)
		}
		if st.Store.Kept == 0 || st.Store.Kept != was {
			since = time.Now()
		} else if time.Since(since) > time.Second && st.Store.Kept < uint64(n) {
			break // it has stopped
		}
		if time.Now().After(end) {
			t.Fatalf("reading did not stop: %+v", st.Store)
		}
	}
	if len(st.Files) != 1 || len(st.Losses) != 0 {
		t.Errorf("%d files, lost %v", len(st.Files), st.Losses)
	}
	f.term()
	takes := strings.Replace(full, "/dev/full", f.dir+"/events.ndjson", 1)
	if err := os.WriteFile(f.conf, []byte(takes), 0o644); err != nil {
		t.Fatal(err)
	}
	f.start()
	f.came(n)
	f.verify(n)
}
