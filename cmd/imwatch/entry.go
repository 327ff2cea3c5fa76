package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/terminal"
)

// several prints the entries of one query. Entries that share one text are
// printed once; when several remain, it is said first what tells them apart.
func (x *explainer) several(query string, list []*codes.Entry) {
	var distinct []*codes.Entry
	also := map[*codes.Entry][]*codes.Family{}
	list = slices.Clone(list) // those whose words they are first
	slices.SortStableFunc(list, func(a, b *codes.Entry) int { return borrowed(a) - borrowed(b) })
	for _, e := range list {
		i := slices.IndexFunc(distinct, func(o *codes.Entry) bool { return shared(o, e) })
		if i < 0 {
			distinct = append(distinct, e)
			continue
		}
		also[distinct[i]] = append(also[distinct[i]], x.cat.Family(e.Family))
	}
	if len(distinct) > 1 {
		x.apart(query, distinct)
	}
	for i, e := range distinct {
		if i > 0 || len(distinct) > 1 {
			x.rule()
		}
		x.entry(e, also[e])
	}
}

// borrowed is 1 for an entry in another family's words, 0 for one in its own.
func borrowed(e *codes.Entry) int {
	if e.SameAs == "" || strings.HasPrefix(e.SameAs, e.Family+"/") {
		return 0
	}
	return 1
}

// shared tells whether b is a under the name of another family.
func shared(a, b *codes.Entry) bool {
	key, _, _ := strings.Cut(b.SameAs, "@")
	return key == a.Key() && b.Family != a.Family && b.Symbol == a.Symbol && b.HTTP == a.HTTP && slices.Equal(b.Texts, a.Texts)
}

// apart says what marks each family that has the code, and what the code means
// there.
func (x *explainer) apart(query string, list []*codes.Entry) {
	lang := x.langs[0]
	head := fmt.Sprintf("%s has %d meanings. What tells them apart:", query, len(list))
	if lang == "zh" {
		head = fmt.Sprintf("%s 有 %d 种含义，这样区分：", query, len(list))
	}
	x.lines(terminal.Bold, terminal.Indent("", head, x.style.Width))
	family := ""
	for _, e := range list {
		f := x.cat.Family(e.Family)
		if e.Family != family {
			family = e.Family
			x.head(f.Name.In(lang))
			x.lines(terminal.Dim, terminal.Indent("  ", f.About.In(lang), x.style.Width))
		}
		fmt.Fprintln(x.w, terminal.Indent("  - ", x.meaning(e, list, lang), x.style.Width))
	}
}

// meaning is an entry's title, behind what of the line tells it from the others
// of its family.
func (x *explainer) meaning(e *codes.Entry, list []*codes.Entry, lang string) string {
	only := !slices.ContainsFunc(list, func(o *codes.Entry) bool { return o != e && o.Family == e.Family })
	var mark []string
	if !only && e.Symbol != "" {
		mark = append(mark, e.Symbol)
	}
	if !only && e.HTTP != 0 {
		mark = append(mark, fmt.Sprintf("HTTP %d", e.HTTP))
	}
	for i, t := range e.Texts {
		if !only && i < 2 {
			mark = append(mark, strconv.Quote(t))
		}
	}
	if len(mark) == 0 {
		return e.In(lang).Title
	}
	return strings.Join(mark, ", ") + annotator.Colon(lang) + e.In(lang).Title
}

// entry prints one entry in every language asked for, and names the other
// families that have it.
func (x *explainer) entry(e *codes.Entry, also []*codes.Family) {
	for i, lang := range x.langs {
		if i > 0 {
			x.rule()
		}
		x.entryIn(e, also, lang)
	}
}

func (x *explainer) entryIn(e *codes.Entry, also []*codes.Family, lang string) {
	p := annotator.PageOf(x.cat, e, lang)
	head := strings.TrimSpace(p.Code + "  " + p.Symbol)
	if e.HTTP != 0 {
		head += fmt.Sprintf("  HTTP %d", e.HTTP)
	}
	x.lines(terminal.Bold, terminal.Cut(head, x.style.Width))
	x.lines(terminal.Bold, terminal.Indent("", p.Title, x.style.Width))
	x.flow(p.Name, x.style.Level(p.LevelSay), p.Facts[0])
	x.flow(p.Facts[1:]...)
	if p.Status != "" {
		fmt.Fprintln(x.w, p.Status)
	}
	x.muted(e, lang)
	for _, f := range also {
		x.lines(terminal.Dim, terminal.Indent("", fmt.Sprintf("%s%s%s (--family %s)", annotator.Label(lang, "also"), annotator.Colon(lang), f.Name.In(lang), f.ID), x.style.Width))
	}
	for _, part := range p.Parts {
		x.part(lang, &part)
	}
}

// muted says that the configuration silences the code, and why: who asks about
// it may miss its events.
func (x *explainer) muted(e *codes.Entry, lang string) {
	for _, m := range x.mutes {
		if m.Code != e.Key() {
			continue
		}
		said := fmt.Sprintf("Muted until %s: %s", m.Until, m.Reason)
		if m.Source != "" {
			said = fmt.Sprintf("Muted for source %s until %s: %s", m.Source, m.Until, m.Reason)
		}
		if lang == "zh" {
			said = fmt.Sprintf("已静音，到 %s 为止：%s", m.Until, m.Reason)
			if m.Source != "" {
				said = fmt.Sprintf("来源 %s 已静音，到 %s 为止：%s", m.Source, m.Until, m.Reason)
			}
		}
		x.lines(terminal.Yellow, terminal.Indent("", said, x.style.Width))
	}
}

// rule is a line between two entries.
func (x *explainer) rule() {
	fmt.Fprintln(x.w, "\n"+x.style.Paint(terminal.Dim, strings.Repeat("─", x.style.Width))+"\n")
}

// flow prints facts side by side.
func (x *explainer) flow(facts ...string) {
	for _, l := range terminal.Flow(facts, " · ", x.style.Width) {
		if l != "" {
			fmt.Fprintln(x.w, l)
		}
	}
}

// lines prints text that is wrapped, in one colour.
func (x *explainer) lines(color, text string) {
	for l := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(x.w, x.style.Paint(color, l))
	}
}

func (x *explainer) head(label string) {
	fmt.Fprintln(x.w, "\n"+x.style.Paint(terminal.Cyan, label))
}

func (x *explainer) part(lang string, p *annotator.Part) {
	x.head(p.Label)
	switch {
	case p.Kind == "links":
		for _, link := range strings.Fields(p.Text) {
			fmt.Fprintln(x.w, "  "+link)
		}
	case p.Text != "":
		fmt.Fprintln(x.w, terminal.Indent("  ", p.Text, x.style.Width))
	}
	for i, item := range p.Items {
		bullet := fmt.Sprintf("  %d. ", i+1)
		if p.Kind == "after" {
			bullet = "  - "
		}
		fmt.Fprintln(x.w, terminal.Indent(bullet, item.Text, x.style.Width))
		if item.Tell != "" {
			label := annotator.Label(lang, "tell") + annotator.Colon(lang)
			tell := terminal.Indent("     ", label+item.Tell, x.style.Width)
			fmt.Fprintln(x.w, strings.Replace(tell, label, x.style.Paint(terminal.Dim, label), 1))
		}
	}
}
