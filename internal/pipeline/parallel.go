package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/imwatch/imwatch/internal/reader"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/scanner"
)

// scanParallel is Scan on several processors. Workers read and scan: small
// files whole, large plain ones in parts. What they find is put in order here,
// and then resolved as if one had read everything.
//
//	files ─ jobs ─▶ workers: read, scan ─ batches, in the order of the jobs ─▶ resolve ─ findings ─▶ emit
func scanParallel(ctx context.Context, files []reader.File, workers int, s oneFile) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	e := newEmitter(s.emit)
	defer e.end() // also of a panic's
	s.emit = e.add
	p := parallel{s: s, out: e, order: make(chan *job, workers), jobs: make(chan *job)}
	wg.Go(func() { p.plan(ctx, files) })
	for range workers {
		wg.Go(func() {
			var buf []byte
			for j := range p.jobs {
				buf = j.run(ctx, s.o.Scanner, buf)
			}
		})
	}
	err := p.all(ctx)
	if failed := e.end(); err == nil {
		err = failed
	}
	return err
}

// all takes what the jobs have found, in their order.
func (p *parallel) all(ctx context.Context) error {
	for j := range p.order {
		if err := p.take(ctx, j); err != nil {
			return err
		}
	}
	return ctx.Err()
}

type parallel struct {
	s     oneFile
	out   *emitter
	order chan *job // in the order they are taken; short: what waits in it is memory
	jobs  chan *job // as they are worked on

	next int64  // of the large file at hand: up to where it is done
	over bool   // nothing more of it is wanted
	buf  []byte // for what must be scanned again
}

// A job is a file, or a part of a large one.
type job struct {
	file   reader.File
	source *resolver.Source
	o      reader.Options
	out    chan *batch // closed at the end

	large    *large // nil: the file is read whole
	from, to int64  // of a part
}

// A large file is read in parts.
type large struct {
	*reader.Parts
	ended chan struct{} // closed when no part needs to be read any more
	full  atomic.Bool   // of findings: the part that was scanned last
}

// partSize is the size of the next part. What is found in a part that is full takes several
// times its memory, and is not in any processor's cache any more when it is resolved.
func (l *large) partSize() int64 {
	if l.full.Load() {
		return reader.PartSize / 3
	}
	return reader.PartSize
}

// A batch is what was found in a run of lines.
type batch struct {
	path       string
	start, end int64 // of a part
	done       int64 // bytes, from its start
	lines      int64
	blocks     []placed
	problems   []error
}

type placed struct {
	block *scanner.Block
	at    place
}

func (p *parallel) plan(ctx context.Context, files []reader.File) {
	defer close(p.jobs)
	defer close(p.order)
	for _, f := range files {
		src, o := p.s.o.source(f.Path)
		parts := reader.OpenParts(f, o)
		if parts == nil {
			if !p.add(ctx, &job{file: f, source: src, o: o, out: make(chan *batch, 4)}) {
				return
			}
			continue
		}
		l := &large{Parts: parts, ended: make(chan struct{})}
		for from := int64(0); from < l.Size; {
			to := min(from+l.partSize(), l.Size)
			if !p.add(ctx, &job{file: f, source: src, o: o, out: make(chan *batch, 1), large: l, from: from, to: to}) {
				parts.Close() // parts in work see an error and nobody asks for it
				return
			}
			from = to
		}
	}
}

func (p *parallel) add(ctx context.Context, j *job) bool {
	for _, to := range []chan *job{p.order, p.jobs} {
		select {
		case to <- j:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// run works on a job; buf is the worker's memory.
func (j *job) run(ctx context.Context, sc *scanner.Scanner, buf []byte) []byte {
	defer close(j.out)
	send := func(b *batch) error {
		select {
		case j.out <- b:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if j.large != nil {
		select {
		case <-j.large.ended:
			return buf
		default:
		}
		b, buf := j.readPart(sc, buf)
		_ = send(b) // fails only when nobody wants it
		return buf
	}
	problems := reader.Read(ctx, j.file, j.o, func(c *reader.Chunk) (int, error) {
		b := &batch{path: c.Path}
		n, lines := scanChunk(sc, c, b.add)
		b.done, b.lines = int64(n), lines
		return n, send(b)
	})
	_ = send(&batch{problems: problems})
	return buf
}

func (b *batch) add(block *scanner.Block, at place) { b.blocks = append(b.blocks, placed{block, at}) }

func (j *job) readPart(sc *scanner.Scanner, buf []byte) (*batch, []byte) {
	b := &batch{path: j.file.Path}
	data, start, buf, err := j.large.Read(j.from, j.to, buf)
	if err != nil {
		b.problems = []error{err}
		return b, buf
	}
	b.start, b.end = start, start+int64(len(data))
	b.scan(sc, data, b.end == j.large.Size)
	const each = 512 // bytes that have a finding
	j.large.full.Store(len(b.blocks) > len(data)/each)
	return b, buf
}

// scan fills the batch from the lines that it begins with.
func (b *batch) scan(sc *scanner.Scanner, data []byte, final bool) {
	n, lines := scanChunk(sc, reader.ChunkAt(b.path, data, b.start, final), b.add)
	b.done, b.lines = int64(n), lines
}

// take takes what a job has found.
func (p *parallel) take(ctx context.Context, j *job) error {
	if j.from == 0 {
		p.s.source, p.s.path = j.source, ""
		p.next, p.over = 0, false
	}
	for {
		select {
		case b, ok := <-j.out:
			if !ok {
				if err := p.end(ctx, j); err != nil {
					return err
				}
				return p.out.flush()
			}
			if err := p.batch(ctx, j, b); err != nil {
				return err
			}
			if err := p.out.flush(); err != nil { // who watches wants to see what there is
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// batch takes what was found in a run of lines.
func (p *parallel) batch(ctx context.Context, j *job, b *batch) error {
	s := &p.s
	if j.large == nil {
		s.report.Problems = append(s.report.Problems, b.problems...)
		if b.path != "" {
			p.accept(b)
		}
		return s.err
	}
	switch {
	case p.over:
		return nil
	case len(b.problems) > 0:
		return p.stuck(ctx, j, b.problems[0])
	case b.start != p.next && b.end > p.next:
		// The part before ends within a record: both are one.
		var err error
		if b, err = p.again(j, b.end); err != nil {
			return p.stuck(ctx, j, err)
		}
	case b.end <= p.next:
		return nil
	}
	p.accept(b)
	p.next = b.start + b.done
	return s.err
}

func (p *parallel) accept(b *batch) {
	s := &p.s
	if s.begin(b.path); s.err != nil {
		return
	}
	for i := range b.blocks {
		s.found(b.blocks[i].block, b.blocks[i].at)
	}
	s.done(b.lines, b.done)
}

// again scans from where the file is done.
func (p *parallel) again(j *job, end int64) (*batch, error) {
	size := int(end - p.next)
	if cap(p.buf) < size {
		p.buf = make([]byte, size)
	}
	if n, err := j.large.At(p.next, p.buf[:size]); n < size {
		return nil, fmt.Errorf("read %s: %w", j.file.Path, err)
	}
	b := &batch{path: j.file.Path, start: p.next, end: end}
	b.scan(p.s.o.Scanner, p.buf[:size], end == j.large.Size)
	return b, nil
}

// stuck goes on without parts where one cannot be read: in one piece behind a
// line that is longer than a part, else not at all.
func (p *parallel) stuck(ctx context.Context, j *job, err error) error {
	p.over = true
	close(j.large.ended)
	s := &p.s
	if !errors.Is(err, reader.ErrLine) {
		s.report.Problems = append(s.report.Problems, err)
		return nil
	}
	if err := j.large.Rest(ctx, p.next, s.chunk); err != nil {
		s.report.Problems = append(s.report.Problems, err)
	}
	return s.err
}

// end ends a job; with the last one of a file its findings are settled.
func (p *parallel) end(ctx context.Context, j *job) error {
	if j.large != nil {
		if j.to < j.large.Size {
			return nil
		}
		j.large.Close()
	}
	if err := p.s.flush(len(p.s.pending)); err != nil {
		return err
	}
	return ctx.Err()
}
