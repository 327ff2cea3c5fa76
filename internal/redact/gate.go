package redact

import "strings"

// A gate tells in one pass over a text which patterns can match it at all.
type gate struct {
	pairs [1 << 13]uint64 // a bit for every pair of bytes that begins a word
	words map[uint16][]gateWord
}

type gateWord struct {
	word string // lower case
	mask uint64 // of the patterns that it opens
	key  bool   // it is part of a name, behind which a separator must stand
}

func newGate(list []pattern) *gate {
	g := &gate{words: map[uint16][]gateWord{}}
	for i := range list {
		for _, w := range list[i].gate {
			for _, pair := range cases(w) {
				g.pairs[pair>>6] |= 1 << (pair & 63)
				g.words[pair] = append(g.words[pair], gateWord{w, 1 << i, list[i].keys})
			}
		}
	}
	return g
}

// cases returns the first two bytes of a word in every case.
func cases(w string) []uint16 {
	var out []uint16
	for _, a := range []byte{w[0], upper(w[0])} {
		for _, b := range []byte{w[1], upper(w[1])} {
			out = append(out, uint16(a)<<8|uint16(b))
		}
	}
	return out
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

// open returns a bit for each pattern one of whose words stands in s.
func (g *gate) open(s string) (mask uint64) {
	for i := 0; i+1 < len(s); i++ {
		pair := uint16(s[i])<<8 | uint16(s[i+1])
		if g.pairs[pair>>6]&(1<<(pair&63)) == 0 {
			continue
		}
		for _, w := range g.words[pair] {
			if mask&w.mask == 0 && len(s)-i >= len(w.word) && strings.EqualFold(s[i:i+len(w.word)], w.word) && (!w.key || separated(s[i+len(w.word):])) {
				mask |= w.mask
			}
		}
	}
	return mask
}

// separated tells whether a name that goes on in s may have a value: behind it,
// quotes and blanks left out, must stand what separates them.
func separated(s string) bool {
	i := 0
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	for i < len(s) && strings.IndexByte(quotes+`\`, s[i]) >= 0 {
		i++
	}
	for i < len(s) && (s[i] == ' ' || s[i] >= '\t' && s[i] <= '\r') {
		i++
	}
	if i+2 < len(s) && s[i] == '%' { // %3A, %3D or a quote
		return s[i+1] == '3' || s[i+1] == '2' && (s[i+2] == '2' || s[i+2] == '7')
	}
	return i < len(s) && strings.IndexByte(":=>", s[i]) >= 0
}

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
