package scanner

import (
	"fmt"
	"slices"

	"github.com/imwatch/imwatch/rules"
)

// Check runs every rule's examples, built-in ones too.
func (s *Scanner) Check() (problems []rules.Problem) {
	for _, f := range s.files {
		problems = append(problems, s.examples(f)...)
	}
	return problems
}

func (s *Scanner) examples(f *file) (problems []rules.Problem) {
	for _, r := range f.src.Rules {
		say := func(e rules.Example, what, hint string) {
			problems = append(problems, rules.Problem{File: f.src.Name, Line: f.src.LineOf(e.Text), What: "rule " + r.ID + " " + what, Snippet: e.Text, Hint: hint})
		}
		for _, e := range rules.Examples(r.Match) {
			m := s.ofRule(e.Text, r.ID)
			switch {
			case m == nil:
				say(e, "does not find code "+e.Code+" in its own example", "run imwatch explain with the line to see what is found; is there a word of the vendor, a sentence, a symbol on it?")
			case m.Code != e.Code:
				say(e, fmt.Sprintf("finds %s where its example says %s", m.Code, e.Code), "mend the regex, or the code before the line")
			case innerCode(m) != e.Inner:
				say(e, fmt.Sprintf("finds the cause %q where its example says %q", innerCode(m), e.Inner), "write CODE/CAUSE before the line")
			case e.Undecided == m.Proven():
				say(e, fmt.Sprintf("finds code %s with proof %v", e.Code, m.Basis), "a code with ? is one that nothing proves")
			case !e.Undecided && !m.Known && !r.Unknown:
				say(e, "finds code "+e.Code+", which the catalogue does not have", "add it under codes/")
			}
		}
		for _, e := range rules.Examples(r.NoMatch) {
			if m := s.any(e.Text); m != nil {
				say(e, fmt.Sprintf("should leave this alone, but %s finds %s in it", m.Rule.ID, m.Code), "make the regex ask for more")
			}
		}
	}
	return problems
}

func innerCode(m *Match) string {
	if m.Inner == nil {
		return ""
	}
	return m.Inner.Code
}

// ofRule returns what a rule finds in a text; another rule that finds the same
// code first counts too, as both prove it.
func (s *Scanner) ofRule(text, id string) (found *Match) {
	s.Scan([]byte(text+"\n"), true, func(b *Block) {
		for i := range b.Matches {
			if m := &b.Matches[i]; found == nil || m.Rule.ID == id {
				found = m
			}
		}
	})
	return found
}

// any returns a proven match in a text that is no status.
func (s *Scanner) any(text string) (found *Match) {
	s.Scan([]byte(text+"\n"), true, func(b *Block) {
		for i := range b.Matches {
			if m := &b.Matches[i]; m.Proven() && !slices.Contains([]string{"0"}, m.Code) {
				found = m
			}
		}
	})
	return found
}
