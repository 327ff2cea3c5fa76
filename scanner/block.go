package scanner

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// A record that goes on over several lines is put together up to these bounds.
const (
	maxBlockLines = 100
	maxBlockBytes = 256 << 10
)

// A block is the lines that one record consists of: usually one, several where
// an object is printed over many lines or a container runtime split a long one.
type block struct {
	lines     []line
	open      bool       // it may go on behind the end of the data
	precedent *precedent // that decides it; nil: none is known
}

func (b *block) start() int { return b.lines[0].start }
func (b *block) end() int   { return b.lines[len(b.lines)-1].end }

// split tells whether a container runtime has split the record, perhaps in the middle of
// a word.
func (b *block) split() bool { return b.lines[0].contained && len(b.lines) > 1 }

// alone tells whether the block is one line, as it stands in the file, and every line like
// it is, whatever digits it has and whatever stands around it.
func (b *block) alone() bool {
	l := &b.lines[0]
	return len(b.lines) == 1 && !b.open && l.fresh() && !l.decoded && !l.contained && !l.partial && l.prefix == "" && l.stream == "" && deeper(0, *l) == 0 &&
		l.text[0] != '<' && !mayBeTagged(l.text) && utf8.ValidString(l.text)
}

// text joins the lines as the program printed them. The first line keeps the
// system logger's prefix: it can name a vendor and a time.
func (b *block) text() string {
	first := b.lines[0]
	if len(b.lines) == 1 {
		return first.prefix + first.text
	}
	var s strings.Builder
	s.WriteString(first.prefix)
	for i, l := range b.lines {
		s.WriteString(l.text)
		if i < len(b.lines)-1 && !l.partial {
			s.WriteByte('\n')
		}
	}
	return s.String()
}

// blocks puts blocks together out of one chunk's lines. Its memory is used again for the
// next chunk.
type blocks struct {
	data   []byte
	done   starts   // starts of lines that already belong to a block
	lines  [][2]int // starts and ends of those that must be looked at
	fits   []fit
	found  []block
	room   []line // of blocks
	memory memory
}

var blocksPool = sync.Pool{New: func() any { return new(blocks) }}

func begin(data []byte) *blocks {
	c := blocksPool.Get().(*blocks)
	c.data = data
	return c
}

// end lets go of what the chunk's blocks hold.
func (c *blocks) end() {
	c.data = nil
	clear(c.found)
	clear(c.room)
	c.done, c.lines, c.fits, c.found, c.room = c.done[:0], c.lines[:0], c.fits[:0], c.found[:0], c.room[:0]
	blocksPool.Put(c)
}

// starts are places in order, and most are added so.
type starts []int

func (p starts) has(at int) bool {
	if len(p) == 0 || at > p[len(p)-1] {
		return false
	}
	_, ok := slices.BinarySearch(p, at)
	return ok
}

func (p *starts) add(at int) {
	if len(*p) == 0 || at > (*p)[len(*p)-1] {
		*p = append(*p, at)
	} else if i, ok := slices.BinarySearch(*p, at); !ok {
		*p = slices.Insert(*p, i, at)
	}
}

// single returns the lines of a block that has one, so far.
func (c *blocks) single(l line) []line {
	n := len(c.room)
	if n == cap(c.room) {
		n, c.room = 0, make([]line, 0, min(max(16, 2*n), 1024))
	}
	c.room = append(c.room, l)
	return c.room[n : n+1 : n+1]
}

// around returns the block that the line at data[hit] belongs to.
func (c *blocks) around(hit int) block {
	b := block{lines: c.single(lineAt(c.data, hit))}
	c.partsBefore(&b)
	if !b.lines[0].fresh() {
		c.opener(&b)
	}
	c.grow(&b)
	return b
}

// before returns the stream's line before start, no further back than the
// bounds allow from the line at from.
func (c *blocks) before(start, from int, stream string) (line, bool) {
	for n := 0; start > 0 && n < maxBlockLines; n++ {
		l := lineAt(c.data, start-1)
		if from-l.start > maxBlockBytes {
			break
		}
		if l.stream == stream {
			return l, !c.done.has(l.start)
		}
		start = l.start
	}
	return line{}, false
}

// partsBefore adds the lines before the block's first one that a runtime split
// off it.
func (c *blocks) partsBefore(b *block) {
	hit := b.lines[0]
	if !hit.contained {
		return // nobody else splits records
	}
	for len(b.lines) < maxBlockLines {
		l, ok := c.before(b.start(), hit.start, hit.stream)
		if !ok || !l.partial || c.tooFar(l.start, hit.start) {
			return
		}
		b.lines = slices.Insert(b.lines, 0, l)
	}
}

// tooFar tells whether two lines are further apart than a block may reach.
func (c *blocks) tooFar(first, last int) bool {
	return last-first > maxBlockBytes || bytes.Count(c.data[first:last], newline) > maxBlockLines
}

// opener looks back for the outermost line that opened the object in which the
// block's first line stands, and adds the lines between.
func (c *blocks) opener(b *block) {
	hit := b.lines[0]
	var back []line
	pending, found := 0, 0
	for at := hit.start; ; {
		l, ok := c.before(at, hit.start, hit.stream)
		if !ok || c.tooFar(l.start, hit.start) {
			break
		}
		back = append(back, l)
		closes, opens := balance(l.text)
		if opens > pending {
			found, pending = len(back), 0
		} else {
			pending -= opens
		}
		pending += closes
		if l.fresh() && !l.partial {
			break
		}
		at = l.start
	}
	back = back[:found]
	slices.Reverse(back)
	b.lines = append(back, b.lines...)
}

// grow adds lines until what the block opened is closed.
func (c *blocks) grow(b *block) {
	depth := 0
	for _, l := range b.lines {
		depth = deeper(depth, l)
	}
	first := b.lines[0]
	for last := b.lines[len(b.lines)-1]; depth > 0 || last.partial; last = b.lines[len(b.lines)-1] {
		l, ok, end := c.after(last.end, first)
		if end {
			b.open = true
			return
		}
		if !ok || !last.partial && l.fresh() {
			return
		}
		depth = deeper(depth, l)
		b.lines = append(b.lines, l)
	}
}

func deeper(depth int, l line) int {
	if depth == 0 && opensNothing(l.text) {
		return 0
	}
	closes, opens := balance(l.text)
	return max(0, depth-closes) + opens
}

// opensNothing tells whether no brace opens in a text but one around all of it, if any.
func opensNothing(text string) bool {
	n := len(text) - 1
	return n > 0 && text[0] == '{' && text[n] == '}' && strings.IndexByte(text[1:], '{') < 0 || strings.IndexByte(text, '{') < 0
}

// after returns the stream's next line behind at; end says that the data ends
// before one was found and the bounds are not yet reached.
func (c *blocks) after(at int, first line) (l line, ok, end bool) {
	for at < len(c.data) {
		l = lineAt(c.data, at)
		if c.tooFar(first.start, l.end) {
			return l, false, false
		}
		if l.stream == first.stream {
			return l, !c.done.has(l.start), false
		}
		at = l.end
	}
	return line{}, false, !c.tooFar(first.start, len(c.data))
}

// unfinished returns the start of the earliest line that may begin a block
// which goes on behind the end of the data; len(data) when there is none.
func (c *blocks) unfinished() int {
	type state struct{ depth, since int }
	streams := map[string]state{} // that have something open
	at := lastLines(c.data)
	plain := !mayBeColoured(c.data[at:])
	for at < len(c.data) {
		if plain && len(streams) == 0 {
			if end := closedEnd(c.data, at); end > 0 {
				at = end
				continue
			}
		}
		if end := plainEnd(c.data, at); end > 0 && !c.done.has(at) {
			if streams[""].depth < partialDepth {
				delete(streams, "")
			}
			at = end
			continue
		}
		l := lineAt(c.data, at)
		at = l.end
		if c.done.has(l.start) {
			delete(streams, l.stream)
			continue
		}
		st := streams[l.stream]
		if st.depth == 0 || l.fresh() && st.depth < partialDepth {
			st = state{since: l.start}
		}
		st.depth = deeper(st.depth%partialDepth, l)
		if l.partial {
			st.depth += partialDepth
		}
		if streams[l.stream] = st; st.depth == 0 {
			delete(streams, l.stream)
		}
	}
	hold := len(c.data)
	for _, st := range streams {
		hold = min(hold, st.since)
	}
	return hold
}

// lastLines returns where the last lines of the data begin, as many as a block may
// have.
func lastLines(data []byte) int {
	for window := 16 << 10; ; window *= 2 {
		window = min(window, maxBlockBytes)
		from := max(0, len(data)-1-window)
		ends := data[from:max(from, len(data)-1)] // of the lines before the last one
		n := bytes.Count(ends, newline)
		switch {
		case n >= maxBlockLines:
			for ; n >= maxBlockLines; n-- {
				from += bytes.IndexByte(data[from:], '\n') + 1
			}
			return from
		case from == 0 && len(data) <= maxBlockBytes:
			return 0
		case window < maxBlockBytes:
		case n == 0:
			return len(data)
		default:
			return from + bytes.IndexByte(ends, '\n') + 1
		}
	}
}

var newline = []byte{'\n'}

// closedEnd returns the end of the line at data[at] if it has no brace that opens but
// one around all of it, and no container runtime has split it: it leaves nothing open.
// It returns 0 for all others. The line has no colours.
func closedEnd(data []byte, at int) int {
	n := bytes.IndexByte(data[at:], '\n')
	if n < 0 {
		return 0
	}
	raw := bytes.TrimSuffix(data[at:at+n], []byte("\r"))
	switch brace := bytes.IndexByte(raw, '{'); {
	case brace > 0:
		return 0
	case brace == 0:
		// In GB18030 the last brace can be half of a character.
		if raw[len(raw)-1] != '}' || raw[len(raw)-2] >= utf8.RuneSelf || bytes.IndexByte(raw[1:], '{') >= 0 || bytes.HasPrefix(raw, []byte(`{"log":"`)) || escapedBrace(raw) {
			return 0
		}
	case len(raw) > 10 && raw[10] == 'T' && (bytes.Contains(raw, []byte(" stdout P")) || bytes.Contains(raw, []byte(" stderr P"))):
		return 0
	}
	return at + n + 1
}

// escapedBrace tells whether a text may have one.
func escapedBrace(b []byte) bool {
	at := bytes.IndexByte(b, '\\')
	return at >= 0 && (bytes.Contains(b[at:], []byte(`\u007`)) || bytes.Contains(b[at:], []byte(`\x7`)))
}

// plainEnd returns the end of the line at data[at] if the line is surely a record
// of its own without a stream, that leaves nothing open: an access line that
// begins with an address, one that begins with a date, a time and a comma, or
// one flat object. It returns 0 for all others.
func plainEnd(data []byte, at int) int {
	n := bytes.IndexByte(data[at:], '\n')
	if n <= 20 {
		return 0
	}
	raw := data[at : at+n]
	if mayBeColoured(raw) {
		return 0
	}
	plain := false
	switch {
	case raw[0] == '{':
		plain = flatRecord(raw)
	case raw[0] >= '0' && raw[0] <= '9' && bytes.IndexByte(raw, '{') < 0 && bytes.IndexByte(raw, '}') < 0:
		dated := raw[4] == '-' && raw[10] == ' ' && raw[19] == ','
		address := (raw[1] == '.' || raw[2] == '.' || raw[3] == '.') && raw[4] != '-'
		plain = (dated || address) && !mayBeTagged(string(raw[:min(n, 208)]))
	}
	if !plain {
		return 0
	}
	return at + n + 1
}

// flatRecord tells whether a line is one object without another one in it, and
// is no collector's record of a line of an object that is printed over several.
func flatRecord(raw []byte) bool {
	if raw[len(raw)-1] != '}' || bytes.HasPrefix(raw, []byte(`{"log":"`)) || bytes.IndexByte(raw[1:], '{') >= 0 || bytes.IndexByte(raw, '}') < len(raw)-1 || escapedBrace(raw) || !utf8.Valid(raw) {
		return false
	}
	for _, key := range recordKeys {
		// Such a line would begin with a space or a bracket.
		if i := bytes.Index(raw, []byte(key)); i >= 0 {
			v := bytes.TrimLeft(raw[i+len(key):], " \t:")
			if len(v) < 2 || v[0] == '"' && bytes.IndexByte([]byte(" \t]\\"), v[1]) >= 0 {
				return false
			}
		}
	}
	return true
}

// partialDepth marks a stream whose last line was only a part.
const partialDepth = 1 << 20
