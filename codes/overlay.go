package codes

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// With returns a catalogue that has the user's files on top, and what is wrong
// with them. An entry for a new code must be complete. One for a code that the
// catalogue has is an overlay: it changes level, owner or runbook and adds
// hints; with override: true at the head of its file it replaces the entry.
func (c *Catalogue) With(fsys fs.FS) (*Catalogue, []Problem) {
	files, problems := readAll(fsys)
	b := builder{families: map[string]*Family{}, byKey: map[string][]*Entry{}}
	for _, f := range c.families {
		b.families[f.ID] = f
		b.order = append(b.order, f.ID)
	}
	replaced := map[*Entry]bool{}
	base := c.All()
	var whole []*file
	for _, f := range files {
		rest, ps := overlay(f, base, replaced)
		problems = append(problems, ps...)
		whole = append(whole, rest)
	}
	for _, e := range base {
		if !replaced[e] {
			b.byKey[e.Key()] = append(b.byKey[e.Key()], e)
		}
	}
	problems = append(problems, b.add(whole)...)
	var kept []*Entry
	for _, e := range base {
		if !replaced[e] {
			kept = append(kept, e)
		}
	}
	b.entries = append(kept, b.entries...)
	out := b.catalogue()
	if data, err := out.Marshal(); err == nil {
		out.version = Fingerprint(data)
	}
	return out, problems
}

// overlay applies a file's partial entries to the base and returns the file
// with the complete ones. Base entries are copied before they are changed.
func overlay(f *file, base []*Entry, replaced map[*Entry]bool) (*file, []Problem) {
	rest := *f
	rest.Codes, rest.from = nil, []int{}
	var problems []Problem
	for i := range f.Codes {
		e := f.Codes[i]
		at := -1
		for j, x := range base {
			if x.Family == e.Family && x.Code == e.Code && (e.Symbol == "" || x.Named(e.Symbol)) && !replaced[x] {
				at = j
				break
			}
		}
		switch {
		case at < 0:
			rest.Codes, rest.from = append(rest.Codes, e), append(rest.from, i)
		case f.Override:
			replaced[base[at]] = true
			rest.Codes, rest.from = append(rest.Codes, e), append(rest.from, i)
		default:
			if at, what := notPartial(&e); what != "" {
				problems = append(problems, f.problem(i, at, fmt.Sprintf("%s is in the catalogue, and %s cannot be changed by an overlay", e.Key(), what), "an overlay has level, owner, runbook and hints; to replace the whole entry put override: true at the head of the file"))
				continue
			}
			changed := *base[at]
			problems = append(problems, apply(f, i, &changed, &e)...)
			base[at] = &changed
		}
	}
	return &rest, problems
}

// notPartial names a key of an overlay that may stand only in a whole entry,
// as a YAML path and in words.
func notPartial(e *Entry) (at, what string) {
	for _, k := range []struct {
		key   string
		given bool
	}{
		{"category", e.Category != ""}, {"retryable", e.Retryable != ""}, {"scope", e.Scope != ""}, {"status", e.Status},
		{"same_as", e.SameAs != ""}, {"retired", e.Retired != (Words{})}, {"documents", e.Documents != nil}, {"links", e.Links != nil},
		{"consequence_of", e.Consequence != nil}, {"aliases", e.Aliases != nil}, {"http_status", e.HTTP != 0}, {"texts", e.Texts != nil},
	} {
		if k.given {
			return k.key, k.key
		}
	}
	for _, lang := range []string{"en", "zh"} {
		t := e.In(lang)
		for _, k := range []struct{ key, text string }{{"title", t.Title}, {"meaning", t.Meaning}, {"user_sees", t.UserSees}, {"check", t.Check}, {"versions", t.Versions}, {"readings", t.Readings}} {
			if k.text != "" {
				return lang + "." + k.key, lang + "." + k.key
			}
		}
		if t.Causes != nil {
			return lang + ".causes", lang + ".causes"
		}
	}
	return "", ""
}

// apply changes an entry by an overlay. Hints may be given in one language: they
// are the user's own, for their own people.
func apply(f *file, i int, to, o *Entry) (problems []Problem) {
	bad := func(at, what, hint string) { problems = append(problems, f.problem(i, at, o.Key()+": "+what, hint)) }
	switch {
	case o.Level != "" && LevelRank(o.Level) < 0:
		bad("level", fmt.Sprintf("level is %q", o.Level), "one of: "+strings.Join(Levels, ", "))
	case o.Level != "" && to.Status && o.Level != "info":
		bad("level", "a status has level "+o.Level, "a status is no error; to be told of it, set statuses: true for the source")
	case o.Level != "":
		to.Level = o.Level
	}
	switch {
	case o.Owner != "" && !slices.Contains(Owners, o.Owner):
		bad("owner", fmt.Sprintf("owner is %q", o.Owner), "one of: "+strings.Join(Owners, ", "))
	case o.Owner != "":
		to.Owner = o.Owner
	}
	if o.Runbook != "" {
		to.Runbook = o.Runbook
	}
	for _, lang := range []string{"en", "zh"} {
		for n, h := range o.In(lang).Hints {
			if strings.TrimSpace(h) == "" || emptyHints().MatchString(strings.TrimSpace(h)) {
				bad(part(lang+".hints", n), fmt.Sprintf("%s: hint %d tells nothing: %q", lang, n+1, h), "name something to look at or change: a console page, an SDK option, a REST call, a log field")
			}
		}
	}
	to.EN.Hints = append(slices.Clone(o.EN.Hints), to.EN.Hints...)
	to.ZH.Hints = append(slices.Clone(o.ZH.Hints), to.ZH.Hints...)
	return problems
}
