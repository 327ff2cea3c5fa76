package annotator

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An object appends the members of one JSON object to a buffer. It leaves out
// what has no value, so that no event carries a null, an empty string or an
// empty list. It is written by hand, and not by an encoder, so that the
// catalogue's text is encoded once for a code and not once for an event.
//
// With list set it collects the members as fields instead: one walk over the
// event makes both forms.
type object struct {
	buf    []byte
	n      int // members written
	list   *[]Field
	prefix string
}

// A Field is one of an event's fields by its dotted name. The value is a
// string, an int64, a time.Time or a []string.
type Field struct {
	Name  string
	Value any
}

// Text is the value as text: a number in decimal, a time as RFC 3339 in UTC, a
// list with the separator between its items.
func (f Field) Text(separator string) string {
	switch v := f.Value.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []string:
		return strings.Join(v, separator)
	}
	return ""
}

// collect takes a member as a field; only for an object that has a list.
func (o *object) collect(k string, v any) bool {
	o.n++
	*o.list = append(*o.list, Field{o.prefix + k, v})
	return true
}

// A piece is members that were encoded before, in both forms.
type piece struct {
	json   []byte
	fields []Field
}

func newPiece(prefix string, fill func(*object)) (p piece) {
	var o object
	fill(&o)
	if o.n > 0 {
		p.json = o.buf[1:] // without the brace
	}
	fill(&object{list: &p.fields, prefix: prefix})
	return p
}

// member begins a member.
func (o *object) member() {
	if o.n == 0 {
		o.buf = append(o.buf, '{')
	} else {
		o.buf = append(o.buf, ',')
	}
	o.n++
}

// name begins a member by one of our names, which need no escapes.
func (o *object) name(k string) {
	o.member()
	o.buf = append(append(append(o.buf, '"'), k...), '"', ':')
}

func (o *object) str(k, v string) {
	if v == "" || o.list != nil && o.collect(k, v) {
		return
	}
	o.name(k)
	o.buf = AppendString(o.buf, v)
}

// label is str under a name that is not ours.
func (o *object) label(k, v string) {
	if v == "" || o.list != nil && o.collect(k, v) {
		return
	}
	o.member()
	o.buf = AppendString(append(AppendString(o.buf, k), ':'), v)
}

// only writes a nested object of one member, and nothing if that has no value.
func (o *object) only(k, member, v string) {
	if v == "" {
		return
	}
	out := o.enter(k)
	o.str(member, v)
	o.leave(out)
}

func (o *object) strs(k string, v []string) {
	if len(v) == 0 || o.list != nil && o.collect(k, v) {
		return
	}
	o.name(k)
	o.buf = append(o.buf, '[')
	for i, s := range v {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		o.buf = AppendString(o.buf, s)
	}
	o.buf = append(o.buf, ']')
}

func (o *object) int(k string, v int64) {
	if o.list != nil && o.collect(k, v) {
		return
	}
	o.name(k)
	o.buf = strconv.AppendInt(o.buf, v, 10)
}

// num writes a number that a rule captured, and nothing when it is none: the
// text comes from a log line.
func (o *object) num(k, v string) {
	if v == "" {
		return
	}
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		o.int(k, int64(n))
	}
}

func (o *object) time(k string, t time.Time) {
	if o.list != nil && o.collect(k, t) {
		return
	}
	o.name(k)
	o.buf = append(o.buf, '"')
	o.buf = appendTime(o.buf, t)
	o.buf = append(o.buf, '"')
}

// An outer is what leave goes back to.
type outer struct {
	size, n int
	prefix  string
}

// enter begins a nested object: what is added until leave are its members.
func (o *object) enter(k string) outer {
	out := outer{len(o.buf), o.n, o.prefix}
	if o.list != nil {
		o.prefix += k + "."
		return out
	}
	o.name(k)
	o.n = 0
	return out
}

// leave ends a nested object, and takes it away if it has no member.
func (o *object) leave(out outer) {
	empty := o.n == 0
	o.n, o.prefix = out.n, out.prefix
	switch {
	case o.list != nil:
	case empty:
		o.buf = o.buf[:out.size]
	default:
		o.buf, o.n = append(o.buf, '}'), out.n+1
	}
}

// join adds members that were encoded before.
func (o *object) join(p piece) {
	if o.list != nil {
		*o.list = append(*o.list, p.fields...)
		return
	}
	if len(p.json) == 0 {
		return
	}
	o.member()
	o.buf = append(o.buf, p.json...)
}

func (o *object) close() []byte {
	if o.n == 0 {
		o.buf = append(o.buf, '{')
	}
	return append(o.buf, '}')
}

const hexDigits = "0123456789abcdef"

// plain are the bytes that stand for themselves in JSON.
var plain = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// AppendString appends a string as JSON. Whatever is in it, the result is one line of
// ASCII controls escaped, valid UTF-8, and safe inside HTML and JavaScript.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		b = slices.Grow(b, 2*len(s)+8)
		n, end := copyPlain(b[len(b):cap(b)], s)
		b, s = b[:len(b)+end], s[n:]
		if s == "" {
			return append(b, '"')
		}
		if s[0] >= utf8.RuneSelf {
			b, s = appendForeign(b, s)
		}
		for s != "" && s[0] < utf8.RuneSelf && !plain[s[0]] {
			b, s = escape(b, s[0]), s[1:]
		}
	}
}

// copyPlain copies bytes up to the first that is not plain, quotes and backslashes
// escaped, and returns how many, and how long they have become. dst is twice as long as s
// and eight bytes longer: what lies behind them is overwritten.
func copyPlain(dst []byte, s string) (n, end int) {
	for n+8 <= len(s) {
		w := word(s[n:])
		binary.LittleEndian.PutUint64(dst[end:], w)
		m := special(w)
		if m == 0 {
			n, end = n+8, end+8
			continue
		}
		k := bits.TrailingZeros64(m) / 8
		n, end = n+k, end+k
		if c := s[n]; c == '"' || c == '\\' {
			dst[end], dst[end+1] = '\\', c
			n, end = n+1, end+2
			continue
		}
		return n, end
	}
	for n < len(s) {
		c := s[n]
		if !plain[c] {
			if c != '"' && c != '\\' {
				return n, end
			}
			dst[end] = '\\'
			end++
		}
		dst[end] = c
		n, end = n+1, end+1
	}
	return n, end
}

// word returns the first eight bytes of s, the first one lowest.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// special sets the highest bit of the lowest byte that is not plain; those of
// bytes above it say nothing, for a subtraction borrows.
func special(w uint64) uint64 {
	const each, highest = 0x0101010101010101, 0x8080808080808080
	quote, backslash, del := w^each*'"', w^each*'\\', w^each*0x7f
	return (w | (w - each*' ') | (quote - each) | (backslash - each) | (del - each)) & highest
}

func escape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendForeign appends what stands before the next escape of ASCII in a text
// that has other runes, and returns what is left.
func appendForeign(b []byte, s string) ([]byte, string) {
	start, i := 0, 0
	for i < len(s) {
		if s[i] < utf8.RuneSelf {
			if !plain[s[i]] {
				break
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(append(b, s[start:i]...), `\ufffd`...)
			start = i + n
		case r == 0x2028 || r == 0x2029 || r >= 0x80 && r < 0xa0:
			b = append(append(b, s[start:i]...), '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			start = i + n
		}
		i += n
	}
	return append(b, s[start:i]...), s[i:]
}
