package scanner

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/imwatch/imwatch/scanner/plan"
	"github.com/imwatch/imwatch/scanner/regex"
	"github.com/imwatch/imwatch/scanner/sieve"
)

// An anchor is a text that the prefilter searches, and where it is found a look
// at what stands around it: the literal alone may be a word of every other
// line, the literal with what must follow it hardly ever is.
//
// Anchors are made of letters, digits and what is beyond ASCII wherever a rule
// has such: these are never escaped, so the anchor stands in the file however
// the record is wrapped.
type anchor = plan.Anchor

// anchorsOf returns anchors of which at least one stands in every text that the
// regex matches: those that the fewest lines will have. It returns nil when
// there are none.
func anchorsOf(re string) ([]anchor, error) {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return nil, err
	}
	c := anchorChoice{}
	c.concat(nil, flatten(tree.Simplify()), nil)
	return inEncodings(c.best.make()), nil
}

// sentenceAnchors are those of a fixed text.
func sentenceAnchors(text string) []anchor {
	set := spellings(spelling{text: text}, newRest(nil))
	return inEncodings(set.make()[:1])
}

// A spelling is one text of a run of literals, and what the regex has before the
// run.
type spelling struct {
	text  string
	front []*syntax.Regexp
}

// A placed literal is a spelling's best word and what the regex has behind it.
type placed struct {
	spelling
	from, to int
	behind   []*syntax.Regexp
}

// anchorSet is one choice: a word for each spelling.
type anchorSet struct {
	list []placed
	cost float64 // lines of a million that will be looked at closer, by and large
}

// anchorChoice collects the choices of one regex and keeps the cheapest.
type anchorChoice struct{ best anchorSet }

func (c *anchorChoice) offer(s anchorSet) {
	if len(s.list) > 0 && (len(c.best.list) == 0 || s.cost < c.best.cost) {
		c.best = s
	}
}

// flatten returns the parts of a concatenation; a word in any case is cut into
// parts whose spellings are few.
func flatten(n *syntax.Regexp) (list []*syntax.Regexp) {
	for _, part := range regex.Parts(n) {
		for part.Op == syntax.OpLiteral && part.Flags&syntax.FoldCase != 0 && len(part.Rune) > foldedRunes {
			first, rest := *part, *part
			first.Rune, rest.Rune = part.Rune[:foldedRunes], part.Rune[foldedRunes:]
			list, part = append(list, &first), &rest
		}
		list = append(list, part)
	}
	return list
}

// concat offers the choices of a concatenation that stands between front and
// behind.
func (c *anchorChoice) concat(front, parts, behind []*syntax.Regexp) {
	done := 0
	for i := range parts {
		rest := func(n int) rest { return newRest(slices.Concat(parts[n:], behind)) }
		var run []string
		n := 0
		if i >= done && !zeroWidth(parts[i]) {
			run, n = longestRun(parts[i:])
		}
		if n > 0 {
			done = i + n
			before, behind := slices.Concat(front, parts[:i]), rest(i+n)
			set := anchorSet{list: make([]placed, 0, len(run))}
			for _, text := range run {
				one := spellings(spelling{text, before}, behind)
				set.list, set.cost = append(set.list, one.list...), set.cost+one.cost
			}
			if len(set.list) == len(run) {
				c.offer(set)
			}
		}
		if parts[i].Op == syntax.OpAlternate {
			c.alternatives(slices.Concat(front, parts[:i]), nil, parts[i].Sub, slices.Concat(parts[i+1:], behind))
			if i > 0 && parts[i-1].Op == syntax.OpLiteral { // what the parser took out of all branches
				c.alternatives(slices.Concat(front, parts[:i-1]), parts[i-1:i], parts[i].Sub, slices.Concat(parts[i+1:], behind))
			}
		}
	}
}

// alternatives offers the best choices of all branches together.
func (c *anchorChoice) alternatives(front, head, branches, behind []*syntax.Regexp) {
	var all anchorSet
	for _, b := range branches {
		var one anchorChoice
		one.concat(front, slices.Concat(head, flatten(b)), behind)
		if len(one.best.list) == 0 {
			return
		}
		if all.list, all.cost = append(all.list, one.best.list...), all.cost+one.best.cost; len(all.list) > 2*regex.MaxTexts {
			return
		}
	}
	c.offer(all)
}

// longestRun crosses the exact texts of the first n parts.
func longestRun(parts []*syntax.Regexp) (run []string, n int) {
	for _, p := range parts {
		set := regex.Exact(p)
		joined := regex.Cross(run, set)
		if set == nil || joined == nil || slices.Contains(joined, "") && n > 0 {
			return run, n
		}
		run, n = joined, n+1
	}
	return run, n
}

func zeroWidth(n *syntax.Regexp) bool {
	return n.Op >= syntax.OpBeginLine && n.Op <= syntax.OpNoWordBoundary
}

// spellings offers the words of one text and returns the rarest with what
// stands around it.
func spellings(s spelling, behind rest) (best anchorSet) {
	offer := func(from, to int) {
		fits := behind.likely
		if to < len(s.text) {
			fits *= min(1, sieve.Rarity(s.text[to:]))
		}
		if from > 0 {
			fits *= sieve.Rarity(s.text[:from])
		}
		cost := sieve.Rarity(s.text[from:to]) * (lookCost + fits)
		if to-from < sieve.Window {
			cost *= 1e4 // it makes the search slower for all
		}
		if len(best.list) == 0 || cost < best.cost {
			best = anchorSet{[]placed{{s, from, to, behind.parts}}, cost}
		}
	}
	for from := 0; from < len(s.text); {
		if !wordlike(s.text[from]) {
			from++
			continue
		}
		to := from
		for to < len(s.text) && wordlike(s.text[to]) {
			to++
		}
		if to-from >= minAnchor {
			offer(from, to)
		}
		from = to
	}
	if len(best.list) == 0 {
		for from, to := 0, 0; from < len(s.text); from = to + 1 {
			to = from + strings.IndexByte(s.text[from:]+"\n", '\n') // a line at a time is searched
			if to-from > minAnchor {
				offer(from, to)
			}
		}
		best.cost *= 1e6 // no word in it, so an escape hides it
	}
	for i := range best.list {
		if p := &best.list[i]; p.to < len(s.text) {
			p.behind = append([]*syntax.Regexp{{Op: syntax.OpLiteral, Rune: []rune(s.text[p.to:])}}, p.behind...)
		}
	}
	return best
}

// A rest is what a regex has behind a run of literals, and a guess of how likely
// it is to follow.
type rest struct {
	parts  []*syntax.Regexp
	likely float64
}

func newRest(parts []*syntax.Regexp) rest { return rest{parts, follows(parts)} }

const (
	minAnchor   = 2    // bytes
	foldedRunes = 4    // of a word in any case that are spelt out together
	lookCost    = 0.01 // of a look around an anchor, against a line that is put together and shown to the rules
)

func wordlike(c byte) bool { return c >= 0x80 || isWordByte(c) }

// make describes the looks of the choice.
func (s anchorSet) make() (list []anchor) {
	type place struct { // in the regex
		beside *syntax.Regexp
		parts  int
	}
	// Spellings of one run share what is before it and what is behind it.
	ends, tails := map[place]wordSet{}, map[place]string{}
	var behind []place // of the list
	for _, p := range s.list {
		a := anchor{Lit: p.text[p.from:p.to], Head: p.text[:p.from], Ends: allWords, Word: isWordByte(p.text[p.to-1])}
		if n := len(p.front); n > 0 && isWordByte(p.text[0]) { // before others \b means the opposite
			at := place{p.front[n-1], n}
			if _, ok := ends[at]; !ok {
				ends[at] = lastWord(p.front)
			}
			a.Ends = ends[at]
		}
		var at place
		if len(p.behind) > 0 {
			at = place{p.behind[0], len(p.behind)}
			if _, ok := tails[at]; !ok {
				tails[at] = tailText(p.behind)
			}
			a.Tail = tails[at]
		}
		// One look for (?:e|err)\.type: its heads' common end.
		same := 0
		for same < len(list) && (list[same].Lit != a.Lit || behind[same] != at) {
			same++
		}
		if same == len(list) {
			list, behind = append(list, a), append(behind, at)
		} else if b := &list[same]; b.Head == a.Head {
			b.Ends = wordSet(b.Ends).or(a.Ends)
		} else {
			b.Head, b.Ends = commonEnd(a.Head, b.Head), allWords
		}
	}
	return list
}

func commonEnd(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return a[len(a)-n:]
}

// follows guesses how likely it is that what must follow does.
func follows(parts []*syntax.Regexp) float64 {
	p := 1.0
	for i, n := range parts {
		if i == 10 {
			break
		}
		switch n.Op {
		case syntax.OpLiteral:
			p *= min(1, sieve.Rarity(string(n.Rune)))
		case syntax.OpCharClass:
			share := 0.0
			for i := 0; i+1 < len(n.Rune); i += 2 {
				for r := n.Rune[i]; r <= min(n.Rune[i+1], 0xff); r++ {
					share += sieve.Share[r]
				}
			}
			p *= min(1, share)
		case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
			if s := n.Sub[0]; s.Op != syntax.OpLiteral && s.Op != syntax.OpCharClass || inClass(s.Rune, 'e') {
				return p // anything may be between
			}
		case syntax.OpCapture, syntax.OpConcat:
			return p * follows(slices.Concat(flatten(n), parts[i+1:]))
		case syntax.OpAlternate, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			return p
		}
	}
	return p
}
