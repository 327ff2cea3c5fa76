package scanner

import (
	"slices"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
)

// A file is a rules file, compiled.
type file struct {
	src       *rules.File
	cat       *codes.Catalogue
	words     []word
	shapes    []pattern
	sentences []sentence
	fields    []pattern
	rules     []rule
	look      *patterns
	gate      int  // the group of everything that a rule or a sentence needs
	failures  bool // it has words for failure: where none of them is, nothing went wrong
}

type word struct {
	rules.Word
	pattern
}

type rule struct {
	*rules.Rule
	pattern
	anchors            []anchor
	code, symbol, text int // group numbers, -1 for none
}

func compileFile(f *rules.File, cat *codes.Catalogue, look *patterns) (*file, []rules.Problem) {
	cf := &file{src: f, cat: cat, look: look, fields: compileFields(f, look)}
	var problems []rules.Problem
	for _, w := range f.Words {
		if p, ok := look.add(w.Regex); ok {
			cf.words = append(cf.words, word{w, p})
			cf.failures = cf.failures || w.Proof == "failure"
		}
	}
	for _, s := range f.Shapes {
		cf.shapes = append(cf.shapes, look.addAll([]string{s.Regex})...)
	}
	for _, s := range f.Sentences {
		cf.sentences = append(cf.sentences, newSentence(s, look))
	}
	// The longest sentence that fits is meant: "not in group or chatroom" is
	// the start of another one.
	slices.SortStableFunc(cf.sentences, func(a, b sentence) int { return len(b.text) - len(a.text) })
	for i := range f.Rules {
		r := &f.Rules[i]
		p, ok := look.add(r.Regex)
		if !ok {
			continue // rules.Parse has said why
		}
		anchors := anchorsOf(r.Regex)
		if len(anchors) == 0 {
			problems = append(problems, rules.Problem{File: f.Name, Line: f.LineOf("id: " + r.ID),
				What: "rule " + r.ID + " has no literal that every match must contain", Snippet: r.Regex,
				Hint: "put a word into the regex that is not optional; without one every line of every file would be tried"})
			continue
		}
		cf.rules = append(cf.rules, rule{r, p, inEncodings(anchors), p.SubexpIndex("code"), p.SubexpIndex("symbol"), p.SubexpIndex("message")})
	}
	cf.gate = look.group(cf.anchored())
	return cf, problems
}

// anchored returns the literals of the file's anchors.
func (f *file) anchored() (lits []string) {
	for _, a := range f.anchors() {
		lits = append(lits, a.lit)
	}
	slices.Sort(lits)
	return slices.Compact(lits)
}

// anchors are what the prefilter looks for.
func (f *file) anchors() (list []anchor) {
	for _, r := range f.rules {
		list = append(list, r.anchors...)
	}
	for _, s := range f.sentences {
		list = append(list, s.anchors...)
	}
	return list
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
	for i := range f.sentences {
		s := &f.sentences[i]
		if slices.Contains(s.codes, code) && s.is(text) {
			return s
		}
	}
	return nil
}
