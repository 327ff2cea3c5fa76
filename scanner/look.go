package scanner

import "bytes"

// A look is an anchor of a file, ready to be looked for.
type look struct {
	head string
	ends wordSet
	tail *tail   // nil: anything may follow
	file fileSet // whose it is
}

const longestEscape = 14 // bytes

// fits looks at what stands around the literal, which is data[at:behind].
func (l *look) fits(data []byte, at, behind int) bool {
	return (l.tail == nil || l.tail.fits(data, behind)) && l.follows(data[:at])
}

// follows tells whether the literal can stand behind data.
func (l *look) follows(data []byte) bool {
	behind := byte(0)
	for h := l.head; h != ""; h = h[:len(h)-1] {
		c := h[len(h)-1]
		if len(data) == 0 || c >= 0x80 {
			return true // in another encoding, perhaps
		}
		for len(data) > 1 && (c != '\\' && data[len(data)-1] == '\\' || c != '"' && behind == '"' && data[len(data)-1] == '"') {
			data = data[:len(data)-1] // of what was escaped, or is doubled
		}
		if data[len(data)-1] != c {
			return !isWordByte(c) && encodedEnd(data)
		}
		behind, data = c, data[:len(data)-1]
	}
	if len(data) == 0 {
		return true
	}
	c := data[len(data)-1]
	return !isWordByte(c) || l.ends.has(c) || encodedBefore(data) || coloured(data)
}

// encodedEnd tells whether data may end with an escape, with a line or with one
// part of it: what is before is not looked at.
func encodedEnd(data []byte) bool {
	switch c := data[len(data)-1]; {
	case c == '\n' || c == '\r' || c == '+' || c == '\\' || c == ';':
		return true
	case c == '"':
		return bytes.HasSuffix(data, []byte(`{"log":"`))
	case isWordByte(c):
		return encodedBefore(data) || coloured(data)
	}
	return false
}

// encodedBefore tells whether the letter or digit at the end of b may be part of
// an escape (%22, \x22, \u0022, \n, #012), of one that was escaped again
// (%252522, %5Cu0022), or of a character in GB18030. Only letters, digits, _, ; and :
// may stand between the sign of an escape and its end.
func encodedBefore(b []byte) bool {
	if len(b) > 1 && b[len(b)-2] >= 0x80 {
		return true
	}
	for i := len(b) - 1; i >= max(0, len(b)-longestEscape); i-- {
		switch c := b[i]; {
		case c == '%' || c == '\\' || c == '#':
			return true
		case !isWordByte(c) && c != ';' && c != ':':
			return false
		}
	}
	return false
}

// coloured tells whether the letter at the end of b may be the end of a
// terminal's colour sequence.
func coloured(b []byte) bool {
	if end := b[len(b)-1]; end != 'm' && (end < 'A' || end > 'K') {
		return false
	}
	for i := len(b) - 2; i >= 0 && i >= len(b)-maxColour; i-- {
		switch c := b[i]; {
		case c == '[':
			return true
		case (c < '0' || c > '9') && c != ';' && c != ':':
			return false
		}
	}
	return false
}
