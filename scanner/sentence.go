package scanner

import (
	"slices"
	"strings"

	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/regex"
)

// A sentence is a fixed text of an SDK and the codes it stands for, the likeliest
// first.
type sentence rules.Sentence

// A saying is the text of an error object, and the same without what can stand
// behind a sentence.
type saying struct{ text, trimmed string }

func newSaying(text string) saying { return saying{text, strings.TrimRight(text, ".!。 ")} }

// is tells whether the text of an error object is the sentence: it ends with it,
// as loggers put their own words before.
func (s *sentence) is(said saying) bool {
	if s.Alone {
		return strings.Contains(said.text, s.Text)
	}
	return strings.HasSuffix(said.trimmed, s.Text)
}

// Before a sentence, an app may print the number in words of its own.
var sentenceNumber = regex.MustCompile(`(?i)(\btype|\bcode|\berr(?:or)?(?:[-_ ]?(?:code|type))?|\bstatus|错误码|错误类型|错误代码)["']?[^\w\-{}]{0,4}(-?\d{1,4})[^\w{}][^{}]{0,24}$`)

const numberReach = 48 // bytes before the sentence

// sentenceCandidates finds the SDK's own texts outside of the objects that
// were found.
func (f *file) sentenceCandidates(r *reading, text string, seen sight, objs []object, own []*candidate) []*candidate {
	for _, i := range seen.Texts() {
		s := &f.sentences[i]
		from := strings.Index(text, s.Text)
		if from < 0 || slices.ContainsFunc(own, func(c *candidate) bool { return within(c, objs, from) && !c.borrows(s) }) {
			continue
		}
		if said, ok := numbered(own, s); ok {
			said.hear(text, objs, s, from)
			continue
		}
		c := r.candidate(from, from+len(s.Text))
		c.text, c.evidence = s.Text, s.Text
		if f.beside(text, seen, objs, s, from, c) || s.Alone && whole(text, from, c.end) {
			c.code = s.Codes[0]
		}
		seen.matters(from-numberReach, from)
		if n := numberBefore(text, objs, s, from); n != "" {
			c.code = n
			c.prove("number")
		}
		if c.code == "" {
			continue
		}
		c.prove("sentence")
		own = append(own, c)
	}
	return own
}

// borrows tells whether an object that is none of the SDK's, with a number of
// its own, quotes a sentence that nobody else writes: the sentence counts.
func (c *candidate) borrows(s *sentence) bool {
	return c.strange && s.Alone && !slices.Contains(s.Codes, c.code)
}

// numbered returns the candidate that has one of the sentence's codes.
func numbered(own []*candidate, s *sentence) (*candidate, bool) {
	i := slices.IndexFunc(own, func(c *candidate) bool { return slices.Contains(s.Codes, c.code) })
	if i < 0 {
		return nil, false
	}
	return own[i], true
}

// hear takes a sentence that stands outside of an object without a text as the
// text of it: one that nobody else writes anywhere, another one straight before
// it, where some loggers put the text.
func (c *candidate) hear(text string, objs []object, s *sentence, from int) {
	if c.obj < 0 || c.text != "" {
		return
	}
	end := from + len(s.Text)
	near := end <= objs[c.obj].open && strings.Trim(text[end:objs[c.obj].open], " .!:,-") == "" && !c.strange && (!s.Common || len(c.code) > 1 && c.code != "17")
	if near || s.Alone && whole(text, from, end) {
		c.text = s.Text
	}
}

// numberBefore returns the number that an app printed in words of its own before
// a sentence, if it is one of the sentence's. With a text that any program may
// have, a single digit counts only as code=N, and in an object only under type.
func numberBefore(text string, objs []object, s *sentence, from int) string {
	m := submatches(sentenceNumber, text[max(0, from-numberReach):from])
	if m == nil || !slices.Contains(s.Codes, m[2]) {
		return ""
	}
	if s.Common {
		key, n := strings.ToLower(m[1]), m[2]
		inside := slices.ContainsFunc(objs, func(o object) bool { return from > o.open && from < o.end })
		if len(n) < 2 && key != "code" || inside && (len(n) < 2 || key != "type") {
			return ""
		}
	}
	return m[2]
}

func within(c *candidate, objs []object, pos int) bool {
	if c.obj >= 0 {
		return pos >= objs[c.obj].open && pos < objs[c.obj].end
	}
	return pos >= c.pos && pos < c.end
}

// Words before a sentence and behind it that make it a part of a longer one.
var (
	leads   = regex.MustCompile(`(?i)(?:^|\W)(?:the|an?|this|that|your|our|my|its|his|her|client|server|remote|peer)\s$`)
	goesOn  = regex.MustCompile(`^\s[a-z]`)
	goesOff = regex.MustCompile(`^\s+at\s`) // the place that a mini program's console puts behind
)

// whole tells whether a sentence stands by itself and is no part of a longer one
// that somebody wrote.
func whole(text string, from, end int) bool {
	if from > 0 && isKeyByte(text[from-1]) && text[from-1] < 0x80 || end < len(text) && isKeyByte(text[end]) && text[end] < 0x80 && text[end] != '.' {
		return false
	}
	rest := text[end:]
	return !leads.MatchString(text[max(0, from-10):from]) && (!goesOn.MatchString(rest) || goesOff.MatchString(rest))
}

// beside finds the sentence as the text of an object whose number a logger has
// destroyed, by the shape of the rest.
func (f *file) beside(text string, seen sight, objs []object, s *sentence, from int, c *candidate) bool {
	for i := range objs {
		for _, fl := range objs[i].fields {
			if fl.name != "message" || !fl.quoted || fl.start > from || fl.end < c.end || objs[i].parent >= 0 && objs[i].key == "data" {
				continue
			}
			kind, quoted, ok := at(text, objs, i, "type")
			if ok && quoted && (kind.to-kind.from <= 2 || kind.of(text) == "Object") && strings.TrimRight(text[fl.start:fl.end], ".!") == s.Text && f.shaped(&objs[i], seen) {
				c.obj, c.pos, c.end = i, objs[i].start, objs[i].end
				if _, _, nested := at(text, objs, i, "data.message"); nested && len(s.Codes) > 1 {
					c.inner = &candidate{code: s.Codes[1], text: s.Text}
				}
				return true
			}
		}
	}
	return false
}

// shaped tells whether an object has a shape.
func (f *file) shaped(o *object, seen sight) bool {
	return slices.ContainsFunc(f.shapes, func(p pattern) bool { return seen.MatchIn(p.id, o.start, o.end) })
}

// toldBetter tells whether a sentence found alone is the text of an object that
// was found too, one text deeper: its number counts.
func (f *file) toldBetter(c *candidate, list []*candidate, t tags) bool {
	return slices.ContainsFunc(list, func(o *candidate) bool {
		if o.obj < 0 || o.rule == nil || !strings.Contains(o.text, c.text) && (o.inner == nil || !strings.Contains(o.inner.text, c.text)) {
			return false
		}
		_, ok := f.match(o, t)
		return ok
	})
}
