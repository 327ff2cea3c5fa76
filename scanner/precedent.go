package scanner

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/imwatch/imwatch/scanner/regex"
)

// In a storm the lines differ in their times, users and ports, and what is found in them
// does not. So what was found in a text is kept, with those of its digits that it does not
// depend on: the sights of a text learn which are told apart from other digits. A text that
// differs in free digits only is judged alike, its fields taken from the same places.

const (
	maxShape   = regex.MostDigits // bytes of a text
	precedents = 1024             // that are kept, for each processor: 1 MiB, or 3 where all texts are as long as can be
	places     = 8                // of these a precedent may stand at, by its hash
)

// A form says how a text was made of the reading's.
type form uint8

const (
	asIs      form = iota
	part           // of a part of it, whose digits all matter
	decoded        // by taking off its URL encoding
	otherwise      // so that nobody knows what stands where
)

// A memory is precedents of one scanner. A nil one has none and takes none in.
type memory struct {
	of    *Scanner
	once  []uint64 // hashes of texts that have been met once, and are not kept yet
	list  []*precedent
	shape []uint64 // of the text at hand
	turn  int
}

type precedent struct {
	hash     uint64
	files    fileSet
	text     string
	free     []uint64 // bits of it, eight bytes a word, of the digits in whose stead others may stand
	matches  []Match
	captures []capture
	inPlain  int           // where captures stand: 0 for the text, else the length of its plain text
	alone    bool          // so was its block
	note     atomic.Uint32 // the blocks'
}

// A lesson is what is learned from a text while it is judged.
type lesson struct {
	learns   bool
	hopeless bool         // nobody knows which of its digits matter
	digits   regex.Digits // that do
	captures []capture
	inPlain  int // where they stand: 0 for the text, else the length of its plain text
	files    int // that found something
}

// judge is the scanner's, by a precedent if there is one. The reading is of a block.
func (m *memory) judge(s *Scanner, r *reading, b *block, files fileSet) []Match {
	if b.precedent != nil {
		return b.precedent.apply(s, r)
	}
	if m == nil || len(r.text) > maxShape {
		return s.judge(r, files)
	}
	q, hash := m.find(s, r.text, files)
	if q != nil {
		return q.apply(s, r)
	}
	at := int(hash % precedents)
	if m.once[at] != hash {
		m.once[at] = hash
		return s.judge(r, files)
	}
	m.once[at] = 0
	r.learns = true
	list := s.judge(r, files)
	if !r.hopeless {
		q := r.precedent(list)
		q.hash, q.files, q.alone = hash, files, b.alone()
		m.keep(q, at)
	}
	return list
}

// keep takes a precedent in, at a place for its shape that is free, or in the stead of
// another one.
func (m *memory) keep(q *precedent, at int) {
	for i := range places {
		if place := &m.list[(at+i)%precedents]; *place == nil {
			*place = q
			return
		}
	}
	m.turn++
	m.list[(at+m.turn%places)%precedents] = q
}

// ofLine returns the precedent that decides the text of a line, or nil.
func (m *memory) ofLine(s *Scanner, line []byte, files fileSet) *precedent {
	line = withoutEnd(line)
	if m == nil || len(line) == 0 || len(line) > maxShape {
		return nil
	}
	q, _ := m.find(s, unsafe.String(&line[0], len(line)), files) // only what is kept is copied
	return q
}

// find returns the precedent that decides a text, or nil, and the hash of its shape.
func (m *memory) find(s *Scanner, text string, files fileSet) (q *precedent, hash uint64) {
	if m.of != s {
		*m = memory{of: s, once: make([]uint64, precedents), list: make([]*precedent, precedents)}
	}
	hash = m.look(text) ^ uint64(files)
	at := int(hash % precedents)
	for i := range places {
		if q := m.list[(at+i)%precedents]; q != nil && q.hash == hash && q.files == files && q.decides(text, m.shape) {
			return q, hash
		}
	}
	return nil, hash
}

// look makes the text's shape, and returns a hash of it.
func (m *memory) look(text string) (hash uint64) {
	shape := slices.Grow(m.shape[:0], len(text)/8+1)
	hash = uint64(len(text))
	for ; text != ""; text = text[min(8, len(text)):] {
		w := regex.SameWord(firstWord(text))
		shape = append(shape, w)
		hi, lo := bits.Mul64(hash^w, 0x9E3779B97F4A7C15)
		hash = hi ^ lo
	}
	m.shape = shape
	return hash
}

// firstWord returns the first eight bytes of a text that is not empty, with zeros behind its
// end.
func firstWord(text string) uint64 {
	if len(text) >= 8 {
		return binary.LittleEndian.Uint64([]byte(text[:8]))
	}
	var b [8]byte
	copy(b[:], text)
	return binary.LittleEndian.Uint64(b[:])
}

// decides tells whether what was found in the precedent's text is found in another one,
// of such a shape.
func (q *precedent) decides(text string, shape []uint64) bool {
	own := q.text
	if len(text) != len(own) {
		return false
	}
	differs := uint64(0)
	for i, free := range q.free {
		differs |= (firstWord(text)^firstWord(own))&^free | (shape[i]^regex.ZeroWord)&free
		text, own = text[min(8, len(text)):], own[min(8, len(own)):]
	}
	return differs == 0
}

// apply returns what is found in the reading's text, which the precedent decides.
func (q *precedent) apply(s *Scanner, r *reading) []Match {
	if len(q.matches) == 0 {
		return nil
	}
	text := r.text
	if q.inPlain > 0 {
		if text = r.plain(); len(text) != q.inPlain {
			return s.judge(r, q.files) // nothing that is known makes it so
		}
	}
	list := slices.Clone(q.matches)
	fill(list, nil, q.captures, text)
	return list
}

// block is what evaluate makes of a line that the precedent decides, by its text alone: in
// one piece, where it is as most are.
func (q *precedent) block(b *block) *Block {
	if len(q.matches) == 0 {
		return nil
	}
	piece := &struct {
		Block
		matches [1]Match
		fields  [3]Field
	}{Block: Block{Start: b.start(), End: b.end(), Text: b.lines[0].text, Note: &q.note}}
	piece.Matches = append(piece.matches[:0], q.matches...)
	fill(piece.Matches, piece.fields[:], q.captures, piece.Text)
	return &piece.Block
}

// open looks at a text, by the eyes of a file.
func (r *reading) open(f *file, text string, is form) sight {
	seen := f.look.look(text)
	if r.learns && is != part {
		seen.learn()
	}
	return seen
}

// shut closes the sight of a text, and keeps what it has learned.
func (r *reading) shut(seen sight, is form) {
	if seen.learns {
		switch {
		case is == asIs:
			r.digits.Join(&seen.digits)
		case is == decoded:
			r.undecode(&seen.digits)
		case seen.digits.Any():
			r.hopeless = true
		}
	}
	seen.close()
}

// undecode takes over what matters in the text without URL encoding.
func (r *reading) undecode(digits *regex.Digits) {
	r.eachDecoded(func(i, to int) {
		if digits.Has(to) {
			r.digits.Add(i, i+1)
		}
	})
}

// eachDecoded calls visit with where each byte of the text without URL encoding begins in
// the text, and where it stands.
func (r *reading) eachDecoded(visit func(i, to int)) {
	to := 0
	for i := 0; i < len(r.text); i++ {
		visit(i, to)
		if r.text[i] == '%' {
			if c, ok := hex(r.text, i+1, 2); ok && !isWord(c) {
				i += 2
			}
		}
		to++
	}
}

// learned is told of the fields that a file found beside its codes, and in which text.
func (r *reading) learned(fields []capture, in form) {
	if !r.learns {
		return
	}
	r.captures, r.inPlain = fields, 0
	if len(fields) > 0 && in != asIs && !(in == decoded && r.encoded(fields)) {
		r.inPlain = len(r.plain())
	}
	if r.files++; r.files > 1 {
		r.hopeless = true // whose fields are whose?
	}
}

// encoded moves what stands in the text without URL encoding to where it stands in the
// text; false when it has some in it.
func (r *reading) encoded(fields []capture) bool {
	at := make([]int, len(r.decoded)+1)
	at[len(r.decoded)] = len(r.text)
	r.eachDecoded(func(i, to int) { at[to] = i })
	for _, c := range fields {
		if r.text[at[c.from]:at[c.to]] != c.of(r.decoded) {
			return false
		}
	}
	for i := range fields {
		c := &fields[i]
		c.from, c.to = at[c.from], at[c.to]
	}
	return true
}

// precedent makes one of the reading, in which some matches were found.
func (r *reading) precedent(list []Match) *precedent {
	q := &precedent{text: r.text, free: make([]uint64, (len(r.text)+7)/8), matches: slices.Clone(list), captures: r.captures, inPlain: r.inPlain}
	for i := range q.matches {
		m := &q.matches[i]
		m.proven, m.grade = m.Proven(), m.Confidence()
	}
	run := false // behind a sign that begins an escape, perhaps of an escape, or a colour
	for i := range len(q.text) {
		c := q.text[i]
		run = strings.IndexByte(`%\#[`, c) >= 0 || run && isWordByte(c)
		if isDigit(c) && !run && !r.digits.Has(i) {
			q.free[i/8] |= 0xFF << (i % 8 * 8)
		}
	}
	return q
}
