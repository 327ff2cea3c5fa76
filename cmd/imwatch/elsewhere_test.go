package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImportsElsewhere: what follows files needs Linux, so that nothing of it
// may be asked for where it does not build. systemd/package builds all of it.
func TestImportsElsewhere(t *testing.T) {
	for _, goos := range []string{"darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", ".")
		cmd.Env = append(cmd.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go list for %s: %v\n%s", goos, err, out)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 50 {
			t.Errorf("%s: only %d packages", goos, len(deps))
		}
		for _, d := range deps {
			for _, no := range []string{"internal/tailer", "internal/store", "go-systemd"} {
				if strings.Contains(d, no) {
					t.Errorf("on %s imwatch would need %s: give the file that imports it //go:build linux", goos, d)
				}
			}
		}
	}
}
