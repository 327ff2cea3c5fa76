package reader

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
)

// Parts is a large plain file that can be read at several places at once. Its
// bytes are those of the text.
type Parts struct {
	Path string
	Size int64 // when it was opened

	file *os.File
	o    Options
}

// PartSize is the size of a part in bytes, by and large: a processor's own cache has room for
// it.
const PartSize = 768 << 10

const (
	largeSize = 4 * PartSize // from which a file is read in parts

	// Reads begin at such a place in the file and in memory: the kernel copies them
	// several times as fast.
	aligned = 64
)

// OpenParts opens a file for reading in parts; nil when it must be read from its
// beginning: it is small, not a plain file, compressed, or in an encoding that
// must be turned into UTF-8.
func OpenParts(f File, o Options) *Parts {
	o = o.withDefaults()
	if f.Path == "-" || f.Size < largeSize {
		return nil
	}
	file, err := openFile(f, o)
	if err != nil {
		return nil // Read tells why
	}
	p := &Parts{Path: f.Path, file: file, o: o}
	if info, err := file.Stat(); err == nil {
		p.Size = info.Size()
	}
	if !p.plain(f.named) {
		file.Close()
		return nil
	}
	return p
}

func (p *Parts) plain(named bool) bool {
	head := make([]byte, sniffed)
	n, err := p.file.ReadAt(head, 0)
	if err != nil || p.Size < largeSize {
		return false
	}
	head = head[:n]
	x := opener{o: p.o}
	enc, _, bom := x.encoding(head)
	unpack, _ := decompressor(head)
	archive := bytes.HasPrefix(head, []byte("PK")) || string(head[257:262]) == "ustar"
	return unpack == nil && !archive && enc == asIs && bom == 0 && (named || bytes.IndexByte(head, 0) < 0)
}

// Close closes the file.
func (p *Parts) Close() error { return p.file.Close() }

// ErrLine says that a part has no border of lines where one is needed.
var ErrLine = errors.New("a line longer than a part")

// Read reads the part between two places, whole lines, into buf, which it returns as it has
// grown. The parts' borders lie between lines, and where it can be seen from the
// line behind it, between records: one part ends where the next one starts.
func (p *Parts) Read(from, end int64, buf []byte) (data []byte, start int64, grown []byte, err error) {
	first := max(0, from-aligned)
	for slack := int64(4 << 10); ; slack *= 4 {
		size := min(p.Size, end+slack) - first
		if int64(cap(buf)) < size {
			buf = make([]byte, size)
		}
		buf = buf[:size]
		n, err := p.file.ReadAt(buf, first)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, buf, problem(p.Path, err, "")
		}
		read := buf[:n]
		whole := n < int(size) || first+size == p.Size // it may have been cut since
		place := func(at int64) int {                  // of the first line from at on, -1 if that is behind what was read
			i := min(n, int(at-1-first))
			if c := border(read[i:]); c >= 0 {
				return i + c
			} else if whole {
				return n
			}
			return -1
		}
		a, b := 0, n
		if from > 0 {
			a = place(from)
		}
		if end < p.Size {
			b = place(end)
		}
		if a >= 0 && b >= 0 {
			if b-a > p.o.MaxLine && longest(read[a:b]) > p.o.MaxLine {
				return nil, 0, buf, ErrLine
			}
			if p.o.Progress != nil {
				p.o.Progress(int64(b - a))
			}
			return read[a:max(a, b)], first + int64(a), buf, nil
		}
		if slack > int64(p.o.MaxLine) {
			return nil, 0, buf, ErrLine
		}
	}
}

func longest(b []byte) (n int) {
	for line := range bytes.Lines(b) {
		n = max(n, len(line))
	}
	return n
}

// border returns the start of the first line behind a newline in b that looks
// like the beginning of a record, or of the first line if the next ones don't;
// -1 when b has no newline, or ends before it can be told.
func border(b []byte) int {
	const far = 32 << 10
	first, at := -1, 0
	for {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 || at+n+1 >= len(b) {
			return -1
		}
		at += n + 1
		if first < 0 {
			first = at
		}
		if bytes.IndexByte([]byte(" \t}]\"'"), b[at]) < 0 {
			return at
		}
		if at-first > far {
			return first
		}
	}
}

// At reads bytes again.
func (p *Parts) At(start int64, buf []byte) (int, error) { return p.file.ReadAt(buf, start) }

// Rest reads everything from a place on, as Read does.
func (p *Parts) Rest(ctx context.Context, start int64, handle Handler) error {
	r := io.NewSectionReader(p.file, start, p.Size-start)
	err := chunks(ctx, r, p.Path, start, asIs, p.o, handle)
	if err == nil || errors.Is(err, errStop) || errors.Is(err, context.Canceled) {
		return nil
	}
	return problem(p.Path, err, "")
}
