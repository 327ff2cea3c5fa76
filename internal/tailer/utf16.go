package tailer

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/imwatch/imwatch/internal/finding"
)

// wide returns the byte order of a file that begins with UTF-16's byte order
// mark, or is said to be UTF-16; nil for any other. data stands at the offset.
func (g *generation) wide(data []byte) binary.ByteOrder {
	head := g.head.bytes
	if g.offset == 0 {
		head = data
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return binary.LittleEndian
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return binary.BigEndian
	case g.src.UTF16 && len(head) > 0 && head[0] == 0:
		return binary.BigEndian
	case g.src.UTF16:
		return binary.LittleEndian
	}
	return nil
}

// offerWide hands on UTF-16 as UTF-8; offsets stay those of the file.
func (g *generation) offerWide(data []byte, order binary.ByteOrder, full, final bool, handle Handler) (r result) {
	if g.offset == 0 && (bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})) {
		g.advance(data[:2], 0)
		data = data[2:]
	}
	data = data[:len(data)&^1]
	end := lastWide(data, order)
	if g.skipping {
		first, ends := firstWide(data, order), int64(1)
		if first == 0 {
			first, ends = len(data), 0
		}
		g.advance(data[:first], ends)
		g.skipping = ends == 0
		return result{more: full || first < len(data), atEnd: !full && first == len(data)}
	}
	cut, partial := false, false
	switch {
	case end > 0:
		data = data[:end]
	case full:
		cut = true
	case final && g.last && len(data) > 0:
		partial = true
	default:
		return result{atEnd: len(data) == 0}
	}
	text := narrow(data, order)
	if cut {
		text = append(text, '\n') // not in the file, so not counted
	}
	c := &Chunk{Source: g.src.Name, Path: g.said, Generation: g.id, Data: text, Offset: g.offset, Line: g.lines + 1, Proved: g.proved,
		Final: final || cut || partial, Truncated: cut, Partial: partial}
	raw := func(n int) []byte { return data[:min(len(data), widened(text[:n]))] }
	ends := func(n int) int64 {
		if cut {
			return 0
		}
		return c.LineAt(n) - c.Line
	}
	c.at = func(n int) finding.Position {
		p := g.position(raw(n), ends(n))
		p.Skipping = cut
		return p
	}
	n, err := handle(c)
	if err != nil {
		return result{fatal: err}
	}
	g.advance(raw(n), ends(n))
	g.skipping, g.held = cut, n < len(text)
	return result{more: full || n > 0 && !g.held, atEnd: partial}
}

// lastWide and firstWide return the place behind the last and first newline.
func lastWide(b []byte, order binary.ByteOrder) int {
	for i := len(b) - 2; i >= 0; i -= 2 {
		if order.Uint16(b[i:]) == '\n' {
			return i + 2
		}
	}
	return 0
}

func firstWide(b []byte, order binary.ByteOrder) int {
	for i := 0; i+1 < len(b); i += 2 {
		if order.Uint16(b[i:]) == '\n' {
			return i + 2
		}
	}
	return 0
}

// narrow is UTF-16 in UTF-8. Halves of surrogate pairs become U+FFFD, which is
// one unit long as they are.
func narrow(b []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	out := make([]byte, 0, len(b))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out
}

// widened is how many bytes of UTF-16 a text in UTF-8 stands for.
func widened(b []byte) (n int) {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		n += 2
		if r > 0xffff {
			n += 2
		}
	}
	return n
}
