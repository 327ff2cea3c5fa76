package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/spf13/cobra"
)

type codesFlags struct {
	family, search, output, lang string
	stats                        bool
}

func newCodes() *cobra.Command {
	f := codesFlags{lang: language()}
	cmd := &cobra.Command{
		Use:   "codes",
		Short: "List and search the catalogue",
		Example: `  imwatch codes --family jmessage-web
  imwatch codes --search 禁言
  imwatch codes --stats
  imwatch codes -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVar(&f.family, "family", "", "only this `FAMILY`: "+strings.Join(familyIDs(), ", "))
	cmd.Flags().StringVar(&f.search, "search", "", "only codes with this `WORD` in code, symbol or text, in either language")
	cmd.Flags().BoolVar(&f.stats, "stats", false, "count entries a family and a document")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "`FORMAT`: table, json or csv")
	cmd.Flags().StringVar(&f.lang, "lang", f.lang, "language of the table: en or zh")
	return cmd
}

func (f *codesFlags) run(w io.Writer) error {
	cat := codes.Embedded()
	if err := checkLanguage(f.lang); err != nil {
		return err
	}
	if f.family != "" && cat.Family(f.family) == nil {
		return exit{exitUsage, fmt.Errorf("--family: no family is called %q\nhint: %s", f.family, strings.Join(familyIDs(), ", "))}
	}
	if f.stats {
		return stats(w, cat)
	}
	list := slices.DeleteFunc(cat.All(), func(e *codes.Entry) bool {
		return f.family != "" && e.Family != f.family || f.search != "" && !mentions(e, f.search)
	})
	switch f.output {
	case "table":
		return f.table(w, list)
	case "json":
		return writeJSON(w, list)
	case "csv":
		return writeCSV(w, list)
	}
	return exit{exitUsage, fmt.Errorf("-o %q is no output format\nhint: table, json or csv", f.output)}
}

func mentions(e *codes.Entry, s string) bool {
	s = strings.ToLower(s)
	if strings.ToLower(e.Code) == s || strings.Contains(strings.ToLower(e.Symbol), s) {
		return true
	}
	for _, t := range []*codes.Text{&e.EN, &e.ZH} {
		all := append([]string{t.Title, t.Meaning, t.UserSees, t.Check}, t.Hints...)
		for _, c := range t.Causes {
			all = append(all, c.Cause)
		}
		if slices.ContainsFunc(all, func(x string) bool { return strings.Contains(strings.ToLower(x), s) }) {
			return true
		}
	}
	return false
}

func (f *codesFlags) table(w io.Writer, list []*codes.Entry) error {
	if len(list) == 0 {
		return exit{exitFindings, fmt.Errorf("no code matches\nhint: imwatch codes without flags lists all of them")}
	}
	style := terminal.Of(w)
	width := 0
	for _, e := range list {
		width = max(width, len(e.Key()))
	}
	for _, e := range list {
		level := terminal.Pad(e.Level, 8)
		line := terminal.Pad(e.Key(), width) + "  " + strings.Replace(level, e.Level, style.Level(e.Level), 1) + "  "
		if _, err := fmt.Fprintln(w, line+terminal.Cut(e.In(f.lang).Title, style.Width-width-12)); err != nil {
			return err
		}
	}
	return nil
}

// row is an entry as other programs read it.
type row struct {
	Family   string   `json:"family"`
	Group    string   `json:"group,omitempty"`
	Code     string   `json:"code"`
	Symbol   string   `json:"symbol"`
	Title    string   `json:"title"`
	TitleZH  string   `json:"title_zh"`
	Hints    []string `json:"hints"`
	HintsZH  []string `json:"hints_zh"`
	Level    string   `json:"level"`
	Category string   `json:"category"`
	Status   bool     `json:"status"`
	Retry    string   `json:"retryable"`
	Scope    string   `json:"scope"`
	Owner    string   `json:"owner"`
	SameAs   string   `json:"same_as,omitempty"`
}

func rows(list []*codes.Entry) []row {
	out := []row{}
	for _, e := range list {
		out = append(out, row{e.Family, codes.Embedded().Family(e.Family).Group, e.Code, e.Symbol, e.EN.Title, e.ZH.Title,
			notNil(e.EN.Hints), notNil(e.ZH.Hints), e.Level, e.Category, e.Status, e.Retryable, e.Scope, e.Owner, e.SameAs})
	}
	return out
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func writeJSON(w io.Writer, list []*codes.Entry) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(rows(list))
}

func writeCSV(w io.Writer, list []*codes.Entry) error {
	out := csv.NewWriter(w)
	records := [][]string{{"family", "code", "symbol", "title", "title_zh", "hints", "hints_zh", "level", "category"}}
	for _, r := range rows(list) {
		records = append(records, []string{r.Family, r.Code, r.Symbol, r.Title, r.TitleZH, strings.Join(r.Hints, "\n"), strings.Join(r.HintsZH, "\n"), r.Level, r.Category})
	}
	return out.WriteAll(records)
}

// stats counts entries by family, for each document how many of its codes are
// in the catalogue, and what the vendors' published Web tables lack.
func stats(w io.Writer, cat *codes.Catalogue) error {
	cells := [][]string{{"FAMILY", "ENTRIES", "ERRORS", "STATUSES", "RETIRED"}}
	for _, f := range cat.Families() {
		var n, status, retired int
		for _, e := range cat.All() {
			if e.Family != f.ID {
				continue
			}
			n++
			if e.Status {
				status++
			}
			if e.Retired != (codes.Words{}) {
				retired++
			}
		}
		cells = append(cells, []string{f.ID, fmt.Sprint(n), fmt.Sprint(n - status), fmt.Sprint(status), fmt.Sprint(retired)})
	}
	rows, covered := map[string]int{}, map[string]int{}
	for _, r := range codes.DocumentRows() {
		rows[r.Document]++
		if cat.Covers(r) == "" {
			covered[r.Document]++
		}
	}
	docs := [][]string{{"DOCUMENT", "ROWS", "COVERED"}}
	web, webCovered := 0, 0
	for _, d := range codes.Documents {
		docs = append(docs, []string{d, fmt.Sprint(rows[d]), fmt.Sprint(covered[d])})
		if slices.Contains(codes.WebDocuments, d) {
			web, webCovered = web+rows[d], webCovered+covered[d]
		}
	}
	if err := writeTables(w, cells, docs); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of the %d rows of the vendors' %d Web documents, and %d codes that only their SDKs and applications have.\n",
		webCovered, web, len(codes.WebDocuments), unpublished(cat))
	return err
}

// unpublished counts the entries of Web SDKs that none of the vendors' tables
// lists. What two families share is one.
func unpublished(cat *codes.Catalogue) (n int) {
	for _, e := range cat.All() {
		listed := slices.ContainsFunc(e.Documents, func(d string) bool { return slices.Contains(codes.WebDocuments, d) })
		if cat.Family(e.Family).Platform == "web" && !listed && len(e.Documents) > 0 && (e.SameAs == "" || strings.HasPrefix(e.SameAs, e.Family+"/")) {
			n++
		}
	}
	return n
}

func writeTables(w io.Writer, tables ...[][]string) error {
	for i, t := range tables {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		widths := columns(t)
		for _, line := range t {
			var b strings.Builder
			for i, c := range line {
				b.WriteString(terminal.Pad(c, widths[i]) + "  ")
			}
			if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
				return err
			}
		}
	}
	return nil
}
