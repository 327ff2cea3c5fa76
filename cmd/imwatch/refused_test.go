package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestScriptRefused gives imwatch check what the catalogue refuses, as files of
// a user's own family: the same complaints, and exit code 1.
func TestScriptRefused(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("../../codes/testdata/refused.txtar")
	if err != nil {
		t.Fatal(err)
	}
	family, pairs := archive.Files[0], archive.Files[1:]
	for i := 0; i+1 < len(pairs); i += 2 {
		t.Run(pairs[i].Name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []txtar.File{family, pairs[i]} {
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"check", dir}, strings.NewReader(""), &stdout, &stderr)
			want := string(pairs[i+1].Data) + "imwatch: " + count(strings.Count(string(pairs[i+1].Data), "hint: "), "problem", "problems") + "\n"
			if got := strings.ReplaceAll(stderr.String(), dir+"/", ""); got != want || code != exitFindings || stdout.Len() > 0 {
				t.Errorf("exit code %d, stdout %q, got\n%swant\n%s", code, stdout.String(), got, want)
			}
		})
	}
}
