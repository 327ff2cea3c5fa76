// Package regex runs Go's regular expressions on short texts, with the results
// of package regexp and at a fraction of its cost. It tries a match only where
// the first bytes fit, by plain backtracking; what takes too many steps is given
// to package regexp.
package regex

import (
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/imwatch/imwatch/scanner/plan"
)

// A Regexp is a compiled expression. It is safe for concurrent use.
type Regexp struct {
	expr   string
	tree   *syntax.Regexp // if it was parsed before the program is made
	parsed bool           // what follows is known before that
	names  []string
	text   bool // a match can begin only at the text's start
	need   []plan.Literal

	once  sync.Once
	prog  []inst
	start int
	slots int // of a match: two for each group
	heads [256]uint8
	least int  // bytes that heads tells about: at most 3
	tells bool // heads differ between digits
	std   func() *regexp.Regexp
}

type opcode uint8

const (
	opMatch opcode = iota
	opAlt
	opSave
	opEmpty
	opByte // one ASCII character
	opRune
	opLoop // opAlt between one more of the same character, as many as max, and what is behind them
	opFail
	opDigit    // opByte of a digit
	opSomeRune // opRune of some digits and not of others
	opSomeLoop // opLoop of such
)

type inst struct {
	op    opcode
	char  byte
	empty syntax.EmptyOp
	wide  bool // it can match runes beyond ASCII
	out   int32
	arg   int32        // of opAlt and opLoop: the other way; of opSave: the slot
	max   int32        // of opLoop
	ascii [2]uint64    // of opRune; of opLoop: those of the character
	src   *syntax.Inst // once all are made, of a wide opRune only
}

// Compile parses an expression. What running it needs is made when it is first
// run.
func Compile(expr string) (*Regexp, error) { return Known(expr, new(plan.Table)) }

// Known is Compile with what is known of the expression, which is not parsed then
// before it is first run.
func Known(expr string, known *plan.Table) (*Regexp, error) {
	r := &Regexp{expr: expr, parsed: true}
	is, err := plan.Of(known, &known.Regexes, expr, r.read)
	if err != nil {
		return nil, err
	}
	r.names, r.text, r.need = is.Names, is.Text, is.Need
	return r, nil
}

// read parses the expression and finds out what can be known before it is run.
func (r *Regexp) read() (is plan.Regex, err error) {
	if r.tree, err = syntax.Parse(r.expr, syntax.Perl); err != nil {
		return is, err
	}
	is = plan.Regex{Names: r.tree.CapNames(), Text: beginsText(r.tree)}
	if !is.Text { // one look at the text's start costs less
		is.Need = rarest(r.tree)
	}
	return is, nil
}

// MustCompile is for an expression that is known to be right; it is not even
// parsed before it is used.
func MustCompile(expr string) *Regexp { return &Regexp{expr: expr} }

// ready makes the program.
func (r *Regexp) ready() {
	r.once.Do(func() {
		tree := r.tree
		if tree == nil {
			var err error
			if tree, err = syntax.Parse(r.expr, syntax.Perl); err != nil {
				panic("regex: " + err.Error())
			}
		}
		names := tree.CapNames()
		prog, err := syntax.Compile(tree.Simplify())
		if err != nil {
			panic("regex: " + err.Error())
		}
		r.std = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(r.expr) })
		r.start, r.slots, r.tree = prog.Start, 2*len(names), nil
		if !r.parsed {
			r.names, r.text = names, prog.StartCond()&syntax.EmptyBeginText != 0
		}
		r.prog = make([]inst, len(prog.Inst))
		for i := range prog.Inst {
			r.prog[i] = compileInst(&prog.Inst[i])
		}
		r.loops()
		r.first()
		for i := range r.prog { // so that package syntax's program, which is large, can be freed
			if in := &r.prog[i]; (in.op == opRune || in.op == opSomeRune) && in.wide {
				src := *in.src
				in.src = &src
			} else {
				in.src = nil
			}
		}
	})
}

// loops makes an opLoop of each opAlt that is one: x* and x{0,9}, but not x*?.
func (r *Regexp) loops() {
	for pc := range r.prog { // the inner ones of x{0,9} stand before the outer ones
		in := &r.prog[pc]
		if most := r.most(int32(pc)); most > 0 {
			char := &r.prog[in.out]
			in.op, in.max, in.ascii, in.wide = opLoop, most, char.ascii, char.wide
			if char.op == opByte || char.op == opDigit {
				in.ascii[char.char>>6] |= 1 << (char.char & 63)
			}
			if someDigits(in.ascii) {
				in.op = opSomeLoop
			}
		}
	}
}

// most returns how many of one character an opAlt lets pass, before it goes on elsewhere;
// 0 when it is no such one.
func (r *Regexp) most(pc int32) int32 {
	in := &r.prog[pc]
	if in.op != opAlt {
		return 0
	}
	char := &r.prog[in.out]
	if !char.oneChar() {
		return 0
	}
	next := &r.prog[char.out]
	switch {
	case char.out == pc:
		return math.MaxInt32
	case char.out == in.arg:
		return 1
	case (next.op == opLoop || next.op == opSomeLoop) && next.arg == in.arg && r.prog[next.out].same(char):
		return next.max + min(1, math.MaxInt32-next.max)
	}
	return 0
}

// oneChar tells whether an instruction matches one character.
func (in *inst) oneChar() bool {
	return in.op == opByte || in.op == opDigit || in.op == opRune || in.op == opSomeRune
}

// someDigits tells whether a set has some digits and not others.
func someDigits(ascii [2]uint64) bool {
	const all = 1<<10 - 1
	d := ascii[0] >> '0' & all
	return d != 0 && d != all
}

// same tells whether two instructions match the same characters.
func (in *inst) same(o *inst) bool {
	return in.op == o.op && in.char == o.char && in.ascii == o.ascii && in.src.Arg == o.src.Arg && slices.Equal(in.src.Rune, o.src.Rune)
}

// beginsText tells whether every match begins at the text's start.
func beginsText(n *syntax.Regexp) bool {
	switch n.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpCapture:
		return beginsText(n.Sub[0])
	case syntax.OpConcat:
		return beginsText(n.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range n.Sub {
			if !beginsText(sub) {
				return false
			}
		}
		return true
	}
	return false
}

func compileInst(in *syntax.Inst) inst {
	c := inst{out: int32(in.Out), src: in}
	switch in.Op {
	case syntax.InstMatch:
		c.op = opMatch
	case syntax.InstFail:
		c.op = opFail
	case syntax.InstAlt, syntax.InstAltMatch:
		c.op, c.arg = opAlt, int32(in.Arg)
	case syntax.InstCapture:
		c.op, c.arg = opSave, int32(in.Arg)
	case syntax.InstEmptyWidth:
		c.op, c.empty = opEmpty, syntax.EmptyOp(in.Arg)
	case syntax.InstNop:
		c.op = opEmpty
	default:
		if in.Op == syntax.InstRune1 && in.Rune[0] < utf8.RuneSelf {
			c.op, c.char = opByte, byte(in.Rune[0])
			if isDigit(c.char) {
				c.op = opDigit
			}
			return c
		}
		c.op = opRune
		c.ascii, c.wide = ascii(in), wide(in)
		if someDigits(c.ascii) {
			c.op = opSomeRune
		}
	}
	return c
}

// ascii returns the ASCII characters that an instruction matches, a bit each.
func ascii(in *syntax.Inst) (set [2]uint64) {
	ranges := in.Rune
	switch {
	case in.Op == syntax.InstRuneAny:
		ranges = []rune{0, unicode.MaxRune}
	case in.Op == syntax.InstRuneAnyNotNL:
		ranges = []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	case len(ranges) == 1: // a letter, perhaps in any case
		ranges = nil
		for b := rune(0); b < utf8.RuneSelf; b++ {
			if in.MatchRune(b) {
				ranges = append(ranges, b, b)
			}
		}
	}
	for i := 0; i+1 < len(ranges); i += 2 {
		for b := ranges[i]; b <= ranges[i+1] && b < utf8.RuneSelf; b++ {
			set[b>>6] |= 1 << (b & 63)
		}
	}
	return set
}

// wide tells whether an instruction can match a rune beyond ASCII.
func wide(in *syntax.Inst) bool {
	if in.Op == syntax.InstRuneAny || in.Op == syntax.InstRuneAnyNotNL || syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
		return true
	}
	for _, r := range in.Rune {
		if r >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// String returns the expression.
func (r *Regexp) String() string { return r.expr }

// SubexpNames returns the groups' names, as package regexp does.
func (r *Regexp) SubexpNames() []string {
	if !r.parsed {
		r.ready()
	}
	return r.names
}

// SubexpIndex returns the number of the group with a name, or -1.
func (r *Regexp) SubexpIndex(name string) int {
	for i, n := range r.SubexpNames() {
		if n == name && name != "" {
			return i
		}
	}
	return -1
}

// first finds out which bytes a match can have at its first three places, when
// it does not begin at the text's start, unless all do.
func (r *Regexp) first() {
	at, within := map[int]bool{r.start: true}, map[int]bool{}
	for k := range 3 {
		step := headStep{r: r, at: map[int]bool{}}
		for pc := range at {
			step.walk(pc)
		}
		for pc := range within { // a rune of several bytes may have ended
			step.walk(pc)
		}
		if step.ended {
			return
		}
		for b, ok := range step.bytes {
			if ok || b >= utf8.RuneSelf && len(within) > 0 {
				r.heads[b] |= 1 << k
			}
		}
		r.least = k + 1
		for c := '0'; c <= '9'; c++ {
			r.tells = r.tells || step.bytes[c] != step.bytes['0']
		}
		at = step.next
		for _, pc := range step.wide {
			within[pc] = true
		}
	}
}

// A headStep follows a set of instructions over one byte.
type headStep struct {
	r     *Regexp
	at    map[int]bool // seen
	next  map[int]bool
	wide  []int // behind a rune of several bytes
	bytes [256]bool
	ended bool // a match can end here
}

func (h *headStep) walk(pc int) {
	if h.at[pc] || h.ended {
		return
	}
	h.at[pc] = true
	if h.next == nil {
		h.next = map[int]bool{}
	}
	in := &h.r.prog[pc]
	switch in.op {
	case opMatch:
		h.ended = true
	case opAlt, opLoop, opSomeLoop:
		h.walk(int(in.out))
		h.walk(int(in.arg))
	case opSave:
		h.walk(int(in.out))
	case opEmpty:
		if h.r.text || in.empty&syntax.EmptyBeginText == 0 {
			h.walk(int(in.out))
		}
	case opByte, opDigit:
		h.bytes[in.char], h.next[int(in.out)] = true, true
	case opRune, opSomeRune:
		for b := range utf8.RuneSelf {
			if in.ascii[b>>6]&(1<<(b&63)) != 0 {
				h.bytes[b], h.next[int(in.out)] = true, true
			}
		}
		if in.wide {
			for b := utf8.RuneSelf; b < 256; b++ {
				h.bytes[b] = true
			}
			h.next[int(in.out)] = true
			h.wide = append(h.wide, int(in.out))
		}
	}
}

// Match tells whether the text has a match that begins in text[from:to].
func (r *Regexp) Match(text string, from, to int) bool {
	m := machines.Get().(*machine)
	defer machines.Put(m)
	return m.match(r, text, from, to)
}

// Find returns the leftmost match that begins in text[from:to], as pairs of
// places for each group, appended to caps[:0]; nil when there is none.
func (r *Regexp) Find(text string, from, to int, caps []int) []int {
	m := machines.Get().(*machine)
	defer machines.Put(m)
	return m.find(r, text, from, to, caps)
}

// machines are used again: their stacks are large.
var machines = sync.Pool{New: func() any { return new(machine) }}

func (m *machine) match(r *Regexp, text string, from, to int) bool {
	m.begin(r, text)
	defer m.end()
	return m.search(from, to) != no
}

func (m *machine) find(r *Regexp, text string, from, to int, caps []int) []int {
	m.begin(r, text)
	defer m.end()
	if r.text && m.search(from, to) == no {
		return nil // as nearly always; it costs no memory
	}
	m.caps = caps[:0]
	for range r.slots {
		m.caps = append(m.caps, -1)
	}
	if m.search(from, to) == no {
		return nil
	}
	return m.caps
}

func (m *machine) begin(r *Regexp, text string) {
	r.ready()
	m.r, m.text, m.steps = r, text, 0
	if m.stack == nil {
		m.stack = make([]branch, 64)
	}
}

func (m *machine) end() { m.r, m.text, m.caps = nil, "", nil }

// FindStringSubmatchIndex is as in package regexp.
func (r *Regexp) FindStringSubmatchIndex(text string) []int {
	return r.Find(text, 0, len(text)+1, nil)
}

// MatchString is as in package regexp.
func (r *Regexp) MatchString(text string) bool { return r.Match(text, 0, len(text)+1) }

type outcome uint8

const (
	no    outcome = iota
	yes           // m.caps is the match
	given         // package regexp's answer is in m.caps
)

// A machine is one search.
type machine struct {
	r     *Regexp
	text  string
	caps  []int // empty when nobody wants to know
	steps int
	stack []branch
	told  *Digits // that are told apart from others; nil: nobody wants to know
	base  int     // where the text begins in that of told
}

// A branch is a way not yet taken, or, with a slot, a capture to be undone. A way can be
// taken from several places, down to low.
type branch struct {
	pc, pos, low int32
	slot         int32 // -1 for a way
}

// Steps for a byte of text, beyond which package regexp does it.
const maxSteps = 4000

func (m *machine) search(from, to int) outcome {
	r, text := m.r, m.text
	to = min(to, len(text)+1)
	if r.text {
		to = min(to, 1)
	}
	for at := from; at < to; at++ {
		if (at > 0 || r.text) && r.least > 0 {
			from := at
			at = r.skip(text, at, to)
			if r.tells {
				m.tell(from, at+r.least)
			}
			if at >= to {
				break
			}
		}
		if !starts(text, at) {
			continue
		}
		switch m.at(at) {
		case yes:
			return yes
		case given:
			return m.standard(from, to)
		}
	}
	return no
}

// starts tells whether a character begins at a place.
func starts(text string, at int) bool {
	if at >= len(text) || utf8.RuneStart(text[at]) {
		return true
	}
	for i := at - 1; i >= 0 && i > at-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			_, size := utf8.DecodeRuneInString(text[i:])
			return i+size <= at
		}
	}
	return true
}

// skip returns the next place where a match may begin.
func (r *Regexp) skip(text string, at, to int) int {
	want := uint8(1)
	if r.least == 3 {
		for ; at < to && at+2 < len(text); at++ {
			if r.heads[text[at]]&(r.heads[text[at+1]]>>1)&(r.heads[text[at+2]]>>2)&want != 0 {
				return at
			}
		}
		return to
	}
	for ; at < to && at < len(text); at++ {
		if r.heads[text[at]]&want != 0 && (r.least < 2 || at+1 < len(text) && r.heads[text[at+1]]&2 != 0) {
			return at
		}
	}
	return to
}

// standard asks package regexp.
func (m *machine) standard(from, to int) outcome {
	m.tell(0, len(m.text))
	for _, loc := range m.r.std().FindAllStringSubmatchIndex(m.text, -1) {
		if loc[0] >= from && loc[0] < to {
			m.caps = loc
			return given
		}
	}
	return no
}

// at tries a match that begins at one place.
func (m *machine) at(start int) outcome {
	for i := range m.caps {
		m.caps[i] = -1
	}
	prog, text := m.r.prog, m.text
	n := 0 // of m.stack
	pc, pos := m.r.start, start
	for {
		if m.steps++; m.steps > maxSteps+16*len(text) {
			return given
		}
		in := &prog[pc]
		ok := true
		switch in.op {
		case opDigit:
			m.tell(pos, pos+1)
			fallthrough
		case opByte:
			if ok = pos < len(text) && text[pos] == in.char; ok {
				pos++
			}
		case opSomeRune:
			m.tell(pos, pos+1)
			fallthrough
		case opRune:
			if ok = pos < len(text); ok {
				if c := text[pos]; c < utf8.RuneSelf {
					ok = in.ascii[c>>6]&(1<<(c&63)) != 0
					pos++
				} else if ok = in.wide; ok {
					r, size := utf8.DecodeRuneInString(text[pos:])
					ok = in.src.MatchRune(r)
					pos += size
				}
			}
		case opEmpty:
			ok = in.empty == 0 || m.holds(in.empty, pos)
		case opAlt:
			m.push(n, branch{in.arg, int32(pos), int32(pos), -1})
			n++
		case opLoop, opSomeLoop:
			end, most := pos, len(text)
			if int(in.max) < most-pos {
				most = pos + int(in.max)
			}
			for end < most && text[end] < utf8.RuneSelf && in.ascii[text[end]>>6]&(1<<(text[end]&63)) != 0 {
				end++
			}
			m.steps += end - pos
			if in.op == opSomeLoop {
				m.tell(pos, end+1)
			}
			if in.wide && end < most && text[end] >= utf8.RuneSelf {
				if in.max < math.MaxInt32 {
					end = pos // how many there have been is known by where we are
				}
				m.push(n, branch{in.arg, int32(end), int32(pos), -1})
				n++
				pos = end
				break // the next one alone
			}
			if end > pos {
				m.push(n, branch{in.arg, int32(end - 1), int32(pos), -1})
				n++
			}
			pc, pos = int(in.arg), end
			continue
		case opSave:
			if len(m.caps) > 0 {
				m.push(n, branch{0, int32(m.caps[in.arg]), 0, in.arg})
				n++
				m.caps[in.arg] = pos
			}
		case opMatch:
			if len(m.caps) > 1 {
				m.caps[0], m.caps[1] = start, pos
			}
			return yes
		default:
			ok = false
		}
		if ok {
			pc = int(in.out)
			continue
		}
		for {
			if n == 0 {
				return no
			}
			b := &m.stack[n-1]
			if b.slot < 0 {
				pc, pos = int(b.pc), int(b.pos)
				if b.pos--; b.pos < b.low {
					n--
				}
				break
			}
			m.caps[b.slot] = int(b.pos)
			n--
		}
	}
}

func (m *machine) push(n int, b branch) {
	if n == len(m.stack) {
		m.stack = append(m.stack, make([]branch, n)...)
	}
	m.stack[n] = b
}

// holds tells whether an assertion is true at a place.
func (m *machine) holds(op syntax.EmptyOp, pos int) bool {
	text := m.text
	if op&syntax.EmptyBeginText != 0 && pos != 0 || op&syntax.EmptyEndText != 0 && pos != len(text) {
		return false
	}
	if op&syntax.EmptyBeginLine != 0 && pos != 0 && text[pos-1] != '\n' || op&syntax.EmptyEndLine != 0 && pos != len(text) && text[pos] != '\n' {
		return false
	}
	if op&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) == 0 {
		return true
	}
	boundary := (pos > 0 && isWord(text[pos-1])) != (pos < len(text) && isWord(text[pos]))
	return boundary == (op&syntax.EmptyWordBoundary != 0)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
