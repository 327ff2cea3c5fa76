package annotator

import (
	"slices"
	"strings"

	"github.com/imwatch/imwatch/codes"
)

// A Page is everything that is known about a code, in one language, in the
// order in which it is read. imwatch explain prints it, the status page shows it.
type Page struct {
	Family   string   `json:"family"`
	Code     string   `json:"code"`
	Symbol   string   `json:"symbol,omitempty"`
	Title    string   `json:"title"`
	Name     string   `json:"name"` // the family's, for people
	Level    string   `json:"level"`
	LevelSay string   `json:"level_word"`
	Facts    []string `json:"facts"`
	Status   string   `json:"status,omitempty"` // says that this is no error
	Parts    []Part   `json:"parts"`
}

// A Part is a heading with a text or a list below it.
type Part struct {
	Kind  string `json:"kind"`
	Label string `json:"label"`
	Text  string `json:"text,omitempty"`
	Items []Item `json:"items,omitempty"`
}

// An Item of a list; Tell says how to know it from the others.
type Item struct {
	Text string `json:"text"`
	Tell string `json:"tell,omitempty"`
}

// PageOf lays out an entry in a language: zh, or anything else for English.
func PageOf(cat *codes.Catalogue, e *codes.Entry, lang string) *Page {
	if lang != "zh" {
		lang = "en"
	}
	t, f := e.In(lang), cat.Family(e.Family)
	p := &Page{Family: e.Family, Code: e.Code, Symbol: e.Symbol, Title: t.Title, Name: f.Name.In(lang), Level: e.Level, LevelSay: Word(lang, "level", e.Level)}
	p.Facts = []string{Word(lang, "category", e.Category)}
	if e.Status {
		p.Status = Label(lang, "status")
	} else {
		for _, kind := range [][2]string{{"retryable", e.Retryable}, {"scope", e.Scope}, {"owner", e.Owner}} {
			p.Facts = append(p.Facts, Label(lang, kind[0])+Colon(lang)+Word(lang, kind[0], kind[1]))
		}
	}
	p.text(lang, "retired", e.Retired.In(lang))
	p.text(lang, "runbook", e.Runbook)
	p.text(lang, "meaning", t.Meaning)
	p.text(lang, "sees", t.UserSees)
	var causes, hints []Item
	for _, c := range t.Causes {
		causes = append(causes, Item{c.Cause, c.Tell})
	}
	for _, h := range t.Hints {
		hints = append(hints, Item{Text: h})
	}
	p.list(lang, "causes", causes)
	p.list(lang, "after", after(cat, e, lang))
	p.list(lang, "hints", hints)
	p.text(lang, "check", t.Check)
	p.text(lang, "versions", t.Versions)
	p.text(lang, "readings", t.Readings)
	p.text(lang, "links", strings.Join(e.Links, " "))
	return p
}

func (p *Page) text(lang, kind, text string) {
	if text != "" {
		p.Parts = append(p.Parts, Part{Kind: kind, Label: Label(lang, kind), Text: text})
	}
}

func (p *Page) list(lang, kind string, items []Item) {
	if len(items) > 0 {
		p.Parts = append(p.Parts, Part{Kind: kind, Label: Label(lang, kind), Items: items})
	}
}

// after names the codes that one usually follows, with their titles: those are
// where to look first, where the log has them.
func after(cat *codes.Catalogue, e *codes.Entry, lang string) (list []Item) {
	for _, c := range e.Consequence {
		family, code := e.Family, c
		if f, k, ok := strings.Cut(c, "/"); ok {
			family, code = f, k
		}
		all := cat.Lookup(family, code)
		i := slices.IndexFunc(all, func(o *codes.Entry) bool { return !o.Status })
		if len(all) > 0 {
			list = append(list, Item{Text: code + Colon(lang) + all[max(0, i)].In(lang).Title})
		}
	}
	return list
}
