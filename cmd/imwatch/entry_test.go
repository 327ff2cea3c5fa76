package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/terminal"
)

// TestEntryWidth prints every entry in both languages: in 80 columns nothing
// is wider but what cannot be broken (an address, a path).
func TestEntryWidth(t *testing.T) {
	t.Parallel()
	cat := codes.Embedded()
	for _, lang := range []string{"en", "zh"} {
		for _, e := range cat.All() {
			var b bytes.Buffer
			x := explainer{w: &b, cat: cat, style: terminal.Style{Width: 80}, langs: []string{lang}}
			x.several(e.Code, []*codes.Entry{e})
			for line := range strings.Lines(b.String()) {
				line = strings.TrimRight(line, "\n")
				if terminal.Width(line) > 80 && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s in %s: %d columns: %s", e.Key(), lang, terminal.Width(line), line)
				}
				if strings.ContainsAny(line, "{}") && strings.Contains(line, "{console}") {
					t.Errorf("%s in %s: a word is not filled in: %s", e.Key(), lang, line)
				}
			}
			if !strings.Contains(b.String(), e.In(lang).Title) && terminal.Width(e.In(lang).Title) < 70 {
				t.Errorf("%s in %s: the title is missing", e.Key(), lang)
			}
		}
	}
}
