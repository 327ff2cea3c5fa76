package web

import (
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/report"
)

// Reading is bounded: a page must not keep the daemon from its work.
const (
	piece     = 500
	mostRead  = 50_000
	readAhead = time.Hour // a line's own time is at most so much later than its reading
)

// overview counts what lies in a range, or in all that is kept. Findings are
// read piece by piece, and none is held: for a range that nobody named, once to
// learn how far it reaches, and once more to count.
func (s *Site) overview(name string, now time.Time) (*report.Overview, error) {
	x := s.shown.Load()
	var o *report.Overview
	var first, last time.Time
	if r, named := report.Ranges[name]; named {
		to := now.Truncate(r[1]).Add(r[1])
		o = report.NewOverview(to.Add(-r[0]), to, r[1])
	} else {
		_, err := s.backwards(time.Time{}, func(f *finding.Finding) {
			if first.IsZero() || f.Time.Before(first) {
				first = f.Time
			}
			if f.Time.After(last) {
				last = f.Time
			}
		})
		if err != nil {
			return nil, err
		}
		o = report.Span(first, last, now)
	}
	last = time.Time{}
	partial, err := s.backwards(o.From.Add(-readAhead), func(f *finding.Finding) {
		if f.Time.After(last) {
			last = f.Time
		}
		o.Add(x.brief, f)
	})
	if err != nil {
		return nil, err
	}
	o.Partial, o.Latest = partial, last
	return o.Close(), nil
}

// backwards calls f with the findings that were read after a moment, the newest
// first, and tells whether it stopped before.
func (s *Site) backwards(since time.Time, f func(*finding.Finding)) (partial bool, err error) {
	for before, read := uint64(0), 0; ; {
		got, err := s.Store.Before(before, piece)
		if err != nil {
			return false, err
		}
		for _, n := range got {
			before = n.Seq
			if n.Finding.Action != finding.Lost {
				f(n.Finding)
			}
		}
		switch {
		case len(got) < piece || got[len(got)-1].Finding.Created.Before(since):
			return false, nil
		case read >= mostRead:
			return true, nil
		}
		read += len(got)
	}
}
