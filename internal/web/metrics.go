package web

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count for the life of the process. Counting happens once a chunk, a
// candidate or a commit, never once a line. No label comes from a line but codes
// that the catalogue has.
type Metrics struct {
	reg *prometheus.Registry
	cat atomic.Pointer[codes.Catalogue]

	lines, bytes, findings, codes, undecided, folded, rules *prometheus.CounterVec
	rotations, lost                                         *prometheus.CounterVec
	seen                                                    *prometheus.GaugeVec
	commit                                                  prometheus.Histogram
	reload                                                  prometheus.Gauge

	mu      sync.Mutex
	sources []string              // of the configuration in use
	last    map[[2]string]float64 // family, code: when it was last seen
	done    map[string]sink.State // of sinks before the last reload
	dropped map[string]uint64     // by sink
}

// Pulled is what is asked for when metrics are read.
type Pulled struct {
	Files []tailer.Status
	Store store.State
	Sinks map[string]sink.State
}

// NewMetrics returns counters at zero. pull is called with every reading.
func NewMetrics(version string, pull func(context.Context) Pulled) *Metrics {
	m := &Metrics{reg: prometheus.NewRegistry(), last: map[[2]string]float64{}, done: map[string]sink.State{}, dropped: map[string]uint64{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "imwatch_" + name, Help: help}, labels)
		m.reg.MustRegister(c)
		return c
	}
	m.lines = counter("lines_read_total", "Complete lines read.", "source")
	m.bytes = counter("bytes_read_total", "Bytes read and done with.", "source")
	m.findings = counter("findings_total", "Findings that became events, before folding. scope is whom the code hits: user, app, platform; none for a code that the catalogue does not have.", "source", "family", "level", "scope")
	m.codes = counter("codes_total", "Codes of the catalogue seen, also muted ones and statuses; any other code is _OTHER.", "source", "family", "code")
	m.undecided = counter("undecided_total", "Possible codes without proof of a vendor.", "source")
	m.folded = counter("folded_total", "Findings that were counted in a storm instead of going out in full.", "source")
	m.rules = counter("rule_matches_total", "Matches of a rule, decided or not.", "rule")
	m.rotations = counter("rotations_total", "Rotations met: renamed, truncated, deleted.", "kind")
	m.lost = counter("lost_bytes_total", "Bytes of log files that nobody can read any more.", "reason")
	m.seen = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "imwatch_code_last_seen_timestamp_seconds", Help: "The time of the newest line with this code of the catalogue."}, []string{"family", "code"})
	m.commit = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "imwatch_store_commit_seconds", Help: "How long it took to make findings and positions durable.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}})
	m.reload = prometheus.NewGauge(prometheus.GaugeOpts{Name: "imwatch_config_last_reload_successful", Help: "1: the newest configuration is in use; 0: it was wrong and the old one goes on."})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "imwatch_build_info", Help: "1, with the version.", ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}})
	build.Set(1)
	m.reload.Set(1)
	m.reg.MustRegister(m.seen, m.commit, m.reload, build, &puller{m, pull})
	return m
}

// Use begins with a catalogue and makes the series of sources and rules
// known at zero, so that their first increase is seen.
func (m *Metrics) Use(cat *codes.Catalogue, sources, rules []string) {
	m.cat.Store(cat)
	for _, s := range sources {
		for _, v := range []*prometheus.CounterVec{m.lines, m.bytes, m.undecided, m.folded} {
			v.WithLabelValues(s)
		}
	}
	m.mu.Lock()
	m.sources = sources
	m.mu.Unlock()
	for _, r := range rules {
		m.rules.WithLabelValues(r)
	}
	for _, kind := range tailer.Rotations {
		m.rotations.WithLabelValues(kind)
	}
	m.reload.Set(1)
}

// Refused says that a new configuration could not be used.
func (m *Metrics) Refused() { m.reload.Set(0) }

// Read counts what of a chunk is done with.
func (m *Metrics) Read(source string, lines, bytes int64) {
	m.lines.WithLabelValues(source).Add(float64(lines))
	m.bytes.WithLabelValues(source).Add(float64(bytes))
}

// Matched counts a match of a rule.
func (m *Metrics) Matched(rule string) { m.rules.WithLabelValues(rule).Inc() }

// Undecided counts a candidate that nothing proves.
func (m *Metrics) Undecided(source string) { m.undecided.WithLabelValues(source).Inc() }

// other stands for every code that the catalogue does not have: those come
// from lines, and must not fill a time series database.
const other = "_OTHER"

// Seen counts a code, whether an event comes of it or not.
func (m *Metrics) Seen(f *finding.Finding) {
	cat := m.cat.Load()
	if cat == nil || !cat.Has(f.Family, f.Code) {
		m.codes.WithLabelValues(f.Source, f.Family, other).Inc()
		return
	}
	m.codes.WithLabelValues(f.Source, f.Family, f.Code).Inc()
	key, at := [2]string{f.Family, f.Code}, float64(f.Time.UnixMilli())/1000
	m.mu.Lock()
	defer m.mu.Unlock()
	if at > m.last[key] {
		m.last[key] = at
		m.seen.WithLabelValues(f.Family, f.Code).Set(at)
	}
}

// Found counts a finding that becomes an event.
func (m *Metrics) Found(f *finding.Finding) {
	level, scope := "warn", ""
	if cat := m.cat.Load(); cat != nil {
		if e := cat.Entry(f.Family, f.Code, f.Symbol); e != nil {
			level, scope = e.Level, e.Scope
		}
	}
	m.findings.WithLabelValues(f.Source, f.Family, level, scope).Inc()
}

// Lost counts what is lost of a file. The reasons are the tailer's own words;
// the first of each names it.
func (m *Metrics) Lost(l *finding.Loss) {
	reason, _, _ := strings.Cut(l.Reason, " ")
	m.lost.WithLabelValues(reason).Add(float64(max(0, l.To-l.From)))
}

// Rotated counts a rotation.
func (m *Metrics) Rotated(kind string) { m.rotations.WithLabelValues(kind).Inc() }

// Committed counts a commit of the store.
func (m *Metrics) Committed(c store.Commit) {
	m.commit.Observe(c.Took.Seconds())
	for source, n := range c.Folded {
		m.folded.WithLabelValues(source).Add(float64(n))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, n := range c.Dropped {
		m.dropped[name] += n
	}
}

// Keep adds up what the sinks of a run have done, before a reload makes new
// ones.
func (m *Metrics) Keep(sinks map[string]sink.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, s := range sinks {
		m.done[name] = plus(m.done[name], s)
	}
}

func plus(a, b sink.State) sink.State {
	sum := sink.State{Sent: a.Sent + b.Sent, Letters: a.Letters + b.Letters, Late: a.Late + b.Late, Error: b.Error, Class: b.Class, Errors: map[string]int64{}}
	for _, s := range []sink.State{a, b} {
		for class, n := range s.Errors {
			sum.Errors[class] += n
		}
	}
	return sum
}

// puller tells what is only known by asking.
type puller struct {
	m    *Metrics
	pull func(context.Context) Pulled
}

var (
	descFiles   = prometheus.NewDesc("imwatch_files", "Followed files by mode: live, rotated, waiting, unreadable, stalled.", []string{"source", "mode"}, nil)
	descLag     = prometheus.NewDesc("imwatch_lag_bytes", "Bytes of followed files that are not yet read.", []string{"source"}, nil)
	descBacklog = prometheus.NewDesc("imwatch_sink_backlog_events", "Durable events that a sink has not taken yet.", []string{"sink"}, nil)
	descSent    = prometheus.NewDesc("imwatch_sink_sent_events_total", "Events that a sink has taken.", []string{"sink"}, nil)
	descErrors  = prometheus.NewDesc("imwatch_sink_errors_total", "Failures of a sink: rejected events, and attempts that failed by class.", []string{"sink", "class"}, nil)
	descDropped = prometheus.NewDesc("imwatch_sink_dropped_events_total", "Events a sink will never get: it refused them, or the store was full.", []string{"sink"}, nil)
	descFailing = prometheus.NewDesc("imwatch_sink_failing", "1 while a sink fails; error is the first of the outage.", []string{"sink", "class", "error"}, nil)
	descLate    = prometheus.NewDesc("imwatch_sink_late_events_total", "Events sent under the time they were read at, for the aggregator no longer takes their own.", []string{"sink"}, nil)
	descStore   = prometheus.NewDesc("imwatch_store_bytes", "Size of the store's file.", nil, nil)
)

func (p *puller) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descFiles, descLag, descBacklog, descSent, descErrors, descDropped, descFailing, descLate, descStore} {
		ch <- d
	}
}

func (p *puller) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now := p.pull(ctx)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	files, lag := map[[2]string]int{}, map[string]int64{}
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	for _, s := range p.m.sources { // one without files has 0, so that an alert can see it
		files[[2]string{s, "live"}], lag[s] = 0, 0
	}
	for _, f := range now.Files {
		files[[2]string{f.Source, f.Mode}]++
		lag[f.Source] += f.Lag
	}
	for k, n := range files {
		gauge(descFiles, float64(n), k[0], k[1])
	}
	for s, n := range lag {
		gauge(descLag, float64(n), s)
	}
	for name, n := range now.Store.Backlog {
		gauge(descBacklog, float64(n), name)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for name, s := range now.Sinks {
		s = plus(p.m.done[name], s)
		counter(descSent, float64(s.Sent), name)
		counter(descDropped, float64(s.Letters)+float64(p.m.dropped[name]), name)
		for class, n := range s.Errors {
			counter(descErrors, float64(n), name, class)
		}
		counter(descLate, float64(s.Late), name)
		if s.Error != "" {
			if s.Class == sink.Refused { // the text can repeat what stood in an event
				s.Error = "every event is refused"
			}
			gauge(descFailing, 1, name, s.Class, s.Error)
		}
	}
	gauge(descStore, float64(now.Store.Bytes))
}
