package scanner

import (
	"regexp"
	"slices"
	"strings"
)

const (
	maxViews    = 5  // how deep texts may be wrapped in each other
	maxMatches  = 32 // in one block
	dumpSymbols = 3  // a block with more symbols than these is a printed table
)

// evaluate runs the rules over a block; nil when none of them matches.
func (s *Scanner) evaluate(b *block) *Block {
	text := b.text()
	out := &Block{Start: b.start(), End: b.end(), Text: text, When: b.lines[0].when}
	for _, l := range b.lines {
		out.Decoded = out.Decoded || l.decoded
	}
	out.Partial = b.lines[len(b.lines)-1].partial
	for _, f := range s.files {
		out.Matches = append(out.Matches, f.matches(text)...)
	}
	if len(out.Matches) == 0 {
		return nil
	}
	for i := range out.Matches {
		s.capture(&out.Matches[i], text)
	}
	return out
}

// A finding in the making: where it stands and what speaks for it.
type candidate struct {
	rule     *rule
	code     string
	symbol   string
	text     string
	evidence string
	inner    *candidate
	obj      int // the object it stands in, or -1
	pos, end int
	cut      bool // text is the end of a record that was cut off
	foreign  bool // the object has keys that the SDK's never have: a logger's record, or somebody else's
	basis    []string
}

func (c *candidate) prove(basis string) {
	if !slices.Contains(c.basis, basis) {
		c.basis = append(c.basis, basis)
	}
}

// matches finds the codes of one file's families in a block's text.
func (f *file) matches(text string) []Match {
	if !f.gated(text) {
		return nil
	}
	tags, ok := f.tags(text)
	if !ok {
		return nil
	}
	var list []*candidate
	f.view(text, tags, 0, &list)
	var out []Match
	for _, c := range list {
		m, ok := f.match(c, tags)
		if !ok {
			continue
		}
		switch i := slices.IndexFunc(out, m.same); {
		case i >= 0 && out[i].Rule.Regex == "" && c.obj >= 0:
			out[i] = m // the object, found one text deeper, says more than its sentence
		case i < 0 && len(out) < maxMatches:
			out = append(out, m)
		}
	}
	return out
}

// same tells whether two matches of one block are one finding, printed twice.
func (m Match) same(o Match) bool { return m.Code == o.Code && m.Group == o.Group }

// gated tells whether a literal of any rule stands in the text.
func (f *file) gated(text string) bool {
	for i := range f.rules {
		if f.rules[i].possible(text) {
			return true
		}
	}
	return slices.ContainsFunc(f.sentences, func(s sentence) bool { return strings.Contains(text, s.text) })
}

func (r *rule) possible(text string) bool {
	return slices.ContainsFunc(r.lits, func(l string) bool { return strings.Contains(text, l) })
}

// tags is what the words of a block say about who wrote it.
type tags struct {
	sdk, vendor bool
	families    []string
}

// tags looks for the file's words; ok is false when they say that the line is
// somebody else's.
func (f *file) tags(text string) (t tags, ok bool) {
	lowered := strings.ToLower(text)
	for i := range f.words {
		w := &f.words[i]
		if !w.matches(text, lowered) {
			continue
		}
		if w.Other {
			return t, false
		}
		t.sdk = t.sdk || w.Proof == "sdk"
		t.vendor = t.vendor || w.Proof == "vendor"
		if w.Family != "" && !slices.Contains(t.families, w.Family) {
			t.families = append(t.families, w.Family)
		}
	}
	return t, true
}

// view adds the candidates of a text and of the texts inside it.
func (f *file) view(text string, t tags, depth int, list *[]*candidate) {
	objs := objects(text)
	own := f.objectCandidates(text, objs)
	own = f.plainCandidates(text, own, t)
	own = f.sentenceCandidates(text, objs, own)
	for _, c := range own {
		f.weigh(text, objs, c, t)
	}
	*list = append(*list, own...)
	if depth >= maxViews {
		return
	}
	for _, nested := range nestedTexts(text, objs, own) {
		f.view(nested, t, depth+1, list)
	}
}

// nestedTexts returns the texts wrapped in a text: strings of its objects that
// hold objects, percent-encoded parts, escaped JSON. What stands inside an
// object that is already a candidate is that one's own affair.
func nestedTexts(text string, objs []object, own []*candidate) (list []string) {
	for i := range objs {
		for _, fl := range objs[i].fields {
			if !fl.quoted || fl.end-fl.start < 8 || inside(own, objs, fl.start) {
				continue
			}
			if v := text[fl.start:fl.end]; strings.Contains(v, `\`) || strings.Contains(v, "{") {
				list = append(list, unescape(v))
			}
		}
	}
	if strings.Contains(text, "%7B") || strings.Contains(text, "%7b") || strings.Contains(text, "%22") || strings.Contains(text, "%20") {
		list = append(list, unpercent(text))
	}
	if len(list) == 0 && len(own) == 0 && (strings.Contains(text, `\"`) || strings.Contains(text, `\x22`) || strings.Contains(text, `\u0022`)) {
		list = append(list, unescape(text))
	}
	return list
}

func inside(own []*candidate, objs []object, pos int) bool {
	return slices.ContainsFunc(own, func(c *candidate) bool {
		return c.obj >= 0 && pos >= objs[c.obj].open && pos < objs[c.obj].end && !c.foreign
	})
}

// objectCandidates finds numbers that are the value of a key of an object.
func (f *file) objectCandidates(text string, objs []object) (own []*candidate) {
	byObject := map[int]*candidate{}
	for i := range f.rules {
		r := &f.rules[i]
		if r.Object == nil || !r.possible(text) {
			continue
		}
		for _, m := range r.re.FindAllStringSubmatchIndex(text, maxMatches) {
			c := &candidate{rule: r, code: text[m[2*r.code]:m[2*r.code+1]], evidence: text[m[0]:m[1]], pos: m[0], end: m[1], obj: -1}
			key := keyStart(text, m[0], m[2*r.code])
			if obj, _ := enclosing(objs, key); obj >= 0 {
				if byObject[obj] != nil {
					continue
				}
				c.obj = obj
				byObject[obj] = c
				f.describe(text, objs, c)
			} else if !f.flat(text, key, c) {
				continue
			}
			own = append(own, c)
		}
	}
	return f.nest(objs, own, byObject)
}

// keyStart returns where the key of a match begins: its quote or first letter.
func keyStart(text string, from, code int) int {
	colon := strings.LastIndexAny(text[from:code], ":=") + from
	i := colon
	for i > from && strings.IndexByte(" \t", text[i-1]) >= 0 {
		i--
	}
	if i > from && isQuote(text[i-1]) {
		i--
		for i > from && !isQuote(text[i-1]) {
			i--
		}
		return max(from, i-1)
	}
	for i > from && isKeyByte(text[i-1]) {
		i--
	}
	return i
}

// describe reads what stands beside the number in its object.
func (f *file) describe(text string, objs []object, c *candidate) {
	o := &objs[c.obj]
	c.pos, c.end = o.start, o.end
	for _, path := range c.rule.Object.Text {
		if v, quoted, ok := at(text, objs, c.obj, path); ok && quoted && v != "" {
			c.text = unescape(v)
			c.cut = strings.HasSuffix(text, v)
			break
		}
	}
	for _, fl := range o.fields {
		if !slices.Contains(c.rule.Object.Keys, fl.name) {
			c.foreign = true
		}
	}
}

// flat reads an object that a console printed without its braces: what stands
// behind the number on the same line.
func (f *file) flat(text string, key int, c *candidate) bool {
	rest, _, _ := strings.Cut(text[key:], "\n")
	objs := objects("{" + rest + "}")
	if len(objs) == 0 {
		return false
	}
	for _, path := range c.rule.Object.Text {
		if v, quoted, ok := at("{"+rest+"}", objs, 0, path); ok && quoted && v != "" {
			c.text = unescape(v)
			break
		}
	}
	c.pos, c.end, c.foreign = key, key+len(rest), true
	return c.text != "" || c.rule.Gives != ""
}

// nest makes a candidate that hangs inside another one its cause.
func (f *file) nest(objs []object, own []*candidate, byObject map[int]*candidate) (outer []*candidate) {
	for _, c := range own {
		up, key := above(objs, c.obj, byObject)
		if up == nil {
			outer = append(outer, c)
			continue
		}
		if up.inner == nil && slices.Contains(up.rule.Object.Inner, key) {
			up.inner = c
		}
	}
	return outer
}

// above returns the nearest candidate around an object and the key under which
// the object hangs in it.
func above(objs []object, obj int, byObject map[int]*candidate) (*candidate, string) {
	if obj < 0 {
		return nil, ""
	}
	for o := obj; objs[o].parent >= 0; o = objs[o].parent {
		if c := byObject[objs[o].parent]; c != nil {
			return c, objs[o].key
		}
	}
	return nil, ""
}

// plainCandidates finds symbols, and numbers that are no value of an object's
// key. One that repeats what an object says is a proof of that one.
func (f *file) plainCandidates(text string, own []*candidate, t tags) []*candidate {
	var plain []*candidate
	symbols := map[string]bool{}
	for i := range f.rules {
		r := &f.rules[i]
		if r.Object != nil || !r.possible(text) {
			continue
		}
		for _, m := range r.re.FindAllStringSubmatchIndex(text, maxMatches) {
			c := &candidate{rule: r, evidence: text[m[0]:m[1]], pos: m[0], end: m[1], obj: -1}
			if r.symbol >= 0 && m[2*r.symbol] >= 0 {
				c.symbol = text[m[2*r.symbol]:m[2*r.symbol+1]]
				if c.code = f.codeOf(c.symbol); c.code == "" {
					continue
				}
				symbols[c.symbol] = true
			} else if r.code >= 0 && m[2*r.code] >= 0 {
				c.code = text[m[2*r.code]:m[2*r.code+1]]
			}
			if !f.holds(c, t) {
				continue
			}
			plain = append(plain, c)
		}
	}
	for _, c := range plain {
		if c.symbol != "" && len(symbols) > dumpSymbols {
			continue
		}
		if !absorbed(c, own) {
			own = append(own, c)
		}
	}
	return own
}

// absorbed adds a plain candidate to one that it repeats, stands in, or
// contradicts, and tells whether there was one.
func absorbed(c *candidate, own []*candidate) bool {
	for _, o := range own {
		switch {
		case o.code == c.code:
			if c.symbol != "" {
				o.symbol = c.symbol
				o.prove("symbol")
			}
			if c.rule.Gives != "" {
				o.prove(c.rule.Gives)
			}
			return true
		case o.inner != nil && o.inner.code == c.code:
			return true
		case c.symbol != "" && o.symbol == "" && o.obj >= 0:
			// A printed symbol is the stronger proof; the number is told beside it.
			o.basis = append(o.basis, "symbol", "contradicted by number "+o.code)
			o.code, o.symbol = c.code, c.symbol
			return true
		case c.symbol == "" && c.pos >= o.pos && c.end <= o.end:
			return true
		}
	}
	return false
}

// Before a sentence, an app may print the number in words of its own.
var sentenceNumber = regexp.MustCompile(`(?i)(?:\btype|\bcode|\berr(?:or)?(?:[-_ ]?(?:code|type))?|\bstatus|错误码|错误类型|错误代码)["']?[^\w\-{}]{0,4}(-?\d{1,4})[^\w{}][^{}]{0,24}$`)

// sentenceCandidates finds the SDK's own texts outside of the objects that
// were found.
func (f *file) sentenceCandidates(text string, objs []object, own []*candidate) []*candidate {
	for i := range f.sentences {
		s := &f.sentences[i]
		from := strings.Index(text, s.text)
		if from < 0 || slices.ContainsFunc(own, func(c *candidate) bool { return within(c, objs, from) || slices.Contains(s.codes, c.code) }) {
			continue
		}
		c := &candidate{pos: from, end: from + len(s.text), obj: -1, text: s.text, evidence: s.text}
		if m := sentenceNumber.FindStringSubmatch(text[max(0, from-48):from]); m != nil && slices.Contains(s.codes, m[1]) {
			c.code = m[1]
			c.prove("number")
		} else if f.beside(text, objs, s, from, c) || s.alone && whole(text, from, c.end) {
			c.code = s.codes[0]
		} else {
			continue
		}
		c.prove("sentence")
		own = append(own, c)
	}
	return own
}

func within(c *candidate, objs []object, pos int) bool {
	if c.obj >= 0 {
		return pos >= objs[c.obj].open && pos < objs[c.obj].end
	}
	return pos >= c.pos && pos < c.end
}

// whole tells whether a sentence stands by itself and is no part of a longer one
// that somebody wrote.
func whole(text string, from, end int) bool {
	before := from == 0 || !isKeyByte(text[from-1])
	after := end == len(text) || !isKeyByte(text[end]) || text[end] == '.'
	return before && after
}

// beside finds the sentence as the text of an object whose number a logger has
// destroyed, by the shape of the rest.
func (f *file) beside(text string, objs []object, s *sentence, from int, c *candidate) bool {
	for i := range objs {
		for _, fl := range objs[i].fields {
			if fl.name != "message" || !fl.quoted || fl.start > from || fl.end < c.end || objs[i].parent >= 0 && objs[i].key == "data" {
				continue
			}
			kind, quoted, ok := at(text, objs, i, "type")
			if ok && quoted && (len(kind) <= 2 || kind == "Object") && text[fl.start:fl.end] == s.text && f.shaped(text[objs[i].start:objs[i].end]) {
				c.obj, c.pos, c.end = i, objs[i].start, objs[i].end
				if _, _, nested := at(text, objs, i, "data.message"); nested && len(s.codes) > 1 {
					c.inner = &candidate{code: s.codes[1], text: s.text}
				}
				return true
			}
		}
	}
	return false
}

func (f *file) shaped(text string) bool {
	lowered := strings.ToLower(text)
	for i := range f.shapes {
		if f.shapes[i].matches(text, lowered) {
			return true
		}
	}
	return false
}
