package regex

import (
	"encoding/binary"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/imwatch/imwatch/scanner/plan"
	"github.com/imwatch/imwatch/scanner/sieve"
)

// A Set is many expressions that are looked for in the same texts. One pass over
// a text tells which of them can match at all, and about where. It is safe for
// concurrent use.
type Set struct {
	list   []*Regexp
	size   int             // expressions and texts
	sifted [3]sifted       // literals of a window or more, of three bytes, of less: short ones make a sieve coarse
	always []int           // expressions without a literal
	digits func() []string // literals that have digits, as same makes them
}

// Sifted literals and their uses.
type sifted struct {
	sieve *sieve.Sieve
	texts []string
	uses  [][]use
	index map[string]int
}

// A use says that a match of an expression has a literal.
type use struct{ expr, back int }

// NewSet returns a set of expressions, which Compile or Known has made. Behind
// them are counted plain texts, which may stand there in any case of letters.
func NewSet(known *plan.Table, list []*Regexp, texts ...string) *Set {
	s := &Set{list: list, size: len(list) + len(texts)}
	for i, r := range list {
		if len(r.need) == 0 {
			s.always = append(s.always, i)
		}
		for _, l := range r.need {
			s.add(l.Text, use{i, l.Back})
		}
	}
	for i, t := range texts {
		s.add(string(lowered(nil, t)), use{len(list) + i, 0})
	}
	for i := range s.sifted {
		if x := &s.sifted[i]; len(x.texts) > 0 {
			x.sieve = sieve.Known(x.texts, known)
		}
	}
	s.digits = sync.OnceValue(s.withDigits)
	return s
}

func (s *Set) add(text string, u use) {
	shorter := min(max(0, sieve.Window-len(text)), len(s.sifted)-1)
	s.sifted[shorter].add(text[:min(len(text), sieve.Longest)], u)
}

func (x *sifted) add(text string, u use) {
	at, ok := x.index[text]
	if !ok {
		if x.index == nil {
			x.index = map[string]int{}
		}
		at = len(x.texts)
		x.index[text] = at
		x.texts, x.uses = append(x.texts, text), append(x.uses, nil)
	}
	x.uses[at] = append(x.uses[at], u)
}

// Marks are what a set knows about one text. The zero value is ready to use, and
// can be used again for the next text.
type Marks struct {
	set    *Set
	text   string
	spans  []span
	noted  []int // which spans are not empty
	lower  []byte
	places [sieve.MaxPlaces]uint32
	run    machine
	caps   []int
	texts  []int // of the set's: which may stand there; in order
}

// A span is where matches of an expression can begin; empty for nowhere.
type span struct{ from, to int }

// Mark looks at a text.
func (s *Set) Mark(m *Marks, text string) {
	m.set, m.text = s, text
	for _, i := range m.noted {
		m.spans[i] = span{}
	}
	if cap(m.spans) < s.size {
		m.spans = make([]span, s.size)
	}
	m.spans = m.spans[:s.size]
	m.noted = append(m.noted[:0], s.always...)
	for _, i := range s.always {
		m.spans[i] = span{0, len(text) + 1}
	}
	m.lower = append(lowered(m.lower[:0], text), beyond[:]...)
	for i := range s.sifted {
		if x := &s.sifted[i]; len(x.texts) > 0 {
			m.sift(x, m.lower)
		}
	}
	m.texts = m.texts[:0]
	for _, i := range m.noted {
		if i >= len(s.list) {
			m.texts = append(m.texts, i-len(s.list))
		}
	}
	slices.Sort(m.texts)
}

// Noted returns which of the set's expressions, and behind them its texts, may stand
// there. It is good until the next Mark.
func (m *Marks) Noted() []int { return m.noted }

// Forget lets go of the text.
func (m *Marks) Forget() { m.text, m.run.told, m.run.base = "", nil, 0 }

// Texts returns which of the set's texts may stand there, in order. It is good until the
// next Mark.
func (m *Marks) Texts() []int { return m.texts }

func (m *Marks) sift(x *sifted, data []byte) {
	for from := 0; from < len(m.text); {
		n, next := x.sieve.Sift(data[from:], &m.places)
		for _, p := range m.places[:n] {
			place := from + int(p)
			for lit, at, e := x.sieve.First(data, place); lit >= 0; lit, at, e = x.sieve.Next(data, place, e) {
				m.note(x.uses[lit], at)
			}
		}
		from += next
	}
}

// beyond is what the sieve wants to see behind a text.
var beyond [sieve.Beyond]byte

// lowered appends a text with its ASCII letters in lower case, eight at a time.
func lowered(b []byte, text string) []byte {
	start := len(b)
	b = append(b, text...)
	low := b[start:]
	for ; len(low) >= 8; low = low[8:] {
		const each = 0x0101010101010101
		w := binary.LittleEndian.Uint64(low)
		seven := w &^ (0x80 * each)
		fromA, behindZ := seven+(0x80-'A')*each, seven+(0x80-'Z'-1)*each // bit 7 says so
		upper := (fromA &^ behindZ) &^ w & (0x80 * each)
		binary.LittleEndian.PutUint64(low, w|upper>>2)
	}
	for i, c := range low {
		if c-'A' < 26 {
			low[i] = c + ('a' - 'A')
		}
	}
	return b
}

func (m *Marks) note(uses []use, at int) {
	for _, u := range uses {
		from := 0
		if u.back >= 0 {
			from = max(0, at-u.back)
		}
		switch s := &m.spans[u.expr]; {
		case s.to == 0:
			*s = span{from, at + 1}
			m.noted = append(m.noted, u.expr)
		default:
			s.from, s.to = min(s.from, from), max(s.to, at+1)
		}
	}
}

// May tells whether an expression can match.
func (m *Marks) May(i int) bool { return m.spans[i].to > 0 }

// Match tells whether it does.
func (m *Marks) Match(i int) bool {
	s := m.spans[i]
	return s.to > 0 && m.run.match(m.set.list[i], m.text, s.from, s.to)
}

// MatchIn tells whether it matches a part of the text, text[start:end], taken alone.
func (m *Marks) MatchIn(i, start, end int) bool {
	s := m.spans[i]
	from, to := max(s.from, start), min(s.to, end+1)
	if from >= to {
		return false
	}
	m.run.base = start
	ok := m.run.match(m.set.list[i], m.text[start:end], from-start, to-start)
	m.run.base = 0
	return ok
}

// Find returns its first match that begins at or behind a place, as Regexp.Find
// does; the result is good until the next call.
func (m *Marks) Find(i, from int) []int {
	s := m.spans[i]
	if s.to <= from {
		return nil
	}
	caps := m.run.find(m.set.list[i], m.text, max(s.from, from), s.to, m.caps)
	if caps != nil {
		m.caps = caps
	}
	return caps
}

// Each calls visit for at most n matches that don't overlap, in order; what it is
// given is good until it returns.
func (m *Marks) Each(i, n int, visit func(caps []int)) {
	for from := 0; n > 0; n-- {
		caps := m.Find(i, from)
		if caps == nil {
			return
		}
		from = caps[1]
		if caps[0] == caps[1] {
			_, size := utf8.DecodeRuneInString(m.text[from:])
			from += max(size, 1)
		}
		visit(caps)
	}
}
