//go:build linux

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// TestRunOnTerminal: on a terminal, run prints the whole address of its page,
// which opens it; Ctrl-C ends it. A second one finds an address of its own. Exec:
// a shell that waits for it (dash, where SHELL is not set) dies of the interrupt.
func TestRunOnTerminal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("script"); err != nil {
		if os.Getenv("IMWATCH_REAL") != "" {
			t.Fatal("script is missing: apt-get install bsdutils")
		}
		t.Skip("no script here")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		dir := t.TempDir()
		if err := os.Symlink(self, filepath.Join(dir, "imwatch")); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "logs", "a.log"), "user=bob "+kicked+"\n")
		var out sinktest.Output
		cmd := exec.Command("script", "-qec", "exec ./imwatch run logs", "/dev/null")
		cmd.Dir, cmd.Env, cmd.Stdout = dir, append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "LANG=C", "TZ=UTC"), &out
		keys, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // a hang-up ends it, too
			keys.Close()
			cmd.Process.Kill()
		})
		c := &child{t: t, cmd: cmd}
		c.until(&out, "Ctrl-C ends it")
		c.until(&out, "Signed in on another device")
		url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{32,}`).FindString(out.String())
		if url == "" || seen[url] {
			t.Fatalf("%s: no address of its own: %s", name, out.String())
		}
		seen[url] = true
		for address, want := range map[string]int{url: 200, strings.Split(url, "?")[0]: 401, strings.Split(url, "?")[0] + "metrics": 200} {
			resp, err := (&http.Client{Timeout: 10 * time.Second}).Get(address)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != want || bytes.Contains(body, []byte("bob")) {
				t.Errorf("%s: %d, %v", address, resp.StatusCode, err)
			}
		}
		defer func() {
			if _, err := keys.Write([]byte{3}); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s after Ctrl-C: %v\n%s", name, err, out.String())
			}
		}()
	}
}
