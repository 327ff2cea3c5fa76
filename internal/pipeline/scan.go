// Package pipeline is the whole program on one screen.
package pipeline

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/reader"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/scanner"
)

// Scan reads files once, from the beginning, and gives emit every finding in
// the order of files and lines, which is overwritten after emit returns. With more than
// one worker emit is called by another goroutine, one call at a time; Scan waits for it.
// What a file proves about its family counts for its earlier lines too. An error of
// emit ends it; files that cannot be read are told in the report, and the rest
// is read.
func Scan(ctx context.Context, paths []string, o ScanOptions, emit func(*finding.Finding) error) (*Report, error) {
	files, problems := reader.Files(paths, o.Reader)
	r := &Report{Files: len(files), Problems: problems}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Workers > 1 {
		return r, scanParallel(ctx, files, o.Workers, oneFile{o: &o, emit: emit, report: r})
	}
	for _, f := range files {
		src, ro := o.source(f.Path)
		s := oneFile{o: &o, source: src, emit: emit, report: r}
		r.Problems = append(r.Problems, reader.Read(ctx, f, ro, s.chunk)...)
		if s.err == nil {
			s.err = s.flush(len(s.pending))
		}
		if s.err != nil {
			return r, s.err
		}
		if err := ctx.Err(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// ScanOptions say what to look for and whose files these are.
type ScanOptions struct {
	Scanner      *scanner.Scanner
	Resolver     *resolver.Resolver
	Default      resolver.Source // of files that no source names
	Sources      []ScanSource
	Reader       reader.Options
	Since, Until time.Time // of the lines' own times; zero means no bound
	Now          time.Time // the read time that lines without a date are dated by
	Workers      int       // that read and scan at once; 0 for as many as there are processors
}

// A ScanSource is a configured source and what a one-shot reader needs of it.
type ScanSource struct {
	resolver.Source
	Paths, Exclude []string
	Encoding       string
	MaxLine        int // bytes; 0 for the default
}

// source returns the first source that names a file, and how to read it.
func (o *ScanOptions) source(path string) (*resolver.Source, reader.Options) {
	ro := o.Reader
	for i := range o.Sources {
		s := &o.Sources[i]
		if names(s.Paths, path) && !names(s.Exclude, path) {
			ro.Encoding, ro.MaxLine = s.Encoding, s.MaxLine
			return &s.Source, ro
		}
	}
	return &o.Default, ro
}

// names tells whether one of the patterns is the path, matches it, or is a
// directory above it.
func names(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := doublestar.PathMatch(p, path)
		return err == nil && ok || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/")
	})
}

// A Report says what a scan did beside emitting findings.
type Report struct {
	Files     int
	Lines     int64
	Bytes     int64
	Findings  int // to be emitted: all were, if emit never failed
	Statuses  int // codes that are no errors, counted and not emitted
	Undecided []Undecided
	Problems  []error
}

// Undecided counts what looks like a code of some families, where nothing
// proves whose it is.
type Undecided struct {
	Families []string
	Count    int
	Example  finding.Finding // the first one's Path, Line and Code
}

// Until a file has proved its family, so many blocks of it wait; then the oldest do
// no longer.
const (
	maxPending = 4096
	atOnce     = 256 // that stop waiting: the others move up, which costs as much
)

// oneFile scans one file.
type oneFile struct {
	o       *ScanOptions
	source  *resolver.Source
	path    string // of the file or archive member at hand
	proven  resolver.Proven
	pending []pending
	list    []finding.Finding // of the block at hand
	lines   int64             // before the chunk at hand
	emit    func(*finding.Finding) error
	report  *Report
	err     error
}

type pending struct {
	block *scanner.Block
	at    place // in the file
}

func (s *oneFile) chunk(c *reader.Chunk) (consumed int, err error) {
	if s.begin(c.Path); s.err != nil {
		return 0, s.err
	}
	consumed, lines := scanChunk(s.o.Scanner, c, func(b *scanner.Block, at place) { s.found(b, at) })
	s.done(lines, int64(consumed))
	return consumed, s.err
}

// begin turns to another file or archive member.
func (s *oneFile) begin(path string) {
	if path != s.path {
		s.err = s.flush(len(s.pending))
		s.path, s.proven, s.lines = path, resolver.Proven{}, 0
	}
}

// A place is where a block of a chunk begins; line counts from the chunk's start,
// or from the file's.
type place struct {
	offset, line int64
	truncated    bool
}

// scanChunk finds the blocks of a chunk, and returns how much of it is done and
// how many lines that is.
func scanChunk(sc *scanner.Scanner, c *reader.Chunk, found func(*scanner.Block, place)) (consumed int, lines int64) {
	counted := 0
	consumed = sc.Scan(c.Data, c.Final, func(b *scanner.Block) {
		lines += int64(bytes.Count(c.Data[counted:b.Start], newline))
		counted = b.Start
		found(b, place{c.At(b.Start), lines, c.Truncated(b.Start)})
	})
	return consumed, lines + int64(bytes.Count(c.Data[counted:consumed], newline))
}

// found takes a block of the lines at hand.
func (s *oneFile) found(b *scanner.Block, at place) {
	at.line += s.lines
	s.block(b, at)
}

// done counts lines that are finished.
func (s *oneFile) done(lines, bytes int64) {
	s.lines += lines
	s.report.Lines += lines
	s.report.Bytes += bytes
}

var newline = []byte{'\n'}

// block resolves a block at once, or lets it wait for what the file may still
// prove.
func (s *oneFile) block(b *scanner.Block, at place) {
	if s.err != nil {
		return
	}
	news := false
	for i := range b.Matches {
		news = s.proven.Learn(&b.Matches[i]) || news
	}
	if len(s.pending) == 0 && s.settled(b) {
		s.err = s.resolve(b, at)
		return
	}
	s.pending = append(s.pending, pending{b, at})
	switch n := len(s.pending); {
	case news && s.allSettled():
		s.err = s.flush(n)
	case n >= maxPending+atOnce:
		s.err = s.flush(atOnce)
	}
}

// settled tells whether nothing that the file may still prove would change a
// block's findings.
func (s *oneFile) settled(b *scanner.Block) bool {
	for i := range b.Matches {
		if !s.source.Settled(&b.Matches[i], s.proven) {
			return false
		}
	}
	return true
}

func (s *oneFile) allSettled() bool {
	for _, p := range s.pending {
		if !s.settled(p.block) {
			return false
		}
	}
	return true
}

// flush resolves the first n blocks that wait.
func (s *oneFile) flush(n int) error {
	defer func() { s.pending = slices.Delete(s.pending, 0, n) }()
	for _, p := range s.pending[:n] {
		if err := s.resolve(p.block, p.at); err != nil {
			return err
		}
	}
	return nil
}

func (s *oneFile) resolve(b *scanner.Block, in place) error {
	at := resolver.Place{Path: s.path, Offset: in.offset, Line: int(in.line) + 1, Truncated: in.truncated, Read: s.o.Now, Origin: s.path}
	s.list = s.o.Resolver.Resolve(s.list[:0], s.source, b, s.proven, at)
	if len(s.list) < len(b.Matches) {
		for i := range b.Matches {
			if m := &b.Matches[i]; s.source.Undecided(m, s.proven) {
				s.report.undecided(m, at)
			}
		}
	}
	for i := range s.list {
		f := &s.list[i]
		if !s.o.Since.IsZero() && f.Time.Before(s.o.Since) || !s.o.Until.IsZero() && f.Time.After(s.o.Until) {
			continue
		}
		if f.Action == finding.Status && !s.source.Statuses {
			s.report.Statuses++
			continue
		}
		s.report.Findings++
		if err := s.emit(f); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) undecided(m *scanner.Match, at resolver.Place) {
	for i := range r.Undecided {
		if r.Undecided[i].Families[0] == m.Families[0] {
			r.Undecided[i].Count++
			return
		}
	}
	r.Undecided = append(r.Undecided, Undecided{m.Families, 1, finding.Finding{Path: at.Path, Line: at.Line, Code: m.Code}})
}

// Where says where a finding stands, as editors and terminals understand it.
func Where(f *finding.Finding) string {
	if f.Line == 0 {
		return f.Path
	}
	return f.Path + ":" + strconv.Itoa(f.Line)
}
