package regex

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/imwatch/imwatch/scanner/plan"
	"github.com/imwatch/imwatch/scanner/sieve"
)

// MaxTexts bounds a set of texts, beyond which it is no filter.
const MaxTexts = 128

// rarest returns the set of literals that the fewest texts will have; nil when
// there is none.
func rarest(tree *syntax.Regexp) []plan.Literal {
	tree, ok := lower(tree)
	if !ok {
		return nil
	}
	var c choice
	c.concat(Parts(tree.Simplify()), 0)
	return c.best
}

// lower returns a tree with its literals in lower case and case-sensitive; false
// when that is not possible.
func lower(n *syntax.Regexp) (*syntax.Regexp, bool) {
	low := *n
	if n.Op == syntax.OpLiteral {
		low.Rune = slices.Clone(n.Rune)
		for i, r := range n.Rune {
			if n.Flags&syntax.FoldCase != 0 && r >= utf8.RuneSelf && unicode.SimpleFold(r) != r {
				return nil, false
			}
			if r < utf8.RuneSelf {
				low.Rune[i] = unicode.ToLower(r)
			}
		}
		low.Flags &^= syntax.FoldCase
	}
	low.Sub = make([]*syntax.Regexp, len(n.Sub))
	for i, sub := range n.Sub {
		var ok bool
		if low.Sub[i], ok = lower(sub); !ok {
			return nil, false
		}
	}
	return &low, true
}

// Parts returns the parts of a concatenation, groups opened; x+ becomes x x*.
func Parts(n *syntax.Regexp) (list []*syntax.Regexp) {
	switch n.Op {
	case syntax.OpCapture:
		return Parts(n.Sub[0])
	case syntax.OpConcat:
		for _, sub := range n.Sub {
			list = append(list, Parts(sub)...)
		}
		return list
	case syntax.OpPlus:
		star := *n
		star.Op = syntax.OpStar
		return append(Parts(n.Sub[0]), &star)
	}
	return []*syntax.Regexp{n}
}

// A choice collects sets of literals and keeps the rarest.
type choice struct {
	best []plan.Literal
	cost float64
}

func (c *choice) offer(set []plan.Literal) {
	cost, short := 0.0, 0
	for _, l := range set {
		if l.Text == "" {
			return
		}
		p := sieve.Rarity(l.Text)
		if len(l.Text) < sieve.Window {
			short++
		}
		cost += p
	}
	cost *= 1 + float64(short*short) // each is searched for itself
	if len(set) > 0 && len(set) <= MaxTexts && (c.best == nil || cost < c.cost) {
		c.best, c.cost = set, cost
	}
}

// concat offers the sets of a concatenation before which at most before bytes
// of the match stand.
func (c *choice) concat(list []*syntax.Regexp, before int) {
	at, done := before, 0 // of the part before; behind the last run
	for i := range list {
		var run []string
		n := 0
		if i >= done {
			run, n = runOf(list[i:])
		}
		if n > 0 {
			done = i + n
			var set literals
			for _, text := range run {
				set.add(plan.Literal{Text: string(lowered(nil, text)), Back: before})
			}
			c.offer(set)
		}
		if list[i].Op == syntax.OpAlternate {
			// The parser takes out what all branches begin with.
			if i > 0 && list[i-1].Op == syntax.OpLiteral {
				c.alternatives(list[i-1:i], list[i].Sub, at)
			} else {
				c.alternatives(nil, list[i].Sub, before)
			}
		}
		at = before
		if n := longest(list[i]); n < 0 || before < 0 {
			before = -1
		} else {
			before += n
		}
	}
}

func (c *choice) alternatives(head, branches []*syntax.Regexp, before int) {
	var all literals
	for _, b := range branches {
		var one choice
		one.concat(slices.Concat(head, Parts(b)), before)
		if one.best == nil {
			return
		}
		for _, l := range one.best {
			all.add(l)
		}
		if len(all) > MaxTexts { // no set is that large
			return
		}
	}
	c.offer(all)
}

// literals is a set, each text once.
type literals []plan.Literal

func (s *literals) add(l plan.Literal) {
	i := slices.IndexFunc(*s, func(o plan.Literal) bool { return o.Text == l.Text })
	if i < 0 {
		*s = append(*s, l)
	} else if old := &(*s)[i]; old.Back >= 0 && (l.Back < 0 || l.Back > old.Back) {
		old.Back = l.Back
	}
}

// runOf crosses the texts of the first n parts.
func runOf(list []*syntax.Regexp) (texts []string, n int) {
	for _, p := range list {
		set := Exact(p)
		joined := Cross(texts, set)
		if set == nil || joined == nil {
			return texts, n
		}
		texts, n = joined, n+1
	}
	return texts, n
}

// longest returns how many bytes a node matches at most; -1 for any number.
func longest(n *syntax.Regexp) int {
	switch n.Op {
	case syntax.OpLiteral:
		return 4 * len(n.Rune)
	case syntax.OpCharClass:
		if len(n.Rune) > 0 && n.Rune[len(n.Rune)-1] < utf8.RuneSelf {
			return 1
		}
		return utf8.UTFMax
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		return -1
	}
	all := 0
	for _, sub := range n.Sub {
		l := longest(sub)
		if l < 0 {
			return -1
		}
		if n.Op == syntax.OpAlternate {
			all = max(all, l)
		} else {
			all += l
		}
	}
	return all
}

// Exact returns every text a node can match, when they are few; nil else.
func Exact(n *syntax.Regexp) []string {
	switch n.Op {
	case syntax.OpLiteral:
		return exactLiteral(n)
	case syntax.OpCharClass:
		return exactClass(n)
	case syntax.OpCapture:
		return Exact(n.Sub[0])
	case syntax.OpConcat:
		var all []string
		for _, sub := range n.Sub {
			set := Exact(sub)
			if set == nil {
				return nil
			}
			if all = Cross(all, set); all == nil {
				return nil
			}
		}
		return all
	case syntax.OpAlternate:
		var all []string
		for _, sub := range n.Sub {
			set := Exact(sub)
			if set == nil {
				return nil
			}
			all = append(all, set...)
		}
		if len(all) <= MaxTexts {
			return all
		}
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpEmptyMatch:
		return []string{""}
	}
	return nil
}

// exactLiteral spells out the cases of a case-insensitive literal; nil when
// they are too many.
func exactLiteral(n *syntax.Regexp) []string {
	if n.Flags&syntax.FoldCase == 0 {
		return []string{string(n.Rune)}
	}
	set := []string{""}
	for _, r := range n.Rune {
		next := Cross(set, folds(r))
		if next == nil {
			return nil
		}
		set = next
	}
	return set
}

func folds(r rune) []string {
	set := []string{string(r)}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		set = append(set, string(f))
	}
	return set
}

func exactClass(n *syntax.Regexp) (set []string) {
	for i := 0; i+1 < len(n.Rune); i += 2 {
		for r := n.Rune[i]; r <= n.Rune[i+1]; r++ {
			set = append(set, string(r))
			if len(set) > 12 {
				return nil
			}
		}
	}
	return set
}

// Cross joins every text of a with every text of b; nil when they are too many.
func Cross(a, b []string) (out []string) {
	if a == nil {
		return b
	}
	if len(a)*len(b) > MaxTexts {
		return nil
	}
	if len(b) == 1 && b[0] == "" {
		return a
	}
	out = make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}
