package scanner

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// A wordSet is a set of letters, digits and _.
type wordSet [2]uint64

var allWords = func() (all wordSet) {
	for c := range byte(0x80) {
		all.add(rune(c))
	}
	return all
}()

// add adds a character, if it is one of these.
func (s *wordSet) add(r rune) {
	if r < 0x80 && isWord(r) {
		s[r>>6] |= 1 << (r & 63)
	}
}

func (s wordSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

func (s wordSet) or(o wordSet) wordSet { return wordSet{s[0] | o[0], s[1] | o[1]} }

// lastWord returns the letters and digits with which what a regex's parts match
// can end; all where the parts can be empty, as anything may stand before them.
func lastWord(parts []*syntax.Regexp) (set wordSet) {
	if len(parts) == 0 {
		return allWords
	}
	last, before := parts[len(parts)-1], parts[:len(parts)-1]
	with := func(sub ...*syntax.Regexp) wordSet { return lastWord(slices.Concat(before, sub)) }
	switch last.Op {
	case syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary:
		return set
	case syntax.OpEmptyMatch:
		return with()
	case syntax.OpCharClass:
		for i := 0; i+1 < len(last.Rune); i += 2 {
			for r := last.Rune[i]; r <= min(last.Rune[i+1], 0x7f); r++ {
				set.add(r)
			}
		}
		return set
	case syntax.OpLiteral:
		r := last.Rune[len(last.Rune)-1]
		set.add(r)
		if last.Flags&syntax.FoldCase != 0 {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				set.add(f)
			}
		}
		return set
	case syntax.OpCapture, syntax.OpConcat, syntax.OpPlus:
		return with(last.Sub...)
	case syntax.OpQuest, syntax.OpStar:
		return with().or(with(last.Sub...))
	case syntax.OpAlternate:
		for _, s := range last.Sub {
			set = set.or(with(s))
		}
		return set
	}
	return allWords
}

func inClass(ranges []rune, r rune) bool {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= r && r <= ranges[i+1] {
			return true
		}
	}
	return false
}

func isWordByte(c byte) bool { return wordBytes[c] }

var wordBytes = func() (word [256]bool) {
	for c := range 0x80 {
		word[c] = isWord(rune(c))
	}
	return word
}()
