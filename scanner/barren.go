package scanner

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// barren tells whether a line is somebody else's record, in which the rules of some
// files find nothing: one flat object in JSON with a key that no object of theirs has,
// and without anything that would prove a number in it. "type": stands in many such.
func (s *Scanner) barren(line []byte, files fileSet) bool {
	line = withoutEnd(line)
	if !singleObject(line) {
		return false
	}
	for i, f := range s.files {
		if files&fileBit(i) != 0 && !f.ready().barren(line) {
			return false
		}
	}
	return true
}

// barren tells whether the file's rules find nothing in a line that is a single object:
// all that they could find is a number with a foreign key beside it, which only a
// sentence, a shape, a range or a name proves to be a code.
func (f *file) barren(line []byte) bool {
	if !foreignKey(line, f.keys) {
		return false
	}
	// A copy would cost as much as the look. The line stays as it is till the sight is
	// closed, which forgets it.
	seen := f.proofs().look(unsafe.String(&line[0], len(line)))
	defer seen.close()
	for _, i := range seen.Noted() {
		if i >= len(f.shapes) || seen.MatchIn(i, 0, len(line)) {
			return false
		}
	}
	return true
}

// singleObject tells whether a line may be one object without another one in it, and
// is surely nothing else: neither encoded nor coloured, no line of a text that a
// collector has wrapped.
func singleObject(line []byte) bool {
	n := len(line) - 1
	return n > 1 && line[0] == '{' && line[1] == '"' && line[n] == '}' && bytes.IndexByte(line[1:], '{') < 0 && bytes.IndexByte(line, '}') == n &&
		bytes.IndexByte(line, '\\') < 0 && bytes.IndexByte(line, '%') < 0 && bytes.IndexByte(line, '[') < 0 && bytes.IndexByte(line, '&') < 0 && bytes.IndexByte(line, 0x1b) < 0 &&
		!bytes.HasPrefix(line, []byte(`{"log":"`)) && utf8.Valid(line)
}

// foreignKey tells whether a line that is a single object is JSON without blanks between
// its parts, and has a key that is not among some.
func foreignKey(line []byte, keys []string) (foreign bool) {
	rest := line[1:]
	for {
		key, behind, ok := cutQuoted(rest)
		if !ok || len(key) == 0 || len(behind) < 2 || behind[0] != ':' {
			return false
		}
		foreign = foreign || !slices.Contains(keys, string(key))
		if rest = behind[1:]; rest[0] == '"' {
			value, behind, ok := cutQuoted(rest)
			if !ok || len(value) > 0 && strings.IndexByte(fragmentStarts, value[0]) >= 0 {
				return false
			}
			rest = behind
		} else {
			n := 0
			for n < len(rest) && (isWordByte(rest[n]) || rest[n] == '.' || rest[n] == '-' || rest[n] == '+') {
				n++
			}
			if n == 0 {
				return false
			}
			rest = rest[n:]
		}
		switch {
		case len(rest) == 1: // the brace
			return foreign
		case len(rest) == 0 || rest[0] != ',':
			return false
		}
		rest = rest[1:]
	}
}

// cutQuoted cuts a quoted text off.
func cutQuoted(b []byte) (text, behind []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	n := bytes.IndexByte(b[1:], '"')
	if n < 0 {
		return nil, nil, false
	}
	return b[1 : 1+n], b[n+2:], true
}
