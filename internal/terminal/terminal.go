// Package terminal lays text out for people: widths, wrapping and colours that
// hold for English and Chinese.
package terminal

import (
	"io"
	"os"
	"regexp"
	"strconv"
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
	Whole bool // nobody asked for a width: what a person acts on is not cut
}

const narrowest = 40 // columns that anything is laid out for

// Of looks at a stream: its width if it is a terminal, else the one that COLUMNS
// asks for, and whether to colour (not with NO_COLOR, see https://no-color.org).
func Of(w io.Writer) Style {
	s := Style{Width: 80}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n >= narrowest {
			s.Width = n
		}
		s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		return s
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= narrowest {
		s.Width = n
		return s
	}
	s.Whole = true
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

// Width is the number of columns a text takes; colours take none.
func Width(s string) int {
	if strings.Contains(s, "\x1b[") {
		s = colour.ReplaceAllString(s, "")
	}
	return runewidth.StringWidth(s)
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

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
// between Chinese characters, but not before their closing punctuation. A last
// line that would be all but empty gets company from the line above.
func Wrap(text string, width int) []string {
	parts := pieces(text)
	lines := fill(parts, width)
	n := len(lines)
	if n < 2 || Width(lines[n-1]) >= width/5 {
		return lines
	}
	for narrow := width - 1; narrow > width*3/4; narrow-- {
		if l := fill(parts, narrow); len(l) != n {
			break
		} else if Width(l[n-1]) >= width/5 {
			return l
		}
	}
	return lines
}

// fill puts as many pieces on each line as fit.
func fill(parts []string, width int) (lines []string) {
	var line strings.Builder
	used := 0
	for _, p := range parts {
		if used > 0 && used+Width(strings.TrimRight(p, " ")) > width {
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

// Flow joins short items by a separator, as many on a line as fit; an item is
// not broken.
func Flow(items []string, separator string, width int) []string {
	for i := range items[:max(0, len(items)-1)] {
		items[i] += separator
	}
	return fill(items, width)
}

// pieces cuts a text where a line may be broken: not within a short `span` of
// code, nor between a number and its unit.
func pieces(text string) (list []string) {
	r := []rune(strings.Join(strings.Fields(text), " "))
	start, code, ticks := 0, 0, 0
	for i := 1; i < len(r); i++ {
		prev, next := r[i-1], r[i]
		if prev == '`' {
			if ticks++; ticks%2 == 1 {
				code = i + span(r[i:])
			}
		}
		between := prev == ' ' && next != ' ' || (wide(prev) || wide(next)) && !closing(next) && !opening(prev) && next != ' '
		if between && i >= code && !unit(r, i) {
			list = append(list, string(r[start:i]))
			start = i
		}
	}
	return append(list, string(r[start:]))
}

// span is the length of a text up to the backtick that ends it, with it; 0 for
// one too long to be kept on a line.
func span(r []rune) int {
	for i := range min(len(r), 32) {
		if r[i] == '`' {
			return i + 1
		}
	}
	return 0
}

// unit tells whether KB, MB or GB begins at i, behind its number.
func unit(r []rune, i int) bool {
	return i >= 2 && i+1 < len(r) && unicode.IsDigit(r[i-2]) && strings.ContainsRune("KMG", r[i]) && r[i+1] == 'B'
}

func wide(r rune) bool { return unicode.Is(unicode.Han, r) || r >= 0x3000 && r < 0xff60 }

func closing(r rune) bool {
	return strings.ContainsRune("，。、；：？！”’）】》」』…—,.;:?!)]}%", r)
}

func opening(r rune) bool { return strings.ContainsRune("“‘（【《「『([{", r) }

// Indent wraps a text and puts first before its first line and as many spaces
// before the others.
func Indent(first, text string, width int) string {
	n := Width(first)
	lines := Wrap(text, max(20, width-n))
	return first + strings.Join(lines, "\n"+strings.Repeat(" ", n))
}
