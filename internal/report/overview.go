// Package report holds what the status page and scan -o html share: the page's
// files, what it counts, and the lines around an event.
package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
)

// An Overview counts events by code over time.
type Overview struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Bucket  int       `json:"bucket"` // seconds
	Buckets int       `json:"buckets"`
	Total   int       `json:"total"`
	Users   int       `json:"users"`
	Latest  time.Time `json:"latest,omitzero"` // of the newest event at all, also before From
	Partial bool      `json:"partial,omitempty"`
	Codes   []*Tally  `json:"codes"`

	by map[string]*Tally
}

// A Tally is one code's share of an overview.
type Tally struct {
	Key     string    `json:"key"`
	Family  string    `json:"family"`
	Code    string    `json:"code"`
	Symbol  string    `json:"symbol,omitempty"`
	Level   string    `json:"level"`
	Title   string    `json:"title,omitempty"`
	TitleZH string    `json:"title_zh,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	HintZH  string    `json:"hint_zh,omitempty"`
	Count   int       `json:"count"`
	Users   int       `json:"users"`
	Last    time.Time `json:"last"`
	Counts  []int     `json:"counts"`

	users map[string]bool
}

// Ranges are what the page offers, with the width of a bar.
var Ranges = map[string][2]time.Duration{
	"15m": {15 * time.Minute, time.Minute}, "1h": {time.Hour, time.Minute}, "6h": {6 * time.Hour, 5 * time.Minute},
	"24h": {24 * time.Hour, 15 * time.Minute}, "7d": {7 * 24 * time.Hour, 2 * time.Hour},
}

// NewOverview begins an overview of a span of time.
func NewOverview(from, to time.Time, bucket time.Duration) *Overview {
	n := max(1, int((to.Sub(from)+bucket-1)/bucket))
	return &Overview{From: from.UTC(), To: to.UTC(), Bucket: int(bucket / time.Second), Buckets: n, by: map[string]*Tally{}}
}

// widths of bars for a span that no one chose.
var widths = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// Span is an overview from the first of some times to the last, in at most
// about a hundred bars; without any, of the hour before now.
func Span(first, last, now time.Time) *Overview {
	if first.IsZero() {
		return NewOverview(now.Add(-time.Hour), now, time.Minute)
	}
	for _, w := range widths {
		from := first.Truncate(w)
		if to := last.Truncate(w).Add(w); to.Sub(from) <= 100*w {
			return NewOverview(from, to, w)
		}
	}
	w := last.Sub(first)/100 + time.Second
	return NewOverview(first, last.Add(time.Second), w)
}

// Add counts a finding that lies in the span; ann gives it a level and a title.
func (o *Overview) Add(ann *annotator.Annotator, f *finding.Finding) {
	if f.Action == finding.Lost || f.Time.Before(o.From) || !f.Time.Before(o.To) {
		return
	}
	o.count(ann, f).Counts[min(o.Buckets-1, int(f.Time.Sub(o.From)/(time.Duration(o.Bucket)*time.Second)))] += f.Count
}

// count counts a finding in no bar.
func (o *Overview) count(ann *annotator.Annotator, f *finding.Finding) *Tally {
	key := f.Family + "/" + f.Code
	t := o.by[key]
	if t == nil {
		t = &Tally{Key: key, Family: f.Family, Code: f.Code, Symbol: f.Symbol, Level: ann.Level(f), Counts: make([]int, o.Buckets), users: map[string]bool{}}
		if e := ann.Entry(f); e != nil {
			t.Symbol, t.Title, t.TitleZH = e.Symbol, e.EN.Title, e.ZH.Title
			t.Hint, t.HintZH = firstOf(e.EN.Hints), firstOf(e.ZH.Hints)
		}
		o.by[key] = t
	}
	t.Count += f.Count
	if f.Time.After(t.Last) {
		t.Last = f.Time
	}
	if u := f.Fields.Get("user_id"); u != "" && len(t.users) < mostUsers {
		t.users[u] = true
	}
	return t
}

const mostUsers = 10_000 // of a code, that are told apart

// Close orders the codes, the worst and most frequent first.
func (o *Overview) Close() *Overview {
	users := map[string]bool{}
	o.Codes = []*Tally{}
	for _, t := range o.by {
		t.Users = len(t.users)
		for u := range t.users {
			users[u] = true
		}
		o.Total += t.Count
		o.Codes = append(o.Codes, t)
	}
	o.Users = len(users)
	slices.SortFunc(o.Codes, func(a, b *Tally) int {
		return cmp.Or(codes.LevelRank(b.Level)-codes.LevelRank(a.Level), b.Count-a.Count, strings.Compare(a.Key, b.Key))
	})
	return o
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
