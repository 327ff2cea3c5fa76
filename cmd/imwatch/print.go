package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/pipeline"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/terminal"
)

// A printer writes findings in one of scan's formats.
type printer struct {
	print func(*finding.Finding) error
	end   func(*pipeline.Report) error
}

func (f *scanFlags) printer(a *annotator.Annotator, c *report.Collector, w *bufio.Writer, style terminal.Style) printer {
	switch f.output {
	case "text":
		return f.textPrinter(a, w, style)
	case "summary":
		t := &table{ann: a, style: style, lang: f.lang, rows: map[string]*tableRow{}}
		return printer{t.add, func(r *pipeline.Report) error { return t.write(w, r) }}
	}
	if f.output == "html" {
		return htmlPrinter(c, w)
	}
	return printer{func(x *finding.Finding) error {
		if w.Available() < annotator.MaxEvent { // so that the event is written where it stays
			if err := w.Flush(); err != nil {
				return err
			}
		}
		_, err := w.Write(a.Append(w.AvailableBuffer(), x))
		return err
	}, func(*pipeline.Report) error { return nil }}
}

// htmlPrinter writes one page that holds everything.
func htmlPrinter(c *report.Collector, w io.Writer) printer {
	return printer{func(x *finding.Finding) error {
		c.Add(x)
		return nil
	}, func(r *pipeline.Report) error {
		rest := report.Rest{Version: version(), Generated: time.Now().UTC(), Read: report.Read{Files: r.Files, Lines: r.Lines, Bytes: r.Bytes}}
		for _, p := range r.Problems {
			rest.Problems = append(rest.Problems, redact.Clean(p.Error(), 1024))
		}
		for i := range r.Undecided {
			u := &r.Undecided[i]
			rest.Undecided = append(rest.Undecided, report.Undecided{Count: u.Count, Example: redact.Clean(pipeline.Where(&u.Example), 1024), Code: u.Example.Code, Families: u.Families})
		}
		return c.WriteHTML(w, rest)
	}}
}

func (f *scanFlags) textPrinter(a *annotator.Annotator, w *bufio.Writer, style terminal.Style) printer {
	var worst finding.Finding
	level := -1
	return printer{func(x *finding.Finding) error {
		if rank := codes.LevelRank(a.Level(x)); rank > level && a.Entry(x) != nil {
			worst, level = finding.Finding{Family: x.Family, Code: x.Code}, rank
		}
		_, err := w.WriteString(a.Text(x, style) + "\n")
		return err
	}, func(r *pipeline.Report) error {
		last := tally(r)
		if level >= 0 {
			last += "\n" + f.more(&worst)
		}
		_, err := fmt.Fprintln(w, style.Paint(terminal.Dim, last))
		return err
	}}
}

// more is the command that explains a finding's code whole.
func (f *scanFlags) more(x *finding.Finding) string {
	command := "imwatch explain " + x.Family + "/" + x.Code
	if f.config != "" {
		command += " -c " + f.config
	}
	if f.lang == "zh" {
		return "原因、判断方法和全部步骤：" + command
	}
	return "causes, how to tell them apart, all steps: " + command
}

// tally is the last line: how much was read and found.
func tally(r *pipeline.Report) string {
	s := fmt.Sprintf("%s, %s, %s", count(r.Files, "file", "files"), count(int(r.Lines), "line", "lines"), count(r.Findings, "finding", "findings"))
	if r.Statuses > 0 {
		s += fmt.Sprintf(", %s left out", count(r.Statuses, "status", "statuses"))
	}
	return s
}

// table is scan -o summary: a row a code.
type table struct {
	ann   *annotator.Annotator
	style terminal.Style
	lang  string
	rows  map[string]*tableRow
}

type tableRow struct {
	key, level, title string
	count             int
	first, last       string
	subjects, files   counter
}

// A counter counts distinct texts, exactly up to a bound.
type counter map[string]bool

const maxDistinct = 1000

func (c counter) add(s string) {
	if s != "" && len(c) <= maxDistinct {
		c[s] = true
	}
}

func (c counter) String() string {
	switch {
	case len(c) == 0:
		return "-"
	case len(c) > maxDistinct:
		return fmt.Sprintf("%d+", maxDistinct)
	}
	return fmt.Sprint(len(c))
}

func (t *table) add(f *finding.Finding) error {
	key := f.Family + "/" + f.Code
	r := t.rows[key]
	if r == nil {
		_, title, _ := strings.Cut(t.ann.Message(f), ": ")
		r = &tableRow{key: key, level: t.ann.Level(f), title: title, subjects: counter{}, files: counter{}}
		t.rows[key] = r
	}
	r.count += f.Count
	r.subjects.add(f.Fields.Get("user_id"))
	r.files.add(f.Path)
	if f.TimeBasis == "read" || f.TimeBasis == "clamped" {
		return nil
	}
	when := f.Time.Local().Format("2006-01-02 15:04:05")
	if r.first == "" || when < r.first {
		r.first = when
	}
	r.last = max(r.last, when)
	return nil
}

// write prints the rows, the worst and most frequent first.
func (t *table) write(w io.Writer, r *pipeline.Report) error {
	var rows []*tableRow
	for _, row := range t.rows {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *tableRow) int {
		if d := codes.LevelRank(b.level) - codes.LevelRank(a.level); d != 0 {
			return d
		}
		if b.count != a.count {
			return b.count - a.count
		}
		return strings.Compare(a.key, b.key)
	})
	cells := [][]string{{"CODE", "LEVEL", "COUNT", "FIRST", "LAST", "USERS", "FILES"}}
	if t.lang == "zh" {
		cells[0] = []string{"错误码", "级别", "次数", "首次", "末次", "用户", "文件"}
	}
	for _, row := range rows {
		cells = append(cells, []string{row.key, row.level, fmt.Sprint(row.count), dash(row.first), dash(row.last), row.subjects.String(), row.files.String()})
	}
	widths := columns(cells)
	for i, line := range cells {
		if _, err := fmt.Fprintln(w, t.line(line, widths, i == 0)); err != nil {
			return err
		}
		if i > 0 {
			if _, err := fmt.Fprintln(w, "  "+t.style.Paint(terminal.Dim, terminal.Cut(rows[i-1].title, t.style.Width-2))); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", t.style.Paint(terminal.Dim, tally(r)))
	return err
}

func (t *table) line(cells []string, widths []int, head bool) string {
	var b strings.Builder
	for i, c := range cells {
		padded := terminal.Pad(c, widths[i])
		if i >= 5 || i == 2 {
			padded = strings.Repeat(" ", widths[i]-terminal.Width(c)) + c
		}
		switch {
		case head:
			padded = t.style.Paint(terminal.Dim, padded)
		case i == 0:
			padded = t.style.Paint(terminal.Bold, padded)
		case i == 1:
			padded = t.style.Level(c) + strings.Repeat(" ", widths[i]-len(c))
		}
		b.WriteString(padded + "  ")
	}
	return strings.TrimRight(b.String(), " ")
}

func columns(cells [][]string) []int {
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, c := range line {
			widths[i] = max(widths[i], terminal.Width(c))
		}
	}
	return widths
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
