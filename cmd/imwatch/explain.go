package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/imwatch/imwatch/scanner"
	"github.com/spf13/cobra"
)

type explainFlags struct {
	config, family, lang string
}

func newExplain(stdin io.Reader) *cobra.Command {
	f := explainFlags{lang: language()}
	cmd := &cobra.Command{
		Use:   "explain [flags] CODE|SYMBOL... | LINE",
		Short: "Say what a code, a symbol or a pasted log line means and what to do",
		Long: `Explains codes and symbols, in every family that has them. Anything else is read as a log line: the
codes found in it are explained. With - the line is read from standard input.`,
		Example: `  imwatch explain 206
  imwatch explain WEBIM_CONNCTION_OPEN_ERROR
  imwatch explain -- -1
  imwatch explain 880103 --lang zh
  imwatch explain "{ type: 16, message: 'websocket has been disconnected' }"
  pbpaste | imwatch explain -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, stdin, args) },
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration `FILE`: its rules and codes")
	cmd.Flags().StringVar(&f.family, "family", "", "only this `FAMILY`: "+strings.Join(familyIDs(), ", "))
	cmd.Flags().StringVar(&f.lang, "lang", f.lang, "language: en, zh or both")
	return cmd
}

// explainer prints entries.
type explainer struct {
	w     io.Writer
	cat   *codes.Catalogue
	style terminal.Style
	langs []string
	mutes []config.Mute // those that silence something now
}

const maxPasted = 1 << 20 // bytes of a line on standard input

func (f *explainFlags) run(cmd *cobra.Command, stdin io.Reader, args []string) error {
	if err := checkLanguage(f.lang); err != nil {
		return err
	}
	x := &explainer{w: cmd.OutOrStdout(), cat: codes.Embedded(), style: terminal.Of(cmd.OutOrStdout()), langs: []string{f.lang}}
	x.style.Width = min(x.style.Width, 80) // longer lines are hard to read
	if f.lang == "both" {
		x.langs = []string{"en", "zh"}
	}
	var set *ruleSet
	if f.config != "" {
		var err error
		if set, err = loadSet(f.config); err != nil {
			return err
		}
		x.cat = set.codes
		x.mutes = slices.DeleteFunc(slices.Clone(set.config.Mute), func(m config.Mute) bool { return !m.Active(m.Code, m.Source, time.Now()) })
	}
	if f.family != "" && x.cat.Family(f.family) == nil {
		return exit{exitUsage, fmt.Errorf("--family: no family is called %q\nhint: %s", f.family, strings.Join(familyIDs(), ", "))}
	}
	if len(args) == 1 && args[0] == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, maxPasted))
		if err != nil {
			return exit{exitPartial, fmt.Errorf("read standard input: %w", err)}
		}
		args = []string{strings.TrimRight(string(data), "\n")}
	}
	if all := x.find(args, f.family); all != nil {
		return x.entries(args, all)
	}
	if set == nil {
		var err error
		if set, err = loadSet(""); err != nil {
			return err
		}
	}
	return x.line(set, strings.Join(args, " "), f.family)
}

// A query is what may be meant by one argument.
var codeLike = regexp.MustCompile(`^(?:[\w-]+/)?-?\d{1,7}$`)

// find looks every argument up as a code or a symbol. It returns nil when one
// of them is neither, nor looks like one: then they are a line.
func (x *explainer) find(args []string, family string) [][]*codes.Entry {
	var all [][]*codes.Entry
	for _, a := range args {
		list := x.lookup(strings.TrimSpace(a), family)
		if list == nil && !codeLike.MatchString(a) && !symbolLike.MatchString(a) {
			return nil
		}
		all = append(all, list)
	}
	return all
}

var symbolLike = regexp.MustCompile(`^[A-Z][A-Z0-9_]{3,}$`)

func (x *explainer) lookup(query, family string) (list []*codes.Entry) {
	query = strings.TrimPrefix(query, "statusCode.")
	fam, code, named := strings.Cut(query, "/")
	for _, f := range x.cat.Families() {
		switch {
		case family != "" && f.ID != family:
		case named && f.ID == fam:
			list = append(list, x.cat.Lookup(f.ID, code)...)
		case !named:
			list = append(list, x.cat.Lookup(f.ID, query)...)
		}
	}
	for _, symbol := range []string{query, strings.ToUpper(query)} {
		if list != nil {
			break
		}
		for _, e := range x.cat.Symbol(symbol) {
			if family == "" || e.Family == family {
				list = append(list, e)
			}
		}
	}
	return list
}

// entries prints what was found for each argument.
func (x *explainer) entries(args []string, all [][]*codes.Entry) error {
	var missing error
	first := true
	for i, list := range all {
		if len(list) == 0 {
			missing = errors.Join(missing, x.unknown(args[i]))
			continue
		}
		if !first {
			fmt.Fprintln(x.w)
		}
		first = false
		x.several(args[i], list)
	}
	if missing != nil {
		return exit{exitFindings, missing}
	}
	return nil
}

// unknown says that there is no such code, and what may have been meant.
func (x *explainer) unknown(query string) error {
	if family, _, named := strings.Cut(query, "/"); named && x.cat.Family(family) == nil {
		return fmt.Errorf("no family is called %q\nhint: %s", family, strings.Join(familyIDs(), ", "))
	}
	if near := x.near(query); len(near) > 0 {
		return fmt.Errorf("no code or symbol %q in the catalogue\nhint: did you mean %s?", query, strings.Join(near, ", "))
	}
	return fmt.Errorf("no code or symbol %q in the catalogue\nhint: imwatch codes --search WORD searches titles and texts", query)
}

// near returns symbols and codes that differ little from a query.
func (x *explainer) near(query string) []string {
	type guess struct {
		text string
		far  int
	}
	best := map[string]int{}
	upper := strings.ToUpper(query)
	limit := max(1, len(query)/5)
	consider := func(candidate string) {
		if d := levenshtein.ComputeDistance(upper, strings.ToUpper(candidate)); d <= limit {
			best[candidate] = d
		}
	}
	for _, f := range x.cat.Families() {
		if codeLike.MatchString(query) || query != "" && query[0] >= '0' && query[0] <= '9' {
			for _, c := range x.cat.Codes(f.ID) {
				consider(c)
			}
			continue
		}
		for _, s := range x.cat.Symbols(f.ID) {
			consider(s)
		}
	}
	var list []guess
	for t, d := range best {
		list = append(list, guess{t, d})
	}
	slices.SortFunc(list, func(a, b guess) int {
		if a.far != b.far {
			return a.far - b.far
		}
		return strings.Compare(a.text, b.text)
	})
	var out []string
	for _, g := range list[:min(4, len(list))] {
		out = append(out, g.text)
	}
	return out
}

// line explains the codes found in a pasted line.
func (x *explainer) line(set *ruleSet, line, family string) error {
	res := resolver.New(set.codes, set.redactor)
	src := resolver.Source{Statuses: true}
	if family != "" {
		src.Families = []string{family}
	}
	var found []finding.Finding
	var undecided []scanner.Match
	proven := resolver.Proven{}
	set.scanner.Scan([]byte(line+"\n"), true, func(b *scanner.Block) {
		for i := range b.Matches {
			if src.Undecided(&b.Matches[i], proven) {
				undecided = append(undecided, b.Matches[i])
			}
		}
		found = append(found, res.Resolve(nil, &src, b, proven, resolver.Place{Path: "-", Read: time.Now(), Origin: "explain"})...)
	})
	for i := range found {
		if i > 0 {
			fmt.Fprintln(x.w)
		}
		x.finding(&found[i])
	}
	if len(found) > 0 {
		return nil
	}
	if len(undecided) > 0 {
		m := undecided[0]
		return exit{exitFindings, fmt.Errorf("%q could be code %s of %s, but nothing on the line proves it\nhint: imwatch explain %s shows what it would mean; with --family %s the line is read as that SDK's",
			redact.Terminal(m.Evidence), m.Code, strings.Join(m.Families, " or "), m.Code, m.Families[0])}
	}
	if err := said(set, line, family); err != nil {
		return exit{exitFindings, err}
	}
	return exit{exitFindings, x.nothing(line)}
}

// said tells whose sentence a line is that holds nothing else, nil where it is
// nobody's.
func said(set *ruleSet, line, family string) error {
	const around = " \t\r\n.,:;!\"'"
	line = strings.Trim(line, around)
	var could []string
	for _, f := range set.files {
		for _, s := range f.Sentences {
			if !strings.EqualFold(strings.Trim(s.Text, around), line) {
				continue
			}
			for _, id := range f.Families {
				for _, c := range s.Codes {
					if (family == "" || id == family) && set.codes.Has(id, c) {
						could = append(could, id+"/"+c)
					}
				}
			}
		}
	}
	if len(could) == 0 {
		return nil
	}
	return fmt.Errorf("%q could be %s, but nothing on the line proves it\nhint: imwatch explain %s; with the whole line, its number and what the SDK prints around it, it may be proven", redact.Terminal(line), strings.Join(could, " or "), could[0])
}

// A number that may be a code: not a part of a date, a time, a version or an address.
var aNumber = regexp.MustCompile(`(?:^|[\s=]|[^\d\s]:)(-?\d{1,7})(?:[\s,;)}\]]|[.:]?(?:\s|$))`)

// nothing says that a line holds no code, and what may have been meant by a
// short one.
func (x *explainer) nothing(line string) error {
	const short = 64
	if line = strings.TrimSpace(line); len(line) <= short {
		if line != "" && !strings.ContainsAny(line, " \t\n") && len(x.near(line)) > 0 {
			return x.unknown(line)
		}
		for _, m := range aNumber.FindAllStringSubmatch(line, -1) {
			if x.lookup(m[1], "") != nil {
				return fmt.Errorf("no code of a known SDK in this line: nothing in it says whose %s it is\nhint: imwatch explain %s says what the number means in each SDK", m[1], m[1])
			}
		}
	}
	return errors.New("no code of a known SDK in this line\nhint: a number counts only with proof: its SDK's text or symbol, a vendor's name, or --family FAMILY")
}

// cause names what is inside an error, and the command that explains it whole.
func (x *explainer) cause(e *codes.Entry) string {
	lang, name := x.langs[0], strings.TrimSpace(e.Code+" "+e.Symbol)
	whole := "imwatch explain " + e.Key()
	if lang == "zh" {
		return fmt.Sprintf("起因 %s：%s（%s）", name, e.In(lang).Title, whole)
	}
	return fmt.Sprintf("caused by %s: %s (%s)", name, e.In(lang).Title, whole)
}

// finding prints what was found in a line and then its entry.
func (x *explainer) finding(f *finding.Finding) {
	said := fmt.Sprintf("%s/%s, confidence %s, because of: %s", f.Family, f.Code, f.Confidence, strings.Join(f.Basis, ", "))
	if x.langs[0] == "zh" {
		said = fmt.Sprintf("%s/%s，把握 %s，依据：%s", f.Family, f.Code, map[string]string{"high": "高", "medium": "中", "low": "低"}[f.Confidence], strings.Join(f.Basis, "、"))
	}
	x.lines(terminal.Dim, terminal.Indent("", said, x.style.Width))
	for in := f.Inner; in != nil; in = in.Cause {
		if e := x.cat.Find(in.Family, in.Code, codes.Printed{HTTP: annotator.Printed(f).HTTP, Text: in.Text}); e != nil {
			x.lines(terminal.Dim, terminal.Indent("", x.cause(e), x.style.Width))
		}
	}
	if e := annotator.Entry(x.cat, f); e != nil {
		x.entry(e, nil)
		return
	}
	fmt.Fprintln(x.w, terminal.Indent("", "The catalogue does not have this code. It may be newer than this version of imwatch; codes/README.md says how to add it.", x.style.Width))
}
