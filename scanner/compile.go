package scanner

import (
	"slices"
	"strings"
	"sync"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/plan"
	"github.com/imwatch/imwatch/scanner/regex"
)

// A file is a rules file. What its rules are run with is compiled when the first
// block has one of its anchors: most families are never met.
type file struct {
	src     *rules.File
	cat     *codes.Catalogue
	shared  *sharedFields
	compile sync.Once
	*program
}

// A program is a file, compiled.
type program struct {
	words     []word
	shapes    []pattern
	sentences []sentence // each a text of look
	all       []int      // of them
	fields    []pattern  // the file's own, then those of all
	rules     []rule
	look      *patterns
	proofs    func() *patterns    // what proves a number anywhere in a text; the shapes come first
	orders    map[string][]string // the families, by the one that comes first
	failures  bool                // it has words for failure: where none of them is, nothing went wrong
	keys      []string            // of objects of the rules
	digits    bool                // a key has some
}

type word struct {
	rules.Word
	pattern
}

type rule struct {
	*rules.Rule
	pattern
	code, symbol, text int // group numbers, -1 for none
}

// newFile finds out what the prefilter must look for: the anchors of all rules.
func newFile(f *rules.File, cat *codes.Catalogue, fields *sharedFields) (cf *file, list []anchor, problems []rules.Problem) {
	known := fields.known
	for i := range f.Rules {
		r := &f.Rules[i]
		anchors, err := plan.Of(known, &known.Rules, r.Regex, func() ([]anchor, error) { return anchorsOf(r.Regex) })
		if err == nil && len(anchors) == 0 {
			problems = append(problems, rules.Problem{File: f.Name, Line: f.LineOf("id: " + r.ID),
				What: "rule " + r.ID + " has no literal that every match must contain", Snippet: r.Regex,
				Hint: "put a word into the regex that is not optional; without one every line of every file would be tried"})
		}
		list = append(list, anchors...)
	}
	for _, s := range f.Sentences {
		anchors, _ := plan.Of(known, &known.Sentences, s.Text, func() ([]anchor, error) { return sentenceAnchors(s.Text), nil })
		list = append(list, anchors...)
	}
	return &file{src: f, cat: cat, shared: fields}, list, problems
}

// ready compiles the file, once.
func (f *file) ready() *file {
	f.compile.Do(func() { f.program = compile(f.src, f.shared) })
	return f
}

func compile(f *rules.File, fields *sharedFields) *program {
	p := &program{look: &patterns{known: fields.known}}
	for _, w := range f.Words {
		if x, ok := p.look.add(w.Regex); ok {
			p.words = append(p.words, word{w, x})
			p.failures = p.failures || w.Proof == "failure"
		}
	}
	for _, s := range f.Shapes {
		if x, ok := p.look.add(s.Regex); ok {
			p.shapes = append(p.shapes, x)
		}
	}
	for _, s := range f.Sentences {
		p.sentences = append(p.sentences, sentence(s))
	}
	// The longest sentence that fits is meant: "not in group or chatroom" is
	// the start of another one.
	slices.SortStableFunc(p.sentences, func(a, b sentence) int { return len(b.Text) - len(a.Text) })
	for i := range p.sentences {
		p.look.texts = append(p.look.texts, p.sentences[i].Text)
		p.all = append(p.all, i)
	}
	for _, own := range f.Fields {
		if x, ok := p.look.add(own.Regex); ok {
			p.fields = append(p.fields, x)
		}
	}
	for _, re := range fields.regexes() {
		p.fields = append(p.fields, p.look.take(re))
	}
	p.orders = map[string][]string{}
	for _, id := range f.Families {
		p.orders[id] = append([]string{id}, slices.DeleteFunc(slices.Clone(f.Families), func(x string) bool { return x == id })...)
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		if x, ok := p.look.add(r.Regex); ok { // else rules.Parse has said why
			if r.Object != nil {
				p.keys = append(p.keys, r.Object.Keys...)
				p.digits = p.digits || slices.ContainsFunc(slices.Concat(r.Object.Keys, r.Object.Text, r.Object.Inner), hasDigit)
			}
			p.rules = append(p.rules, rule{r, x, x.SubexpIndex("code"), x.SubexpIndex("symbol"), x.SubexpIndex("message")})
		}
	}
	p.look.compile()
	p.proofs = sync.OnceValue(func() *patterns { return p.proving(fields.known) }) // most scans meet no line that needs them
	return p
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// proving returns the patterns of which one must stand in a text for a number in an
// object with foreign keys to count.
func (p *program) proving(known *plan.Table) *patterns {
	proofs := &patterns{known: known, texts: p.look.texts}
	for _, s := range p.shapes {
		proofs.take(s.Regexp)
	}
	for i := range p.rules {
		if r := &p.rules[i]; r.Object == nil || r.Gives != "" {
			proofs.take(r.Regexp)
		}
	}
	for _, w := range p.words {
		if w.Proof == "sdk" || w.Proof == "vendor" {
			proofs.take(w.Regexp)
		}
	}
	proofs.compile()
	return proofs
}

// sharedFields are those of files without a family: captured beside any code.
type sharedFields struct {
	of    []rules.Field
	known *plan.Table // of the rules of all files
	once  sync.Once
	list  []*regex.Regexp
}

// regexes compiles them, once.
func (s *sharedFields) regexes() []*regex.Regexp {
	s.once.Do(func() {
		for _, x := range s.of {
			if re, err := regex.Known(x.Regex, s.known); err == nil { // else rules.Parse has said why
				s.list = append(s.list, re)
			}
		}
	})
	return s.list
}

// has tells whether a family of the file's knows the code.
func (f *file) has(code string) bool {
	return slices.ContainsFunc(f.src.Families, func(id string) bool { return f.cat.Has(id, code) })
}

// codeOf returns the code of a symbol in the first family that knows it.
func (f *file) codeOf(symbol string) string {
	for _, id := range f.src.Families {
		if c := f.cat.CodeOf(id, symbol); c != "" {
			return c
		}
	}
	return ""
}

// heard returns which sentences the text of a candidate can be.
func (f *file) heard(c *candidate, seen sight) []int {
	if c.asIs {
		return seen.Texts() // the text that the candidate was found in has it, too
	}
	return f.all
}

// meant returns the longest of some sentences that a text is and that stands for the
// code, or where no code is given, that it is at all; nil for none.
func (f *file) meant(of []int, text, code string) *sentence {
	if len(of) == 0 {
		return nil
	}
	said := newSaying(text)
	for _, i := range of {
		s := &f.sentences[i]
		if (code == "" || slices.Contains(s.Codes, code)) && s.is(said) {
			return s
		}
	}
	return nil
}
