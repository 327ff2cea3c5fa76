package scanner

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A tail tells whether what stands behind a literal can go on as a rule's regex
// asks, in any of the wrappings in which the rule would see it: escaped in a
// string, percent-encoded, over several lines. It may say yes too often, never
// no where the rule would match. It is a lazily built automaton over bytes.
type tail struct {
	expr   string   // what the regex has behind the literal
	oneOf  []*tail  // instead: it fits where one of them may
	before lastChar // the literal's last one

	insts []syntax.Inst
	wide  instSet // instructions that can match a rune beyond ASCII

	// What each byte leads to from each state, as far as anyone asked: a byte for each,
	// eight in a word. Longer rows take the place of short ones; nil before the first
	// question.
	rows  atomic.Pointer[[]uint64]
	first tailState

	mu     sync.Mutex
	keys   []tailKey // of the states from firstState on
	states map[tailKey]tailState
}

// A tailKey is what has been read: the instructions the regex may be at, and
// what an escape still needs.
type tailKey struct {
	set    instSet
	before lastChar
	mode   tailMode
	nibble uint8 // of a percent-encoded character
}

// An instSet is a set of a regex's instructions.
type instSet [maxTailInsts / 64]uint64

func (s *instSet) add(pc uint32)      { s[pc>>6] |= 1 << (pc & 63) }
func (s *instSet) has(pc uint32) bool { return s[pc>>6]&(1<<(pc&63)) != 0 }
func (s *instSet) join(o instSet) {
	for i := range s {
		s[i] |= o[i]
	}
}

// lastChar is what was read last, for word boundaries.
type lastChar uint8

const (
	noWord lastChar = iota
	inWord
	either // behind a backslash, which may be there or not
)

type tailMode uint8

const (
	plain          tailMode = iota
	backslash               // behind \
	percent                 // behind %
	nibbled                 // behind % and a hexadecimal digit
	afterQuote              // behind ", which a CSV file writes twice
	quoteBackslash          // behind a backslash that is behind that
)

// A tailState is a number of a state, or of one of the two ends.
type tailState uint8

const (
	tailUnknown tailState = iota
	tailNo
	tailYes
	firstState // of those that have a row
)

const (
	rowWords = 256 / 8 // of a state

	maxTailInsts  = 256 // of a regex; what is behind them is not looked at
	maxTailStates = 96
	maxTailBytes  = 96
	maxTailText   = 4 << 10 // bytes of its regex
)

// tailText returns the regex of as many parts as are looked at.
func tailText(parts []*syntax.Regexp) string {
	var b strings.Builder
	for _, p := range parts {
		before := b.Len()
		if textOf(&b, p); b.Len() > maxTailText {
			return b.String()[:before]
		}
	}
	return b.String()
}

// A tailOf says what a tail is made of.
type tailOf struct {
	expr string
	word bool // a letter or digit stands before it
}

// in returns the tail, each once; nil where anything may follow.
func (o tailOf) in(tails map[tailOf]*tail) *tail {
	if o.expr == "" {
		return nil
	}
	if tails[o] == nil {
		tails[o] = &tail{expr: o.expr}
		if o.word {
			tails[o].before = inWord
		}
	}
	return tails[o]
}

// parts reads the regex; none when it cannot be read.
func (t *tail) parts() []*syntax.Regexp {
	tree, err := syntax.Parse(t.expr, syntax.Perl)
	if err != nil {
		return nil // nested too deeply, now that repetitions are spelt out
	}
	return flatten(tree.Simplify())
}

// start compiles the tail, when it is first asked, and returns its rows.
func (t *tail) start() []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rows := t.rows.Load(); rows != nil {
		return *rows
	}
	t.first = tailYes
	if prog := t.program(); prog != nil {
		t.first = t.compile(prog)
	}
	return t.grown(nil)
}

// grown returns rows for all states, which are those of all to come; t.mu is held.
func (t *tail) grown(rows []uint64) []uint64 {
	if n := len(t.keys) * rowWords; n > len(rows) || rows == nil {
		rows = append(rows[:len(rows):len(rows)], make([]uint64, max(n, 2*len(rows))-len(rows))...)
		t.rows.Store(&rows)
	}
	return rows
}

// program is what the automaton is built of; nil for what is too long.
func (t *tail) program() *syntax.Prog {
	if t.oneOf == nil {
		_, prog := beginning(t.parts(), maxTailInsts)
		return prog
	}
	either := &syntax.Regexp{Op: syntax.OpAlternate}
	for _, o := range t.oneOf {
		re, _ := beginning(o.parts(), maxTailInsts/len(t.oneOf)-1)
		if re == nil {
			return nil
		}
		either.Sub = append(either.Sub, re)
	}
	prog, err := syntax.Compile(either)
	if err != nil || len(prog.Inst) > maxTailInsts {
		return nil
	}
	return prog
}

// beginning returns the most of a regex's first parts that compile to so many
// instructions at most, and these; nil when the first one does not.
func beginning(parts []*syntax.Regexp, insts int) (*syntax.Regexp, *syntax.Prog) {
	for n := len(parts); n > 0; n-- {
		re := &syntax.Regexp{Op: syntax.OpConcat, Sub: parts[:n]}
		if prog, err := syntax.Compile(re); err == nil && len(prog.Inst) <= insts {
			return re, prog
		}
	}
	return nil, nil
}

// anyTail is a tail that fits where one of the anchors' tails may; nil where there
// is but one, or one that has none. Literals whose anchors have the same tails
// share it.
func anyTail(list []look, shared map[string]*tail) *tail {
	if len(list) < 2 {
		return nil
	}
	all, key := &tail{}, ""
	for i := range list {
		if list[i].tail == nil {
			return nil
		}
		if !slices.Contains(all.oneOf, list[i].tail) {
			all.oneOf = append(all.oneOf, list[i].tail)
			key += fmt.Sprintf("%p ", list[i].tail)
		}
	}
	all.before = list[0].tail.before // the literal's last character: the same for all
	if shared[key] == nil {
		shared[key] = all
	}
	return shared[key]
}

func (t *tail) compile(prog *syntax.Prog) tailState {
	t.insts, t.states = prog.Inst, map[tailKey]tailState{}
	for i, in := range prog.Inst {
		if consumes(in.Op) && (in.Op != syntax.InstRune1 || in.Rune[0] >= 0x80) && beyondASCII(&prog.Inst[i]) {
			t.wide.add(uint32(i))
		}
	}
	first := tailKey{before: t.before}
	first.set.add(uint32(prog.Start))
	return t.state(first)
}

func consumes(op syntax.InstOp) bool { return op >= syntax.InstRune && op <= syntax.InstRuneAnyNotNL }

func beyondASCII(in *syntax.Inst) bool {
	if in.Op == syntax.InstRuneAny || in.Op == syntax.InstRuneAnyNotNL {
		return true
	}
	if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
		return true // s and k fold to letters beyond
	}
	for _, r := range in.Rune {
		if r >= 0x80 {
			return true
		}
	}
	return false
}

// fits tells whether data[at:] can be the tail.
func (t *tail) fits(data []byte, at int) bool {
	var rows []uint64
	if known := t.rows.Load(); known != nil {
		rows = *known
	} else {
		rows = t.start()
	}
	s := t.first
	for end := min(len(data), at+maxTailBytes); at < end && s != tailYes; at++ {
		c := data[at]
		next := tailState(atomic.LoadUint64(&rows[place(s, c)]) >> shift(c))
		if next == tailUnknown {
			next, rows = t.build(s, c)
		}
		if next == tailNo {
			return false
		}
		s = next
	}
	return true
}

// place is the word, and shift the bits in it, that say what a byte leads to.
func place(s tailState, c byte) int { return int(s-firstState)*rowWords + int(c>>3) }
func shift(c byte) int              { return int(c&7) * 8 }

// build finds out what a byte leads to, and returns it with the rows as they are now.
func (t *tail) build(s tailState, c byte) (next tailState, rows []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next = t.read(t.keys[s-firstState], c)
	rows = t.grown(*t.rows.Load())
	word := &rows[place(s, c)]
	atomic.StoreUint64(word, *word&^(0xff<<shift(c))|uint64(next)<<shift(c))
	return next, rows
}

// state returns the state of a key; t.mu is held.
func (t *tail) state(k tailKey) tailState {
	if k.set == (instSet{}) {
		return tailNo
	}
	if s := t.states[k]; s != tailUnknown {
		return s
	}
	if len(t.keys) >= maxTailStates {
		return tailYes
	}
	s := firstState + tailState(len(t.keys))
	t.keys = append(t.keys, k)
	t.states[k] = s
	return s
}

// read steps over one byte as it stands in the file.
func (t *tail) read(k tailKey, b byte) tailState {
	switch {
	case b == 0:
		return tailYes
	case b == '\n' || b == '\r':
		// The record may go on in the next line; what follows there is not looked at.
		if t.goesOn(k, b) || t.goesOn(k, '\n') {
			return tailYes
		}
		return tailNo
	}
	switch k.mode {
	case percent:
		if unhex(b) < 0 {
			return tailNo
		}
		k.mode, k.nibble = nibbled, byte(unhex(b))
		return t.state(k)
	case nibbled:
		if unhex(b) < 0 {
			return tailNo
		}
		return t.decoded(k, k.nibble<<4|byte(unhex(b)))
	case backslash, quoteBackslash:
		if b == 'u' || b == 'x' || b == 'r' || (b == 'n' || b == 't') && t.goesOn(k, ' ') {
			return tailYes
		}
	}
	set, last, yes := t.step(k, b)
	switch {
	case yes || b == '#' || b == '&' || b == 0x1b || b == '^' || b == '[' || b == 0xe2:
		return tailYes // a system logger's newline, an entity, a colour begin so
	case b == '"' && (k.mode == afterQuote || k.mode == quoteBackslash):
		set.join(k.set)
		return t.state(tailKey{set: set, before: last})
	case b == '"':
		return t.state(tailKey{set: set, before: last, mode: afterQuote})
	case b == '\\':
		// What the escape stands for is read next, or the backslash itself was.
		set.join(k.set)
		mode := backslash
		if k.mode == afterQuote || k.mode == quoteBackslash {
			mode = quoteBackslash
		}
		return t.state(tailKey{set: set, before: either, mode: mode})
	case b == '%' && set == (instSet{}):
		return t.state(tailKey{set: k.set, before: k.before, mode: percent})
	case b == '%' || b == '+' && t.goesOn(k, ' '):
		return tailYes
	}
	return t.state(tailKey{set: set, before: last})
}

// goesOn tells whether the regex can read c next.
func (t *tail) goesOn(k tailKey, c byte) bool {
	set, _, yes := t.step(k, c)
	return set != (instSet{}) || yes
}

// decoded steps over a character that was percent-encoded.
func (t *tail) decoded(k tailKey, c byte) tailState {
	switch {
	case c == '\\' || c == '%' || c == '+' || c == '#' || c == '&' || c == '[' || c == '^' || c >= 0x80 || c < ' ':
		return tailYes
	case isWord(rune(c)):
		return tailNo // letters and digits stay as they are
	}
	set, last, yes := t.step(k, c)
	if yes {
		return tailYes
	}
	return t.state(tailKey{set: set, before: last})
}

// step reads one character; yes tells that the regex has matched before it, or
// that it is beyond ASCII and may match.
func (t *tail) step(k tailKey, c byte) (next instSet, last lastChar, yes bool) {
	last = noWord
	if c < 0x80 && isWord(rune(c)) {
		last = inWord
	}
	w := tailStep{t: t, c: c, boundary: k.before != last, none: k.before == last}
	if k.before == either {
		w.boundary, w.none = true, true
	}
	for pc := range t.insts {
		if k.set.has(uint32(pc)) && w.walk(uint32(pc)) {
			return instSet{}, last, true
		}
	}
	return w.next, last, false
}

// tailStep follows the instructions that read nothing up to those that read c.
type tailStep struct {
	t              *tail
	c              byte
	boundary, none bool // whether a word boundary, or none, can be before c
	seen, next     instSet
}

func (w *tailStep) walk(pc uint32) (yes bool) {
	if w.seen.has(pc) {
		return false
	}
	w.seen.add(pc)
	in := &w.t.insts[pc]
	switch in.Op {
	case syntax.InstMatch:
		return true
	case syntax.InstFail:
		return false
	case syntax.InstAlt, syntax.InstAltMatch:
		return w.walk(in.Out) || w.walk(in.Arg)
	case syntax.InstCapture, syntax.InstNop:
		return w.walk(in.Out)
	case syntax.InstEmptyWidth:
		op := syntax.EmptyOp(in.Arg)
		if op == syntax.EmptyWordBoundary && !w.boundary || op == syntax.EmptyNoWordBoundary && !w.none {
			return false
		}
		// A text ends with its line, its quote, its parameter: not within a word.
		if op&(syntax.EmptyEndLine|syntax.EmptyEndText) != 0 && isWordByte(w.c) {
			return false
		}
		return w.walk(in.Out)
	}
	if w.c >= 0x80 {
		return w.t.wide.has(pc)
	}
	if in.MatchRune(rune(w.c)) {
		w.next.add(in.Out)
	}
	return false
}
