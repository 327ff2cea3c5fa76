package codes

import (
	"fmt"
	"io/fs"
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
		out.version = fingerprint(data)
	}
	return out, problems
}

// overlay applies a file's partial entries to the base and returns the file
// with the complete ones. Base entries are copied before they are changed.
func overlay(f *file, base []*Entry, replaced map[*Entry]bool) (*file, []Problem) {
	rest := *f
	rest.Codes = nil
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
			rest.Codes = append(rest.Codes, e)
		case f.Override:
			replaced[base[at]] = true
			rest.Codes = append(rest.Codes, e)
		default:
			if what := notPartial(&e); what != "" {
				problems = append(problems, f.problem(i, fmt.Sprintf("%s is in the catalogue, and %s cannot be changed by an overlay", e.Key(), what), "an overlay has level, owner, runbook and hints; to replace the whole entry put override: true at the head of the file"))
				continue
			}
			changed := *base[at]
			problems = append(problems, apply(f, i, &changed, &e)...)
			base[at] = &changed
		}
	}
	return &rest, problems
}

// notPartial names a key of an overlay that may stand only in a whole entry.
func notPartial(e *Entry) string {
	for name, given := range map[string]bool{
		"category": e.Category != "", "retryable": e.Retryable != "", "scope": e.Scope != "", "status": e.Status,
		"same_as": e.SameAs != "", "retired": e.Retired != "", "documents": e.Documents != nil, "links": e.Links != nil,
		"consequence_of": e.Consequence != nil, "aliases": e.Aliases != nil,
		"a text other than hints": e.EN.Title+e.EN.Meaning+e.EN.UserSees+e.EN.Check+e.EN.Versions+e.EN.Readings+
			e.ZH.Title+e.ZH.Meaning+e.ZH.UserSees+e.ZH.Check+e.ZH.Versions+e.ZH.Readings != "" || e.EN.Causes != nil || e.ZH.Causes != nil,
	} {
		if given {
			return name
		}
	}
	return ""
}

// apply changes an entry by an overlay. Hints may be given in one language: they
// are the user's own, for their own people.
func apply(f *file, i int, to, o *Entry) (problems []Problem) {
	if o.Level != "" && LevelRank(o.Level) < 0 {
		problems = append(problems, f.problem(i, fmt.Sprintf("level is %q", o.Level), "one of: "+strings.Join(Levels, ", ")))
		o.Level = ""
	}
	own := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	own(&to.Level, o.Level)
	own(&to.Owner, o.Owner)
	own(&to.Runbook, o.Runbook)
	to.EN.Hints = append(append([]string(nil), o.EN.Hints...), to.EN.Hints...)
	to.ZH.Hints = append(append([]string(nil), o.ZH.Hints...), to.ZH.Hints...)
	return problems
}
