package scanner

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/imwatch/imwatch/scanner/plan"
	"github.com/imwatch/imwatch/scanner/sieve"
)

// A searcher finds the anchors of all rules in one pass.
type searcher struct {
	*sieve.Sieve
	looks     [][]look // of each literal; one must fit
	tails     []*tail  // of each literal: fits where one of its looks' tails may; nil: ask each
	inside    []bool   // of each window: it can stand inside a number; else behind a digit only where that is part of an escape
	refusable []bool   // of each window: all its literals begin with it and mayBeRefused; and of 0, no window
	refused   refusals
}

// Refusals are texts of eight bytes that are known not to fit, whatever stands around
// them: "type":"text" stands in every other line of somebody's log. It is safe for
// concurrent use.
type refusals [1 << refusalBits]atomic.Uint64

const (
	refusal     = 8 // bytes
	refusalBits = 10
)

func (r *refusals) of(text uint64) *atomic.Uint64 {
	return &r[text*0x9E3779B97F4A7C15>>(64-refusalBits)]
}

// refuse tells whether what begins at data[place] is known not to fit.
func (r *refusals) refuse(data []byte, place int) bool {
	if place+refusal > len(data) {
		return false
	}
	text := binary.LittleEndian.Uint64(data[place:])
	return r.of(text).Load() == text
}

func newSearcher(files [][]anchor, known *plan.Table) *searcher {
	s := &searcher{}
	var lits []string
	index, tails := map[string]int{}, map[tailOf]*tail{}
	add := func(a anchor, file fileSet) {
		if len(a.Lit) > sieve.Longest { // its beginning is enough: the regex decides
			a.Lit, a.Tail = a.Lit[:sieve.Longest], ""
		}
		i, ok := index[a.Lit]
		if !ok {
			i = len(lits)
			index[a.Lit] = i
			lits = append(lits, a.Lit)
			s.looks = append(s.looks, nil)
		}
		s.looks[i] = append(s.looks[i], look{a.Head, a.Ends, tailOf{a.Tail, a.Word}.in(tails), file})
	}
	add(anchor{Lit: " stdout P ", Ends: allWords}, 0)
	add(anchor{Lit: " stderr P ", Ends: allWords}, 0)
	for i, anchors := range files {
		for _, a := range anchors {
			add(a, fileBit(i))
		}
	}
	shared := map[string]*tail{}
	for _, looks := range s.looks {
		s.tails = append(s.tails, anyTail(looks, shared))
	}
	s.Sieve = sieve.Known(lits, known)
	s.refused[0].Store(1) // a zero there would stand for eight NULs
	s.inside, s.refusable = make([]bool, len(lits)+1), slices.Repeat([]bool{true}, len(lits)+1)
	s.Windows(func(w uint32, lit, at int) {
		s.inside[w] = s.inside[w] || at != 0 || !s.number(lit)
		s.refusable[w] = s.refusable[w] && at == 0 && s.mayBeRefused(lit)
	})
	return s
}

// mayBeRefused tells whether eight bytes that begin with a literal can be enough to rule it
// out: it is at least as long, or all its looks ask for something behind it.
func (s *searcher) mayBeRefused(lit int) bool {
	return len(s.Literals[lit]) >= refusal || !slices.ContainsFunc(s.looks[lit], func(l look) bool { return l.tail == nil })
}

// number tells whether a literal begins with a digit and none of its looks lets another
// one stand before it.
func (s *searcher) number(lit int) bool {
	return isDigit(s.Literals[lit][0]) && !slices.ContainsFunc(s.looks[lit], func(l look) bool {
		if n := len(l.head); n > 0 {
			return isDigit(l.head[n-1]) || l.head[n-1] >= 0x80
		}
		return l.ends[0]&digits[0] != 0
	})
}

var digits = func() (set wordSet) {
	for c := '0'; c <= '9'; c++ {
		set.add(c)
	}
	return set
}()

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// A fit is a place in a line where an anchor fits, and the files of all anchors that fit
// somewhere in the line: no other one has a rule that finds anything there.
type fit struct {
	at    int
	files fileSet
}

// each calls visit with a place in every line that an anchor fits in, in order;
// visit returns where the next line begins. It appends the places to fits, which is empty.
func (s *searcher) each(data []byte, fits []fit, visit func(int) int) []fit {
	var places [sieve.MaxPlaces]uint32
	resume := 0
	for from := 0; from < len(data); {
		n, next := s.Sift(data[from:], &places)
		for _, p := range places[:n] {
			at := from + int(p)
			if s.refused.refuse(data, at) {
				continue
			}
			if at < resume {
				s.fit(data, at, &fits[len(fits)-1].files)
			} else {
				var files fileSet
				if hit := s.fit(data, at, &files); hit >= resume {
					fits = append(fits, fit{hit, files})
					resume = visit(hit)
				}
			}
		}
		from += next
	}
	return fits
}

// fit returns where an anchor begins that has its window at data[place] and fits there,
// or -1. It adds to files those of all that do; who is in there already is not asked.
func (s *searcher) fit(data []byte, place int, files *fileSet) (hit int) {
	window := s.Window(data, place)
	if !s.inside[window] && place > 0 && isDigit(data[place-1]) && !encodedBefore(data[:place]) {
		return -1 // as most digits of a log
	}
	hit = -1
	for lit, at, e := s.Next(data, place, window); lit >= 0; lit, at, e = s.Next(data, place, e) {
		behind := at + len(s.Literals[lit])
		if oneOf := s.tails[lit]; oneOf != nil && !oneOf.fits(data, behind) {
			continue
		}
		looks := s.looks[lit]
		for i := range looks {
			if l := &looks[i]; (l.file == 0 || l.file&^*files != 0) && l.fits(data, at, behind) {
				hit, *files = at, *files|l.file
			}
		}
	}
	// What stands behind digits differs from one place to the next.
	if hit < 0 && s.refusable[window] && place+refusal <= len(data) && !isDigit(data[place]) {
		s.remember(data[place:place+refusal], window)
	}
	return hit
}

// remember notes a text, unless some literal may fit there, depending on what stands around
// it.
func (s *searcher) remember(text []byte, window uint32) {
	if s.Begins(text, window) {
		return
	}
	for lit, _, e := s.Next(text, 0, window); lit >= 0; lit, _, e = s.Next(text, 0, e) {
		if slices.ContainsFunc(s.looks[lit], func(l look) bool { return l.tail == nil || l.tail.fits(text, len(s.Literals[lit])) }) {
			return
		}
	}
	word := binary.LittleEndian.Uint64(text)
	s.refused.of(word).Store(word)
}

// A fileSet is a set of rules files, a bit for each; those beyond share the last one.
type fileSet uint64

const allFiles = ^fileSet(0)

func fileBit(i int) fileSet { return 1 << min(i, 63) }
