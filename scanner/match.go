package scanner

import (
	"slices"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
)

// weigh collects what speaks for a candidate.
func (f *file) weigh(text string, seen sight, objs []object, c *candidate, t tags) {
	if c.rule != nil && c.rule.Gives != "" {
		c.prove(c.rule.Gives)
	}
	if c.text != "" && c.rule != nil {
		heard := f.heard(c, seen)
		if s := f.meant(heard, c.text, c.code); s != nil && !(s.Common && c.strange) || c.cut && f.begun(c.text, c.code) {
			c.prove("sentence")
		} else if in := c.inner; in != nil && (f.meant(f.heard(in, seen), in.text, in.code) != nil || f.meant(heard, c.text, in.code) != nil) {
			c.prove("sentence")
		} else if s := f.meant(heard, c.text, ""); s != nil {
			c.basis = append(c.basis, "sentence of "+s.Codes[0])
			if s.Alone && !c.strange {
				c.prove("shape") // nobody else writes such an object, whatever its number
			}
		}
	}
	if c.rule == nil || c.rule.Object == nil {
		if t.sdk {
			c.prove("sdk")
		}
		if t.vendor {
			c.prove("vendor")
		}
		return
	}
	if c.obj >= 0 && f.shaped(&objs[c.obj], seen) {
		c.prove("shape")
	}
	// A tag on the line proves an object only if it looks like the SDK's, a name
	// only where something went wrong.
	if c.obj >= 0 && (c.text != "" || !c.foreign) {
		if t.sdk {
			c.prove("sdk")
		}
		if t.vendor && (c.wrong(t) || proven(c.basis)) {
			c.prove("vendor")
		}
	}
}

// wrong tells whether something went wrong: the block says so, or an object with
// a text has a number that is too long for a kind of message or event.
func (c *candidate) wrong(t tags) bool { return t.failure || c.text != "" && len(c.code) > 2 }

// begun tells whether a text that was cut off is the start of a sentence for
// the code.
func (f *file) begun(text, code string) bool {
	const enough = 10
	return len(text) >= enough && slices.ContainsFunc(f.sentences, func(s sentence) bool {
		return slices.Contains(s.Codes, code) && strings.HasPrefix(s.Text, text)
	})
}

// proofs are the basis words that prove a family; the others only explain.
var proofs = []string{"symbol", "sentence", "sdk", "vendor", "shape", "range"}

func proven(basis []string) bool {
	return slices.ContainsFunc(basis, func(b string) bool { return slices.Contains(proofs, b) })
}

// match makes a Match of a candidate; ok is false when it is none: nothing
// proves it and it does not look like the SDK's either.
func (f *file) match(c *candidate, t tags) (m Match, ok bool) {
	m = Match{Group: f.src.Group, Code: c.code, Symbol: c.symbol, Text: c.text, Evidence: strings.TrimSpace(c.evidence), Basis: c.basis}
	if c.rule != nil {
		m.Rule = c.rule.Rule
	} else {
		m.Rule = f.sentenceRule()
	}
	if c.inner != nil {
		m.Inner = &Inner{Code: c.inner.code, Text: c.inner.text}
	}
	m.Families, m.Proved = f.order(t)
	m.Having = f.having(m.Families, m.Code)
	m.Known = len(m.Having) > 0
	// A number that is a status elsewhere: in an error object, or with the text of
	// an error, it is the error.
	if m.Symbol == "" && (slices.Contains(c.basis, "sentence") || m.Code != "0" && c.obj >= 0 && c.text != "") {
		m.Symbol = f.errorSymbol(m.Code)
	}
	if c.rule != nil && c.rule.Object != nil && !proven(c.basis) {
		// Nobody's yet. A plain number with other keys beside it is not even a question.
		m.Bare = c.text == "" || !c.wrong(t)
		return m, m.Known && m.Code != "0" && !c.foreign
	}
	if !m.Known && c.rule != nil && (!c.rule.Unknown || c.rule.Object != nil && c.obj < 0) && !slices.Contains(c.basis, "vendor") && !slices.Contains(c.basis, "sdk") && !slices.Contains(c.basis, "shape") {
		return m, false
	}
	return m, true
}

// having returns those of some families that have a code.
func (f *file) having(families []string, code string) []string {
	lacks := func(id string) bool { return !f.cat.Has(id, code) }
	if !slices.ContainsFunc(families, lacks) {
		return families // as most
	}
	return slices.DeleteFunc(slices.Clone(families), lacks)
}

// status tells whether the first family that has the code has it as a status.
func (f *file) status(m *Match) bool {
	for _, id := range m.Families {
		if status, ok := f.cat.Status(id, m.Code, codes.Printed{Symbol: m.Symbol, Text: m.Text}); ok {
			return status
		}
	}
	return false
}

// holds tells whether what the rule needs beside the match is there.
func (f *file) holds(c *candidate, t tags) bool {
	switch c.rule.Needs {
	case "vendor":
		return (t.vendor || t.sdk) && f.has(c.code)
	case "vendor, failure":
		return (t.vendor || t.sdk) && t.failure && f.has(c.code)
	}
	return c.rule.Unknown || c.symbol != "" || c.rule.Gives != "range" || f.has(c.code)
}

// sentenceRule stands for what was found by its text alone.
func (f *file) sentenceRule() *rules.Rule {
	name := strings.TrimSuffix(f.src.Name, ".yaml")
	return &rules.Rule{ID: name[strings.LastIndexByte(name, '/')+1:] + "-sentence", File: f.src}
}

// errorSymbol returns the symbol of the entry of a code that is an error, where
// the same number is also a status; "" elsewhere.
func (f *file) errorSymbol(code string) string {
	for _, id := range f.src.Families {
		if !f.cat.HasStatus(id, code) {
			continue
		}
		for _, e := range f.cat.Lookup(id, code) {
			if !e.Status {
				return e.Symbol
			}
		}
	}
	return ""
}

// order puts the family that the line names first.
func (f *file) order(t tags) (families []string, proved bool) {
	families = f.src.Families
	if len(t.families) == 1 {
		families = f.orders[t.families[0]]
	}
	return families, len(t.families) == 1 || len(families) == 1
}

// A capture is where a field stands in a text.
type capture struct {
	name string
	span
}

// captures finds the fields that stand beside the codes; of a name the first counts.
func captures(list []pattern, seen sight) (out []capture) {
	for i := range list {
		p := &list[i]
		found := seen.Find(p.id, 0)
		if found == nil {
			continue
		}
		for i, name := range p.SubexpNames() {
			if name == "" || found[2*i] >= found[2*i+1] || slices.ContainsFunc(out, func(c capture) bool { return c.name == name }) {
				continue
			}
			out = append(out, capture{name, span{found[2*i], found[2*i+1]}})
		}
	}
	return out
}

// fill gives matches their fields, in the memory of room as far as that goes; they share
// them.
func fill(into []Match, room []Field, list []capture, text string) {
	if len(list) == 0 {
		return
	}
	fields := slices.Grow(room[:0], len(list))
	for _, c := range list {
		fields = append(fields, Field{c.name, c.of(text)})
	}
	for i := range into {
		into[i].Fields = slices.Clip(fields)
	}
}

// Proven tells whether the line itself proves the code to be one of the
// group's.
func (m *Match) Proven() bool {
	if m.grade != "" {
		return m.proven
	}
	return proven(m.Basis)
}

// Confidence grades what proves the match: high for a printed symbol, the SDK's
// own tag, a range of its own, or a number with the text that belongs to it;
// medium for the rest.
func (m *Match) Confidence() string {
	if m.grade != "" {
		return m.grade
	}
	has := func(b string) bool { return slices.Contains(m.Basis, b) }
	if has("symbol") || has("sdk") || has("range") || has("sentence") && m.Rule.Regex != "" || has("sentence") && has("number") || has("vendor") && has("shape") {
		return "high"
	}
	return "medium"
}
