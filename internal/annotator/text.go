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
	if said := timeless[lang][f.TimeBasis]; said != "" {
		when = said
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
	title, hint := unknownTitle(lang), ""
	if t.entry != nil {
		title = t.entry.In(lang).Title
		hint = first(t.entry.In(lang).Hints)
		for _, other := range langs[1:] {
			title += " / " + t.entry.In(other).Title
			if hint != "" {
				hint += " / " + first(t.entry.In(other).Hints)
			}
		}
	}
	if f.Confidence != "high" {
		title += " (" + Certainty(f, lang) + ")"
	}
	if !s.Whole {
		title = terminal.Cut(title, s.Width-2)
	}
	lines = append(lines, "  "+s.Paint(terminal.Bold, title))
	if hint != "" {
		if !s.Whole {
			hint = terminal.Cut(hint, s.Width-4)
		}
		lines = append(lines, "  "+s.Paint(terminal.Green, "→ ")+hint)
	}
	lines = append(lines, "  "+s.Paint(terminal.Dim, terminal.Cut(redact.Terminal(f.Original), s.Width-2)))
	return strings.Join(lines, "\n") + "\n"
}

// timeless says why no time is shown, by what the time is based on.
var timeless = map[string]map[string]string{
	"en": {"read": "no time", "clamped": "time in the future"},
	"zh": {"read": "没有时间", "clamped": "时间在未来"},
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// Certainty says in words how sure a finding is, for those that are not.
func Certainty(f *finding.Finding, lang string) string {
	if lang == "zh" {
		return map[string]string{"medium": "较有把握", "low": "没有把握"}[f.Confidence]
	}
	return map[string]string{"medium": "likely", "low": "uncertain"}[f.Confidence]
}
