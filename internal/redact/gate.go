package redact

import (
	"math/bits"
	"strings"
)

// A gate tells in one pass over a text which patterns can match it at all. Of
// each word it looks for the first three bytes: heads has for a byte which words
// have it as their first, second and third; what all three allow is there.
type gate struct {
	heads [256][3]uint32
	words [][]gateWord // by bit of heads
}

type gateWord struct {
	rest string // behind the first three bytes, in lower case
	mask uint64 // of the patterns that the word opens
	key  bool   // it is part of a name, behind which a separator must stand
}

// newGate makes the gate of patterns whose words begin in at most 32 ways, each
// of three bytes or more.
func newGate(list []pattern) *gate {
	g := &gate{}
	begin := map[string]int{}
	for i := range list {
		for _, w := range list[i].gate {
			bit, ok := begin[w[:3]]
			if !ok {
				bit = len(g.words)
				begin[w[:3]] = bit
				g.words = append(g.words, nil)
			}
			for at := range 3 {
				g.heads[w[at]][at] |= 1 << bit
				g.heads[upper(w[at])][at] |= 1 << bit
			}
			g.words[bit] = append(g.words[bit], gateWord{w[3:], 1 << i, list[i].keys})
		}
	}
	return g
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

// open returns a bit for each pattern one of whose words stands in s.
func (g *gate) open(s string) (mask uint64) {
	failed := 0         // the name that ends here has no separator behind it
	var one, two uint32 // the words that may have begun one and two bytes before
	for i := range len(s) {
		h := &g.heads[s[i]]
		three := two & h[2]
		two, one = one&h[1], h[0]
		if three != 0 {
			mask |= g.opened(three, s, i+1, mask, &failed)
		}
	}
	return mask
}

// opened looks at the words that have begun, and go on in s, of patterns that are
// not open yet.
func (g *gate) opened(begun uint32, text string, at int, mask uint64, failed *int) uint64 {
	s := text[at:]
	for ; begun != 0; begun &= begun - 1 {
		for _, w := range g.words[bits.TrailingZeros32(begun)] {
			if mask&w.mask != 0 || !begins(s, w.rest) {
				continue
			}
			if from := at + len(w.rest); w.key {
				if from < *failed {
					continue
				}
				end := nameEnd(text, from)
				if !separated(text[end:]) {
					*failed = end
					continue
				}
			}
			mask |= w.mask
		}
	}
	return mask
}

// begins tells whether s begins with a word in any case; the word is in lower.
func begins(s, word string) bool {
	if len(s) < len(word) {
		return false
	}
	for i := range len(word) {
		if s[i] != word[i] && s[i] != upper(word[i]) {
			return false
		}
	}
	return true
}

// separated tells whether a name behind which s stands may have a value: quotes and blanks
// left out, s must begin with what separates them, however it is escaped.
func separated(s string) bool {
	for s != "" {
		switch c := s[0]; {
		case strings.IndexByte(":=>", c) >= 0 || isWideColon(s):
			return true
		case c == '-':
			return len(s) > 1 && strings.IndexByte(`>%\&`, s[1]) >= 0 // an arrow
		case strings.IndexByte(quotes+"+ ", c) >= 0 || c >= '\t' && c <= '\r':
			s = s[1:]
		case c == '&':
			if s = strings.TrimPrefix(s[1:], "amp;"); strings.HasPrefix(s, "gt;") {
				return true
			}
			n := strings.IndexByte(s, ';')
			if n < 0 || n > len("quot") {
				return false
			}
			s = s[n+1:]
		case c == '%' || c == '\\':
			code := strings.TrimLeft(s, `\`)
			if c == '%' {
				for code = s[1:]; strings.HasPrefix(code, "25"); {
					code = code[2:]
				}
			} else if code != "" && (code[0] == 'x' || strings.HasPrefix(code, "u00")) {
				code = strings.TrimPrefix(code[1:], "00")
			} else {
				s = code // of a quote, perhaps
				continue
			}
			if len(code) < 2 || code[0] != '2' && code[0] != '3' {
				return false
			}
			if code[0] == '3' {
				return strings.IndexByte("AaDdEe", code[1]) >= 0
			}
			s = code[2:]
		default:
			return false
		}
	}
	return false
}

func isWideColon(s string) bool { return strings.HasPrefix(s, "：") || strings.HasPrefix(s, "＝") }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c >= 0x80 || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// nameEnd returns where the name that goes on at i ends.
func nameEnd(s string, i int) int {
	for i < len(s) && isNameByte(s[i]) && (s[i] != 0xEF || !isWideColon(s[i:])) {
		i++
	}
	return i
}
