//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink/sinktest"
	"github.com/imwatch/imwatch/internal/web"
)

// child is an imwatch of its own, with what it prints.
type child struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err sinktest.Output
}

func imwatch(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "imwatch")
	if err := os.Symlink(self, bin); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(bin, args...)}
	c.cmd.Dir = dir
	c.cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "LANG=C", "TZ=UTC")
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.cmd.Process.Kill() })
	return c
}

// until waits for a text.
func (c *child) until(where *sinktest.Output, text string) {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(where.String(), text) {
			return
		}
	}
	c.t.Fatalf("%q did not come\nstdout: %.2000s\nstderr: %.2000s", text, where.String(), c.err.String())
}

// end sends a signal and returns the exit code.
func (c *child) end(sig syscall.Signal) int {
	c.t.Helper()
	if sig != 0 {
		if err := c.cmd.Process.Signal(sig); err != nil {
			c.t.Fatal(err)
		}
	}
	err := c.cmd.Wait()
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return 0
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

const kicked = `{"type":206,"message":"the user is already logged on another device"}`

// TestRun: the first command of the README. It prints what is there and what
// comes, ends cleanly, and repeats nothing when it is started again.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs")
	put(t, filepath.Join(logs, "a.log"), "user=bob "+kicked+"\n")
	put(t, filepath.Join(logs, "deep", "b.log"), "user=eve WEBIM_CONNCTION_DISCONNECTED\n")
	c := imwatch(t, dir, "run", "logs")
	c.until(&c.err, `"message":"ready"`)
	c.until(&c.out, "easemob-web/206")
	c.until(&c.out, "easemob-web/16")
	put(t, filepath.Join(logs, "a.log"), "user=carl {\"type\":28,\"mess")
	put(t, filepath.Join(logs, "new", "later.log"), "user=dora { code: 880103, message: 'user not exist' }\n")
	c.until(&c.out, "jmessage-web/880103")
	put(t, filepath.Join(logs, "a.log"), "age\":\"token not assign error\"}\n")
	c.until(&c.out, "easemob-web/28")

	// status and events ask the daemon.
	s := imwatch(t, dir, "status", "logs", "-o", "json")
	if code := s.end(0); code != 0 {
		t.Fatalf("status: exit %d: %s", code, s.err.String())
	}
	var st web.Status
	if err := json.Unmarshal([]byte(s.out.String()), &st); err != nil || !st.Running || len(st.Files) != 3 || st.Store.Kept != 4 || st.Sinks["stdout"].Sent != 4 {
		t.Errorf("status %+v, %v", st, err)
	}
	e := imwatch(t, dir, "events", "--state-dir", st.StateDir, "--user", "bob")
	if code := e.end(0); code != 0 || strings.Count(e.out.String(), "\n") != 1 || !strings.Contains(e.out.String(), "easemob-web/206") {
		t.Errorf("events: exit %d: %s%s", code, e.out.String(), e.err.String())
	}

	// A second one on the same state is refused.
	second := imwatch(t, dir, "run", "logs")
	if code := second.end(0); code != exitInUse || !strings.Contains(second.err.String(), "in use by another imwatch") {
		t.Errorf("a second run: exit %d: %s", code, second.err.String())
	}

	if code := c.end(syscall.SIGINT); code != 0 {
		t.Errorf("after an interrupt: exit %d: %s", code, c.err.String())
	}
	if n := strings.Count(c.out.String(), "\n"); n != 4 {
		t.Errorf("%d events, want 4:\n%s", n, c.out.String())
	}
	put(t, filepath.Join(logs, "a.log"), "user=fred "+kicked+"\n")
	c = imwatch(t, dir, "run", "logs")
	c.until(&c.out, "fred")
	if code := c.end(syscall.SIGTERM); code != 0 || strings.Count(c.out.String(), "\n") != 1 {
		t.Errorf("started again: exit %d, printed\n%s", code, c.out.String())
	}

	// Without a daemon, the store itself answers.
	e = imwatch(t, dir, "events", "--state-dir", st.StateDir, "--code", "206", "-o", "text")
	if code := e.end(0); code != 0 || strings.Count(e.out.String(), "Signed in on another device") != 2 {
		t.Errorf("events of the store: exit %d: %s%s", code, e.out.String(), e.err.String())
	}
	s = imwatch(t, dir, "status", "logs")
	if code := s.end(0); code != 0 || !strings.Contains(s.out.String(), "no daemon runs") {
		t.Errorf("status of the store: exit %d: %s", code, s.out.String())
	}
	s = imwatch(t, dir, "status", "--state-dir", filepath.Join(dir, "nowhere"))
	if code := s.end(0); code != exitNoStore || !strings.Contains(s.err.String(), "neither a daemon nor a store") {
		t.Errorf("status of nothing: exit %d: %s", code, s.err.String())
	}
}

// TestTimeline: what happened to a user, in order, whichever file has it.
func TestTimeline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "logs", "a.log"), "2026-11-20 08:00:00 user=bob "+kicked+"\n2026-11-20 09:30:00 user=bob {\"type\":28,\"message\":\"token not assign error\"}\n")
	put(t, filepath.Join(dir, "logs", "b.log"), "2026-11-20 08:10:00 user=bob WEBIM_CONNCTION_DISCONNECTED\n2026-11-20 08:11:00 user=eve "+kicked+"\n")
	c := imwatch(t, dir, "run", "logs")
	c.until(&c.out, "easemob-web/28")
	c.until(&c.out, "eve")
	c.end(syscall.SIGTERM)
	e := imwatch(t, dir, "events", "--state-dir", stateIn(t, dir), "--user", "bob", "-o", "text")
	code, out := e.end(0), e.out.String()
	at := []int{strings.Index(out, "easemob-web/206"), strings.Index(out, "… 10m0s later"), strings.Index(out, "easemob-web/16"), strings.Index(out, "… 1h20m0s later"), strings.Index(out, "easemob-web/28")}
	if code != 0 || at[0] < 0 || !slices.IsSorted(at) || strings.Contains(out, "eve") {
		t.Errorf("exit %d, places %v:\n%s%s", code, at, out, e.err.String())
	}
}

// TestAround: the lines around an event in its file, redacted.
func TestAround(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "logs", "a.log"), "one\ntwo password=hunter2\n"+kicked+"\nthree\nfour\n")
	c := imwatch(t, dir, "run", "logs")
	c.until(&c.out, "206")
	c.end(syscall.SIGTERM)
	var e struct{ Event struct{ ID string } }
	if err := json.Unmarshal([]byte(c.out.String()), &e); err != nil {
		t.Fatal(err)
	}
	s := imwatch(t, dir, "events", "--state-dir", stateIn(t, dir), e.Event.ID, "-C", "1")
	if code := s.end(0); code != 0 || !strings.Contains(s.out.String(), "  2 two password=") || strings.Contains(s.out.String(), "hunter2") || !strings.Contains(s.out.String(), "\n> 3 {") || strings.Contains(s.out.String(), "four") {
		t.Errorf("exit %d:\n%s%s", code, s.out.String(), s.err.String())
	}
	s = imwatch(t, dir, "events", "--state-dir", stateIn(t, dir), "0123")
	if code := s.end(0); code != exitFindings || !strings.Contains(s.err.String(), "no event 0123") {
		t.Errorf("an unknown id: exit %d: %s", code, s.err.String())
	}
}

func stateIn(t *testing.T, dir string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "state", "imwatch", "*"))
	if err != nil || len(list) != 1 {
		t.Fatalf("state directories %v: %v", list, err)
	}
	return list[0]
}

// TestReload: SIGHUP brings new rules and sources; what cannot be used is told
// and changes nothing. SIGUSR1 opens the output anew.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := func(rest string) {
		text := fmt.Sprintf("version: 1\nstate_dir: %[1]s/state\nstorm: {window: 0s}\nsinks: [{type: file, path: %[1]s/events.ndjson}]\nsources:\n  - {name: a, paths: [%[1]s/a.log]}\n%[2]s", dir, rest)
		if err := os.WriteFile(filepath.Join(dir, "imwatch.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	events := func(text string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if b, err := os.ReadFile(filepath.Join(dir, "events.ndjson")); err == nil && bytes.Contains(b, []byte(text)) {
				return
			}
		}
		t.Fatalf("no event %q", text)
	}
	conf("")
	put(t, filepath.Join(dir, "a.log"), "user=one "+kicked+"\n")
	put(t, filepath.Join(dir, "b.log"), "user=two "+kicked+"\n")
	c := imwatch(t, dir, "run", "-c", "imwatch.yaml")
	c.until(&c.err, `"message":"ready"`)
	events(`"one"`)

	signal := func(sig syscall.Signal) {
		if err := c.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	// What cannot be used is found before the old configuration stops: an unknown
	// key, a bad pattern, a sink that cannot be opened.
	for i, bad := range []string{"  - {name: b, pfads: [x]}\n", "  - {name: b, paths: ['/x/[']}\n", "sinkz: 1\n", "  - {name: b, paths: [/x]}\nsinks: [{type: file, path: /nowhere/at/all}]\n"} {
		conf(bad)
		signal(syscall.SIGHUP)
		for end := time.Now().Add(10 * time.Second); strings.Count(c.err.String(), "the new configuration is not used") <= i; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q was not refused: %s", bad, c.err.String())
			}
		}
	}
	put(t, filepath.Join(dir, "a.log"), "user=three "+kicked+"\n")
	events(`"three"`)

	conf(fmt.Sprintf("  - {name: b, paths: [%s/b.log]}\n", dir))
	signal(syscall.SIGHUP)
	c.until(&c.err, `"message":"reloaded"`)
	events(`"two"`)

	if err := os.Rename(filepath.Join(dir, "events.ndjson"), filepath.Join(dir, "old.ndjson")); err != nil {
		t.Fatal(err)
	}
	signal(syscall.SIGUSR1)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "events.ndjson")); err == nil {
			break // the signal has no other answer
		}
	}
	put(t, filepath.Join(dir, "b.log"), "user=four "+kicked+"\n")
	events(`"four"`)
	if code := c.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
	old, err := os.ReadFile(filepath.Join(dir, "old.ndjson"))
	if err != nil || bytes.Count(old, []byte("\n")) != 3 {
		t.Errorf("the old file has %d events, want 3: %v", bytes.Count(old, []byte("\n")), err)
	}
}

// TestNoFiles: a source without files is told, with what is there.
func TestNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := imwatch(t, dir, "run", "missing/*.log")
	c.until(&c.err, "no readable file; of "+dir+"/missing/*.log the deepest existing part is "+dir)
	c.until(&c.err, "hint")
	if code := c.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
	for args, want := range map[string]int{"run": exitUsage, "run -c imwatch.yaml x": exitUsage, "run -c missing.yaml": exitConfig, "run --families nobody x": exitUsage} {
		c := imwatch(t, dir, strings.Fields(args)...)
		if code := c.end(0); code != want {
			t.Errorf("%s: exit %d, want %d: %s", args, code, want, c.err.String())
		}
	}
}

// TestOwnOutput: what imwatch writes is never read, though a source names it.
func TestOwnOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := fmt.Sprintf("version: 1\nstate_dir: %[1]s/state\nstorm: {window: 0s}\nsinks: [{type: file, path: %[1]s/events.log}]\nsources: [{name: a, paths: [\"%[1]s/*.log\"]}]\n", dir)
	put(t, filepath.Join(dir, "imwatch.yaml"), text)
	put(t, filepath.Join(dir, "a.log"), "user=one "+kicked+"\n")
	c := imwatch(t, dir, "run", "-c", "imwatch.yaml")
	c.until(&c.err, `"message":"ready"`)
	put(t, filepath.Join(dir, "b.log"), "user=two "+kicked+"\n")
	time.Sleep(500 * time.Millisecond)
	if code := c.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
	b, err := os.ReadFile(filepath.Join(dir, "events.log"))
	if err != nil || bytes.Count(b, []byte("\n")) != 2 {
		t.Errorf("%d events, want 2: %v\n%s", bytes.Count(b, []byte("\n")), err, b)
	}
	// Events that come back through a log are recognised.
	put(t, filepath.Join(dir, "c.log"), "Nov 20 08:00:01 web1 imwatch: "+string(b))
	c = imwatch(t, dir, "run", "-c", "imwatch.yaml")
	c.until(&c.err, `"message":"ready"`)
	time.Sleep(300 * time.Millisecond)
	c.end(syscall.SIGTERM)
	if again, err := os.ReadFile(filepath.Join(dir, "events.log")); err != nil || len(again) != len(b) {
		t.Errorf("our own events were read: %d bytes became %d, %v", len(b), len(again), err)
	}
}

// TestPeek shows lines with the meaning of their codes.
func TestPeek(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.log"), "old\n")
	c := imwatch(t, dir, "peek", "a.log")
	for range 400 { // until it follows
		put(t, filepath.Join(dir, "a.log"), "user=bob password=hunter2 "+kicked+"\n")
		time.Sleep(10 * time.Millisecond)
		if strings.Contains(c.out.String(), "Signed in") {
			break
		}
	}
	c.until(&c.out, "↑ warn easemob-web 206")
	if s := c.out.String(); strings.Contains(s, "old") || strings.Contains(s, "hunter2") {
		t.Errorf("printed %.300s", s)
	}
	if code := c.end(syscall.SIGINT); code != 0 {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
	c = imwatch(t, dir, "peek", "missing.log")
	if code := c.end(0); code != exitPartial || !strings.Contains(c.err.String(), "missing.log") {
		t.Errorf("a missing file: exit %d: %s", code, c.err.String())
	}
}

// TestDamagedStore: the daemon sets a damaged store aside, says so in an event,
// and reads the files again.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "logs", "a.log"), "user=bob "+kicked+"\n")
	c := imwatch(t, dir, "run", "logs")
	c.until(&c.out, "206")
	c.end(syscall.SIGTERM)
	db := filepath.Join(stateIn(t, dir), "imwatch.db")
	if err := os.WriteFile(db, bytes.Repeat([]byte("damaged "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	c = imwatch(t, dir, "run", "logs")
	c.until(&c.out, `"action":"im.loss"`)
	c.until(&c.out, "easemob-web/206")
	c.until(&c.err, "is damaged")
	if code := c.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
}
