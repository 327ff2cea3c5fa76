//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/tailer"
)

// What /proc/self/mountinfo shows inside services of systemd 252.
const (
	hiddenHome = `616 560 0:26 /systemd/inaccessible/dir /home ro,nosuid,nodev,noexec shared:330 master:5 - tmpfs tmpfs rw,size=4912088k,mode=755
617 560 0:26 /systemd/inaccessible/dir /srv/secret ro,nosuid,nodev,noexec shared:331 master:5 - tmpfs tmpfs rw`
	emptyHome  = `616 560 0:61 / /home ro,nosuid,nodev,noexec shared:330 - tmpfs tmpfs ro,mode=755`
	privateTmp = `560 1 254:1 / / ro,relatime shared:1 - ext4 /dev/vda rw
620 560 254:1 /tmp/systemd-private-5a0e-imwatch.service-8Xv/tmp /tmp rw,relatime shared:340 master:1 - ext4 /dev/vda rw`
	ownTmp = `560 1 254:1 / / ro,relatime shared:1 - ext4 /dev/vda rw
29 560 0:30 / /tmp rw shared:12 - tmpfs tmpfs rw`
)

func TestHiddenBy(t *testing.T) {
	for _, x := range []struct{ mounts, path, want string }{
		{hiddenHome, "/home/app/logs", "ProtectHome="},
		{hiddenHome, "/home", "ProtectHome="},
		{hiddenHome, "/homes/app", ""}, // another directory
		{hiddenHome, "/srv/secret/logs", "InaccessiblePaths=/srv/secret"},
		{hiddenHome, "/srv/chat", ""},
		{emptyHome, "/home/app/logs", "ProtectHome="},
		{privateTmp, "/tmp/logs", "PrivateTmp="},
		{privateTmp, "/var/log/im", ""},
		{ownTmp, "/tmp/logs", ""},
		{"", "/home/app", ""},
		{"garbage\n1 2 3", "/home/app", ""},
	} {
		if got, _ := hiddenBy(x.mounts, x.path); got != x.want {
			t.Errorf("%s in\n%s\nis hidden by %q, want %q", x.path, x.mounts, got, x.want)
		}
	}
}

// TestEmpty: one warning for a source, with what is there and what helps.
func TestEmpty(t *testing.T) {
	dir := t.TempDir()
	s := &config.Source{Name: "chat", Paths: []string{filepath.Join(dir, "there", "**", "*.log"), filepath.Join(dir, "not", "there.log")}}
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o750); err != nil {
		t.Fatal(err)
	}
	got := empty(s, nil, "")
	for _, want := range []string{"source chat: ", filepath.Join(dir, "there") + " (drwxr-x---, owner ", "the deepest existing part is " + dir + " (", "we are " + me() + " (uid ", "hint: files that appear there later are followed"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if got := empty(s, []tailer.Status{{Source: "other", Mode: "live"}}, ""); got == "" {
		t.Error("another source's file silences the warning")
	}
	if got := empty(s, []tailer.Status{{Source: "chat", Mode: "live"}}, ""); got != "" {
		t.Errorf("with a file it warns %q", got)
	}
	path := filepath.Join(dir, "there", "it's.log")
	put(t, path, "x\n")
	got = empty(s, []tailer.Status{{Source: "chat", Mode: "unreadable", Path: path}}, "/etc/x.yaml")
	for _, want := range []string{"1 file is refused, for example " + path + " (-rw-", "hint: sudo setfacl -R -m u:" + me() + ":rX,d:u:" + me() + ":rX '", "sudo imwatch check -c '/etc/x.yaml' --user " + me()} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

// TestCheckUser tries to read as another user, runs the command that it prints,
// and tries again.
func TestCheckUser(t *testing.T) {
	setfacl := need(t, "setfacl")
	if os.Getuid() != 0 {
		t.Skip("only root can try what another user may read")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	// The test's own temporary directory is closed to others.
	dir, err := os.MkdirTemp("", "imwatch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "a'b")
	put(t, filepath.Join(logs, "open.log"), "x\n")
	put(t, filepath.Join(logs, "deep", "closed.log"), "x\n")
	if err := os.Chmod(filepath.Join(logs, "deep", "closed.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Sources: []config.Source{{Name: "chat", Paths: []string{filepath.Join(logs, "**", "*.log")}}}}
	var out bytes.Buffer
	err = checkUser(t.Context(), &out, c, nobody.Username)
	var e exit
	if !errors.As(err, &e) || e.code != exitFindings || !strings.Contains(out.String(), "cannot read 1 file or directory") || !strings.Contains(out.String(), "closed.log (-rw-------, owner root:root)") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	_, command, ok := strings.Cut(out.String(), "sudo setfacl ")
	command, _, _ = strings.Cut(command, "\n")
	if !ok {
		t.Fatalf("no command in\n%s", out.String())
	}
	if b, err := exec.Command("sh", "-c", setfacl+" "+command).CombinedOutput(); err != nil {
		if bytes.Contains(b, []byte("not supported")) {
			t.Skipf("no access lists on this file system: %s", b)
		}
		t.Fatalf("%s: %v\n%s", command, err, b)
	}
	put(t, filepath.Join(logs, "deep", "later.log"), "x\n")
	out.Reset()
	if err := checkUser(t.Context(), &out, c, nobody.Username); err != nil || !strings.Contains(out.String(), "nobody can read 3 files") {
		t.Errorf("after %s: %v\n%s", command, err, out.String())
	}
	if err := checkUser(t.Context(), &out, c, "no-such-user"); !errors.As(err, &e) || e.code != exitUsage {
		t.Errorf("an unknown user: %v", err)
	}
}
