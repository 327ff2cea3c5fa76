package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/terminal"
)

// several prints the entries of one query. Entries that share one text are
// printed once, under the names of all their families; when several remain, it
// is said first what tells them apart.
func (x *explainer) several(query string, list []*codes.Entry) {
	var distinct []*codes.Entry
	names := map[*codes.Entry][]string{}
	lang := x.langs[0]
	for _, e := range list {
		i := slices.IndexFunc(distinct, func(o *codes.Entry) bool { return shared(o, e) })
		if i < 0 {
			i, distinct = len(distinct), append(distinct, e)
		}
		names[distinct[i]] = append(names[distinct[i]], x.cat.Family(e.Family).Name.In(lang))
	}
	if len(distinct) > 1 {
		x.apart(query, distinct)
	}
	for i, e := range distinct {
		if i > 0 {
			fmt.Fprintln(x.w)
		}
		x.entry(e)
		if also := names[e][1:]; len(also) > 0 {
			x.part(annotator.Label(lang, "also"), strings.Join(also, ", "))
		}
	}
}

// shared tells whether b has its text from a.
func shared(a, b *codes.Entry) bool { return b.SameAs == a.Key() && b.Symbol == a.Symbol }

// apart says what each meaning of a code is, and what marks each family.
func (x *explainer) apart(query string, list []*codes.Entry) {
	lang := x.langs[0]
	head := fmt.Sprintf("%s has %d meanings:", query, len(list))
	if lang == "zh" {
		head = fmt.Sprintf("%s 有 %d 种含义：", query, len(list))
	}
	fmt.Fprintln(x.w, x.style.Paint(terminal.Bold, head))
	for i, e := range list {
		f := x.cat.Family(e.Family)
		fmt.Fprintln(x.w, terminal.Indent("  - ", f.Name.In(lang)+annotator.Colon(lang)+e.In(lang).Title, x.style.Width))
		if i == 0 || list[i-1].Family != e.Family {
			fmt.Fprintln(x.w, x.style.Paint(terminal.Dim, terminal.Indent("    ", f.About.In(lang), x.style.Width)))
		}
	}
	fmt.Fprintln(x.w)
}

// entry prints one entry in every language asked for.
func (x *explainer) entry(e *codes.Entry) {
	for i, lang := range x.langs {
		if i > 0 {
			fmt.Fprintln(x.w)
		}
		x.entryIn(e, lang)
	}
}

func (x *explainer) entryIn(e *codes.Entry, lang string) {
	p := annotator.PageOf(x.cat, e, lang)
	fmt.Fprintln(x.w, x.style.Paint(terminal.Bold, terminal.Cut(strings.TrimSpace(p.Code+"  "+p.Symbol), x.style.Width)))
	fmt.Fprintln(x.w, x.style.Paint(terminal.Bold, terminal.Indent("", p.Title, x.style.Width)))
	facts := append([]string{p.Name, x.style.Level(p.LevelSay)}, p.Facts...)
	fmt.Fprintln(x.w, terminal.Indent("", strings.Join(facts, " · "), x.style.Width+extra(x.style)))
	if p.Status != "" {
		fmt.Fprintln(x.w, p.Status)
	}
	for _, part := range p.Parts {
		x.part(part.Label, part.Text)
		x.list(lang, &part)
	}
}

// extra is the room that colour codes take but no eye sees.
func extra(s terminal.Style) int {
	if s.Color {
		return len("\x1b[31m\x1b[0m")
	}
	return 0
}

func (x *explainer) head(label string) {
	fmt.Fprintln(x.w, "\n"+x.style.Paint(terminal.Cyan, label))
}

func (x *explainer) part(label, text string) {
	if text != "" {
		x.head(label)
		fmt.Fprintln(x.w, terminal.Indent("  ", text, x.style.Width))
	}
}

func (x *explainer) list(lang string, p *annotator.Part) {
	if len(p.Items) == 0 {
		return
	}
	x.head(p.Label)
	for i, item := range p.Items {
		fmt.Fprintln(x.w, terminal.Indent(fmt.Sprintf("  %d. ", i+1), item.Text, x.style.Width))
		if item.Tell != "" {
			fmt.Fprintln(x.w, x.style.Paint(terminal.Dim, terminal.Indent("     ", annotator.Label(lang, "tell")+annotator.Colon(lang)+item.Tell, x.style.Width)))
		}
	}
}
