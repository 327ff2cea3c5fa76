package redact

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Clean makes a text valid UTF-8 of at most max bytes in which nothing can move
// a cursor, reorder the letters or end a line unseen: control, bidirectional
// and invisible characters become visible escapes. Newline and tab stay. It
// returns s itself when there is nothing to do.
func Clean(s string, max int) string { return clean(s, max, false) }

// Terminal is Clean for one line of a terminal: a newline becomes ⏎.
func Terminal(s string) string { return clean(s, 64<<10, true) }

// IsClean tells whether Clean leaves a text as it is.
func IsClean(s string, max int) bool { return len(s) <= max && ok(s, false) == len(s) }

const ellipsis = "…"

func clean(s string, max int, oneLine bool) string {
	i := ok(s, oneLine)
	if i == len(s) && len(s) <= max {
		return s
	}
	var b strings.Builder
	room := max - len(ellipsis)
	cut := i > max
	b.WriteString(whole(s[:min(i, max)]))
	for i < len(s) && b.Len() <= max {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case oneLine && r == '\n':
			b.WriteString("⏎")
		case oneLine && r == '\t':
			b.WriteByte(' ')
		case dangerous(r):
			escape(&b, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	out := b.String()
	if i == len(s) && len(out) <= max && !cut {
		return out
	}
	if room < 0 {
		return whole(out[:min(len(out), max)])
	}
	return whole(out[:min(len(out), room)]) + ellipsis
}

// whole drops a rune that was cut at the end.
func whole(s string) string {
	for i := 0; i < utf8.UTFMax && s != ""; i++ {
		if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n != 1 {
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}

// ok returns how long the start of s is that can stay as it is.
func ok(s string, oneLine bool) int {
	for i := 0; i < len(s); {
		end := len(s)
		if i+8 <= len(s) {
			if plain(s[i : i+8]) {
				i += 8
				continue
			}
			end = i + 8
		}
		for i < end {
			if c := s[i]; c < utf8.RuneSelf {
				if c < ' ' && (oneLine || c != '\n' && c != '\t') || c == 0x7f {
					return i
				}
				i++
				continue
			}
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || dangerous(r) {
				return i
			}
			i += n
		}
	}
	return len(s)
}

// plain tells whether eight bytes are printable ASCII, all at once: none has the
// highest bit, has it after less ' ', or is DEL.
func plain(s string) bool {
	const each, highest = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	return (w|(w-each*' ')|((w^each*0x7f)-each))&highest == 0
}

func escape(b *strings.Builder, r rune) {
	if r > 0xffff {
		fmt.Fprintf(b, `\u{%x}`, r)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}

// dangerous runes act on what stands beside them, or hide.
func dangerous(r rune) bool {
	switch {
	case r >= 0x2070 && r < 0xfdd0: // most of what is not Latin, CJK too
		return false
	case r < ' ' && r != '\n' && r != '\t', r >= 0x7f && r < 0xa0, // C0, DEL, C1
		r == 0x061c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, // separators, bidi, zero width
		r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef, // marks, noncharacters
		r >= 0xe0000 && r <= 0xe007f, r == 0x00ad, r >= 0x180b && r <= 0x180e: // tags, soft hyphen
		return true
	}
	return false
}
