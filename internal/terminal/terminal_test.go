package terminal

import (
	"bytes"
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	for _, test := range []struct {
		in        string
		columns   int
		cut, left string
	}{
		{"plain", 5, "plain", "plain"},
		{"plainer", 5, "plai…", "…iner"},
		{"群组已解散", 6, "群组…", "…解散"}, // two columns each
		{"", 3, "", ""},
	} {
		if got := Cut(test.in, test.columns); got != test.cut {
			t.Errorf("Cut(%q, %d) = %q, want %q", test.in, test.columns, got, test.cut)
		}
		if got := CutLeft(test.in, test.columns); got != test.left {
			t.Errorf("CutLeft(%q, %d) = %q, want %q", test.in, test.columns, got, test.left)
		}
	}
}

// TestWrap: no line is wider than asked, Chinese breaks between characters but
// not before closing marks, and no word is lost.
func TestWrap(t *testing.T) {
	for _, text := range []string{
		"Compare the `appkey` given to init() with the one in the console for this environment.",
		"用同一个 AppKey 调 REST GET /v1/users/{username}：返回 200 说明页面用错了 AppKey，返回 899002 说明从未注册。",
		strings.Repeat("x", 50),
	} {
		lines := Wrap(text, 24)
		for _, l := range lines {
			if strings.ContainsRune("，。：）", []rune(l + " ")[0]) {
				t.Errorf("a line begins with a closing mark: %q", l)
			}
			if Width(l) > 24 && strings.ContainsAny(l, " ，") {
				t.Errorf("%d columns: %q", Width(l), l)
			}
		}
		squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if squeeze(strings.Join(lines, "")) != squeeze(text) {
			t.Errorf("wrapped %q into %q", text, lines)
		}
	}
}

// TestStyle: no colour where the output is no terminal.
func TestStyle(t *testing.T) {
	var b bytes.Buffer
	s := Of(&b)
	if s.Color || Is(&b) || s.Paint(Bold, "x") != "x" || s.Level("error") != "error" {
		t.Errorf("style %+v paints a buffer", s)
	}
	s.Color = true
	if got := s.Paint(Bold, "x"); got == "x" || !strings.HasSuffix(got, "\x1b[0m") {
		t.Errorf("painted %q", got)
	}
}
