package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
)

func found(i int, at time.Time, text string) *finding.Finding {
	return &finding.Finding{ID: fmt.Sprintf("%032d", i), Action: finding.Error, Family: "easemob-web", Code: "206", Confidence: "high", Time: at, TimeBasis: "line", Created: at, Count: 1,
		Path: "/nowhere/a.log", Line: i + 1, Original: text, Fields: finding.Fields{{Name: "user_id", Value: fmt.Sprint("user", i%3)}}}
}

func newCollector(t *testing.T) *Collector {
	t.Helper()
	red, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewCollector(codes.Embedded(), red, annotator.Host{})
}

// reportIn is the data of a page.
func reportIn(t *testing.T, html string) (r struct {
	Overview *Overview
	Events   []struct {
		Event  struct{ Event struct{ Original string } }
		Around *Around
	}
	Omitted int
	Pages   map[string][]Pages
	Read    Read
}) {
	t.Helper()
	_, data, begins := strings.Cut(html, `<script type="application/json" id="report">`)
	data, _, ends := strings.Cut(data, "</script>")
	if !begins || !ends {
		t.Fatal("the page has no data")
	}
	if err := json.Unmarshal([]byte(data), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHTML: what is counted is the true number, though not every event is in
// the page, and no line can be markup.
func TestHTML(t *testing.T) {
	c := newCollector(t)
	base := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	const n = mostEvents + 7
	for i := range n {
		c.Add(found(i, base.Add(time.Duration(i)*time.Second), `</script><script>alert(1)</script><!--<script>`))
	}
	timeless := found(n, time.Now(), "no time")
	timeless.TimeBasis = "read"
	c.Add(timeless)
	var b bytes.Buffer
	if err := c.WriteHTML(&b, Rest{Version: "v1", Generated: base, Read: Read{Files: 1, Lines: n}}); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	if strings.Contains(html, "<script>alert") || strings.Contains(html, "<!--") || strings.Count(html, "</script>") != 2 {
		t.Error("a line is markup")
	}
	r := reportIn(t, html)
	o := r.Overview
	sum := 0
	for _, k := range o.Codes[0].Counts {
		sum += k
	}
	if o.Total != n+1 || sum != n || o.Users != 3 || len(r.Events) != mostEvents || r.Omitted != 8 || len(r.Pages["easemob-web/206"]) == 0 || o.Buckets > 101 {
		t.Errorf("total %d, in bars %d, users %d, events %d, omitted %d, buckets %d", o.Total, sum, o.Users, len(r.Events), r.Omitted, o.Buckets)
	}
	if o.From.After(base) || o.To.After(base.Add(3*time.Hour)) {
		t.Errorf("a line without a time stretches the chart: %v to %v", o.From, o.To)
	}
	if !strings.HasPrefix(r.Events[0].Event.Event.Original, "</script>") {
		t.Errorf("the text is not whole: %q", r.Events[0].Event.Event.Original)
	}
}

// TestSpan: bars cover the first and the last, and stay few.
func TestSpan(t *testing.T) {
	base := time.Date(2026, 11, 20, 8, 0, 30, 0, time.UTC)
	for _, d := range []time.Duration{0, time.Second, time.Hour, 100 * time.Minute, 26 * time.Hour, 40 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		o := Span(base, base.Add(d), base)
		if o.From.After(base) || !o.To.After(base.Add(d)) || o.Buckets > 101 {
			t.Errorf("%v: %v to %v in %d", d, o.From, o.To, o.Buckets)
		}
	}
}

// TestLinesAround finds a line by its offset and knows when it is another one.
func TestLinesAround(t *testing.T) {
	red, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.log")
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f := found(20, time.Now(), "line 20")
	f.Path, f.Offset = path, int64(strings.Index(text.String(), "line 20"))
	a, err := LinesAround(f, 2, red)
	if err != nil || strings.Join(a.Lines, ",") != "line 18,line 19,line 20,line 21,line 22" || a.Hit != 2 || a.First != 19 {
		t.Errorf("%+v, %v", a, err)
	}
	f.Offset++
	if a, err := LinesAround(f, 2, red); err == nil {
		t.Errorf("in the middle of a line: %+v", a)
	}
	f.Offset = 1 << 40
	if a, err := LinesAround(f, 2, red); err == nil {
		t.Errorf("behind the end: %+v", a)
	}
}

// TestContrast: every text can be read on what it stands on, in both themes.
func TestContrast(t *testing.T) {
	css, err := fs.ReadFile(Static(), "style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark theme")
	}
	dark, _, _ = strings.Cut(dark, "* {")
	luminance := func(hex string) float64 {
		var rgb [3]uint8
		if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
			t.Fatalf("%s: %v", hex, err)
		}
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			v := float64(rgb[i]) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += weight * v
		}
		return sum
	}
	for theme, text := range map[string]string{"light": light, "dark": dark} {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(text, -1) {
			colour[m[1]] = m[2]
		}
		for _, pair := range [][2]string{{"text", "page"}, {"text", "card"}, {"text", "sunk"}, {"dim", "page"}, {"dim", "card"}, {"dim", "sunk"}, {"accent", "page"}, {"accent", "card"}, {"accent", "accent-soft"},
			{"info", "info-soft"}, {"warn", "warn-soft"}, {"error", "error-soft"}, {"on-critical", "critical-soft"}, {"error", "card"}, {"good", "card"}, {"text", "warn-soft"}, {"text", "error-soft"}, {"text", "info-soft"}, {"text", "accent-soft"}, {"accent", "warn-soft"}, {"accent", "error-soft"}} {
			a, b := luminance(colour[pair[0]]), luminance(colour[pair[1]])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f, less than 4.5", theme, pair[0], pair[1], ratio)
			}
		}
	}
}

// TestStatic: the page uses only files that are there, says no HTML of its own
// in a script, and both languages say the same things.
func TestStatic(t *testing.T) {
	index, err := fs.ReadFile(Static(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`/static/([\w.]+)`).FindAllStringSubmatch(string(index), -1)
	if len(named) < 10 {
		t.Fatalf("the page names %d files", len(named))
	}
	for _, m := range named {
		b, err := fs.ReadFile(Static(), m[1])
		if err != nil {
			t.Error(err)
		}
		if m[1] == "uplot.js" {
			continue
		}
		for _, bad := range []string{"innerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "outerHTML", "http://", "https://"} {
			if bytes.Contains(bytes.ReplaceAll(b, []byte("http://www.w3.org/2000/svg"), nil), []byte(bad)) {
				t.Errorf("%s has %s", m[1], bad)
			}
		}
	}
	text, err := fs.ReadFile(Static(), "text.js")
	if err != nil {
		t.Fatal(err)
	}
	en, zh, ok := strings.Cut(string(text), "\n  zh: {")
	if !ok {
		t.Fatal("no Chinese")
	}
	key := regexp.MustCompile(`(?m)(?:^    |, |\{)([a-z_0-9]+): ['({` + "`]")
	words := func(s string) map[string]bool {
		all := map[string]bool{}
		for _, m := range key.FindAllStringSubmatch(s, -1) {
			all[m[1]] = true
		}
		return all
	}
	e, z := words(en), words(zh)
	if len(e) < 100 {
		t.Fatalf("only %d words", len(e))
	}
	for k := range e {
		if !z[k] {
			t.Errorf("%s is not said in Chinese", k)
		}
	}
	for k := range z {
		if !e[k] {
			t.Errorf("%s is not said in English", k)
		}
	}
}
