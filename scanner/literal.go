package scanner

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// literals returns strings of which at least one stands in every text that the
// regex matches, the most selective set it finds; nil when there is none. They
// are the prefilter: a line without any of them is never looked at. A literal
// is never returned that is not truly required.
func literals(re string) []string {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return nil
	}
	best := required(tree.Simplify())
	for _, l := range best {
		if len(l) < 2 {
			return nil
		}
	}
	return best
}

const maxAlternatives = 64 // of a set of literals, beyond which it is no filter

// required returns the best set of literals for one node of a regex.
func required(n *syntax.Regexp) []string {
	switch n.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return required(n.Sub[0])
	case syntax.OpRepeat:
		if n.Min > 0 {
			return required(n.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range n.Sub {
			set := required(sub)
			if set == nil {
				return nil
			}
			all = append(all, set...)
		}
		if len(all) <= maxAlternatives {
			return all
		}
	case syntax.OpConcat:
		return requiredConcat(n.Sub)
	case syntax.OpLiteral:
		if n.Flags&syntax.FoldCase != 0 {
			return foldedPart(n.Rune)
		}
		return exact(n)
	default:
		return exact(n)
	}
	return nil
}

// requiredConcat joins neighbours whose texts are few and known, and takes the
// best run or the best single part.
func requiredConcat(subs []*syntax.Regexp) (best []string) {
	var run []string
	flush := func() {
		best = better(best, run)
		run = nil
	}
	for _, sub := range subs {
		set := exact(sub)
		if set == nil {
			flush()
			best = better(best, required(sub))
			continue
		}
		joined := cross(run, set)
		if joined == nil {
			flush()
			joined = set
		}
		run = joined
	}
	flush()
	return best
}

// exact returns every text a node can match, when they are few; nil else.
func exact(n *syntax.Regexp) []string {
	switch n.Op {
	case syntax.OpLiteral:
		return exactLiteral(n)
	case syntax.OpCharClass:
		return exactClass(n)
	case syntax.OpCapture:
		return exact(n.Sub[0])
	case syntax.OpConcat:
		var all []string
		for _, sub := range n.Sub {
			set := exact(sub)
			if set == nil {
				return nil
			}
			if all = cross(all, set); all == nil {
				return nil
			}
		}
		return all
	case syntax.OpAlternate:
		var all []string
		for _, sub := range n.Sub {
			set := exact(sub)
			if set == nil {
				return nil
			}
			all = append(all, set...)
		}
		if len(all) <= maxAlternatives {
			return all
		}
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpEmptyMatch:
		return []string{""}
	}
	return nil
}

// foldedPart spells out the cases of the first letters of a word that is
// matched in any case: few enough for the prefilter, and still required.
func foldedPart(word []rune) []string {
	set := []string{""}
	for _, r := range word[:min(4, len(word))] {
		next := cross(set, folds(r))
		if next == nil {
			break
		}
		set = next
	}
	return set
}

// exactLiteral spells out the cases of a case-insensitive literal; nil when
// they are too many.
func exactLiteral(n *syntax.Regexp) []string {
	if n.Flags&syntax.FoldCase == 0 {
		return []string{string(n.Rune)}
	}
	set := []string{""}
	for _, r := range n.Rune {
		next := cross(set, folds(r))
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

func cross(a, b []string) (out []string) {
	if a == nil {
		return b
	}
	if len(a)*len(b) > maxAlternatives {
		return nil
	}
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// better picks the set whose shortest literal is longest, the smaller one of
// equals.
func better(a, b []string) []string {
	la, lb := shortest(a), shortest(b)
	switch {
	case lb > la, lb == la && lb > 0 && len(b) < len(a):
		return b
	}
	return a
}

func shortest(set []string) int {
	if len(set) == 0 {
		return 0
	}
	return len(slices.MinFunc(set, func(a, b string) int { return len(a) - len(b) }))
}
