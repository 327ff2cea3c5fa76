package scanner

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/imwatch/imwatch/scanner/regex"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A line is one physical line, taken out of what a container runtime or a
// system logger wrapped around it. Only candidates and their neighbours are
// ever decoded.
type line struct {
	start, end int    // in the chunk; end is behind the newline
	text       string // what the program printed
	prefix     string // what the logger put before it, for the first line of a block
	stream     string // lines of one stream belong together: stdout, stderr, a syslog tag
	when       string // the envelope's own time
	contained  bool   // a container runtime wrote it
	partial    bool   // the record goes on in the stream's next line
	decoded    bool   // text is not what stands in the file
}

var (
	criLine    = regex.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?: |$)`)
	syslogLine = regex.MustCompile(`^(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) (\S+ [\w./@-]+(?:\[\d+\])?): `)
	syslog5424 = regex.MustCompile(`^<\d{1,3}>1 \d{4}-\d\d-\d\dT\S+ (\S+ \S+ \S+) \S+ (?:-|(?:\[[^\]]*\])+) (?:\x{FEFF})?`)
)

// lineAt returns the decoded line that contains data[i].
func lineAt(data []byte, i int) line {
	var l line
	l.start, l.end = lineAround(data, i)
	l.decode(withoutEnd(data[l.start:l.end]))
	return l
}

// lineAround returns where the line that contains data[i] begins and ends, behind its
// newline.
func lineAround(data []byte, i int) (start, end int) {
	start, end = lineStart(data, i), len(data)
	if n := bytes.IndexByte(data[i:], '\n'); n >= 0 {
		end = i + n + 1
	}
	return start, end
}

// lineStart returns where the line of data[i] begins, eight bytes at a time: it is looked for
// from every finding.
func lineStart(data []byte, i int) int {
	const each, highest = 0x0101010101010101, 0x8080808080808080
	for ; i >= 8; i -= 8 {
		w := binary.LittleEndian.Uint64(data[i-8:]) ^ '\n'*each
		if newlines := ^((w&^highest + ^uint64(highest)) | w) & highest; newlines != 0 {
			return i - bits.LeadingZeros64(newlines)/8
		}
	}
	return bytes.LastIndexByte(data[:i], '\n') + 1
}

func withoutEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

func (l *line) decode(raw []byte) {
	l.text = uncolour(string(raw))
	l.decoded = len(l.text) != len(raw)
	if l.text != "" {
		l.unwrap(l.text)
	}
	if !utf8.ValidString(l.text) {
		if s, err := simplifiedchinese.GB18030.NewDecoder().String(l.text); err == nil && !strings.ContainsRune(s, utf8.RuneError) {
			l.text, l.decoded = s, true
		}
	}
}

// unwrap takes off what stands around the line, by its first byte.
func (l *line) unwrap(raw string) {
	switch c := raw[0]; {
	case c == '{' && strings.HasPrefix(raw, `{"log":"`):
		l.docker(raw)
	case c == '{':
		if mayHaveFragment(raw) {
			l.record(raw)
		}
	case c >= '0' && c <= '9':
		if !l.dated(raw) {
			l.wrapped(raw)
		}
	case c == '<':
		if !l.prefixed(raw, syslogLine) {
			l.prefixed(raw, syslog5424)
		}
	case c >= 'A' && c <= 'Z':
		if !l.prefixed(raw, syslogLine) && !l.prefixed(raw, logcatBrief) {
			l.wrapped(raw)
		}
	case c >= 'a' && c <= 'z' || c == '[':
		l.wrapped(raw)
	}
}

// dated takes off what begins with a date; false when it is nothing of the kind.
func (l *line) dated(raw string) bool {
	if len(raw) > 10 && raw[10] == 'T' {
		return l.cri(raw) || l.prefixed(raw, syslogLine)
	}
	// A time of logcat's has milliseconds behind a point.
	if len(raw) > 19 && (raw[5] == ' ' && raw[14] == '.' || raw[10] == ' ' && raw[19] == '.') {
		return slices.ContainsFunc(logcatLines, func(form *regex.Regexp) bool { return l.prefixed(raw, form) })
	}
	return false
}

// docker reads a line of a json-file log: {"log":"…\n","stream":"…","time":"…"}.
func (l *line) docker(raw string) {
	const head = len(`{"log":`)
	end := stringEnd(raw, head)
	if end >= len(raw) {
		return
	}
	body := uncolour(unescape(raw[head+1 : end-1]))
	rest := raw[end:]
	l.stream, l.when = "docker "+jsonWord(rest, "stream"), jsonWord(rest, "time")
	l.text, l.partial = strings.CutSuffix(body, "\n")
	l.partial, l.decoded, l.contained = !l.partial, true, true
	l.text = strings.TrimSuffix(l.text, "\r")
}

// jsonWord returns a plain string value of a key in flat JSON.
func jsonWord(s, key string) string {
	_, v, ok := strings.Cut(s, `"`+key+`":"`)
	if !ok {
		return ""
	}
	v, _, _ = strings.Cut(v, `"`)
	return v
}

func (l *line) cri(raw string) bool {
	m := criLine.FindStringSubmatchIndex(raw)
	if m == nil {
		return false
	}
	l.when, l.stream = raw[m[2]:m[3]], "cri "+raw[m[4]:m[5]]
	l.partial, l.decoded, l.contained = raw[m[6]] == 'P', true, true
	l.text = raw[m[1]:]
	return true
}

var rsyslogEscapes = strings.NewReplacer("#012", "\n", "#011", "\t", "#033", "\x1b")

// prefixed takes a system logger's prefix off. rsyslog writes a newline as
// #012, a tab as #011 and an escape as #033.
func (l *line) prefixed(raw string, form *regex.Regexp) bool {
	m := form.FindStringSubmatchIndex(raw)
	if m == nil {
		return false
	}
	l.prefix, l.stream, l.text = raw[:m[1]], raw[m[2]:m[3]], raw[m[1]:]
	if strings.Contains(l.text, "#0") {
		l.text, l.decoded = uncolour(rsyslogEscapes.Replace(l.text)), true
	}
	return true
}

// fresh tells whether the line begins a record of its own: what continues an
// object that is printed over several lines begins with a space, a closing
// bracket or a quoted key.
func (l *line) fresh() bool {
	if l.text == "" {
		return false
	}
	switch l.text[0] {
	case ' ', '\t', '}', ']', '"', '\'':
		return false
	}
	return true
}

// balance returns how many braces a text closes that it did not open, and how
// many it leaves open. Braces inside strings don't count.
func balance(s string) (closes, opens int) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{':
			opens++
		case '}':
			if opens > 0 {
				opens--
			} else {
				closes++
			}
		case '"', '\'', '`':
			if i > 0 && strings.IndexByte(" :,[({=\t", s[i-1]) < 0 {
				continue
			}
			if end := stringEnd(s, i); end < len(s) || len(s) > i+1 && s[len(s)-1] == c {
				i = end - 1
			}
		}
	}
	return closes, opens
}

// unescape takes JSON and JavaScript escapes off. Letters and digits stay
// escaped: an escaped word was not printed by an SDK, and the prefilter would
// not see it.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
		case 'u', 'x':
			r, n := hexEscape(s[i:])
			if n == 0 {
				b.WriteByte('\\')
				b.WriteByte(s[i])
				continue
			}
			b.WriteRune(r)
			i += n - 1
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// hexEscape reads uXXXX or xXX at the start of s, surrogate pairs included; n
// is 0 for what stays as it is.
func hexEscape(s string) (r rune, n int) {
	digits := 4
	if s[0] == 'x' {
		digits = 2
	}
	r, ok := hex(s, 1, digits)
	if !ok || isWord(r) {
		return 0, 0
	}
	if r >= 0xD800 && r < 0xDC00 && len(s) >= 11 && s[5] == '\\' && s[6] == 'u' {
		if low, ok := hex(s, 7, 4); ok && low >= 0xDC00 && low < 0xE000 {
			return (r-0xD800)<<10 + (low - 0xDC00) + 0x10000, 11
		}
	}
	return r, 1 + digits
}

func hex(s string, at, digits int) (r rune, ok bool) {
	if len(s) < at+digits {
		return 0, false
	}
	for _, c := range []byte(s[at : at+digits]) {
		d := unhex(c)
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func isWord(r rune) bool {
	return r < 0x80 && isKeyByte(byte(r)) && r != '-' && r != '.' && r != '@' && r != '$'
}

// unpercent takes URL encoding off, letters and digits excepted.
func unpercent(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	start := 0 // of what is not written yet
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b.WriteString(s[start:i])
			b.WriteByte(' ')
			start = i + 1
		case '%':
			if r, ok := hex(s, i+1, 2); ok && !isWord(r) {
				b.WriteString(s[start:i])
				b.WriteByte(byte(r))
				i += 2
				start = i + 1
			}
		}
	}
	b.WriteString(s[start:])
	return b.String()
}
