//go:build linux

package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
	"github.com/imwatch/imwatch/internal/web"
	"github.com/imwatch/imwatch/scanner"
)

// Run follows files until ctx ends: the tailer's workers read, scan and resolve,
// the store's committer makes findings and positions durable together, and each
// sink delivers from its own cursor. Then it drains: what is read becomes
// durable, what is durable is delivered, as far as Drain allows.
//
//	files ─ tailer ─ chunk ─▶ scanner ─▶ resolver ─▶ store ─▶ sinks
func Run(ctx context.Context, st *store.Store, o RunOptions) error {
	if o.Metrics == nil {
		o.Metrics = web.NewMetrics("", nil) // that nobody reads
	}
	positions, err := st.Positions()
	if err != nil {
		return fmt.Errorf("read positions: %w", err)
	}
	follow, stop := context.WithCancel(ctx)
	defer stop()
	x := &runner{o: o, st: st, sources: map[string]*resolver.Source{}, undecided: map[string]*Undecided{}}
	for i := range o.Sources {
		x.sources[o.Sources[i].Name] = &o.Sources[i]
	}
	t, err := tailer.New(tailer.Options{Sources: o.Files, Positions: positions, Reread: o.Reread, Refuse: o.Refuse, Notice: o.Notice, Rotated: o.Metrics.Rotated},
		func(c *tailer.Chunk) (int, error) { return x.chunk(follow, c) },
		func() { x.wait.Go(func() { x.ready(follow) }) })
	defer x.wait.Wait()
	if err != nil {
		return err
	}
	if o.Started != nil {
		o.Started(&Running{tailer: t, sinks: o.Sinks, runner: x})
	}

	drained := make(chan struct{})
	deliver, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var sinks sync.WaitGroup
	for _, d := range o.Sinks {
		sinks.Go(func() { d.Run(deliver, drained) })
	}
	err = t.Run(follow)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // a full store kept a worker waiting: what it has read is read again
	}
	late := time.AfterFunc(o.Drain*8/10, cut)
	defer late.Stop()
	if e := st.Flush(deliver); err == nil {
		err = e
	}
	close(drained)
	sinks.Wait()
	if err != nil {
		return err
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), o.Drain/5)
	defer done()
	return st.Flush(last) // the sinks' cursors
}

// RunOptions say what to follow, what to look for and where it goes.
type RunOptions struct {
	Scanner  *scanner.Scanner
	Resolver *resolver.Resolver
	Files    []tailer.Source
	Sources  []resolver.Source // by the same names
	Sinks    []*sink.Delivery
	Muted    func(*finding.Finding) bool
	Refuse   func(os.FileInfo) bool // our own files
	Notice   func(level, text string)
	Metrics  *web.Metrics
	Reread   time.Time // not zero: the store was damaged; files younger than this are read again
	Ready    func()    // everything that was there has been found
	Started  func(*Running)
	Drain    time.Duration // after the end, to make durable what is read and deliver what is durable
}

// Running tells about a run.
type Running struct {
	tailer *tailer.Tailer
	sinks  []*sink.Delivery
	runner *runner
}

// Files tells about every followed file.
func (r *Running) Files(ctx context.Context) []tailer.Status { return r.tailer.Files(ctx) }

// Store tells about the store.
func (r *Running) Store() store.State { return r.runner.st.State() }

// Sinks are the deliveries of the run.
func (r *Running) Sinks() []*sink.Delivery { return r.sinks }

// Sources are the names of what is followed.
func (r *Running) Sources() (names []string) {
	for _, s := range r.runner.o.Sources {
		names = append(names, s.Name)
	}
	return names
}

// Undecided counts the candidates that nothing proved, by source, with the
// first of each.
func (r *Running) Undecided() map[string]Undecided {
	r.runner.mu.Lock()
	defer r.runner.mu.Unlock()
	out := map[string]Undecided{}
	for name, u := range r.runner.undecided {
		out[name] = *u
	}
	return out
}

type runner struct {
	o       RunOptions
	st      *store.Store
	sources map[string]*resolver.Source
	wait    sync.WaitGroup // for who tells that all is ready
	storing sync.Map       // generations whose findings wait for room in the store

	mu        sync.Mutex
	undecided map[string]*Undecided // by source
}

// ready tells that everything was found, when that is durable: a file that is
// rotated from now on is known to have been followed, whatever happens to us.
func (x *runner) ready(ctx context.Context) {
	const most = 3 * time.Second // a disk that does not write is told otherwise
	soon, stop := context.WithTimeout(ctx, most)
	defer stop()
	if err := x.st.Flush(soon); ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
		return
	}
	x.o.Ready()
}

// chunk is the tailer's handler: it scans and resolves in the goroutine that
// read, with the bytes in cache, and queues what it finds together with the
// position behind it.
func (x *runner) chunk(ctx context.Context, c *tailer.Chunk) (consumed int, err error) {
	src := x.sources[c.Source]
	proven := resolver.Proven(c.Proved)
	var found []finding.Finding
	now := time.Now()
	origin := x.st.HostID() + c.Generation
	consumed = x.o.Scanner.Scan(c.Data, c.Final, func(b *scanner.Block) {
		if !withoutOwn(b, c.Data[b.Start:b.End]) {
			return
		}
		at := resolver.Place{Path: c.Path, Offset: c.Offset + int64(b.Start), Line: int(c.LineAt(b.Start)), Truncated: c.Truncated, Read: now,
			Partial: c.Partial && b.End == len(c.Data), Origin: origin}
		found = x.block(found, src, b, proven, at)
	})
	if c.Final {
		consumed = len(c.Data)
	}
	for i := range c.Losses {
		found = append(found, x.loss(src, &c.Losses[i], now))
	}
	p := c.Position(consumed)
	x.storing.Store(c.Generation, true)
	err = x.st.Append(ctx, p, found, c.Losses)
	x.storing.Delete(c.Generation)
	if err != nil {
		return 0, err
	}
	x.o.Metrics.Read(c.Source, p.Lines-(c.Line-1), int64(consumed))
	for i := range c.Losses {
		l := &c.Losses[i]
		x.o.Metrics.Lost(l)
		x.o.Notice("warn", fmt.Sprintf("%s: bytes %d to %d are lost: %s", l.Path, l.From, l.To, l.Reason))
	}
	return consumed, nil
}

// block resolves one block: it appends findings that count, and tells of candidates.
func (x *runner) block(list []finding.Finding, src *resolver.Source, b *scanner.Block, proven resolver.Proven, at resolver.Place) []finding.Finding {
	for i := range b.Matches {
		proven.Learn(&b.Matches[i])
	}
	for i := range b.Matches {
		m := &b.Matches[i]
		if m.Rule != nil {
			x.o.Metrics.Matched(m.Rule.ID)
		}
		if src.Undecided(m, proven) {
			x.undecide(src.Name, m, at)
		}
	}
	from := len(list)
	list = x.o.Resolver.Resolve(list, src, b, proven, at)
	counts := list[:from]
	for i := range list[from:] {
		f := &list[from+i]
		x.o.Metrics.Seen(f)
		if f.Action == finding.Status && !src.Statuses || x.o.Muted != nil && x.o.Muted(f) {
			continue
		}
		x.o.Metrics.Found(f)
		counts = append(counts, *f)
	}
	return counts
}

// undecide counts a candidate that nothing proves, and keeps the first one.
func (x *runner) undecide(source string, m *scanner.Match, at resolver.Place) {
	x.o.Metrics.Undecided(source)
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.undecided[source]
	if u == nil {
		u = &Undecided{Families: m.Families, Example: finding.Finding{Path: at.Path, Line: at.Line, Code: m.Code}}
		x.undecided[source] = u
	}
	u.Count++
}

// loss makes the event that tells of a loss.
func (x *runner) loss(src *resolver.Source, l *finding.Loss, now time.Time) finding.Finding {
	sum := sha256.Sum256([]byte(x.st.HostID() + "\x00loss\x00" + l.Source + "\x00" + l.Path + "\x00" + l.Time.Format(time.RFC3339Nano)))
	return finding.Finding{ID: hex.EncodeToString(sum[:16]), Action: finding.Lost, Time: l.Time, TimeBasis: "read", Created: now.UTC(),
		Source: src.Name, Service: src.Service, Labels: src.Labels, Path: redact.Clean(l.Path, 1024), Offset: l.From,
		Text: redact.Clean(fmt.Sprintf("bytes %d to %d of %s are lost: %s", l.From, l.To, l.Path, l.Reason), 512)}
}
