package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme runs the commands that the README shows and holds its figures and
// its sample against the program.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	script, err := os.ReadFile("testdata/script/scan.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, sample, _ := strings.Cut(string(script), "-- text.want --\n")
	sample, _, _ = strings.Cut(sample, "\n\n")
	if !strings.Contains(readme, "    "+strings.ReplaceAll(sample, "\n", "\n    ")) {
		t.Error("the README's sample is not what scan prints")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "imwatch")); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(readme) {
		command, ok := strings.CutPrefix(line, "    go run ./cmd/imwatch ")
		if !ok {
			continue
		}
		n++
		if strings.HasPrefix(command, "run ") {
			continue // TestRun does
		}
		cmd := exec.Command("sh", "-c", "imwatch "+command)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) == 0 {
			t.Errorf("%s: %v, %d bytes: %.300s", command, err, len(out), out)
		}
	}
	if n < 5 {
		t.Errorf("%d commands found in the README", n)
	}
}
