package regex

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/workload"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/plan"
)

// expressions are the built-in rules', and some for what those don't have.
func expressions(t testing.TB) (list []string) {
	t.Helper()
	set, problems := rules.Embedded()
	for _, p := range problems {
		t.Fatal(p)
	}
	for _, f := range set.Files {
		for _, w := range f.Words {
			list = append(list, w.Regex)
		}
		for _, s := range f.Shapes {
			list = append(list, s.Regex)
		}
		for _, x := range f.Fields {
			list = append(list, x.Regex)
		}
		for _, r := range f.Rules {
			list = append(list, r.Regex)
		}
	}
	return append(list, `(?i)(?:^|[^\w])token["']?\s*[:=]\s*(\S+)`, `(a|ab)(c|bcd)(d*)`, `(?:a*)*b`, `x*`, `^$`, `\bword\B`, `(?m)^line$`, `(?s)a.b`, `[^\w]{2}user`, `环信[^a-z]{0,3}(\d+)`, `(?i)straße|K`, `(a+)(b?)\b`, `\Ax|y\z`)
}

// same holds one expression, alone and in the set, against package regexp.
func same(t *testing.T, set *Set, m *Marks, text string) {
	t.Helper()
	set.Mark(m, text)
	for i, r := range set.list {
		r.ready()
		want := r.std().FindStringSubmatchIndex(text)
		if got := r.FindStringSubmatchIndex(text); !slices.Equal(got, want) {
			t.Fatalf("%s in %q: %v, want %v", r, text, got, want)
		}
		if got := r.MatchString(text); got != (want != nil) {
			t.Fatalf("%s matches %q: %v", r, text, got)
		}
		if got := m.Find(i, 0); !slices.Equal(got, want) && !foldsBeyond(r, text) {
			t.Fatalf("%s in %q, marked: %v, want %v", r, text, got, want)
		}
		for _, part := range [][2]int{{0, len(text)}, {len(text) / 3, len(text)}, {len(text) / 4, len(text) / 2}} {
			in := text[part[0]:part[1]]
			if got := m.MatchIn(i, part[0], part[1]); got != r.std().MatchString(in) && !foldsBeyond(r, text) {
				t.Fatalf("%s in %q, a part of %q: %v", r, in, text, got)
			}
		}
		var all, wantAll [][]int
		m.Each(i, 5, func(caps []int) { all = append(all, slices.Clone(caps)) })
		if want != nil { // else there is none: package regexp need not look again
			for _, loc := range r.std().FindAllStringSubmatchIndex(text, 5) {
				if loc[0] < loc[1] {
					wantAll = append(wantAll, loc)
				}
			}
		}
		all = slices.DeleteFunc(all, func(c []int) bool { return c[0] == c[1] })
		if !slices.EqualFunc(all, wantAll, slices.Equal[[]int]) && !foldsBeyond(r, text) && !strings.Contains(r.expr, "*)*") && r.expr != "x*" {
			t.Fatalf("%s in %q: all %v, want %v", r, text, all, wantAll)
		}
	}
}

// foldsBeyond tells of the two letters beyond ASCII that fold to s and k: a set
// does not look for them.
func foldsBeyond(r *Regexp, text string) bool { return strings.ContainsAny(text, "\u017f\u212a") }

func compiled(t testing.TB) *Set {
	t.Helper()
	var list []*Regexp
	for _, e := range expressions(t) {
		r, err := Compile(e)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return NewSet(new(plan.Table), list)
}

// TestLikeRegexp holds every expression against package regexp, on what SDKs and
// servers print.
func TestLikeRegexp(t *testing.T) {
	set := compiled(t)
	var m Marks
	for _, text := range []string{"", "a", "abcd", "aaaa", "word", "a\nb", "line\nline", "文文user=1", "文user", "\x80\x80user: x", "环信：206", "STRASSE straße K k", "x", "y", strings.Repeat("a", 300)} {
		same(t, set, &m, text)
	}
	var log bytes.Buffer
	for _, o := range []workload.Options{{Hits: 500}, {Hits: 500, Form: "docker", Chinese: true}} {
		if _, _, err := workload.Write(&log, 12_000, o); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := filepath.Glob("../../testdata/sdk/*.log")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no testdata/sdk: %v", err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(data[:min(len(data), 6_000)])
	}
	for line := range strings.Lines(log.String()) {
		same(t, set, &m, line)
	}
}

func FuzzLikeRegexp(f *testing.F) {
	set, err := rules.Embedded()
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range set.Files {
		for _, r := range file.Rules {
			f.Add(r.Match)
			f.Add(r.NoMatch)
		}
	}
	s := compiled(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 4096 {
			same(t, s, new(Marks), text)
		}
	})
}

// FuzzExpression takes any expression.
func FuzzExpression(f *testing.F) {
	for _, e := range expressions(f) {
		f.Add(e, "a user=bob type: 206, 环信 {\"type\":16}")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		r, err := Compile(expr)
		if err != nil || len(text) > 500 || len(expr) > 300 {
			return
		}
		want := regexp.MustCompile(expr).FindStringSubmatchIndex(text)
		if got := r.FindStringSubmatchIndex(text); !slices.Equal(got, want) {
			t.Fatalf("%s in %q: %v, want %v", expr, text, got, want)
		}
	})
}

// TestSteps: the steps of a search grow with the text, not with its square, also where a
// run of one character goes on beyond ASCII; so package regexp need not be asked.
func TestSteps(t *testing.T) {
	for _, expr := range []string{`x[^"]*y`, `x\w*y`, `x[^"]{0,9}y`} {
		r, err := Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		steps := func(n int) int {
			var m machine
			m.begin(r, "x"+strings.Repeat("a", n)+"界")
			if out := m.search(0, n); out != no {
				t.Fatalf("%s: outcome %d", expr, out)
			}
			return m.steps
		}
		if few, many := steps(20_000), steps(40_000); few == 0 || many > 3*few {
			t.Errorf("%s: %d steps for 20,000 bytes, %d for 40,000", expr, few, many)
		}
	}
}

func BenchmarkMark(b *testing.B) {
	set := compiled(b)
	text := `2026-11-20 08:00:01,123 ERROR [exec-7] c.e.chat.Bridge - user=u77 onError {"type":206,"message":"the user is already logged on another device"}`
	var m Marks
	for b.Loop() {
		set.Mark(&m, text)
	}
}

// TestSetBeyondASCII: capitals of other alphabets stand in no text in lower case.
func TestSetBeyondASCII(t *testing.T) {
	r, err := Compile(`Ошибка (\d+)`)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSet(new(plan.Table), []*Regexp{r})
	var m Marks
	if s.Mark(&m, "X Ошибка 206"); m.Find(0, 0) == nil {
		t.Error("not found")
	}
}
