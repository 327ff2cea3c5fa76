package tailer

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	fast "github.com/klauspost/compress/gzip"
)

// TestScript runs the lives of files in testdata: a new case is a new file. A
// script begins with what is followed:
//
//	follow PATTERN...         -start_at end, -wait DURATION, -links DIR, -exclude PATTERN, -max BYTES
//
// and goes on with what happens, in the shell's words:
//
//	start, stop               the tailer; stopped, it keeps its positions
//	write FILE TEXT           append, through a new descriptor; \n is a line's end
//	hold NAME FILE            open FILE to append, keep it open as NAME
//	holdat NAME FILE          open FILE to write at its end, without O_APPEND
//	put NAME TEXT             write to what is held
//	cp, mv, ln, ln -s A B     rm FILE, mkdir DIR, mkfifo FILE, chmod MODE FILE
//	truncate FILE SIZE        gzip FILE, as gzip(1) does it
//	zeros FILE SIZE           a compressed file of so many NULs
//	pause DURATION            time to go wrong in
//	over FILE                 wait until it is known to be read to its end
//	stall, flow               nothing is taken of what was read, until it flows again
//	fill FILE N TEXT          append N times TEXT and its number, one a line
//
// and what must come of it, each with time to come:
//
//	want LINE...              exactly these lines have come, in any order
//	told TEXT                 TEXT stands in a notice; "nothing": there is none
//	lost REASON               a loss with this reason is in the ledger; "nothing": none
//
// Each word is quoted as in Go, or bare.
func TestScript(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range scripts {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{follow: following(t), held: map[string]*os.File{}}
			defer s.flow()
			for i, line := range strings.Split(string(text), "\n") {
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				s.where = fmt.Sprintf("%s:%d: %s", path, i+1, line)
				s.run(words(t, line))
				if t.Failed() {
					t.Fatalf("%s", s.where)
				}
			}
			for _, f := range s.held {
				f.Close()
			}
		})
	}
}

// words splits a line; quoted ones are read as Go reads them.
func words(t *testing.T, line string) (list []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			w, err := strconv.Unquote(q)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			list, line = append(list, w), line[len(q):]
			continue
		}
		w, rest, _ := strings.Cut(line, " ")
		list, line = append(list, strings.ReplaceAll(w, `\n`, "\n")), rest
	}
	return list
}

type script struct {
	*follow
	where   string
	held    map[string]*os.File
	stalled bool
}

func (s *script) run(w []string) {
	s.t.Helper()
	arg := func(i int) string {
		if i >= len(w) {
			s.t.Fatalf("%s: too short", s.where)
		}
		return w[i]
	}
	path := func(i int) string { return s.path(arg(i)) }
	number := func(i int) int {
		n, err := strconv.Atoi(arg(i))
		s.must(err)
		return n
	}
	switch w[0] {
	case "follow":
		s.options(w[1:])
	case "start":
		s.start()
	case "stop":
		s.stop()
	case "write":
		s.put(arg(1), arg(2))
	case "fill":
		var b strings.Builder
		for i := range number(2) {
			fmt.Fprintf(&b, "%s%d\n", arg(3), i)
		}
		s.put(arg(1), b.String())
	case "hold", "holdat":
		flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
		if w[0] == "holdat" {
			flags &^= os.O_APPEND
		}
		f, err := os.OpenFile(path(2), flags, 0o644)
		s.must(err)
		_, err = f.Seek(0, io.SeekEnd)
		if info, e := f.Stat(); e == nil && info.Mode().IsRegular() {
			s.must(err)
		}
		s.held[arg(1)] = f
	case "put":
		_, err := s.held[arg(1)].WriteString(arg(2))
		s.must(err)
	case "drop":
		s.must(s.held[arg(1)].Close())
		delete(s.held, arg(1))
	case "cp":
		b, err := os.ReadFile(path(1))
		s.must(err)
		s.must(os.WriteFile(path(2), b, 0o644))
	case "mv":
		s.must(os.Rename(path(1), path(2)))
	case "rm":
		s.must(os.RemoveAll(path(1)))
	case "mkdir":
		s.must(os.MkdirAll(path(1), 0o755))
	case "mkfifo":
		s.must(syscall.Mkfifo(path(1), 0o644))
	case "ln":
		if arg(1) == "-s" {
			s.must(os.Symlink(strings.ReplaceAll(arg(2), "$DIR", s.dir), path(3)))
		} else {
			s.must(os.Link(path(1), path(2)))
		}
	case "chmod":
		mode, err := strconv.ParseUint(arg(1), 8, 32)
		s.must(err)
		s.must(os.Chmod(path(2), os.FileMode(mode)))
	case "truncate":
		s.must(os.Truncate(path(1), int64(number(2))))
	case "gzip":
		s.gzip(path(1))
	case "zeros":
		s.zeros(path(1), number(2))
	case "pause":
		d, err := time.ParseDuration(arg(1))
		s.must(err)
		time.Sleep(d)
	case "over":
		s.over(path(1))
	case "stall":
		s.mu.Lock()
		s.stalled = true
	case "flow":
		s.flow()
	case "age":
		old := time.Now().Add(-time.Duration(number(2)) * time.Hour)
		s.must(os.Chtimes(path(1), old, old))
	case "want":
		s.want(w[1:]...)
	case "count":
		s.count(number(1))
	case "told":
		if arg(1) == "nothing" {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.notices) > 0 {
				s.t.Errorf("told %q", s.notices)
			}
			return
		}
		s.told(arg(1))
	case "lost":
		s.lost(arg(1))
	default:
		s.t.Fatalf("%s: no such command", s.where)
	}
}

func (s *script) options(w []string) {
	for i := 0; i < len(w); i++ {
		switch w[i] {
		case "-start_at":
			i++
			s.src.StartAt = w[i]
		case "-wait":
			i++
			d, err := time.ParseDuration(w[i])
			s.must(err)
			s.src.RotateWait = d
		case "-links":
			i++
			s.src.Roots = append(s.src.Roots, s.path(w[i]))
		case "-exclude":
			i++
			s.src.Exclude = append(s.src.Exclude, s.path(w[i]))
		case "-max":
			i++
			n, err := strconv.Atoi(w[i])
			s.must(err)
			s.src.MaxLine = n
		default:
			s.src.Paths = append(s.src.Paths, s.path(w[i]))
		}
	}
}

// gzip compresses as gzip(1) does: into a new file that gets the old one's time,
// and then the old one goes.
func (s *script) gzip(path string) {
	b, err := os.ReadFile(path)
	s.must(err)
	info, err := os.Stat(path)
	s.must(err)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err = w.Write(b)
	s.must(err)
	s.must(w.Close())
	s.must(os.WriteFile(path+".gz", z.Bytes(), 0o644))
	s.must(os.Chtimes(path+".gz", info.ModTime(), info.ModTime()))
	s.must(os.Remove(path))
}

// zeros writes a compressed file that comes out as nothing but NULs.
func (s *script) zeros(path string, n int) {
	f, err := os.Create(path)
	s.must(err)
	z, err := fast.NewWriterLevel(f, fast.BestSpeed)
	s.must(err)
	_, err = io.CopyN(z, zero{}, int64(n))
	s.must(err)
	s.must(z.Close())
	s.must(f.Close())
}

type zero struct{}

func (zero) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// count waits for so many lines, all of them different.
func (s *script) count(n int) {
	s.t.Helper()
	var got, kinds int
	if !s.until(func() bool {
		got = len(s.lines)
		kinds = len(slices.Compact(slices.Sorted(slices.Values(s.lines))))
		return got == n && kinds == n
	}) {
		s.t.Errorf("%d lines, %d different ones; want %d", got, kinds, n)
	}
}

// flow ends a stall.
func (s *script) flow() {
	if s.stalled {
		s.stalled = false
		s.mu.Unlock()
	}
}

// over waits until a file is known to be read to its end.
func (s *script) over(path string) {
	s.t.Helper()
	if !s.until(func() bool {
		for _, p := range s.last {
			if p.Path == path && p.Done {
				return true
			}
		}
		return false
	}) {
		s.t.Errorf("%s is not over", path)
	}
}

func (s *script) lost(reason string) {
	s.t.Helper()
	if reason == "nothing" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.losses) > 0 {
			s.t.Errorf("lost %+v", s.losses)
		}
		return
	}
	if !s.until(func() bool {
		return slices.ContainsFunc(s.losses, func(l finding.Loss) bool {
			return strings.Contains(fmt.Sprintf("%s %d-%d", l.Reason, l.From, l.To), reason)
		})
	}) {
		s.t.Errorf("%q is not in the ledger: %+v", reason, s.losses)
	}
}
