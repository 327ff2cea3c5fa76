package scanner

import (
	"bytes"
	"github.com/imwatch/imwatch/scanner/regex"
	"strings"
)

// What tools that collect the output of many programs put before every line of
// it. A prefix names a stream where it has a group.
var (
	logcatLines = []*regex.Regexp{
		regex.MustCompile(`^(?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\s+(\d+\s+\d+ [VDIWEF] [^:]{1,48}): `),
		regex.MustCompile(`^\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ([VDIWEF]/[^(:]{1,48}\( *\d+\)): `),
		regex.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (\d+-\d+/\S+ [VDIWEF]/[^:]{1,48}): `),
		regex.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +(\d+-\d+ +\S+ +\S+ +[VDIWEF]) {1,2}`),
	}
	logcatBrief = regex.MustCompile(`^([VDIWEF]/[^(:]{1,48}\( *\d+\)): `)

	// A tag: docker compose, pm2, kubectl logs --prefix, stern.
	tagged = regex.MustCompile(`^(?:([\w.-]{1,64} {1,40}\|)|(\d{1,4}\|[\w.@/-]{1,64} *\|)|(\[pod/[^\]\s]{1,200}\])|([a-z0-9-]{1,200}-[bcdfghjklmnpqrstvwxz2456789]{5} [a-z0-9][\w.-]{0,62})) `)

	// A time, alone or with a program's name behind it: docker and kubectl with
	// --timestamps, pm2 with --time, journalctl's outputs, heroku.
	timed = regex.MustCompile(`^(?:` +
		`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6,9}(?:Z|[+-]\d\d:\d\d) ((?:app|heroku)\[[\w.-]+\]: )?` +
		`|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?[+-]\d\d:?\d\d)?: ` +
		`|\d{10}\.\d{3,6} (\S+ [\w./@-]+(?:\[\d+\])?): ` +
		`|\[ *\d+\.\d+\] (\S+ [\w./@-]+\[\d+\]): ` +
		`|[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]{3,4} (\S+ [\w./@-]+(?:\[\d+\])?): )`)
)

// wrapped takes off what a collector put before the line: a tag, a time, or both.
func (l *line) wrapped(raw string) {
	rest := raw
	if mayBeTagged(raw) {
		rest = l.cut(raw, tagged)
	}
	l.text = l.cut(rest, timed)
}

// mayBeTagged is a quick look for what a tag must have.
func mayBeTagged(raw string) bool {
	if strings.HasPrefix(raw, "[pod/") || strings.IndexByte(raw[:min(len(raw), 64+41)], '|') >= 0 {
		return true
	}
	space := strings.IndexByte(raw[:min(len(raw), 208)], ' ')
	return space > 6 && raw[space-6] == '-' && strings.IndexByte(raw[space-5:space], '-') < 0 // and not a date
}

// cut takes one prefix off and returns what is behind it.
func (l *line) cut(s string, form *regex.Regexp) string {
	m := form.FindStringSubmatchIndex(s)
	if m == nil {
		return s
	}
	l.prefix += s[:m[1]]
	for g := 2; g < len(m); g += 2 {
		if m[g] >= 0 {
			l.stream += s[m[g]:m[g+1]]
		}
	}
	return s[m[1]:]
}

// Under these keys collectors that write JSON keep the line.
var recordKeys = [...]string{`"MESSAGE"`, `"message"`, `"log"`, `"msg"`, `"line"`, `"textPayload"`}

// findKeys returns where each of recordKeys first stands, or -1. It takes one pass.
func findKeys(raw string) (at [len(recordKeys)]int) {
	for k := range at {
		at[k] = -1
	}
	for i := 0; ; i++ {
		n := strings.IndexByte(raw[i:], '"')
		if n < 0 || i+n+1 >= len(raw) {
			return at
		}
		i += n
		switch raw[i+1] {
		case 'M', 'm', 'l', 't':
			for k, key := range recordKeys {
				if at[k] < 0 && strings.HasPrefix(raw[i:], key) {
					at[k] = i
				}
			}
		}
	}
}

// Keys whose values tell the streams of one collector apart.
var streamKeys = []string{"stream", "source", "container_id", "container_name", "pod_name", "_PID", "SYSLOG_IDENTIFIER", "file", "filename", "path"}

// record reads one line of an object that a collector wrote as a JSON record a
// line. A record that holds a whole text stays as it is: the other keys count.
func (l *line) record(raw string) {
	keys := findKeys(raw)
	for i, key := range recordKeys {
		at := keys[i]
		if at < 0 {
			continue
		}
		at = skipBlank(raw, at+len(key))
		if at >= len(raw) || raw[at] != ':' {
			continue
		}
		at = skipBlank(raw, at+1)
		if at >= len(raw) || raw[at] != '"' {
			continue
		}
		end := stringEnd(raw, at)
		if end >= len(raw) {
			return
		}
		text := uncolour(strings.TrimRight(unescape(raw[at+1:end-1]), "\r\n"))
		if !fragment(text) {
			continue
		}
		l.text, l.decoded, l.stream = text, true, "record"
		for _, k := range streamKeys {
			l.stream += " " + jsonWord(raw, k)
		}
		for _, k := range []string{"@timestamp", "timestamp", "time"} {
			if l.when == "" {
				l.when = jsonWord(raw, k)
			}
		}
		return
	}
}

// mayHaveFragment is a quick look at an object: has it braces inside, or a value that
// begins as a fragment does?
func mayHaveFragment(raw string) bool {
	if !opensNothing(raw) || strings.IndexByte(raw, '}') < len(raw)-1 || strings.IndexByte(raw, '\\') >= 0 {
		return true
	}
	for i := 0; ; {
		n := strings.IndexByte(raw[i:], ':')
		if n < 0 {
			return false
		}
		i = skipBlank(raw, i+n+1)
		if i+1 < len(raw) && raw[i] == '"' && strings.IndexByte(fragmentStarts, raw[i+1]) >= 0 {
			return true
		}
	}
}

// fragmentStarts are what a value begins with that is a line of something larger, or that
// has a colour before it.
const fragmentStarts = " \t}]\x1b^[\xe2"

// fragment tells whether a text is one line of an object that is printed over
// several.
func fragment(text string) bool {
	if text == "" || strings.IndexByte(text, '\n') >= 0 {
		return false
	}
	if strings.IndexByte(" \t}]", text[0]) >= 0 {
		return true
	}
	closes, opens := balance(text)
	return closes > 0 || opens > 0
}

// uncolour takes terminal colours off, as escape sequences or as what copying
// leaves of them.
func uncolour(s string) string {
	if !mayBeColoured(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		n := colour(s[i:])
		if n == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		before := byte('\n')
		if i > 0 {
			before = s[i-1]
		}
		for n > 0 {
			i += n
			n = colour(s[i:])
		}
		if i < len(s) && !joins(before, s[i]) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// mayBeColoured tells whether a text may have terminal colours. A search for their first
// bytes together would go byte by byte from each [ on.
func mayBeColoured[T string | []byte](s T) bool {
	if indexByte(s, 0x1b) >= 0 {
		return true
	}
	for {
		at := indexByte(s, '[')
		if at < 0 {
			return false
		}
		if s = s[at+1:]; len(s) >= 2 && string(s[:2]) == "0m" || len(s) >= 3 && string(s[:3]) == "39m" {
			return true
		}
	}
}

func indexByte[T string | []byte](s T, c byte) int {
	switch s := any(s).(type) {
	case string:
		return strings.IndexByte(s, c)
	case []byte:
		return bytes.IndexByte(s, c)
	}
	return -1
}

const maxColour = 18 // bytes of a colour sequence without its escape

// colour returns the length of the colour sequence at the start of s, 0 for none.
func colour(s string) int {
	n := 0
	switch {
	case s == "":
		return 0
	case s[0] == 0x1b:
		n = 1
	case strings.HasPrefix(s, "^["):
		n = 2
	case strings.HasPrefix(s, "␛"):
		n = len("␛")
	}
	if n >= len(s) || s[n] != '[' {
		return 0
	}
	for i := n + 1; i < len(s) && i < n+maxColour-2; i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9' || c == ';' || c == ':':
		case c == 'm' && (n > 0 || i > n+1) || n > 0 && c >= 'A' && c <= 'K':
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// joins tells whether two bytes may come to stand side by side because what was
// between them is taken off. The prefilter saw them apart: no literal of a rule
// may arise.
func joins(before, behind byte) bool {
	const apart = "\"'`{},\n\t"
	if strings.IndexByte(apart, before) >= 0 || strings.IndexByte(apart, behind) >= 0 {
		return true
	}
	return strings.IndexByte(" :=", before) >= 0 && (behind >= '0' && behind <= '9' || behind == '-')
}
