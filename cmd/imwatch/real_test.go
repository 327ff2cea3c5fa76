//go:build linux

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var points = flag.Int("points", 16, "crash points to try")

// need finds a real component. Where IMWATCH_REAL is set, as in .ci/run, it must
// be there.
func need(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	if os.Getenv("IMWATCH_REAL") != "" {
		t.Fatalf("%s is not installed, and IMWATCH_REAL is set", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// TestLogrotate rotates with the real logrotate while the daemon is killed and
// started again.
func TestLogrotate(t *testing.T) {
	logrotate := need(t, "logrotate")
	t.Parallel()
	for name, rest := range map[string]string{
		"create":                "create 0644\n",
		"create and compress":   "create 0644\ncompress\ndelaycompress\n",
		"dated":                 "create 0644\ndateext\ndateformat -%s\n",
		"copytruncate":          "copytruncate\n",
		"copytruncate, at once": "copytruncate\ncompress\n",
		"olddir":                "create 0644\nolddir old\ncreateolddir 0755\nsharedscripts\npostrotate\ntrue\nendscript\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pattern := "app.log"
			if name == "olddir" {
				pattern = "**/app.log*" // the other directory is found where a pattern leads there
			}
			f := newFollower(t, pattern)
			w := &writer{t: t, r: rand.New(rand.NewPCG(1, 3)), path: filepath.Join(f.dir, "app.log")}
			w.f = w.open()
			conf := filepath.Join(f.dir, "logrotate.conf")
			if err := os.WriteFile(conf, []byte(w.path+" {\nrotate 100\nmissingok\n"+rest+"}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			f.start()
			f.told(`"ready"`) // what was rotated before is history
			for i := range 12 {
				for range 60 {
					w.line(w.f)
				}
				// What is written between logrotate's copy and its truncate nobody can
				// read, so nothing is.
				out, err := exec.Command(logrotate, "-f", "-s", filepath.Join(f.dir, "logrotate.state"), conf).CombinedOutput()
				if err != nil {
					t.Fatalf("logrotate: %v: %s", err, out)
				}
				for range 5 {
					w.line(w.f) // late ones, into the renamed file
				}
				if err := w.f.Close(); err != nil {
					t.Fatal(err)
				}
				w.f = w.open()
				if i%3 == 2 {
					f.kill()
				}
				if strings.Contains(rest, "%s") {
					time.Sleep(1100 * time.Millisecond) // its names have seconds
				}
			}
			f.verify(w.n)
		})
	}
}

// rsyslog starts the real rsyslogd, which writes what comes to its socket into a
// file; rotate renames the file as logrotate would, and tells it.
func rsyslog(t *testing.T, dir, file string) (send func(string), rotate func(to string)) {
	t.Helper()
	rsyslogd := need(t, "rsyslogd")
	socket, conf := filepath.Join(dir, "in.sock"), filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="%s" RateLimit.Interval="0" UseSysTimeStamp="off" ParseTrusted="off")
template(name="raw" type="string" string="%%msg:2:$%%\n")
*.* action(type="omfile" file="%s" template="raw" asyncWriting="off" flushOnTXEnd="on")
`, socket, file)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rsyslogd, "-n", "-f", conf, "-i", filepath.Join(dir, "rsyslog.pid"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	var c net.Conn
	var err error
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err = net.Dial("unixgram", socket); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("rsyslogd does not listen: %v", err)
		}
	}
	t.Cleanup(func() { c.Close() })
	send = func(line string) {
		if _, err := c.Write([]byte("<13>Nov 20 08:00:01 app: " + line)); err != nil {
			t.Fatal(err)
		}
	}
	return send, func(to string) {
		if err := os.Rename(file, to); err == nil {
			err = cmd.Process.Signal(syscall.SIGHUP)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRsyslog follows what the real rsyslogd writes, through renames and kills,
// and does not take its own events for news when they come back through it.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app.log")
	path := filepath.Join(f.dir, "app.log")
	send, rotate := rsyslog(t, f.dir, path)
	f.start()
	n := 0
	for i := range 10 {
		for range 100 {
			n++
			send(fmt.Sprintf("soak %d %s", n, kicked))
		}
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if info, err := os.Stat(path); err == nil && info.Size() > 0 && (i > 0 || len(f.events()) == n) {
				break // the first file must be known before it is rotated: what is older is history
			}
		}
		rotate(fmt.Sprintf("%s.%d", path, i+1))
		if i%4 == 3 {
			f.kill()
		}
	}
	for end := time.Now().Add(10 * time.Second); len(f.events()) < n && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
	}
	b, err := os.ReadFile(filepath.Join(f.dir, "events.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for i, event := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if i < 50 {
			send("forwarded " + event)
		}
	}
	for range 20 {
		n++
		send(fmt.Sprintf("soak %d catalogue_version %s", n, kicked)) // a user's word, no mark of ours
	}
	f.verify(n) // complains about an event of any other line
}

// TestCrashPoints kills the daemon at the n-th call of each kind, by strace:
// after a restart nothing is missing.
func TestCrashPoints(t *testing.T) {
	strace := injectable(t)
	t.Parallel()
	calls := []string{"write", "pwrite64", "fdatasync", "fsync", "openat", "pread64", "close", "renameat"}
	for i := range *points {
		call, n := calls[i%len(calls)], 1+i/len(calls)*3
		t.Run(fmt.Sprint(call, n), func(t *testing.T) {
			t.Parallel()
			crash(t, strace, call, n)
		})
	}
}

// crash runs the daemon over a log that is rotated, kills it at the n-th call,
// and holds what comes after a restart against what was written.
func crash(t *testing.T, strace, call string, n int) {
	f := newFollower(t, "app.log*")
	w := &writer{t: t, r: rand.New(rand.NewPCG(uint64(n), 4)), path: filepath.Join(f.dir, "app.log")}
	w.f = w.open()
	for range 20 {
		w.line(w.f)
	}
	f.begin(strace, "-f", "-qqq", "-o", "/dev/null", "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n))
	ended := make(chan error, 1)
	go func() { ended <- f.cmd.Wait() }()
	w.rename()
	for range 20 {
		w.line(w.f)
		time.Sleep(2 * time.Millisecond)
	}
	killed := false
	for end := time.Now().Add(20 * time.Second); !killed && len(f.events()) < w.n && time.Now().Before(end); {
		select {
		case <-ended:
			killed = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	if !killed {
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond): // all has come, is noted, and the call was not made so often
			if err := syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL); err != nil { // strace and its child
				t.Error(err)
			}
			<-ended
		}
	}
	if err := w.f.Close(); err != nil {
		t.Error(err)
	}
	f.start()
	f.verify(w.n)
}

// injectable skips, or fails in CI, where strace cannot inject.
func injectable(t *testing.T) string {
	t.Helper()
	strace := need(t, "strace")
	if out, err := exec.Command(strace, "-e", "inject=close:signal=SIGKILL:when=60000", "true").CombinedOutput(); err != nil {
		if os.Getenv("IMWATCH_REAL") != "" {
			t.Fatalf("strace cannot inject here: %v: %s", err, out)
		}
		t.Skipf("strace cannot inject here: %v", err)
	}
	return strace
}

// TestDiskFaults: the disk under the store fails for a while. The daemon goes
// on, says so, delivers nothing that is not durable, and loses nothing.
func TestDiskFaults(t *testing.T) {
	strace := injectable(t)
	t.Parallel()
	for name, inject := range map[string]string{
		"EIO on sync":    "fdatasync:error=EIO:when=4..6",
		"ENOSPC":         "pwrite64:error=ENOSPC:when=9..14",
		"EIO on reading": "pread64:error=EIO:when=6..12",
		"slow sync":      "fdatasync:delay_enter=20000",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFollower(t, "app.log*")
			w := &writer{t: t, r: rand.New(rand.NewPCG(1, 5)), path: filepath.Join(f.dir, "app.log")}
			w.f = w.open()
			call, _, _ := strings.Cut(inject, ":")
			f.begin(strace, "-f", "-qqq", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+inject)
			for i := range 40 {
				w.line(w.f)
				time.Sleep(25 * time.Millisecond)
				if i%15 == 14 {
					w.rename()
				}
			}
			if err := w.f.Close(); err != nil {
				t.Fatal(err)
			}
			// strace counts the calls of each thread: the fault comes several times. After
			// each failed reading the pause is longer: that disk is well again when strace,
			// killed, lets go of the daemon.
			well := time.Now().Add(10 * time.Second)
			for end := time.Now().Add(90 * time.Second); len(f.events()) < w.n && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if call == "pread64" && time.Now().After(well) {
					if err := f.cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					well = end
				}
			}
			if n := len(f.events()); n != w.n {
				var missing []int
				for i, got := 1, f.events(); i <= w.n; i++ {
					if got[i] == nil {
						missing = append(missing, i)
					}
				}
				t.Errorf("%d of %d lines came; not %v\n%s", n, w.n, missing, f.log.String())
			}
			said := f.log.String()
			switch {
			case strings.Contains(inject, "error=") && call != "pread64":
				if !strings.Contains(said, "the store cannot be written") || !strings.Contains(said, "the store can be written again") {
					t.Errorf("not told: %s", said)
				}
			}
			syscall.Kill(-f.cmd.Process.Pid, syscall.SIGTERM)
			f.cmd.Wait()
		})
	}
}

// TestDiskFull fills the file system that the store is on, or takes all its
// inodes, and makes room again. While it is full, SIGTERM ends the daemon.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	f := newFollower(t, "app.log*")
	state := f.stateOn("size=256k")
	w := &writer{t: t, r: rand.New(rand.NewPCG(1, 6)), path: filepath.Join(f.dir, "app.log")}
	w.f = w.open()
	f.start()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(f.log.String(), "the store cannot be written") && time.Now().Before(end); {
		w.line(w.f)
		time.Sleep(time.Millisecond)
	}
	var more strings.Builder
	for range 6_000 { // 15 MB of findings: more than waits in memory
		w.n++
		more.WriteString(longLine(w.n))
	}
	w.put(w.f, more.String())
	if !strings.Contains(f.log.String(), "the store cannot be written") {
		t.Fatalf("not told: %s", f.log.String())
	}
	began := time.Now()
	if err := f.end(syscall.SIGTERM); err == nil || !strings.Contains(f.log.String(), "could not be written in time") {
		t.Errorf("ended with %v; told %s", err, tailOf(f.log.String(), 1000))
	}
	t.Logf("SIGTERM with a full disk took %v", time.Since(began))
	mount(t, state, "-o", "remount,size=64m")
	f.start()
	if err := w.f.Close(); err != nil {
		t.Fatal(err)
	}
	f.verify(w.n)
}

// stateOn puts the state directory on a file system of its own, with these
// options of tmpfs.
func (f *follower) stateOn(options string) (state string) {
	f.t.Helper()
	state = filepath.Join(f.dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		f.t.Fatal(err)
	}
	mount(f.t, state, "-t", "tmpfs", "-o", options, "tmpfs")
	return state
}

func mount(t *testing.T, where string, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", append(args, where)...).CombinedOutput(); err != nil {
		if os.Getenv("IMWATCH_REAL") != "" && os.Getuid() == 0 {
			t.Fatalf("mount %v: %v: %s", args, err, out)
		}
		t.Skipf("mount %v: %v: %s", args, err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", where).Run() })
}
