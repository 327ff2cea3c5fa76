package tailer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/imwatch/imwatch/internal/finding"
	"golang.org/x/sys/unix"
)

const maxAnchor = 64

// The kernel copies several times as fast what begins in memory at such a place as in
// the file.
const aligned = 64

// A generation is one inode's life with one content history. While busy it
// belongs to a worker; said, path, rotated and what follows them belong to the
// scheduler always.
type generation struct {
	id       string
	src      *source
	key      identity
	f        *os.File           // nil when closed
	pipe     bool               // a named pipe: what is read of it cannot be read twice
	turned   chan struct{}      // a turn has taken what a pipe held
	over     chan struct{}      // closed with the pipe
	pending  []byte             // read from it, and not consumed
	maybe    []finding.Position // whose content a compressed file may hold
	packed   bool               // the file is a .gz of it, read from its decompressed beginning
	stored   int64              // size of that .gz
	offset   int64
	size     int64 // as last seen
	lines    int64
	head     head   // of what is consumed
	anchor   []byte // its last bytes
	ending   ending // of what is consumed; none before the first turn
	skipping bool   // offset lies inside a line that is being left out
	held     bool   // the handler keeps complete lines back
	done     bool
	proved   map[string]string
	grown    time.Time
	said     string    // path, for the worker
	since    time.Time // tailer.seenTo of its kin, for the worker

	path     string
	born     string // the path it was first found by
	kin      string
	early    bool        // it was there at the source's first start
	awayAt   time.Time   // when it was rotated
	rotated  bool        // its path names another file now, or none
	waiting  *generation // whose copy this is: not read as long as that one is
	waitsFor string      // its id
	copied   bool        // it was seen to hold the same; else it waits for the other\'s turn to end
	busy     bool
	queued   bool
	again    bool      // a hint came while it was busy
	rest     time.Time // until when it is not read for a hint alone
	resting  bool      // and one has come
	turns    float64   // that it has had of late, fewer by freeRate a second
	lastTurn time.Time
	brought  int64 // bytes, by its turns that left more to read
	flush    bool  // the next turn is final
	last     bool  // and takes a last line without its newline
	gone     bool
	limit    int64 // of the first turn, in bytes; -1: none
	told     bool  // a position with this id was made durable before anything was read
	failed   error
	retry    backoff
	at       int          // its place in the list of all
	handed   atomic.Bool  // what its turn has read is with the handler
	moved    atomic.Int64 // when its turn began, or last read something, in Unix nanoseconds
}

func newGeneration(src *source, path string, key identity, f *os.File) *generation {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return &generation{id: hex.EncodeToString(id[:]), src: src, path: path, born: path, said: path, key: key, f: f, grown: time.Now(), proved: map[string]string{}}
}

// resume makes a generation that goes on where a position stands.
func resume(src *source, path string, key identity, f *os.File, p *finding.Position) *generation {
	g := newGeneration(src, path, key, f)
	g.from(p)
	g.size = p.Size
	return g
}

// from makes a generation stand where a position does.
func (g *generation) from(p *finding.Position) {
	g.id, g.offset, g.lines, g.skipping = p.Generation, p.Offset, p.Lines, p.Skipping
	g.head, g.anchor, g.ending = headOf(p), bytes.Clone(p.Anchor), ending{}
	g.proved = maps.Clone(p.Proved)
	if g.proved == nil {
		g.proved = map[string]string{}
	}
}

func (g *generation) close() {
	if g.f != nil {
		g.f.Close()
		g.f = nil
		if g.over != nil {
			close(g.over)
		}
	}
}

// here is the place that was reached.
func (g *generation) here() finding.Position { return g.position(nil, 0) }

// position is the place behind b, which stands at the offset and in which so many lines end.
func (g *generation) position(b []byte, lines int64) finding.Position {
	head, anchor := g.behind(b)
	return finding.Position{Generation: g.id, Source: g.src.Name, Path: g.said, Dev: g.key.dev, Ino: g.key.ino, Handle: g.key.handle,
		Head: bytes.Clone(head.bytes), HeadSum: head.sum, Anchor: bytes.Clone(anchor), Offset: g.offset + int64(len(b)), Size: max(g.size, g.offset+int64(len(b))),
		Lines: g.lines + lines, Skipping: g.skipping, Done: g.done, Proved: maps.Clone(g.proved), Seen: time.Now().UTC(), Since: g.since.UTC()}
}

var newline = []byte{'\n'}

// behind returns head and anchor as they are when b is consumed.
func (g *generation) behind(b []byte) (head, []byte) {
	h := g.head.grown(g.offset, b)
	if len(b) >= maxAnchor {
		return h, b[len(b)-maxAnchor:]
	}
	anchor := append(g.anchor[:len(g.anchor):len(g.anchor)], b...)
	return h, anchor[max(0, len(anchor)-maxAnchor):]
}

// advance consumes b, in which so many lines end.
func (g *generation) advance(b []byte, lines int64) {
	head, anchor := g.behind(b)
	g.head = head
	g.anchor = bytes.Clone(anchor)
	if len(b) > 0 {
		g.ending = ending{}
	}
	g.lines += lines
	g.offset += int64(len(b))
}

// result is what a turn has found out.
type result struct {
	more      bool              // than one turn takes
	atEnd     bool              // everything is consumed
	truncated bool              // what was consumed is not there any more
	vanished  bool              // no descriptor is held and the path names another file
	known     *finding.Position // it is the compressed form of what stands there
	grew      bool              // since it was last found to be no whole compressed file
	opened    bool              // the turn has opened its path again
	err       error
	fatal     error // of the handler
}

// turn reads once, at most a chunk, and hands it on.
func (g *generation) turn(ctx context.Context, buf *[]byte, final bool, handle Handler) (r result) {
	if g.packed {
		return g.unpack(ctx, final, handle)
	}
	opened := false
	if g.f == nil {
		if r.vanished, r.err = g.reopen(); r.vanished || r.err != nil {
			return r
		}
		opened = true
	}
	if g.pipe {
		r = g.sip(buf, final, handle)
	} else {
		r = g.read(buf, final, handle)
	}
	r.opened = opened
	return r
}

// read reads once, at most a longest line, and hands it on.
func (g *generation) read(buf *[]byte, final bool, handle Handler) result {
	info, err := g.f.Stat()
	if err != nil {
		return result{err: err}
	}
	size := info.Size()
	if size < g.offset {
		return result{truncated: true}
	}
	// No more is read than a longest line has, so that a longer one never comes
	// with its end.
	window := g.src.MaxLine + utf8.UTFMax
	if cap(*buf) < window+aligned {
		*buf = make([]byte, 0, window+aligned)
	}
	into := (*buf)[:aligned+window][g.offset%aligned:][:window]
	n, err := g.f.ReadAt(into, g.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return result{err: err}
	}
	if ok, err := g.unchanged(); err != nil {
		return result{err: err}
	} else if !ok {
		return result{truncated: true}
	}
	if size != g.size {
		g.grown = time.Now()
	}
	g.size = size
	if g.offset == 0 && !holds(g.f, 0, into[:min(n, maxHead)]) {
		return result{more: true} // it was cut and written anew between two reads: no anchor tells
	}
	data, full := into[:n], n == window
	if full && data[n-1] == 0 && g.wide(data) == nil {
		empty, err := g.empty(g.offset + int64(n))
		if err != nil {
			return result{err: err}
		}
		if empty { // room that was made in advance
			data, full = bytes.TrimRight(data, "\x00"), false
		}
	}
	if full && !g.skipping && len(bytes.TrimLeft(data[:min(n, 4096)], "\x00")) == 0 && g.leap(data) {
		return result{more: true}
	}
	if g.offset == 0 && g.limit >= 0 && int64(len(data)) > g.limit {
		r := g.handOn(data[:g.limit], false, false, handle)
		r.more, r.atEnd = true, false
		return r
	}
	r := g.handOn(data, full, final, handle)
	if g.ending.length == 0 {
		g.remember()
	}
	return r
}

// handOn hands on what stands at the offset, in whatever encoding.
func (g *generation) handOn(data []byte, full, final bool, handle Handler) result {
	if order := g.wide(data); order != nil {
		return g.offerWide(data, order, full, final, handle)
	}
	return g.offer(data, full, final, handle)
}

// unchanged tells whether what stands before the offset is what was consumed. A file that
// cannot be read is not one that was cut.
func (g *generation) unchanged() (bool, error) {
	var b [maxEnding]byte
	length := max(g.ending.length, len(g.anchor))
	n, err := g.f.ReadAt(b[:length], g.offset-int64(length))
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return bytes.HasSuffix(b[:n], g.anchor) && (g.ending.length == 0 || endingOf(b[:n]) == g.ending), nil
}

// remember notes what stands before the offset. In a storm the lines of a file that was
// cut and has grown again end alike, so that the anchor alone does not tell.
func (g *generation) remember() {
	var b [maxEnding]byte
	length := min(g.offset, maxEnding)
	if n, err := g.f.ReadAt(b[:length], g.offset-length); err == nil && bytes.HasSuffix(b[:n], g.anchor) {
		g.ending = endingOf(b[:n])
	}
}

// offer hands on what stands at the offset. full says that there may be more
// behind it.
func (g *generation) offer(data []byte, full, final bool, handle Handler) (r result) {
	data, rest := g.skip(data, full)
	if !rest {
		return result{more: full, atEnd: !full}
	}
	complete := bytes.LastIndexByte(data, '\n') + 1
	if complete == 0 {
		return g.unfinished(data, full, final, handle)
	}
	for {
		c := g.chunk(data[:complete])
		c.Final = final
		n, err := handle(c)
		if err != nil {
			return result{fatal: err}
		}
		g.advance(data[:n], c.LineAt(n)-c.Line)
		g.held = n < complete
		if n == 0 && full && !final {
			final = true // the handler keeps back more than a chunk holds
			continue
		}
		if !g.held && final && g.last && !full && complete < len(data) {
			return g.unfinished(data[complete:], false, true, handle)
		}
		return result{more: full, atEnd: !full && !g.held && complete == len(data)}
	}
}

func (g *generation) chunk(data []byte) *Chunk {
	c := &Chunk{Source: g.src.Name, Path: g.said, Generation: g.id, Data: data, Offset: g.offset, Line: g.lines + 1, Proved: g.proved}
	c.at = func(n int) finding.Position { return g.position(data[:n], c.LineAt(n)-c.Line) }
	return c
}

var nuls [4096]byte

// skip passes over the rest of a line that is being left out, and over NULs
// before a line: a hole, where a file was truncated under a writer that goes on
// at its old place. NULs at the end of the file may yet become text.
func (g *generation) skip(data []byte, full bool) (rest []byte, ok bool) {
	if g.skipping {
		n := bytes.IndexByte(data, '\n') + 1
		if n == 0 {
			g.advance(data, 0)
			return nil, false
		}
		g.advance(data[:n], 1)
		g.skipping, data = false, data[n:]
	}
	nul := 0
	for bytes.HasPrefix(data[nul:], nuls[:]) {
		nul += len(nuls)
	}
	for nul < len(data) && data[nul] == 0 {
		nul++
	}
	if nul == len(data) && !full {
		return data, false
	}
	g.advance(data[:nul], 0)
	return data[nul:], nul < len(data)
}

// unfinished deals with a line that has no end yet: too long a one is cut, the
// last one of a file that was rotated away is taken as it is.
func (g *generation) unfinished(data []byte, full, final bool, handle Handler) result {
	c := g.chunk(data)
	switch {
	case len(data) > g.src.MaxLine:
		cut := g.src.MaxLine
		for back := 0; back < utf8.UTFMax && !utf8.RuneStart(data[cut]); back++ {
			cut--
		}
		c.Data, c.Truncated = append(data[:cut:cut], '\n'), true
		c.at = func(int) finding.Position {
			p := g.position(data[:cut], 0)
			p.Skipping = true
			return p
		}
		data = data[:cut]
	case final && g.last && !full:
		c.Partial = true
	default: // behind the rest of one that was left out there may be more of it
		return result{more: full, atEnd: len(data) == 0}
	}
	c.Final = true
	if _, err := handle(c); err != nil {
		return result{fatal: err}
	}
	g.advance(data, 0)
	g.skipping = c.Truncated
	return result{more: full || c.Truncated, atEnd: !full && !c.Truncated}
}

// reopen opens the path again. vanished says that it names another file now.
func (g *generation) reopen() (vanished bool, err error) {
	f, key, _, err := g.src.open(g.said)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !key.same(g.key) {
		f.Close()
		return true, nil
	}
	g.f = f
	return false, nil
}

// empty tells whether nothing but NULs stands from a place in the file to its
// end: they may yet become text.
func (g *generation) empty(from int64) (bool, error) {
	b := make([]byte, 64<<10)
	for {
		to, err := unix.Seek(int(g.f.Fd()), from, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return true, nil
		}
		if err == nil {
			from = to
		}
		n, err := g.f.ReadAt(b, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if len(bytes.TrimLeft(b[:n], "\x00")) > 0 {
			return false, nil
		}
		if n < len(b) {
			return true, nil
		}
		from += int64(n)
	}
}

// leap passes over a large hole without reading it: a writer that goes on at its
// old place after a truncate leaves one. What data shows of it are NULs.
func (g *generation) leap(data []byte) bool {
	to, err := unix.Seek(int(g.f.Fd()), g.offset, unix.SEEK_DATA)
	if err != nil || to <= g.offset+int64(len(data)) {
		return false
	}
	g.advance(nuls[:min(maxHead, to-g.offset)], 0)
	g.offset, g.anchor = to, make([]byte, maxAnchor)
	return true
}
