package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
)

// Undecided counts possible codes that nothing proves.
type Undecided struct {
	Source   string   `json:"source,omitempty"`
	Count    int      `json:"count"`
	Example  string   `json:"example"` // path:line of the first
	Code     string   `json:"code"`
	Families []string `json:"families"` // whose it could be
}

// Bounds of one report: it must open in a browser, and be sent by mail.
const (
	mostEvents = 5000
	mostShown  = 2000 // of them with the lines around
	shownLines = 4    // on each side
)

// A Collector gathers what a report shows.
type Collector struct {
	cat     *codes.Catalogue
	ann     *annotator.Annotator
	red     *redact.Redactor
	kept    []finding.Finding
	omitted int
	minutes map[minute]*finding.Finding // one for all of a code in a minute
	users   map[string]map[string]bool  // by code

	first, last time.Time // of the lines that have a time
}

type minute struct {
	key  string
	unix int64
}

// NewCollector begins a report.
func NewCollector(cat *codes.Catalogue, red *redact.Redactor, host annotator.Host) *Collector {
	return &Collector{cat: cat, red: red, ann: annotator.New(cat, annotator.Options{Language: "both", Host: host}),
		minutes: map[minute]*finding.Finding{}, users: map[string]map[string]bool{}}
}

// Add takes a finding in.
func (c *Collector) Add(f *finding.Finding) {
	if len(c.kept) < mostEvents {
		c.kept = append(c.kept, *f)
	} else {
		c.omitted++
	}
	key := f.Family + "/" + f.Code
	m := minute{key, f.Time.Unix() / 60}
	switch {
	case timeless(f):
		m.unix = 0
	case c.first.IsZero() || f.Time.Before(c.first):
		c.first = f.Time
	}
	if !timeless(f) && f.Time.After(c.last) {
		c.last = f.Time
	}
	x := c.minutes[m]
	if x == nil {
		x = &finding.Finding{Action: f.Action, Family: f.Family, Code: f.Code, Symbol: f.Symbol, Time: f.Time, TimeBasis: f.TimeBasis}
		c.minutes[m] = x
	}
	x.Count += f.Count
	if f.Time.After(x.Time) {
		x.Time = f.Time
	}
	if u := f.Fields.Get("user_id"); u != "" {
		if c.users[key] == nil {
			c.users[key] = map[string]bool{}
		}
		if len(c.users[key]) < mostUsers {
			c.users[key][u] = true
		}
	}
}

// timeless tells whether a line had no time of its own.
func timeless(f *finding.Finding) bool { return f.TimeBasis == "read" || f.TimeBasis == "clamped" }

// overview covers the lines that have a time; the others only count.
func (c *Collector) overview(now time.Time) *Overview {
	o := Span(c.first, c.last, now)
	for _, f := range c.minutes {
		if timeless(f) {
			o.count(c.ann, f)
		} else {
			o.Add(c.ann, f)
		}
	}
	for key, users := range c.users {
		if t := o.by[key]; t != nil {
			t.users = users
		}
	}
	return o.Close()
}

// Read says how much was read.
type Read struct {
	Files int   `json:"files"`
	Lines int64 `json:"lines"`
	Bytes int64 `json:"bytes"`
}

// Rest is what a report tells beside events.
type Rest struct {
	Version   string      `json:"version"`
	Generated time.Time   `json:"generated"`
	Read      Read        `json:"read"`
	Problems  []string    `json:"problems,omitempty"`
	Undecided []Undecided `json:"undecided,omitempty"`
}

type whole struct {
	Rest
	Overview *Overview          `json:"overview"`
	Events   []one              `json:"events"` // the oldest first
	Omitted  int                `json:"omitted,omitempty"`
	Pages    map[string][]Pages `json:"pages"`
}

type one struct {
	Event
	Around *Around `json:"around,omitempty"`
}

// WriteHTML writes the report as one page that needs nothing else.
func (c *Collector) WriteHTML(w io.Writer, rest Rest) error {
	all := whole{Rest: rest, Overview: c.overview(rest.Generated), Events: []one{}, Omitted: c.omitted, Pages: map[string][]Pages{}}
	slices.SortStableFunc(c.kept, func(a, b finding.Finding) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	for i := range c.kept {
		x := one{Event: NewEvent(c.ann, uint64(i+1), &c.kept[i])}
		if i < mostShown {
			if around, err := LinesAround(&c.kept[i], shownLines, c.red); err == nil {
				x.Around = around // else the event has its own line
			}
		}
		all.Events = append(all.Events, x)
	}
	for _, t := range all.Overview.Codes {
		for _, e := range c.cat.Lookup(t.Family, t.Code) {
			all.Pages[t.Key] = append(all.Pages[t.Key], PagesOf(c.cat, e))
		}
	}
	data, err := json.Marshal(all) // <, > and & are escaped: the text cannot end its element
	if err != nil {
		return err
	}
	return page(w, data)
}

// page puts the status page's own files and the data into one.
func page(w io.Writer, data []byte) error {
	index, err := fs.ReadFile(Static(), "index.html")
	if err != nil {
		return err
	}
	var styles, scripts [][]byte
	for line := range strings.Lines(string(index)) {
		_, rest, ok := strings.Cut(line, `"/static/`)
		name, _, _ := strings.Cut(rest, `"`)
		if !ok || !strings.HasSuffix(name, ".css") && !strings.HasSuffix(name, ".js") {
			continue
		}
		b, err := fs.ReadFile(Static(), name)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".css") {
			styles = append(styles, b)
		} else {
			scripts = append(scripts, b)
		}
	}
	style, script := bytes.Join(styles, []byte("\n")), bytes.Join(scripts, []byte(";\n"))
	_, err = fmt.Fprintf(w, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>imwatch report</title>
<style>%s</style>
</head>
<body>
<noscript>This report needs JavaScript; it fetches nothing.</noscript>
<script type="application/json" id="report">%s</script>
<script>%s</script>
</body>
</html>
`, digest(script), digest(style), style, data, script)
	return err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
