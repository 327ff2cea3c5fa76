package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
)

// TestReadme runs the commands that the README shows and holds its figures and
// its sample against the program.
func TestReadme(t *testing.T) {
	t.Parallel()
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

// TestReadmeSays: what the README says that the program says, it can say.
func TestReadmeSays(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, dir := range []string{"../../cmd", "../../internal"} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				data, e := os.ReadFile(path)
				source.Write(data)
				err = e
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, table, _ := strings.Cut(string(readme), "| it says |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[2:]
	for _, row := range rows {
		said := strings.Split(row, "|")[1]
		for i, text := range strings.Split(said, "`") {
			if i%2 == 1 && text != "permission denied" && !strings.Contains(source.String(), text) { // that is the kernel's
				t.Errorf("nothing says %q", text)
			}
		}
	}
	if len(rows) < 10 {
		t.Errorf("only %d rows", len(rows))
	}
}

// TestReadmeFamilies holds the README's families and its number of entries
// against the catalogue.
func TestReadmeFamilies(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "## Families")
	table, _, _ = strings.Cut(table, "\n## ")
	cat := codes.Embedded()
	for _, f := range cat.Families() {
		if !strings.Contains(table, "`"+f.ID+"`") {
			t.Errorf("the README does not name %s", f.ID)
		}
	}
	if n := cat.Len(); n < 1200 || !strings.Contains(string(readme), "more than 1,200 entries") {
		t.Errorf("the README's number of entries is not that of the catalogue, %d", n)
	}
}
