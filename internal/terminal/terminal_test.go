package terminal

import (
	"bytes"
	"slices"
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

// TestWrapKeeps: a short span of code and a number with its unit stay together.
func TestWrapKeeps(t *testing.T) {
	text := "Read the `--->- event:` line before the file of 100 MB, and `a span that is far too long to be kept on one line` or `short again`, for a good measure of words behind it."
	for width := 24; width < 60; width++ {
		all := strings.Join(Wrap(text, width), "\n")
		if !strings.Contains(all, "`--->- event:`") || !strings.Contains(all, "100 MB") {
			t.Errorf("%d columns:\n%s", width, all)
		}
		for line := range strings.SplitSeq(all, "\n") {
			if Width(line) > width {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
}

// TestWidow: a last line that would hold a word or two gets company, in as many
// lines as before.
func TestWidow(t *testing.T) {
	for _, text := range []string{
		"The server looked at the token and did not take it, because it was too old by then.",
		"服务端检查了页面传来的令牌，没有接受：可能是给别的应用签发的，可能太旧，也可能根本不是令牌。",
	} {
		for width := 40; width <= 80; width++ {
			lines, plain := Wrap(text, width), fill(pieces(text), width)
			last := Width(lines[len(lines)-1])
			if len(lines) != len(plain) || last < Width(plain[len(plain)-1]) || len(lines) > 2 && last < width/5 {
				t.Errorf("%d columns: %q", width, lines)
			}
		}
	}
}

// TestFlow: items are not broken, and colours take no room.
func TestFlow(t *testing.T) {
	s := Style{Color: true}
	lines := Flow([]string{"Acme Web SDK", s.Level("error"), "retry: after the fix", "up to: your backend"}, " · ", 42)
	if want := []string{"Acme Web SDK · " + s.Level("error") + " ·", "retry: after the fix · up to: your backend"}; !slices.Equal(lines, want) {
		t.Errorf("got %q", lines)
	}
	if Width(s.Level("error")) != 5 || Flow(nil, " · ", 40)[0] != "" {
		t.Error("a colour takes room, or nothing is something")
	}
}

// TestStyle: no colour where the output is no terminal.
func TestStyle(t *testing.T) {
	t.Setenv("COLUMNS", "")
	var b bytes.Buffer
	s := Of(&b)
	if !s.Whole || s.Width != 80 {
		t.Errorf("style %+v: nobody asked for a width", s)
	}
	for columns, want := range map[string]Style{"132": {Width: 132}, "40": {Width: 40}, "39": {Width: 80, Whole: true}, "wide": {Width: 80, Whole: true}} {
		t.Setenv("COLUMNS", columns)
		if got := Of(&b); got != want {
			t.Errorf("COLUMNS=%s: style %+v, want %+v", columns, got, want)
		}
	}
	if s.Color || Is(&b) || s.Paint(Bold, "x") != "x" || s.Level("error") != "error" {
		t.Errorf("style %+v paints a buffer", s)
	}
	s.Color = true
	if got := s.Paint(Bold, "x"); got == "x" || !strings.HasSuffix(got, "\x1b[0m") {
		t.Errorf("painted %q", got)
	}
}
