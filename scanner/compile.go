package scanner

import (
	"slices"
	"sync"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/plan"
)

// A file is a rules file. What its rules are run with is compiled when the first
// block has one of its anchors: most families are never met.
type file struct {
	src     *rules.File
	cat     *codes.Catalogue
	known   *plan.Table
	anchors []anchor
	compile sync.Once
	*program
}

// A program is a file, compiled.
type program struct {
	words     []word
	shapes    []pattern
	sentences []sentence
	fields    []pattern
	rules     []rule
	look      *patterns
	failures  bool // it has words for failure: where none of them is, nothing went wrong
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

// newFile finds out what the prefilter must look for.
func newFile(f *rules.File, cat *codes.Catalogue, known *plan.Table) (*file, []rules.Problem) {
	cf := &file{src: f, cat: cat, known: known}
	var problems []rules.Problem
	for i := range f.Rules {
		r := &f.Rules[i]
		anchors, err := plan.Of(known, &known.Rules, r.Regex, func() ([]anchor, error) { return anchorsOf(r.Regex) })
		if err == nil && len(anchors) == 0 {
			problems = append(problems, rules.Problem{File: f.Name, Line: f.LineOf("id: " + r.ID),
				What: "rule " + r.ID + " has no literal that every match must contain", Snippet: r.Regex,
				Hint: "put a word into the regex that is not optional; without one every line of every file would be tried"})
		}
		cf.anchors = append(cf.anchors, anchors...)
	}
	for _, s := range f.Sentences {
		anchors, _ := plan.Of(known, &known.Sentences, s.Text, func() ([]anchor, error) { return sentenceAnchors(s.Text), nil })
		cf.anchors = append(cf.anchors, anchors...)
	}
	return cf, problems
}

// ready compiles the file, once.
func (f *file) ready() *file {
	f.compile.Do(func() { f.program = compile(f.src, f.known) })
	return f
}

func compile(f *rules.File, known *plan.Table) *program {
	p := &program{look: &patterns{known: known}}
	for _, w := range f.Words {
		if x, ok := p.look.add(w.Regex); ok {
			p.words = append(p.words, word{w, x})
			p.failures = p.failures || w.Proof == "failure"
		}
	}
	for _, s := range f.Shapes {
		p.shapes = append(p.shapes, p.look.addAll([]string{s.Regex})...)
	}
	for _, s := range f.Sentences {
		p.sentences = append(p.sentences, newSentence(s, p.look))
	}
	// The longest sentence that fits is meant: "not in group or chatroom" is
	// the start of another one.
	slices.SortStableFunc(p.sentences, func(a, b sentence) int { return len(b.text) - len(a.text) })
	p.fields = compileFields(f, p.look)
	for i := range f.Rules {
		r := &f.Rules[i]
		if x, ok := p.look.add(r.Regex); ok { // else rules.Parse has said why
			p.rules = append(p.rules, rule{r, x, x.SubexpIndex("code"), x.SubexpIndex("symbol"), x.SubexpIndex("message")})
		}
	}
	p.look.compile()
	return p
}

func compileFields(f *rules.File, look *patterns) (list []pattern) {
	for _, x := range f.Fields {
		list = append(list, look.addAll([]string{x.Regex})...)
	}
	return list
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

// meant returns the longest sentence that a text is and that stands for the
// code.
func (f *file) meant(text, code string) *sentence {
	said := newSaying(text)
	for i := range f.sentences {
		s := &f.sentences[i]
		if slices.Contains(s.codes, code) && s.is(said) {
			return s
		}
	}
	return nil
}
