// Package scanner finds the error codes of instant-messaging SDKs in log
// lines: bytes in, matches out. It has no clock, no I/O, and starts no goroutine;
// what it remembers between calls saves time and changes nothing that is found.
//
// A multi-literal prefilter runs over the whole chunk; only lines with a hit
// are decoded, put together with the lines of the same record, and shown to
// the rules. What the prefilter passes over, no rule could find.
package scanner

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/plan"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A Scanner holds compiled rules. It is safe for concurrent use.
type Scanner struct {
	files  []*file
	search *searcher
}

// A Block is the lines of one record and the codes found in it.
type Block struct {
	Start, End int    // in the data given to Scan; with records of two streams interleaved, others' lines can lie between
	Text       string // as the program printed it: unwrapped, joined, in UTF-8
	When       string // the time that a container runtime wrote beside it, or ""
	Decoded    bool   // Text is not what stands in the file
	Partial    bool   // the record was cut off
	Matches    []Match

	// Note is a word for the resolver, 0 at first. It is shared by all blocks whose texts differ
	// from this one's only in digits that nothing found depends on, and that are no part of an
	// escape: what is found in one is found in all. nil: no such texts are known.
	Note *atomic.Uint32
}

// A Match is a code found in a block. Matches share what they point to: it is not to be
// changed.
type Match struct {
	Rule     *rules.Rule
	Group    string   // of the rules that found it
	Families []string // that it can be, the likeliest first
	Proved   bool     // the line names the first of Families
	Code     string   // as printed, or as the symbol or text stands for
	Symbol   string   // as printed, or ""
	Text     string   // the vendor's own text, or ""
	Evidence string   // the few characters that were matched, as they stand in the line
	Inner    *Inner   // the cause inside a nested error
	Basis    []string // what proves it; empty: nothing does
	Bare     bool     // a number without a text, or where nothing went wrong: counts only where somebody says whose it is
	Having   []string // those of Families that have it in the catalogue
	Known    bool     // one has
	Status   bool     // the first of Families that has the code has it as a status
	Fields   []Field

	grade  string // what Confidence says of it; "" when that is not known
	proven bool   // what Proven does, where grade is known
}

// A Field is what a rules file captures beside a code.
type Field struct{ Name, Value string }

// Inner is the cause that stands inside a nested error.
type Inner struct {
	Code, Text string
	Families   []string // nil: those of the match; else what a server had answered
	Cause      *Inner   // and inside that one
}

// String names the cause and the causes inside it, outermost first.
func (in *Inner) String() string {
	if in == nil {
		return ""
	}
	if in.Cause != nil {
		return in.Code + " caused by " + in.Cause.String()
	}
	return in.Code
}

// New compiles rules against a catalogue. It refuses a rule that has no
// literal for the prefilter, and a rule of the user's that fails its own
// examples (those of the built-in ones are checked by the tests).
func New(set *rules.Set, cat *codes.Catalogue) (*Scanner, []rules.Problem) {
	s, problems := prepare(set, cat, &plan.BuiltIn)
	if len(problems) == 0 {
		for _, f := range s.files {
			if !f.src.BuiltIn {
				problems = append(problems, s.examples(f)...)
			}
		}
	}
	return s, problems
}

// Plan returns what is known of rules before they run: plan.BuiltIn, for those
// that are built in.
func Plan(set *rules.Set) *plan.Table {
	known := &plan.Table{Open: true}
	s, _ := prepare(set, nil, known)
	for _, f := range s.files {
		f.ready().proofs()
	}
	known.Open = false
	return known
}

// prepare is New without the examples.
func prepare(set *rules.Set, cat *codes.Catalogue, known *plan.Table) (*Scanner, []rules.Problem) {
	s, fields := &Scanner{}, &sharedFields{known: known}
	var problems []rules.Problem
	var anchors [][]anchor // of each file
	for _, f := range set.Files {
		if len(f.Families) == 0 {
			fields.of = append(fields.of, f.Fields...)
			continue
		}
		cf, as, ps := newFile(f, cat, fields)
		problems = append(problems, ps...)
		s.files, anchors = append(s.files, cf), append(anchors, as)
	}
	s.search = newSearcher(anchors, known)
	return s, problems
}

// inEncodings adds to Chinese anchors their forms in GB18030, in \u escapes and
// percent-encoded.
func inEncodings(anchors []anchor) []anchor {
	out := slices.Clone(anchors)
	for _, a := range anchors {
		if !slices.ContainsFunc([]byte(a.Lit), func(c byte) bool { return c >= 0x80 }) {
			continue
		}
		forms := make([]string, 7)
		forms[0], _ = simplifiedchinese.GB18030.NewEncoder().String(a.Lit) // empty where it has none
		for _, r := range a.Lit {
			if r < 0x80 {
				for i := 1; i < len(forms); i++ {
					forms[i] += string(r)
				}
				continue
			}
			forms[1] += fmt.Sprintf(`\u%04x`, r)
			forms[2] += fmt.Sprintf(`\u%04X`, r)
			for _, c := range []byte(string(r)) {
				forms[3] += fmt.Sprintf("%%%02x", c)
				forms[4] += fmt.Sprintf("%%%02X", c)
				forms[5] += fmt.Sprintf("%%25%02x", c) // twice
				forms[6] += fmt.Sprintf("%%25%02X", c)
			}
		}
		for _, lit := range forms {
			if lit != "" {
				a.Lit = lit
				out = append(out, a)
			}
		}
	}
	return out
}

// Scan finds the matches in data, which holds complete lines of one file, and
// gives emit each block that has any, in the order of their starts. It returns
// how many bytes it is done with; the rest may go on behind the data and must
// be offered again with more. With final it is done with all of it.
func (s *Scanner) Scan(data []byte, final bool, emit func(*Block)) (consumed int) {
	return s.scan(data, final, filter{candidates: s.candidates, files: filesIn, barren: s.barren}, emit)
}

// A filter says what need not be looked at.
type filter struct {
	// candidates calls visit with a place in each line that must be looked at, in
	// order; visit returns where the next line begins. What files must know of it, it
	// appends to fits.
	candidates func(data []byte, fits []fit, visit func(int) int) []fit
	// files returns the files whose rules must be shown the lines before an end, by what
	// candidates returned from the lines' start on.
	files func(fits []fit, end int) fileSet
	// barren tells whether the rules of some files find nothing in a line, which is a
	// record of its own.
	barren func(line []byte, files fileSet) bool
	anew   bool // precedents decide nothing: for tests
}

// scan is Scan with the prefilter as a parameter, so that a test can hold it
// against a loop over all lines and rules.
func (s *Scanner) scan(data []byte, final bool, need filter, emit func(*Block)) int {
	c := begin(data)
	defer c.end()
	p := &c.memory
	if need.anew {
		p = nil
	}
	c.fits = need.candidates(data, c.fits, func(hit int) int {
		start, end := lineAround(data, hit)
		c.lines = append(c.lines, [2]int{start, end})
		return end
	})
	fits := c.fits
	for _, l := range c.lines {
		if c.done.has(l[0]) {
			continue
		}
		fits = behind(fits, l[0])
		if files := need.files(fits, l[1]); !need.barren(data[l[0]:l[1]], files) {
			c.found = append(c.found, c.take(p.ofLine(s, data[l[0]:l[1]], files), l[0], l[1]))
		}
	}
	hold := len(data)
	if !final {
		hold = settle(c.found, c.unfinished())
	}
	slices.SortStableFunc(c.found, func(a, b block) int { return a.start() - b.start() })
	fits = c.fits
	for i := range c.found {
		b := &c.found[i]
		if b.end() > hold {
			continue
		}
		var files fileSet
		switch {
		case b.precedent != nil: // which has its own
		case b.split():
			files = allFiles // an anchor may have been, too
		default:
			fits = behind(fits, b.start())
			files = need.files(fits, b.end())
		}
		if out := s.evaluate(p, b, files); out != nil {
			emit(out)
		}
	}
	return hold
}

// take makes the block of a line that belongs to none yet; by a precedent, if that has
// been one alone.
func (c *blocks) take(q *precedent, start, end int) (b block) {
	if q != nil && q.alone {
		b = block{lines: c.single(line{start: start, end: end, text: string(withoutEnd(c.data[start:end]))}), precedent: q}
	} else {
		b = c.around(start)
	}
	for i := range b.lines {
		c.done.add(b.lines[i].start)
	}
	return b
}

// settle moves the place up to which everything is finished before every block
// that reaches over it.
func settle(found []block, hold int) int {
	for moved := true; moved; {
		moved = false
		for i := range found {
			b := &found[i]
			if b.start() < hold && (b.end() > hold || b.open) {
				hold, moved = b.start(), true
			}
		}
	}
	return hold
}

// candidates visits the lines that an anchor of a rule fits in, and the long
// lines of docker's logs, which a runtime may have cut in the middle of one.
func (s *Scanner) candidates(data []byte, fits []fit, visit func(int) int) []fit {
	long := -1
	if bytes.HasPrefix(data, []byte(`{"log":"`)) {
		long = nextLong(data, 0)
	}
	at := 0
	fits = s.search.each(data, fits, func(hit int) int {
		for long >= 0 && long <= hit {
			at = visit(long)
			long = nextLong(data, at)
		}
		if hit >= at {
			at = visit(hit)
		}
		return at
	})
	for long >= 0 {
		at = visit(max(long, at))
		long = nextLong(data, at)
	}
	return fits
}

// behind drops the fits before a place.
func behind(fits []fit, start int) []fit {
	for len(fits) > 0 && fits[0].at < start {
		fits = fits[1:]
	}
	return fits
}

// filesIn returns the files of which an anchor fits somewhere before an end.
func filesIn(fits []fit, end int) (files fileSet) {
	for _, f := range fits {
		if f.at >= end {
			break
		}
		files |= f.files
	}
	return files
}

// Docker splits what a program prints after 16 KiB.
const dockerPart = 16 << 10

// nextLong returns the start of the first line at or after from that is long
// enough to be a part of one, or -1.
func nextLong(data []byte, from int) int {
	for at := from; at < len(data); {
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			n = len(data) - at - 1
		}
		if n >= dockerPart {
			return at
		}
		at += n + 1
	}
	return -1
}
