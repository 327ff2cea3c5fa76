package annotator

import (
	"strconv"
	"strings"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/terminal"
)

// Text writes an event for people, in at most four lines: where, when (in local
// time), how bad and which code; what it means; what to do first; the line.
func (a *Annotator) Text(f *finding.Finding, s terminal.Style) string {
	t := a.text(f)
	langs := a.languages()
	lang := langs[0]
	when := f.Time.Local().Format("2006-01-02 15:04:05")
	if f.TimeBasis == "read" || f.TimeBasis == "clamped" {
		when = "no time"
		if lang == "zh" {
			when = "没有时间"
		}
	}
	code := f.Family + "/" + f.Code
	for in := f.Inner; in != nil; in = in.Cause {
		code += " ← " + in.Code
	}
	rest := 2 + terminal.Width(when) + 2 + len(t.level) + 2 + terminal.Width(code)
	where := redact.Terminal(f.Path)
	if f.Line > 0 {
		where += ":" + strconv.Itoa(f.Line)
	}
	where = terminal.CutLeft(where, max(20, s.Width-rest))
	lines := []string{s.Paint(terminal.Cyan, where) + "  " + s.Paint(terminal.Dim, when) + "  " + s.Level(t.level) + "  " + s.Paint(terminal.Bold, code)}
	title := unknownTitle(lang)
	if t.entry != nil {
		title = t.entry.In(lang).Title
		for _, other := range langs[1:] {
			title += " / " + t.entry.In(other).Title
		}
	}
	if f.Confidence != "high" {
		title += " (" + Certainty(f, lang) + ")"
	}
	lines = append(lines, "  "+s.Paint(terminal.Bold, terminal.Cut(title, s.Width-2)))
	if t.entry != nil && len(t.entry.In(lang).Hints) > 0 {
		lines = append(lines, "  "+s.Paint(terminal.Green, "→ ")+terminal.Cut(t.entry.In(lang).Hints[0], s.Width-4))
	}
	lines = append(lines, "  "+s.Paint(terminal.Dim, terminal.Cut(redact.Terminal(f.Original), s.Width-2)))
	return strings.Join(lines, "\n") + "\n"
}

// Certainty says in words how sure a finding is, for those that are not.
func Certainty(f *finding.Finding, lang string) string {
	if lang == "zh" {
		return map[string]string{"medium": "较有把握", "low": "没有把握"}[f.Confidence]
	}
	return map[string]string{"medium": "likely", "low": "uncertain"}[f.Confidence]
}
