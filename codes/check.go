package codes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// builder collects files into a catalogue and holds them against the rules.
type builder struct {
	families map[string]*Family
	order    []string
	entries  []*Entry
	where    map[*Entry]place
	byKey    map[string][]*Entry
}

type place struct {
	file *file
	i    int
}

func (b *builder) add(files []*file) (problems []Problem) {
	b.where = map[*Entry]place{}
	for _, f := range files {
		if f.Name.EN == "" && f.Name.ZH == "" {
			continue
		}
		problems = append(problems, b.addFamily(f)...)
	}
	for _, f := range files {
		for i := range f.Codes {
			e := &f.Codes[i]
			b.where[e] = place{f, i}
			if p := b.addEntry(f, i, e); p != nil {
				problems = append(problems, *p)
			}
		}
	}
	problems = append(problems, b.share()...)
	problems = append(problems, b.whole()...)
	b.orderFamilies()
	for _, e := range b.entries {
		at, own := b.where[e]
		if !own {
			continue // another family's, under this one's name
		}
		if e.SameAs != "" && b.named(e.SameAs, e.Symbol) == nil {
			continue // what it lacks is in the entry that share has missed
		}
		for _, c := range b.complaints(e) {
			problems = append(problems, at.file.problem(at.i, c.at, e.Key()+": "+c.what, c.hint))
		}
	}
	return append(problems, b.sharedHints()...)
}

func (b *builder) addFamily(f *file) (problems []Problem) {
	fam := f.Family
	say := func(what, hint string) { problems = append(problems, f.problem(-1, "", what, hint)) }
	switch {
	case fam.ID == "":
		say("no family", "begin the file with: family: NAME")
	case b.families[fam.ID] != nil:
		say("family "+fam.ID+" is described twice", "keep name, about, see and words in one file of the family")
		return problems
	}
	if fam.Name.EN == "" || fam.Name.ZH == "" || fam.About.EN == "" || fam.About.ZH == "" {
		say("family "+fam.ID+" lacks its name or about in one language", "give both en and zh")
	}
	if fam.Vendor == "" || fam.Platform == "" {
		say("family "+fam.ID+" lacks vendor or platform", "for example vendor: easemob and platform: web")
	}
	if !isURL(fam.See) {
		say(fmt.Sprintf("family %s: see is not a URL: %q", fam.ID, fam.See), "link the vendor's page of error codes")
	}
	b.families[fam.ID] = &fam
	b.order = append(b.order, fam.ID)
	return problems
}

func (b *builder) addEntry(f *file, i int, e *Entry) *Problem {
	bad := func(what, hint string) *Problem { p := f.problem(i, "code", what, hint); return &p }
	if b.families[e.Family] == nil {
		return bad(fmt.Sprintf("family %q is not described", e.Family), "put name, about, see and vendor into a family.yaml beside this file")
	}
	if e.Code == "" {
		return bad("an entry without a code", "give code: as the vendor prints it")
	}
	for _, other := range b.byKey[e.Key()] {
		if !apart(e, other) {
			at, ok := b.where[other]
			if !ok {
				return bad(e.Key()+" is in the catalogue already", "an overlay has only level, owner, runbook and hints")
			}
			return bad(e.Key()+" stands here and in "+fmt.Sprintf("%s:%d", at.file.name, at.file.line(at.i, "code")), "one code with two meanings needs two symbols, or another http_status or other texts; otherwise merge the two")
		}
	}
	b.byKey[e.Key()] = append(b.byKey[e.Key()], e)
	b.entries = append(b.entries, e)
	return nil
}

// apart tells whether something beside the code tells two entries of one key
// apart.
func apart(a, b *Entry) bool {
	if a.Symbol != b.Symbol && a.Symbol != "" && b.Symbol != "" {
		return true
	}
	if a.HTTP != b.HTTP {
		return true
	}
	return (len(a.Texts) > 0 || len(b.Texts) > 0) && !slices.ContainsFunc(a.Texts, func(t string) bool { return slices.Contains(b.Texts, t) })
}

// whole gives a family that shares another's table an entry of its own for each
// of the other's that it does not describe itself.
func (b *builder) whole() (problems []Problem) {
	for _, id := range b.order {
		f := b.families[id]
		if f.Shares == "" {
			continue
		}
		if o := b.families[f.Shares]; o == nil || o.Shares != "" {
			problems = append(problems, Problem{File: id, What: fmt.Sprintf("family %s shares %q, which is no family with a table of its own", id, f.Shares), Hint: "name the family whose codes it has"})
			continue
		}
		own := map[string]bool{}
		for _, e := range b.entries {
			if e.Family == id {
				own[e.Code] = true
			}
		}
		for _, from := range b.entries {
			if from.Family != f.Shares || own[from.Code] {
				continue
			}
			e := *from
			e.Family, e.SameAs, e.Documents, e.Consequence = id, from.Key(), nil, nil
			for _, c := range from.Consequence {
				e.Consequence = append(e.Consequence, strings.TrimPrefix(c, f.Shares+"/"))
			}
			b.byKey[e.Key()] = append(b.byKey[e.Key()], &e)
			b.entries = append(b.entries, &e)
		}
	}
	return problems
}

// share fills entries that are the same as another.
func (b *builder) share() (problems []Problem) {
	for _, e := range b.entries {
		if e.SameAs == "" {
			continue
		}
		at := b.where[e]
		from := b.named(e.SameAs, e.Symbol)
		switch {
		case from == nil:
			problems = append(problems, at.file.problem(at.i, "same_as", fmt.Sprintf("%s is the same as %q, which is no entry", e.Key(), e.SameAs), "write family/code of an entry"))
		case from.SameAs != "":
			problems = append(problems, at.file.problem(at.i, "same_as", fmt.Sprintf("%s is the same as %s, which is itself the same as %s", e.Key(), e.SameAs, from.SameAs), "name "+from.SameAs))
		default:
			e.inherit(from)
		}
	}
	return problems
}

// orderFamilies puts the web SDKs first, and families that share another's texts
// behind the others, so that the one whose words they are is read first.
func (b *builder) orderFamilies() {
	sharing := map[string]int{}
	for id, f := range b.families {
		if f.Platform != "web" {
			sharing[id] = 2
		}
	}
	for _, e := range b.entries {
		if e.SameAs != "" && !strings.HasPrefix(e.SameAs, e.Family+"/") {
			sharing[e.Family] |= 1
		}
	}
	slices.SortStableFunc(b.order, func(x, y string) int { return sharing[x] - sharing[y] })
}

// named finds the entry of a key, by symbol where the key has several, or by
// the HTTP status in family/code@404.
func (b *builder) named(key, symbol string) *Entry {
	key, status, _ := strings.Cut(key, "@")
	list := b.byKey[key]
	for _, e := range list {
		if status != "" {
			if strconv.Itoa(e.HTTP) == status {
				return e
			}
		} else if len(list) == 1 || e.Named(symbol) {
			return e
		}
	}
	return nil
}
