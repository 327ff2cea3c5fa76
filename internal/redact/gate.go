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

// open returns a bit for each pattern one of whose words stands in s; with anyDigits, or in
// a text that differs from s in digits only: %3A stands between a name and its value, %4A
// does not.
func (g *gate) open(s string, anyDigits bool) (mask uint64) {
	var one, two uint32 // the words that may have begun one and two bytes before
	for i := range len(s) {
		h := &g.heads[s[i]]
		three := two & h[2]
		two, one = one&h[1], h[0]
		if three != 0 {
			mask |= g.opened(three, s[i+1:], mask, anyDigits)
		}
	}
	return mask
}

// opened looks at the words that have begun, and go on in s, of patterns that are
// not open yet.
func (g *gate) opened(begun uint32, s string, mask uint64, anyDigits bool) uint64 {
	for ; begun != 0; begun &= begun - 1 {
		for _, w := range g.words[bits.TrailingZeros32(begun)] {
			if mask&w.mask == 0 && begins(s, w.rest) && (!w.key || separated(s[len(w.rest):], anyDigits)) {
				mask |= w.mask
			}
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

// separated tells whether a name that goes on in s may have a value: behind it,
// quotes and blanks left out, must stand what separates them, or the dash of an arrow.
func separated(s string, anyDigits bool) bool {
	i := 0
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	for i < len(s) && strings.IndexByte(quotes+`\`, s[i]) >= 0 {
		i++
	}
	for i < len(s) && (isBlank(s[i]) || anyDigits && percentDigits(s[i:])) { // which may be a quote
		if s[i] == '%' {
			i += 2
		}
		i++
	}
	if i+2 < len(s) && s[i] == '%' { // %3A, %3D or a quote
		return s[i+1] == '3' || s[i+1] == '2' && (s[i+2] == '2' || s[i+2] == '7') || anyDigits && isDigit(s[i+1])
	}
	return i < len(s) && strings.IndexByte(":=>-", s[i]) >= 0
}

// percentDigits tells whether s begins with a percent sign and two digits.
func percentDigits(s string) bool {
	return len(s) > 2 && s[0] == '%' && isDigit(s[1]) && isDigit(s[2])
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c >= 0x80 || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
