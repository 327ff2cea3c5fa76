package scanner

import (
	"slices"
	"strings"
	"sync"
)

const (
	maxViews    = 5  // how deep texts may be wrapped in each other
	maxMatches  = 32 // in one block
	dumpSymbols = 3  // a block with more symbols than these is a printed table
)

// evaluate runs the rules of some files over a block; nil when none of them
// matches.
func (s *Scanner) evaluate(p *memory, b *block, files fileSet) *Block {
	if q := b.precedent; q != nil && q.inPlain == 0 {
		return q.block(b)
	}
	r := readings.Get().(*reading)
	defer r.close()
	r.text = b.text()
	list := p.judge(s, r, b, files)
	if len(list) == 0 {
		return nil
	}
	out := &Block{Start: b.start(), End: b.end(), Text: r.text, When: b.lines[0].when, Matches: list}
	for _, l := range b.lines {
		out.Decoded = out.Decoded || l.decoded
	}
	out.Partial = b.lines[len(b.lines)-1].partial
	return out
}

// judge finds the codes of some files' families in a reading's text.
func (s *Scanner) judge(r *reading, files fileSet) (list []Match) {
	for i, f := range s.files {
		if files&fileBit(i) == 0 {
			continue
		}
		if found := f.ready().found(r); list == nil {
			list = found
		} else {
			list = append(list, found...)
		}
	}
	return hang(list)
}

// A reading is a block's text and what has been made of it already. Its memory is used
// again for the next one.
type reading struct {
	text    string
	decoded string // text without URL encoding, when that was asked for
	sight   sight  // of decoded, by the file at hand; empty when it was not looked at
	all     []*candidate
	used    int
	memory  [8]candidate
	lesson
}

var readings = sync.Pool{New: func() any { return new(reading) }}

// candidate returns a new one, good until the reading is closed.
func (r *reading) candidate(pos, end int) *candidate {
	if r.used == len(r.memory) {
		return &candidate{obj: -1, pos: pos, end: end}
	}
	c := &r.memory[r.used]
	r.used++
	c.obj, c.pos, c.end = -1, pos, end
	return c
}

func (r *reading) close() {
	clear(r.memory[:r.used])
	clear(r.all[:cap(r.all)])
	r.text, r.decoded, r.all, r.used, r.lesson = "", "", r.all[:0], 0, lesson{}
	readings.Put(r)
}

// unpercent takes URL encoding off, of the whole text once.
func (r *reading) unpercent(s string) string {
	if s != r.text {
		return unpercent(s)
	}
	if r.decoded == "" {
		r.decoded = unpercent(s)
	}
	return r.decoded
}

// looked keeps the sight of a text that may be asked for again, or closes it.
func (r *reading) looked(text string, seen sight, is form) {
	if text == r.decoded && r.sight.scratch == nil {
		r.sight = seen
	} else {
		r.shut(seen, is)
	}
}

// leave ends the reading by one file.
func (r *reading) leave() {
	if r.sight.scratch != nil {
		r.shut(r.sight, decoded)
		r.sight = sight{}
	}
}

// plain is the text in which fields are looked for.
func (r *reading) plain() string {
	plain := unescape(r.text)
	if strings.Contains(plain, "%22") {
		plain = r.unpercent(plain)
	}
	return plain
}

// found finds the codes of one file's families in a block's text, with what the
// file captures beside them.
func (f *file) found(r *reading) []Match {
	seen := r.open(f, r.text, asIs)
	defer r.shut(seen, asIs)
	defer r.leave()
	if f.digits {
		seen.matters(0, len(r.text))
	}
	list := f.matches(r, seen)
	if len(list) == 0 {
		return nil
	}
	plain, is := r.plain(), otherwise
	switch {
	case plain == r.text:
		is = asIs
	case plain == r.decoded && r.sight.scratch != nil:
		seen, is = r.sight, decoded
	default:
		if plain == r.decoded {
			is = decoded
		}
		seen = r.open(f, plain, is)
		defer r.shut(seen, is)
	}
	fields := captures(f.fields, seen)
	fill(list, nil, fields, plain)
	r.learned(fields, is)
	return list
}

// hang makes what a server answered the cause of the error that an SDK made of
// it, where a block has both.
func hang(list []Match) []Match {
	return slices.DeleteFunc(list, func(m Match) bool {
		to := m.Rule.File.InnerOf
		if to == "" {
			return false
		}
		for i := range list {
			o := &list[i]
			if o.Group != to || !o.Proven() && o.Bare {
				continue
			}
			if m.Rule.Object != nil { // a text alone is the outer error's own
				o.carry(&Inner{Code: m.Code, Text: m.Text, Families: m.Families})
			}
			return true
		}
		return false
	})
}

// carry adds the cause that a server answered, one at most.
func (m *Match) carry(cause *Inner) {
	switch {
	case m.Inner == nil:
		m.Inner = cause
	case m.Inner.Families == nil && m.Inner.Cause == nil:
		m.Inner.Cause = cause
	}
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
	asIs     bool // text stands so in the text that the candidate was found in
	cut      bool // text is the end of a record that was cut off
	foreign  bool // the object has keys that the SDK's never have: a logger's record, or somebody else's
	strange  bool // it has keys that no logger writes either
	basis    []string
}

// say gives the candidate its text, as it is printed.
func (c *candidate) say(printed string) {
	c.text = unescape(printed)
	c.asIs = len(c.text) == len(printed) // an escape is longer than what it stands for
}

func (c *candidate) prove(basis string) {
	if i := slices.Index(proofs, basis); i >= 0 && c.basis == nil {
		c.basis = proofs[i : i+1 : i+1] // as most have only one
	} else if !slices.Contains(c.basis, basis) {
		c.basis = append(c.basis, basis)
	}
}

// matches finds the codes of one file's families in a block's text.
func (f *file) matches(r *reading, seen sight) []Match {
	tags, ok := f.tags(seen)
	if !ok {
		return nil
	}
	r.all = r.all[:0]
	f.view(r, r.text, seen, tags, 0)
	var out []Match
	for _, c := range r.all {
		m, ok := f.match(c, tags)
		if !ok || c.rule == nil && c.obj < 0 && f.toldBetter(c, r.all, tags) {
			continue
		}
		m.Status = f.status(&m)
		switch i := slices.IndexFunc(out, m.same); {
		case i >= 0 && (out[i].Rule.Regex == "" && c.obj >= 0 || !out[i].Proven() && m.Proven() || out[i].Text == "" && out[i].Rule.Object == nil && m.Text != "" && m.Proven()):
			out[i] = m // what is found one text deeper can say more
		case i < 0 && len(out) < maxMatches:
			out = append(out, m)
		}
	}
	return out
}

// same tells whether two matches of one block are one finding, printed twice.
func (m Match) same(o Match) bool { return m.Code == o.Code && m.Group == o.Group }

// tags is what the words of a block say about who wrote it.
type tags struct {
	sdk, vendor, failure bool
	families             []string
}

// tags looks for the file's words; ok is false when they say that the line is
// somebody else's.
func (f *file) tags(seen sight) (t tags, ok bool) {
	t.failure = !f.failures
	for i := range f.words {
		w := &f.words[i]
		if !seen.Match(w.id) {
			continue
		}
		if w.Other {
			return t, false
		}
		t.sdk = t.sdk || w.Proof == "sdk"
		t.vendor = t.vendor || w.Proof == "vendor"
		t.failure = t.failure || w.Proof == "failure"
		if w.Family != "" && !slices.Contains(t.families, w.Family) {
			t.families = append(t.families, w.Family)
		}
	}
	return t, true
}

// view adds to the reading's candidates those of a text and of the texts inside it.
func (f *file) view(r *reading, text string, seen sight, t tags, depth int) {
	objs := seen.objects(text)
	own := f.objectCandidates(r, text, seen, objs, t)
	own = f.plainCandidates(r, text, seen, own, t)
	own = f.sentenceCandidates(r, text, seen, objs, own)
	for _, c := range own {
		f.weigh(text, seen, objs, c, t)
	}
	r.all = append(r.all, own...)
	if depth >= maxViews {
		return
	}
	for _, n := range r.nestedTexts(text, seen, objs, own) {
		in := r.open(f, n.text, n.form)
		f.view(r, n.text, in, t, depth+1)
		r.looked(n.text, in, n.form)
	}
}

// A nested text is wrapped in another one.
type nested struct {
	text string
	form form
}

// nestedTexts returns the texts wrapped in a text: strings of its objects that
// hold objects, percent-encoded parts, escaped JSON. What stands inside an
// object that is already a candidate is that one's own affair.
func (r *reading) nestedTexts(text string, seen sight, objs []object, own []*candidate) (list []nested) {
	for i := range objs {
		for _, fl := range objs[i].fields {
			if !fl.quoted || fl.end-fl.start < 8 || inside(own, objs, fl.start) {
				continue
			}
			if v := text[fl.start:fl.end]; strings.IndexByte(v, '\\') >= 0 || strings.IndexByte(v, '{') >= 0 || percented(v) {
				seen.matters(fl.start, fl.end)
				list = append(list, nested{uncolour(unescape(v)), part})
			}
		}
	}
	if percented(text) {
		all := nested{r.unpercent(text), otherwise}
		if text == r.text {
			all.form = decoded
		}
		list = append(list, all)
		for _, v := range parameters(text) {
			seen.matters(v.from, v.to)
			list = append(list, nested{unpercent(v.of(text)), part})
		}
	}
	if i := strings.IndexByte(text, '&'); i >= 0 && (strings.Contains(text[i:], "&quot;") || strings.Contains(text[i:], "&#34;") || strings.Contains(text[i:], "&#39;")) {
		list = append(list, nested{htmlQuotes.Replace(text), otherwise})
	}
	if strings.Contains(text, `""`) && (strings.Contains(text, `{""`) || strings.Contains(text, `""type""`) || strings.Contains(text, `""code""`)) {
		list = append(list, nested{strings.ReplaceAll(text, `""`, `"`), otherwise}) // a field of a CSV file
	}
	if i := strings.IndexByte(text, '\\'); i >= 0 && len(list) == 0 && !slices.ContainsFunc(own, func(c *candidate) bool { return c.rule != nil }) && (strings.Contains(text[i:], `\"`) || strings.Contains(text[i:], `\x22`) || strings.Contains(text[i:], `\u0022`)) {
		list = append(list, nested{uncolour(unescape(text)), otherwise})
	}
	return list
}

var htmlQuotes = strings.NewReplacer("&quot;", `"`, "&#34;", `"`, "&#39;", "'")

// percented tells whether a text has URL encoding.
func percented(text string) bool {
	for {
		i := strings.IndexByte(text, '%')
		if i < 0 || i+2 >= len(text) {
			return false
		}
		if unhex(text[i+1]) >= 0 && unhex(text[i+2]) >= 0 {
			return true
		}
		text = text[i+1:]
	}
}

const maxParameters = 16

// parameters returns the values of a URL's parameters that are encoded.
func parameters(text string) (list []span) {
	for at := 0; len(list) < maxParameters; {
		n := strings.IndexByte(text[at:], '=')
		if n < 0 {
			break
		}
		at += n + 1
		v := text[at:]
		if end := strings.IndexAny(v, " &?\"'\n"); end >= 0 {
			v = v[:end]
		}
		if percented(v) {
			list = append(list, span{at, at + len(v)})
		}
		at += len(v)
	}
	return list
}

func inside(own []*candidate, objs []object, pos int) bool {
	return slices.ContainsFunc(own, func(c *candidate) bool {
		return c.obj >= 0 && pos >= objs[c.obj].open && pos < objs[c.obj].end && !c.foreign
	})
}

// objectCandidates finds numbers that are the value of a key of an object.
func (f *file) objectCandidates(r *reading, text string, seen sight, objs []object, t tags) (own []*candidate) {
	var byObject []*candidate // also those that are not meant so
	for i := range f.rules {
		rule := &f.rules[i]
		if rule.Object == nil || !seen.May(rule.id) {
			continue
		}
		seen.Each(rule.id, maxMatches, func(m []int) {
			seen.matters(m[0], m[1])
			c := r.candidate(m[0], m[1])
			c.rule, c.code, c.evidence = rule, text[m[2*rule.code]:m[2*rule.code+1]], text[m[0]:m[1]]
			key := keyStart(text, m[0], m[2*rule.code])
			if obj, _ := enclosing(objs, key); obj >= 0 {
				if ofObject(byObject, obj) != nil {
					return
				}
				c.obj = obj
				byObject = append(byObject, c)
				f.describe(text, seen, objs, c)
			} else {
				ok := f.flat(text, key, c)
				if seen.matters(c.pos, c.end); !ok {
					return
				}
			}
			if rule.Needs != "failure" || c.meantSo(t) {
				own = append(own, c)
			}
		})
	}
	return f.nest(objs, own, byObject)
}

// ofObject returns the candidate that is an object's, or nil.
func ofObject(list []*candidate, obj int) *candidate {
	for _, c := range list {
		if c.obj == obj {
			return c
		}
	}
	return nil
}

// keyStart returns where the key of a match begins: its quote or first letter. Without
// a colon the match is the key.
func keyStart(text string, from, code int) int {
	colon := strings.LastIndexAny(text[from:code], ":=")
	if colon < 0 {
		return from
	}
	i := from + colon
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
func (f *file) describe(text string, seen sight, objs []object, c *candidate) {
	o := &objs[c.obj]
	c.pos, c.end = o.start, o.end
	for _, path := range c.rule.Object.Text {
		if v, quoted, ok := at(text, objs, c.obj, path); ok && quoted && v.from < v.to {
			seen.matters(v.from, v.to)
			c.say(v.of(text))
			c.cut = v.to == len(text)
			break
		}
	}
	for _, fl := range o.fields {
		if !slices.Contains(c.rule.Object.Keys, fl.name) {
			c.foreign = true
			c.strange = c.strange || !loggerKey(fl.name)
		}
	}
}

// loggerKey tells whether loggers write a key beside those of an object that they
// were given.
func loggerKey(name string) bool {
	switch name {
	case "level", "time", "timestamp", "@timestamp", "ts", "date", "pid", "hostname", "host", "name", "msg", "v", "label", "service", "logger", "logger_name", "thread", "caller", "category", "severity", "env", "module", "scope", "event", "@version", "@t", "@l", "@mt", "@m":
		return true
	}
	return false
}

// flat reads an object that a console printed without its braces: what stands
// behind the number on the same line.
func (f *file) flat(text string, key int, c *candidate) bool {
	rest, _, _ := strings.Cut(text[key:], "\n")
	c.pos, c.end, c.foreign = key, key+len(rest), true
	whole := "{" + rest + "}"
	objs := objects(whole)
	if len(objs) == 0 {
		return false
	}
	for _, path := range c.rule.Object.Text {
		if v, quoted, ok := at(whole, objs, 0, path); ok && quoted && v.from < v.to {
			c.say(v.of(whole))
			break
		}
	}
	return c.text != ""
}

// meantSo tells whether an object whose number proves itself reads like an
// error: it has a text, nothing but the SDK's own keys, or the block says so.
func (c *candidate) meantSo(t tags) bool {
	return c.text != "" || !c.foreign || t.failure || t.vendor || t.sdk
}

// nest makes a candidate that hangs inside another one its cause.
func (f *file) nest(objs []object, own, byObject []*candidate) (outer []*candidate) {
	if len(byObject) < 2 {
		return own
	}
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
func above(objs []object, obj int, byObject []*candidate) (*candidate, string) {
	if obj < 0 {
		return nil, ""
	}
	for o := obj; objs[o].parent >= 0; o = objs[o].parent {
		if c := ofObject(byObject, objs[o].parent); c != nil {
			return c, objs[o].key
		}
	}
	return nil, ""
}

// plainCandidates finds symbols, and numbers that are no value of an object's
// key. One that repeats what an object says is a proof of that one.
func (f *file) plainCandidates(r *reading, text string, seen sight, own []*candidate, t tags) []*candidate {
	var plain []*candidate
	var symbols map[string]bool
	for i := range f.rules {
		rule := &f.rules[i]
		if rule.Object != nil || !seen.May(rule.id) {
			continue
		}
		seen.Each(rule.id, maxMatches, func(m []int) {
			seen.matters(m[0], m[1])
			c := r.candidate(m[0], m[1])
			c.rule, c.evidence = rule, text[m[0]:m[1]]
			if rule.symbol >= 0 && m[2*rule.symbol] >= 0 {
				c.symbol = text[m[2*rule.symbol]:m[2*rule.symbol+1]]
				if c.code = f.codeOf(c.symbol); c.code == "" {
					return
				}
				if symbols == nil {
					symbols = map[string]bool{}
				}
				symbols[c.symbol] = true
			} else if rule.code >= 0 && m[2*rule.code] >= 0 {
				c.code = text[m[2*rule.code]:m[2*rule.code+1]]
			}
			if rule.text >= 0 && m[2*rule.text] >= 0 {
				c.say(text[m[2*rule.text]:m[2*rule.text+1]])
			}
			if f.holds(c, t) {
				plain = append(plain, c)
			}
		})
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
