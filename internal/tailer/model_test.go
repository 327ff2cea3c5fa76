package tailer

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run only the model sequence of this seed")
	runs     = flag.Int("sequences", 1000, "model sequences to run")
)

// sinkModel stands for the store in the model: what a handler call brings is durable
// together or not at all.
type sinkModel struct {
	mu    sync.Mutex
	calls []call
}

type call struct {
	position finding.Position
	lines    []string
	losses   []finding.Loss
}

func (s *sinkModel) handle(c *Chunk) (int, error) {
	var lines []string
	data := c.Data
	if !c.Final && len(data) > 0 && data[0]%7 == 3 && bytes.Count(data, newline) > 1 {
		// Sometimes a block may go on: its last line is held back.
		data = data[:bytes.LastIndexByte(data[:len(data)-1], '\n')+1]
	}
	for l := range bytes.Lines(data) {
		lines = append(lines, strings.TrimRight(string(l), "\n"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call{c.Position(len(data)), lines, c.Losses})
	return len(data), nil
}

func (s *sinkModel) commits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// positions are the last durable ones.
func (s *sinkModel) positions() (list []finding.Position) {
	last := map[string]finding.Position{}
	for _, c := range s.calls {
		last[c.position.Generation] = c.position
	}
	return slices.Collect(maps.Values(last))
}

func (s *sinkModel) delivered() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[string]int{}
	for _, c := range s.calls {
		for _, l := range c.lines {
			got[l]++
		}
	}
	return got
}

// model is one random life of a log file and its follower.
type model struct {
	t     *testing.T
	r     *rand.Rand
	dir   string
	path  string
	f     *os.File // the writer's
	seq   int
	torn  string // the unwritten rest of a line
	want  []string
	sink  sinkModel
	idle  time.Duration // after which its files are closed
	safe  int           // commits that a kill cannot take: what they are about is deleted
	stop  func()
	trace []string
}

func (m *model) op(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

const rotateWait = 150 * time.Millisecond

// start runs the follower from what is durable.
func (m *model) start() {
	ready := make(chan struct{})
	t, err := New(Options{Sources: []Source{{Name: "s", Paths: []string{m.path}, RotateWait: rotateWait}}, Positions: m.sink.positions(),
		Sweep: 20 * time.Millisecond, Poll: 20 * time.Millisecond, Workers: 2, Idle: m.idle}, m.sink.handle, func() { close(ready) })
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- t.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-done; err != nil {
			m.t.Error(err)
		}
		m.stop = nil
	}
	<-ready // what was there is known now, and that is made durable
	m.safe = max(m.safe, m.sink.commits())
}

func (m *model) open(flags int) *os.File {
	f, err := os.OpenFile(m.path, os.O_WRONLY|os.O_APPEND|flags, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	return f
}

func (m *model) must(err error) {
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) line() string {
	m.seq++
	l := fmt.Sprintf("%c line %d of the model %s", 'a'+m.r.IntN(26), m.seq, strings.Repeat("x", m.r.IntN(60)))
	m.want = append(m.want, l)
	return l
}

func (m *model) write(f *os.File, n int) {
	var b strings.Builder
	b.WriteString(m.torn)
	m.torn = ""
	for range n {
		b.WriteString(m.line() + "\n")
	}
	_, err := f.WriteString(b.String())
	m.must(err)
}

// finishLine completes a torn line, so that a rotation does not cut it.
func (m *model) finishLine() {
	if m.torn != "" {
		m.write(m.f, 0)
	}
}

// shift moves the rotated names one further.
func (m *model) shift() {
	for i := 8; i >= 1; i-- {
		for _, ext := range []string{"", ".gz"} {
			from := fmt.Sprintf("%s.%d%s", m.path, i, ext)
			if _, err := os.Stat(from); err == nil {
				m.must(os.Rename(from, fmt.Sprintf("%s.%d%s", m.path, i+1, ext)))
			}
		}
	}
}

// caught waits until everything wanted is delivered. While a line is torn that
// cannot be; it waits until what is rotated has come to its end.
func (m *model) caught(limit time.Duration) bool {
	if m.torn != "" {
		time.Sleep(2 * rotateWait)
		return false
	}
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		got := m.sink.delivered()
		if !slices.ContainsFunc(m.want, func(l string) bool { return got[l] == 0 }) {
			return true
		}
	}
	return false
}

func (m *model) step() {
	switch m.r.IntN(12) {
	case 0, 1, 2, 3:
		n := 1 + m.r.IntN(20)
		m.op("write %d", n)
		m.write(m.f, n)
	case 4:
		m.op("torn write")
		m.finishLine()
		l := m.line() + "\n"
		cut := 1 + m.r.IntN(len(l)-1)
		_, err := m.f.WriteString(l[:cut])
		m.must(err)
		m.torn = l[cut:]
	case 5:
		late := m.r.IntN(3)
		m.op("rename and create, %d late lines", late)
		m.finishLine()
		m.shift()
		m.must(os.Rename(m.path, m.path+".1"))
		old := m.f
		m.f = m.open(os.O_CREATE | os.O_EXCL)
		if late > 0 {
			m.write(old, late)
		}
		m.must(old.Close())
	case 6:
		m.op("copytruncate")
		m.finishLine()
		m.shift()
		data, err := os.ReadFile(m.path)
		m.must(err)
		m.must(os.WriteFile(m.path+".1", data, 0o644))
		m.must(os.Truncate(m.path, 0))
		if m.r.IntN(2) == 0 {
			m.write(m.f, 1+m.r.IntN(40))
		}
	case 7:
		if m.stop == nil || !m.caught(5*time.Second) {
			return // what is deleted unread nobody can read
		}
		m.op("delete and create")
		m.finishLine()
		if !m.caught(5 * time.Second) {
			return
		}
		m.safe = m.sink.commits()
		m.must(os.Remove(m.path))
		m.must(m.f.Close())
		m.f = m.open(os.O_CREATE | os.O_EXCL)
	case 8:
		if m.stop == nil || !m.caught(5*time.Second) {
			return
		}
		m.op("replace")
		m.finishLine()
		if !m.caught(5 * time.Second) {
			return
		}
		m.safe = m.sink.commits()
		m.must(m.f.Close())
		tmp := filepath.Join(m.dir, "tmp")
		m.must(os.WriteFile(tmp, []byte(m.line()+"\n"), 0o644))
		m.must(os.Rename(tmp, m.path))
		m.f = m.open(0)
	case 9:
		if _, err := os.Stat(m.path + ".2"); err != nil {
			return
		}
		m.op("gzip .2")
		data, err := os.ReadFile(m.path + ".2")
		m.must(err)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err = z.Write(data)
		m.must(err)
		m.must(z.Close())
		info, err := os.Stat(m.path + ".2")
		m.must(err)
		m.must(os.WriteFile(m.path+".gz.tmp", b.Bytes(), 0o644))
		m.must(os.Chtimes(m.path+".gz.tmp", info.ModTime(), info.ModTime()))
		m.must(os.Rename(m.path+".gz.tmp", m.path+".2.gz"))
		m.must(os.Remove(m.path + ".2"))
	case 10:
		if m.stop != nil {
			m.op("stop")
			m.stop()
		} else {
			m.op("start")
			m.start()
		}
	case 11:
		if m.stop == nil {
			return
		}
		m.stop()
		// Killed: what was not yet durable never left, and is read again.
		keep := max(m.safe, len(m.sink.calls)-m.r.IntN(4))
		m.op("kill, losing %d commits", len(m.sink.calls)-keep)
		m.sink.calls = m.sink.calls[:keep]
		m.start()
	}
	if m.r.IntN(3) == 0 {
		time.Sleep(time.Duration(m.r.IntN(30)) * time.Millisecond)
	}
}

// sequence runs one random life and returns what is wrong with it.
func sequence(t *testing.T, seed uint64) (wrong string) {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 7)), dir: dir, path: filepath.Join(dir, "app.log")}
	if seed%2 == 0 {
		m.idle = time.Millisecond // at every sweep
	}
	m.f = m.open(os.O_CREATE)
	m.start()
	for range 6 + m.r.IntN(20) {
		m.step()
	}
	m.finishLine()
	if m.stop == nil {
		m.start()
	}
	m.caught(10 * time.Second)
	m.stop()
	m.must(m.f.Close())
	got := m.sink.delivered()
	var missing, twice, alien []string
	known := map[string]bool{}
	for _, l := range m.want {
		known[l] = true
		switch {
		case got[l] == 0:
			missing = append(missing, l)
		case got[l] > 1:
			twice = append(twice, l)
		}
	}
	for l := range got {
		if !known[l] {
			alien = append(alien, l)
		}
	}
	if len(missing)+len(twice)+len(alien) == 0 {
		return ""
	}
	for i, c := range m.sink.calls {
		if len(twice)+len(missing) > 0 {
			m.op("%v: commit %d of %d, generation %.6s, %s up to %d done %v ino %d, %d lines", len(twice) > 0 && slices.Contains(c.lines, twice[0]), i, len(m.sink.calls), c.position.Generation, filepath.Base(c.position.Path), c.position.Offset, c.position.Done, c.position.Ino%100000, len(c.lines))
		}
	}
	short := func(list []string) string { return fmt.Sprintf("%d %.120q", len(list), list[:min(2, len(list))]) }
	return fmt.Sprintf("seed %d: missing %s, twice %s, alien %s\n%s", seed, short(missing), short(twice), short(alien), strings.Join(m.trace, "\n"))
}

// TestModel runs random lives of a log file against what was written: every line
// arrives once, through renames, copies, deletions, compressions, restarts and
// kills. A failure names its seed: -run Model -seed N.
func TestModel(t *testing.T) {
	if *seedFlag != 0 {
		if wrong := sequence(t, *seedFlag); wrong != "" {
			t.Error(wrong)
		}
		return
	}
	n := *runs
	if testing.Short() {
		n = min(n, 100)
	}
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	var mu sync.Mutex
	failed := 0
	for range 16 {
		wg.Go(func() {
			for seed := range seeds {
				if wrong := sequence(t, seed); wrong != "" {
					mu.Lock()
					if failed++; failed <= 5 {
						t.Error(wrong)
					}
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		seeds <- uint64(i + 1)
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d sequences, %d failed", n, failed)
}
