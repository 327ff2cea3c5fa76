package scanner

import (
	"sync"

	"github.com/imwatch/imwatch/scanner/plan"
	"github.com/imwatch/imwatch/scanner/regex"
)

// A pattern is a regex of the set that a scanner looks for in one pass.
type pattern struct {
	*regex.Regexp
	id int
}

// patterns are all the regexes of a scanner, in one set: words, shapes, fields,
// rules and sentences.
type patterns struct {
	known *plan.Table
	list  []*regex.Regexp
	texts []string // plain ones; which may stand in a text, its sight tells in Texts
	set   *regex.Set
	marks sync.Pool
}

// add takes a regex in; ok is false for one that rules.Parse has complained of.
func (p *patterns) add(expr string) (x pattern, ok bool) {
	re, err := regex.Known(expr, p.known)
	if err != nil {
		return x, false
	}
	return p.take(re), true
}

// take takes a regex in that is compiled.
func (p *patterns) take(re *regex.Regexp) pattern {
	p.list = append(p.list, re)
	return pattern{re, len(p.list) - 1}
}

func (p *patterns) compile() { p.set = regex.NewSet(p.known, p.list, p.texts...) }

// A sight is a text and which patterns can match it.
type sight struct {
	*scratch
	of *patterns
}

// scratch is the memory of a sight, used again for the next one.
type scratch struct {
	regex.Marks
	objs   []object
	learns bool         // which of the text's digits matter
	digits regex.Digits // those that do
}

// look goes over a text. The sight must be closed.
func (p *patterns) look(text string) sight {
	m, ok := p.marks.Get().(*scratch)
	if !ok {
		m = new(scratch)
	}
	p.set.Mark(&m.Marks, text)
	return sight{m, p}
}

func (s sight) close() {
	s.Forget()
	s.learns = false
	s.of.marks.Put(s.scratch)
}

// learn makes the sight find out which of the text's digits matter to what is asked of it.
func (s sight) learn() {
	s.learns, s.digits = true, regex.Digits{}
	s.Tell(&s.digits)
}

// matters says that the digits of a part of the text do.
func (s sight) matters(from, to int) {
	if s.learns {
		s.digits.Add(from, to)
	}
}

// objects returns the objects of the text, good until the sight is closed.
func (s sight) objects(text string) []object {
	s.objs = objectsIn(text, s.objs)
	return s.objs
}

// submatches returns the texts of the first match's groups; nil when there is no
// match.
func submatches(re *regex.Regexp, text string) (groups []string) {
	m := re.FindStringSubmatchIndex(text)
	for i := 0; i < len(m); i += 2 {
		if m[i] < 0 {
			groups = append(groups, "")
			continue
		}
		groups = append(groups, text[m[i]:m[i+1]])
	}
	return groups
}
