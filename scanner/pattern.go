package scanner

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// A pattern is a regex with a gate before it: texts of which one must stand in
// what it matches, all in lower case. A regex costs microseconds even where it
// fails at once, a look for a text some nanoseconds.
type pattern struct {
	re   *regexp.Regexp
	gate []string // nil: always open
}

// newPattern returns a pattern without a regex for what rules.Parse has already
// complained of.
func newPattern(re string) pattern {
	r, err := regexp.Compile(re)
	if err != nil {
		return pattern{}
	}
	p := pattern{re: r}
	if tree, err := syntax.Parse(re, syntax.Perl); err == nil {
		lower(tree)
		p.gate = dedupe(required(tree.Simplify()))
	}
	if slices.Contains(p.gate, "") {
		p.gate = nil
	}
	return p
}

// lower makes the literals of a regex lower case and case-sensitive.
func lower(n *syntax.Regexp) {
	n.Flags &^= syntax.FoldCase
	if n.Op == syntax.OpLiteral || n.Op == syntax.OpCharClass {
		n.Rune = slices.Clone(n.Rune)
	}
	if n.Op == syntax.OpLiteral {
		for i, r := range n.Rune {
			n.Rune[i] = unicode.ToLower(r)
		}
	}
	for _, sub := range n.Sub {
		lower(sub)
	}
}

// dedupe makes what exact classes such as [Ee] spelt out lower case, each once.
func dedupe(set []string) (out []string) {
	for _, s := range set {
		if s = strings.ToLower(s); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// may tells whether the regex can match a text, given in lower case.
func (p *pattern) may(lowered string) bool {
	return p.re != nil && (p.gate == nil || slices.ContainsFunc(p.gate, func(l string) bool { return strings.Contains(lowered, l) }))
}

// matches tells whether it matches a text, given also in lower case.
func (p *pattern) matches(text, lowered string) bool {
	return p.may(lowered) && p.re.MatchString(text)
}
