package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
)

// TestMessages: every code has one message in each language, and nothing in a
// text reads as part of the catalogue's own form.
func TestMessages(t *testing.T) {
	c := codes.Embedded()
	field := regexp.MustCompile(`@[A-Z0-9_]+@`)
	for _, lang := range []string{"en", "zh"} {
		text := messages(c, lang)
		heads := map[string]int{}
		for _, l := range strings.Split(text, "\n") {
			if id, ok := strings.CutPrefix(l, "-- "); ok {
				heads[id]++
			} else if strings.HasPrefix(l, "--") || strings.HasPrefix(l, ";") || strings.HasPrefix(l, "#") && !strings.HasPrefix(l, "# Made of") {
				t.Errorf("%s: the line %q would be lost", lang, l)
			}
			if m := field.FindString(l); m != "" {
				t.Errorf("%s: %q in %q would be replaced", lang, m, l)
			}
		}
		for _, e := range c.All() {
			id := codes.MessageID(e.Family, e.Code)
			if heads[id] != 1 {
				t.Errorf("%s: %s has %d messages", lang, e.Key(), heads[id])
			}
			_, message, _ := strings.Cut(text, "-- "+id)
			message, _, _ = strings.Cut(message, "\n-- ")
			squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
			for _, h := range e.In(lang).Hints {
				if !strings.Contains(squeeze(message), squeeze(h)) {
					t.Errorf("%s: the message of %s lacks the hint %q", lang, e.Key(), h)
				}
			}
		}
	}
}
