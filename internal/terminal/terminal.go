// Package terminal lays text out for people: widths, wrapping and colours that
// hold for English and Chinese.
package terminal

import (
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// A Style is how a stream wants its text. The zero value is plain text, 80
// columns wide.
type Style struct {
	Width int
	Color bool
}

// Of looks at a stream: its width if it is a terminal, and whether to colour
// (not with NO_COLOR, see https://no-color.org).
func Of(w io.Writer) Style {
	s := Style{Width: 80}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n >= 40 {
			s.Width = n
		}
		s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return s
}

// Is tells whether a stream is a terminal.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Colours of the terminal's own palette.
const (
	Bold   = "1"
	Dim    = "2"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Blue   = "34"
	Cyan   = "36"
)

// Paint colours a text, if the style has colours.
func (s Style) Paint(color, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// Level colours a level word.
func (s Style) Level(level string) string {
	color := map[string]string{"critical": Red + ";" + Bold, "error": Red, "warn": Yellow}[level]
	if color == "" {
		color = Blue
	}
	return s.Paint(color, level)
}

// Width is the number of columns a text takes.
func Width(s string) int { return runewidth.StringWidth(s) }

// Cut shortens a text to a number of columns, with … at its end.
func Cut(s string, columns int) string {
	if columns < 1 {
		return ""
	}
	return runewidth.Truncate(s, columns, "…")
}

// CutLeft shortens a text to a number of columns, with … at its start: the end
// of a path says more than its beginning.
func CutLeft(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && Width(string(r)) > columns-1 {
		r = r[1:]
	}
	return "…" + string(r)
}

// Pad fills a text with spaces up to a number of columns.
func Pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-Width(s)))
}

// Wrap breaks a text into lines of at most width columns: at spaces, and
// between Chinese characters, but not before their closing punctuation.
func Wrap(text string, width int) []string {
	var lines []string
	var line strings.Builder
	used := 0
	for _, p := range pieces(text) {
		w := Width(strings.TrimRight(p, " "))
		if used > 0 && used+w > width {
			lines = append(lines, strings.TrimRight(line.String(), " "))
			line.Reset()
			used = 0
		}
		line.WriteString(p)
		used += Width(p)
	}
	if rest := strings.TrimRight(line.String(), " "); rest != "" || len(lines) == 0 {
		lines = append(lines, rest)
	}
	return lines
}

// pieces cuts a text where a line may be broken.
func pieces(text string) (list []string) {
	r := []rune(strings.Join(strings.Fields(text), " "))
	start := 0
	for i := 1; i < len(r); i++ {
		prev, next := r[i-1], r[i]
		if prev == ' ' && next != ' ' || (wide(prev) || wide(next)) && !closing(next) && !opening(prev) && next != ' ' {
			list = append(list, string(r[start:i]))
			start = i
		}
	}
	return append(list, string(r[start:]))
}

func wide(r rune) bool { return unicode.Is(unicode.Han, r) || r >= 0x3000 && r < 0xff60 }

func closing(r rune) bool {
	return strings.ContainsRune("，。、；：？！”’）】》」』…,.;:?!)]}%", r)
}

func opening(r rune) bool { return strings.ContainsRune("“‘（【《「『([{", r) }

// Indent wraps a text and puts first before its first line and as many spaces
// before the others.
func Indent(first, text string, width int) string {
	n := Width(first)
	lines := Wrap(text, max(20, width-n))
	return first + strings.Join(lines, "\n"+strings.Repeat(" ", n))
}
