package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/configs"
)

// TestScriptExamples: what the reference shows, uncommented, is a configuration
// that check takes; so is what the packages install.
func TestScriptExamples(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("sources: []", "sources:", "mute: []", "mute:", "sinks: []", "sinks:", "\n#  ", "\n  ").Replace(configs.Reference)
	if strings.Count(text, "type:") < 9 {
		t.Fatal("the examples are not where they were")
	}
	example := filepath.Join(t.TempDir(), "imwatch.yaml")
	if err := os.WriteFile(example, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{example, "../../configs/imwatch.yaml", "../../configs/service.yaml"} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"check", "-c", path}, strings.NewReader(""), &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "ok: ") {
			t.Errorf("%s: exit %d\n%s%s", path, code, stdout.String(), stderr.String())
		}
	}
}
