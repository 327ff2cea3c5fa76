package syslog

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/sink"
)

// sdID names our structured data. 32473 is the enterprise number that RFC 5612
// keeps for those who have none of their own.
const sdID = "imwatch@32473"

// Not in the structured data: what the header or the message has, and long texts.
var elsewhere = []string{"@timestamp", "message", "log.level", "host.name", "error.message", "event.original", "event.kind", "im.title", "im.title_zh",
	"im.description", "im.description_zh", "im.causes", "im.causes_zh", "im.hints", "im.hints_zh", "im.samples"}

// severities by level, of RFC 5424.
var severities = map[string]int{"critical": 2, "error": 3, "warn": 4, "info": 6}

// format makes RFC 5424 messages.
type format struct {
	facility int
	app      string
	max      int // bytes of a message

	fields []annotator.Field
	tail   []byte // of the structured data
}

// append appends an event's message of at most max bytes. What is cut is first
// the end of the text, then whole parameters.
//
// The text is UTF-8 without a byte order mark, MSG-ANY in the RFC's words:
// servers that write it to files as it is would write the mark too.
func (f *format) append(b []byte, e *sink.Event) []byte {
	start := len(b)
	f.fields = e.Fields(f.fields[:0])
	host, msgid := "-", e.Finding.Action
	for _, x := range f.fields {
		switch x.Name {
		case "host.name":
			host = x.Value.(string)
		case "event.code":
			msgid = x.Value.(string)
		}
	}
	severity, ok := severities[e.Level]
	if !ok {
		severity = 6
	}
	b = append(strconv.AppendInt(append(b, '<'), int64(f.facility*8+severity), 10), ">1 "...)
	b = append(e.Finding.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z"), ' ')
	b = append(word(b, host, 255), ' ')
	b = append(word(b, f.app, 48), " - "...)
	b = append(word(b, msgid, 32), ' ')
	b = f.data(b, start+f.max)
	return cut(f.text(append(b, ' '), e), start+f.max)
}

// data appends the structured data: the id first, then as much as there is room
// for with a short text after it.
func (f *format) data(b []byte, end int) []byte {
	end -= min(256, f.max/4) // for the text
	b = append(append(b, '['), sdID...)
	add := func(x *annotator.Field) {
		f.tail = param(f.tail[:0], x)
		if len(b)+len(f.tail)+1 <= end {
			b = append(b, f.tail...)
		}
	}
	for i := range f.fields {
		if f.fields[i].Name == "event.id" {
			add(&f.fields[i])
		}
	}
	for i := range f.fields {
		if x := &f.fields[i]; x.Name != "event.id" && !slices.Contains(elsewhere, x.Name) {
			add(x)
		}
	}
	return append(b, ']')
}

// text appends what a person reads: what it means, about whom, where, the
// vendor's words, and what to do first. Many servers write nothing else.
func (f *format) text(b []byte, e *sink.Event) []byte {
	b = plain(b, e.Message())
	var user, vendor, hint string
	for _, x := range f.fields {
		switch x.Name {
		case "user.id":
			user = x.Value.(string)
		case "error.message":
			vendor = x.Value.(string)
		case "im.hints", "im.hints_zh":
			if list := x.Value.([]string); hint == "" && len(list) > 0 {
				hint = list[0]
			}
		}
	}
	if user != "" {
		b = plain(append(b, "; user "...), user)
	}
	if e.Finding.Path != "" {
		b = plain(append(b, "; in "...), e.Finding.Path)
		if e.Finding.Line > 0 {
			b = strconv.AppendInt(append(b, ':'), int64(e.Finding.Line), 10)
		}
	}
	if vendor != "" && !strings.Contains(e.Message(), vendor) {
		b = append(plain(append(b, `; "`...), vendor), '"')
	}
	if hint != "" {
		b = plain(append(b, "; "...), hint)
	}
	return b
}

// word appends a header's word: of visible ASCII, - when there is none.
func word(b []byte, s string, most int) []byte {
	start := len(b)
	for _, r := range s {
		if len(b)-start == most {
			break
		}
		if r <= ' ' || r > '~' {
			r = '_'
		}
		b = append(b, byte(r))
	}
	if len(b) == start {
		b = append(b, '-')
	}
	return b
}

// param appends a parameter of the structured data, with a space before it. A
// list becomes several of the same name.
func param(b []byte, x *annotator.Field) []byte {
	list, ok := x.Value.([]string)
	if !ok {
		return value(b, x.Name, x.Text(""))
	}
	for _, s := range list {
		b = value(b, x.Name, s)
	}
	return b
}

func value(b []byte, name, s string) []byte {
	b = append(b, ' ')
	start := len(b)
	b = word(b, name, 32)
	for i := start; i < len(b); i++ {
		if b[i] == '=' || b[i] == ']' || b[i] == '"' {
			b[i] = '_'
		}
	}
	b = append(b, `="`...)
	for _, c := range []byte(clean(s)) {
		if c == '"' || c == '\\' || c == ']' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// clean makes one line of valid UTF-8 without control characters.
func clean(s string) string {
	s = redact.Clean(s, 2048)
	if strings.ContainsAny(s, "\n\t") {
		s = strings.NewReplacer("\n", " ", "\t", " ").Replace(s)
	}
	return s
}

func plain(b []byte, s string) []byte { return append(b, clean(s)...) }

// cut shortens b to end bytes, between characters.
func cut(b []byte, end int) []byte {
	if len(b) <= end {
		return b
	}
	for end > 0 && !utf8.RuneStart(b[end]) {
		end--
	}
	return b[:end]
}
