package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// A Chunk is a run of complete lines of one file as UTF-8, or as the bytes
// stand in the file where the encoding is not known. Only the last line of a
// file may lack its newline.
type Chunk struct {
	Path  string // as shown to people: "a.log", "b.zip!/im.log", "-"
	Data  []byte // valid until handle returns
	Final bool   // nothing comes behind: handle must consume all

	base int64 // of Data[0] in the file's own bytes, decompressed ones in an archive
	gaps []gap
	enc  encoding
}

// A gap is where bytes of a long line were left out.
type gap struct {
	pos  int   // in Data, behind the cut line's newline
	skip int64 // bytes left out before it
}

// At is the place of Data[i] in the file's own bytes, decompressed ones in an
// archive.
func (c *Chunk) At(i int) int64 {
	at := c.base + c.enc.length(c.Data[:i])
	for _, g := range c.gaps {
		if g.pos <= i {
			at += g.skip
		}
	}
	return at
}

// Truncated tells whether the line that starts at Data[i] was cut.
func (c *Chunk) Truncated(i int) bool {
	n := bytes.IndexByte(c.Data[i:], '\n')
	for _, g := range c.gaps {
		if n >= 0 && g.pos == i+n+1 {
			return true
		}
	}
	return false
}

// ChunkAt is a chunk of a plain file's bytes at a place.
func ChunkAt(path string, data []byte, at int64, final bool) *Chunk {
	return &Chunk{Path: path, Data: data, Final: final, base: at}
}

// A Handler gets chunks in order. consumed works as in bufio.SplitFunc: what is
// not consumed is offered again with more behind it, and must begin a line.
type Handler func(*Chunk) (consumed int, err error)

// errStop ends the reading of a file because handle said so.
var errStop = errors.New("stopped by the handler")

// Unconsumed bytes and a line that is not yet complete may take so much beside
// a chunk and a longest line.
const slack = 512 << 10

// chunks cuts what r yields into chunks of complete lines. It holds at most
// ChunkSize + MaxLine + 512 KiB and a little.
func chunks(ctx context.Context, r io.Reader, path string, base int64, enc encoding, o Options, handle Handler) error {
	s := stream{r: r, o: o, handle: handle, c: Chunk{Path: path, base: base, enc: enc}}
	s.memory = make([]byte, 0, o.ChunkSize+o.MaxLine+slack+aligned)
	s.buf = s.memory
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.fill()
		if err != nil && !errors.Is(err, io.EOF) {
			// What was read before the fault is good.
			if e := s.offer(true); e != nil {
				return e
			}
			return err
		}
		if e := s.offer(err != nil); e != nil || err != nil {
			return e
		}
	}
}

type stream struct {
	r      io.Reader
	o      Options
	handle Handler
	memory []byte // of buf
	buf    []byte // unconsumed
	whole  int    // of buf: complete lines, cut to size
	cut    bool   // the rest of a long line is being left out
	c      Chunk
}

// fill reads once and makes the lines of what it read ready.
func (s *stream) fill() error {
	for range 100 { // readers that return nothing
		room := min(cap(s.buf)-len(s.buf), s.o.ChunkSize)
		n, err := s.r.Read(s.buf[len(s.buf) : len(s.buf)+room])
		s.buf = s.buf[:len(s.buf)+n]
		if s.cut {
			s.leaveOut()
		}
		s.lines()
		if err != nil || n > 0 {
			return err
		}
	}
	return io.ErrNoProgress
}

// leaveOut drops what belongs to the long line that is being cut.
func (s *stream) leaveOut() {
	from := s.whole
	n := bytes.IndexByte(s.buf[from:], '\n')
	drop := len(s.buf) - from
	if n >= 0 {
		drop, s.cut = n+1, false
	}
	skip := s.c.enc.length(s.buf[from : from+drop])
	if n := len(s.c.gaps); n > 0 {
		s.c.gaps[n-1].skip += skip
	} else {
		s.c.base += skip // the line's beginning is consumed already
	}
	s.buf = append(s.buf[:from], s.buf[from+drop:]...)
}

// lines moves whole to the end of the last complete line, cutting lines that
// are longer than MaxLine.
func (s *stream) lines() {
	for {
		end := bytes.LastIndexByte(s.buf[s.whole:], '\n') + 1 + s.whole
		for s.whole < end {
			window := s.buf[s.whole:min(end, s.whole+s.o.MaxLine+1)]
			n := bytes.LastIndexByte(window, '\n')
			if n < 0 {
				break
			}
			s.whole += n + 1
		}
		if len(s.buf)-s.whole <= s.o.MaxLine {
			return
		}
		if n := bytes.IndexByte(s.buf[s.whole:s.whole+s.o.MaxLine+1], '\n'); n >= 0 {
			s.whole += n + 1
			continue
		}
		at := s.whole + s.o.MaxLine
		for back := 0; back < utf8.UTFMax && !utf8.RuneStart(s.buf[at]); back++ {
			at--
		}
		// The newline takes the place of the first byte that is left out.
		s.c.gaps = append(s.c.gaps, gap{pos: at + 1, skip: s.c.enc.length(s.buf[at:at+1]) - s.c.enc.length([]byte{'\n'})})
		s.buf[at] = '\n'
		s.whole, s.cut = at+1, true
		s.leaveOut()
		if s.cut {
			return
		}
	}
}

// offer gives handle the complete lines, and everything when final.
func (s *stream) offer(final bool) error {
	data := s.buf[:s.whole]
	if final {
		data = s.buf
	}
	full := cap(s.buf)-len(s.buf) < s.o.ChunkSize/2
	if len(data) == 0 {
		return nil
	}
	s.c.Data, s.c.Final = data, final
	n, err := s.handle(&s.c)
	if err != nil {
		return errors.Join(errStop, err)
	}
	if n < 0 || n > len(data) || final && n < len(data) {
		return fmt.Errorf("the handler consumed %d of %d bytes", n, len(data))
	}
	if n == 0 && full {
		// What does not end within the bounds is taken as it is.
		s.c.Final = true
		if n, err = s.handle(&s.c); err != nil {
			return errors.Join(errStop, err)
		}
	}
	s.consume(n)
	return nil
}

func (s *stream) consume(n int) {
	s.c.base = s.c.At(n)
	kept := s.c.gaps[:0]
	for _, g := range s.c.gaps {
		if g.pos > n {
			kept = append(kept, gap{g.pos - n, g.skip})
		}
	}
	s.c.gaps = kept
	s.whole -= n
	rest := s.buf[n:]
	from := -len(rest) & (aligned - 1) // so that the next read goes to an aligned place
	s.buf = append(s.memory[from:from], rest...)
}

// An encoding knows how many bytes of the file a text in UTF-8 stands for.
type encoding int

const (
	asIs encoding = iota
	utf16
	gb18030
)

func (e encoding) length(b []byte) int64 {
	switch e {
	case utf16:
		var n int64
		for len(b) > 0 {
			r, size := utf8.DecodeRune(b)
			b = b[size:]
			n += 2
			if r > 0xffff {
				n += 2
			}
		}
		return n
	case gb18030:
		out, err := simplifiedchinese.GB18030.NewEncoder().Bytes(b)
		if err != nil {
			return int64(len(b))
		}
		return int64(len(out))
	}
	return int64(len(b))
}
