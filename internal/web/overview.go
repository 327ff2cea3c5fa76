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

// overview reads backwards until everything older was also read earlier.
func (s *Site) overview(name string, now time.Time) (*report.Overview, error) {
	x := s.shown.Load()
	r, fixed := report.Ranges[name]
	var o *report.Overview
	if fixed {
		to := now.Truncate(r[1]).Add(r[1])
		o = report.NewOverview(to.Add(-r[0]), to, r[1])
	}
	var list []*finding.Finding
	var latest time.Time
	partial, before := false, uint64(0)
	for {
		got, err := s.Store.Before(before, piece)
		if err != nil {
			return nil, err
		}
		for _, n := range got {
			if n.Finding.Action != finding.Lost && n.Finding.Time.After(latest) {
				latest = n.Finding.Time
			}
			list = append(list, n.Finding)
			before = n.Seq
		}
		if len(got) < piece {
			break
		}
		if fixed && got[len(got)-1].Finding.Created.Before(o.From.Add(-readAhead)) {
			break
		}
		if len(list) >= mostRead {
			partial = true
			break
		}
	}
	if !fixed {
		o = report.SpanOf(list, now)
	}
	o.Partial, o.Latest = partial, latest
	for _, f := range list {
		o.Add(x.brief, f)
	}
	return o.Close(), nil
}
