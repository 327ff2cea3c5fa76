package scanner

import "strings"

// The SDKs print their errors as objects, in JSON, in the forms of Node's
// util.inspect and of browser consoles, sometimes cut off in the middle. This
// reads them loosely: what it cannot make out it steps over.

const (
	maxDepth   = 24
	maxObjects = 256
)

// An object is one {…} in a text.
type object struct {
	parent     int    // index of the object it stands in, or -1
	key        string // under which it stands there
	start, end int    // from its class or brace to behind its closing brace
	open       int    // its opening brace
	fields     []field
}

type field struct {
	name       string
	pos        int // of the name (or its quote)
	start, end int // the value, without quotes
	quoted     bool
	child      int // the object that is the value, or -1
}

// objects returns the objects of a text, outer ones before inner ones.
func objects(text string) []object { return objectsIn(text, nil) }

// objectsIn is objects that uses the memory of others, which are gone then.
func objectsIn(text string, old []object) []object {
	p := objectParser{s: text, list: old[:0]}
	for i := 0; i < len(text) && len(p.list) < maxObjects; {
		j := strings.IndexByte(text[i:], '{')
		if j < 0 {
			break
		}
		i = p.object(i+j, -1, "", 0)
	}
	return p.list
}

type objectParser struct {
	s    string
	list []object
}

// object reads one object whose brace is at i and returns the place behind it.
func (p *objectParser) object(i, parent int, key string, depth int) int {
	at := len(p.list)
	var fields []field
	if at < cap(p.list) {
		fields = p.list[:at+1][at].fields[:0]
	}
	p.list = append(p.list, object{parent: parent, key: key, start: classStart(p.s, i), open: i, fields: fields})
	end := p.fields(i+1, at, depth)
	p.list[at].end = end
	return end
}

// fields reads keys and values up to the closing brace and returns the place
// behind it.
func (p *objectParser) fields(i, at, depth int) int {
	for i < len(p.s) {
		i = skipSpace(p.s, i)
		if i >= len(p.s) {
			break
		}
		if p.s[i] == '}' {
			return i + 1
		}
		name, pos, next, ok := readKey(p.s, i)
		if !ok {
			i = p.skipValue(i, at, "", depth)
			continue
		}
		i = p.value(valueStart(p.s, next), at, name, pos, depth)
	}
	return len(p.s)
}

// valueStart returns where the value behind a colon begins: on the next line
// where util.inspect breaks a long one, but not at the key of the next field.
func valueStart(s string, i int) int {
	at := skipSpace(s, i)
	if at < len(s) && strings.IndexByte(s[i:at], '\n') >= 0 {
		if _, _, _, key := readKey(s, at); key {
			return skipBlank(s, i)
		}
	}
	return at
}

// value reads what stands behind a key and records the field.
func (p *objectParser) value(i, at int, name string, pos, depth int) int {
	f := field{name: name, pos: pos, start: i, end: i, child: -1}
	if i < len(p.s) && isQuote(p.s[i]) {
		end := stringEnd(p.s, i)
		f.start, f.end, f.quoted = i+1, max(i+1, end-1), true
		if end == len(p.s) && (end == i+1 || p.s[end-1] != p.s[i]) {
			f.end = end
		}
		p.list[at].fields = append(p.list[at].fields, f)
		return end
	}
	before := len(p.list)
	n := len(p.list[at].fields)
	p.list[at].fields = append(p.list[at].fields, f)
	end := p.skipValue(i, at, name, depth)
	p.list[at].fields[n].end = max(i, end)
	if len(p.list) > before && p.list[before].parent == at {
		p.list[at].fields[n].child = before
	}
	return end
}

// skipValue steps over one value that is no string: a word, a list, an object
// with or without a class name before it.
func (p *objectParser) skipValue(i, at int, key string, depth int) int {
	start := i
	for i < len(p.s) {
		switch c := p.s[i]; {
		case c == '{':
			if depth >= maxDepth || len(p.list) >= maxObjects {
				return len(p.s)
			}
			i = p.object(i, at, key, depth+1)
		case c == '[':
			i = p.array(i+1, at, key, depth+1)
		case c == ',':
			return i + 1
		case c == '}' || c == ']':
			if i == start && c == ']' {
				return i + 1
			}
			return i
		case c == '\n':
			return i + 1
		case isQuote(c) && i == start:
			return stringEnd(p.s, i)
		default:
			i++
		}
	}
	return i
}

func (p *objectParser) array(i, at int, key string, depth int) int {
	if depth >= maxDepth {
		return len(p.s)
	}
	for i < len(p.s) {
		i = skipSpace(p.s, i)
		if i >= len(p.s) {
			break
		}
		if p.s[i] == ']' {
			return i + 1
		}
		if p.s[i] == '}' {
			return i
		}
		next := p.skipValue(i, at, key, depth)
		if next == i {
			next++
		}
		i = next
	}
	return len(p.s)
}

// readKey reads a key and its colon: bare, quoted, escaped quotes tolerated.
func readKey(s string, i int) (name string, pos, next int, ok bool) {
	pos = i
	if isQuote(s[i]) {
		end := stringEnd(s, i)
		if end-1 <= i {
			return "", 0, 0, false
		}
		name, i = s[i+1:end-1], end
	} else {
		j := i
		for j < len(s) && isKeyByte(s[j]) {
			j++
		}
		if j == i {
			return "", 0, 0, false
		}
		name, i = s[i:j], j
	}
	i = skipBlank(s, i)
	if i >= len(s) || s[i] != ':' {
		return "", 0, 0, false
	}
	return name, pos, i + 1, true
}

func isKeyByte(c byte) bool {
	return c == '_' || c == '$' || c == '-' || c == '@' || c == '.' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// stringEnd returns the place behind the closing quote of the string that
// opens at i, or the end of the text.
func stringEnd(s string, i int) int {
	q := s[i]
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case q:
			return j + 1
		}
	}
	return len(s)
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r' || s[i] == ',') {
		i++
	}
	return i
}

func skipBlank(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

// classStart returns where the class name before a brace begins, or the brace.
func classStart(s string, brace int) int {
	i := brace
	if i > 0 && s[i-1] == ' ' {
		i--
	}
	j := i
	for j > 0 && (isKeyByte(s[j-1]) && s[j-1] < 0x80 && s[j-1] != '-' && s[j-1] != '.') {
		j--
	}
	if j == i {
		return brace
	}
	return j
}

// enclosing returns the innermost object that has a field named name at pos,
// or -1.
func enclosing(list []object, pos int) (obj, fld int) {
	for i := len(list) - 1; i >= 0; i-- {
		if pos < list[i].open || pos >= list[i].end {
			continue
		}
		for j, f := range list[i].fields {
			if f.pos == pos {
				return i, j
			}
		}
	}
	return -1, -1
}

// at returns where the value of a dotted path of keys in an object stands, and whether
// the object has it.
func at(text string, list []object, obj int, path string) (value span, quoted, ok bool) {
	key, rest, more := strings.Cut(path, ".")
	for i := range list[obj].fields {
		f := &list[obj].fields[i]
		if f.name != key {
			continue
		}
		if !more {
			v := strings.TrimRight(text[f.start:f.end], " ,\n\r\t")
			return span{f.start, f.start + len(v)}, f.quoted, true
		}
		if f.child >= 0 {
			return at(text, list, f.child, rest)
		}
	}
	return span{}, false, false
}

// A span is a part of a text.
type span struct{ from, to int }

func (s span) of(text string) string { return text[s.from:s.to] }
