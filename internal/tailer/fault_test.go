package tailer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"golang.org/x/sys/unix"
)

// TestSameBeginnings: every file of a rotation begins with the same 4 KiB, more
// than a head knows, and is longer than the one before it. Only what stands before
// a position tells them apart.
func TestSameBeginnings(t *testing.T) {
	var banner []string
	for i := range 64 {
		banner = append(banner, fmt.Sprintf("# %-61d", i))
	}
	begin := strings.Join(banner, "\n") + "\n"
	for name, rotate := range map[string]func(f *follow, next string){
		"renamed": func(f *follow, next string) {
			f.shift("app.log", "", ".1", ".2", ".3", ".4", ".5", ".6", ".7", ".8", ".9")
			f.put("app.log", next)
		},
		"compressed": func(f *follow, next string) {
			f.shift("app.log", ".1.gz", ".2.gz", ".3.gz", ".4.gz", ".5.gz", ".6.gz", ".7.gz", ".8.gz", ".9.gz")
			f.shift("app.log", "", ".1")
			(&script{follow: f}).gzip(f.path("app.log.1"))
			f.put("app.log", next)
		},
		"copied and truncated": func(f *follow, next string) {
			b, err := os.ReadFile(f.path("app.log"))
			f.must(err)
			f.shift("app.log", "", ".1", ".2", ".3", ".4", ".5", ".6", ".7", ".8", ".9")
			f.must(os.Rename(f.path("app.log.1"), f.path("app.log"))) // the same inode
			f.must(os.WriteFile(f.path("app.log.1"), b, 0o644))
			f.must(os.Truncate(f.path("app.log"), 0))
			f.put("app.log", next)
		},
		"replaced": func(f *follow, next string) {
			f.put("new", next)
			f.must(os.Rename(f.path("new"), f.path("app.log")))
		},
	} {
		for _, down := range []int{0, 1, 3} { // rotations while nobody follows
			if name == "replaced" && down > 0 {
				continue // nobody can read what is gone
			}
			t.Run(fmt.Sprint(name, ", ", down, " while down"), func(t *testing.T) {
				t.Parallel()
				f := following(t, "app.log")
				var want []string
				next := func() string {
					line := fmt.Sprint("line", strings.Repeat(" ", len(want)/8), len(want))
					want = append(append(want, banner...), line)
					return begin + line + "\n"
				}
				f.put("app.log", next())
				f.start()
				f.want(slices.Clone(want)...)
				for range 3 {
					if down > 0 {
						f.stop()
					}
					for range max(down, 1) {
						f.mu.Lock() // a turn that takes the last line ends after the rotation
						f.put("app.log", "last\n")
						want = append(want, "last")
						time.Sleep(20 * time.Millisecond)
						rotate(f, next())
						f.mu.Unlock()
					}
					if down > 0 {
						f.start()
					}
					f.want(slices.Clone(want)...)
				}
				f.stop()
				if len(f.losses) > 0 {
					t.Errorf("lost %+v", f.losses)
				}
			})
		}
	}
}

// shift renames each of the names to the next one, the last first.
func (f *follow) shift(name string, ends ...string) {
	f.t.Helper()
	for i := len(ends) - 1; i > 0; i-- {
		if err := os.Rename(f.path(name+ends[i-1]), f.path(name+ends[i])); err != nil && !os.IsNotExist(err) {
			f.t.Fatal(err)
		}
	}
}

// TestMapped: what is written through a mapping changes neither size nor time and
// is told to nobody; the sweep finds it, however much room is left behind it.
func TestMapped(t *testing.T) {
	for _, size := range []int{4096, 8 << 20} {
		for _, sparse := range []bool{true, false} {
			t.Run(fmt.Sprint(size, " ", sparse), func(t *testing.T) {
				t.Parallel()
				f := following(t, "app.log")
				w, err := os.OpenFile(f.path("app.log"), os.O_RDWR|os.O_CREATE, 0o644)
				f.must(err)
				defer w.Close()
				if sparse {
					f.must(w.Truncate(int64(size)))
				} else {
					_, err := w.Write(make([]byte, size))
					f.must(err)
				}
				m, err := unix.Mmap(int(w.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
				f.must(err)
				defer unix.Munmap(m)
				at := 0
				write := func(text string) { at += copy(m[at:], text) }
				write("one\n")
				f.start()
				f.want("one")
				write("tw")
				time.Sleep(200 * time.Millisecond) // some sweeps
				f.want("one")
				write("o\nthree\n")
				f.want("one", "two", "three")
				f.stop()
				write("four\n")
				f.start()
				f.want("one", "two", "three", "four")
				f.must(w.Truncate(int64(at))) // as such writers do in the end
				f.must(os.Rename(f.path("app.log"), f.path("app.log.1")))
				f.put("app.log", "five\n")
				f.want("one", "two", "three", "four", "five")
			})
		}
	}
}

// TestPowerCut: of what was read the disk has not all when the power comes back:
// the file is shorter, or its end was never written. It is read again from its
// beginning, and what comes then is read.
func TestPowerCut(t *testing.T) {
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("%-40d", i))
	}
	text := strings.Join(lines, "\n") + "\n"
	for _, kept := range []int{0, 6, 1000, 41 * 30, 4096, 8192, len(text) - 1} {
		for name, lost := range map[string]string{"shorter": "", "NULs": strings.Repeat("\x00", len(text)-kept), "more NULs": strings.Repeat("\x00", len(text)+4096-kept)} {
			t.Run(fmt.Sprint(kept, " ", name), func(t *testing.T) {
				t.Parallel()
				f := following(t, "app.log")
				f.put("app.log", text)
				f.start()
				f.want(slices.Clone(lines)...)
				f.stop()
				f.must(os.Truncate(f.path("app.log"), int64(kept)))
				f.must(os.Truncate(f.path("app.log"), int64(kept+len(lost))))
				f.start()
				whole := kept / 41
				want := slices.Concat(lines, lines[:whole])
				f.want(slices.Clone(want)...)
				f.put("app.log", "first after it\nsecond\n")
				torn := text[whole*41 : kept]
				if torn != "" {
					torn += lost
				}
				f.want(append(want, torn+"first after it", "second")...)
				f.stop()
				if len(f.losses) > 0 {
					t.Errorf("lost %+v", f.losses)
				}
			})
		}
	}
}

// TestClockSetBack: the clock was ahead when the positions were kept. What was
// rotated since is found all the same.
func TestClockSetBack(t *testing.T) {
	f := following(t, "app.log")
	f.put("app.log", "one\n")
	f.start()
	f.want("one")
	f.stop()
	f.age(-time.Hour)
	f.put("app.log.9", "history\n")
	old := time.Now().Add(-30 * 24 * time.Hour)
	f.must(os.Chtimes(f.path("app.log.9"), old, old))
	for _, next := range []string{"two\n", "three\n", "four\n"} {
		f.shift("app.log", "", ".1", ".2", ".3")
		f.put("app.log", next)
	}
	f.start()
	f.want("one", "two", "three", "four")
	f.stop()
	f.start() // once more: nothing comes twice
	f.put("app.log", "five\n")
	f.want("one", "two", "three", "four", "five")
}

// TestEdges: files as long as an anchor and a head are, and one byte more and
// less, that grow while nobody follows, in whatever form they are found then.
func TestEdges(t *testing.T) {
	for form, rotate := range map[string]func(f *follow){
		"as it was": func(f *follow) {},
		"renamed":   func(f *follow) { f.shift("app.log", "", ".1") },
		"compressed": func(f *follow) {
			f.shift("app.log", "", ".1")
			(&script{follow: f}).gzip(f.path("app.log.1"))
		},
		"copied and cut": func(f *follow) {
			b, err := os.ReadFile(f.path("app.log"))
			f.must(err)
			f.must(os.WriteFile(f.path("app.log.1"), b, 0o644))
			f.must(os.Truncate(f.path("app.log"), 0))
		},
	} {
		for _, size := range []int{2, 63, 64, 65, 1023, 1024, 1025} {
			t.Run(fmt.Sprint(form, ", ", size), func(t *testing.T) {
				t.Parallel()
				f := following(t, "app.log")
				line := strings.Repeat("x", size-1)
				f.put("app.log", line+"\n")
				f.start()
				f.want(line)
				f.stop()
				f.put("app.log", "more\n")
				rotate(f)
				f.put("app.log", "last\n")
				f.start()
				f.want(line, "more", "last")
				f.stop()
				if len(f.losses) > 0 {
					t.Errorf("lost %+v", f.losses)
				}
			})
		}
	}
}

// TestFlood: with one worker, a file that is written as fast as it is read keeps
// no other from being read, and a file in which there is always a little more
// keeps nobody from catching up with a large one.
func TestFlood(t *testing.T) {
	const (
		block = 4096      // one turn reads no more
		large = 4 << 20   // what is left to read of such a file is a backlog
		most  = 60_000    // turns
		quick = most / 10 // turns, then the disk is spared
	)
	lines := strings.Repeat(strings.Repeat("x", 63)+"\n", block/64)
	for name, test := range map[string]struct {
		unread int  // at first, of the file that is written on and on
		little bool // it is the others that have much to read
	}{"others beside a flood": {large, false}, "a backlog beside a lively file": {8 * block, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := following(t, "*.log")
			f.put("flood.log", strings.Repeat(lines, test.unread/block))
			const others = 4
			left := map[string]int{} // bytes of the others
			write := func(text string) {
				for i := range others {
					name := fmt.Sprintf("%d.log", i)
					f.put(name, text)
					left[f.path(name)] += len(text)
				}
			}
			first := "a line\n"
			if test.little {
				first = strings.Repeat(lines, large/block/2)
			}
			write(first)
			ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
			defer cancel()
			turns, at, through := 0, int64(0), false
			f.src.MaxLine = block - 4
			x, err := New(Options{Sources: []Source{f.src}, Workers: 1}, func(c *Chunk) (int, error) {
				if c.Path != f.path("flood.log") {
					if left[c.Path] -= len(c.Data); left[c.Path] == 0 {
						delete(left, c.Path)
					}
					if turns >= 100 && len(left) == 0 {
						through = true
						cancel()
					}
					return len(c.Data), nil
				}
				if c.Offset != at {
					t.Errorf("%d bytes at %d, expected at %d", len(c.Data), c.Offset, at)
				}
				if at += int64(len(c.Data)); len(c.Data) == 0 {
					return 0, nil
				}
				f.put("flood.log", string(c.Data))
				if turns++; turns == 100 {
					write("a line while it is flooded\n")
				}
				switch {
				case turns > most:
					cancel()
				case turns > quick:
					time.Sleep(time.Millisecond)
				}
				return len(c.Data), nil
			}, func() {})
			f.must(err)
			f.must(x.Run(ctx))
			if !through {
				t.Errorf("after %d turns of the flood, of others are left %v", turns, left)
			}
			t.Logf("%d turns of the flood", turns)
		})
	}
}

// TestRewritten: a file is cut and written anew, longer, while its beginning is
// read: a line is one of before or one of after, never both.
func TestRewritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	over := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			letter := string(rune('a' + i%26))
			text := strings.Repeat(letter, 59)
			if i%2 == 1 {
				text = strings.Repeat(strings.Repeat(letter, 80)+"\n", 15)
			}
			if err := errors.Join(w.Truncate(0), func() error { _, err := w.WriteString(text); return err }()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := newSource(&Source{Name: "s", Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	var buf []byte
	lines := 0
	for end := time.Now().Add(20 * time.Second); lines < 100_000 && time.Now().Before(end); {
		g := newGeneration(s, path, identity{}, r)
		g.limit = -1
		g.read(&buf, false, func(c *Chunk) (int, error) {
			for l := range strings.Lines(string(c.Data)) {
				lines++
				if strings.Trim(l, l[:1]) != "\n" {
					t.Errorf("one line of two: %q", l)
					lines = 100_000
				}
			}
			return len(c.Data), nil
		})
	}
	close(over)
	writer.Wait()
	if lines == 0 {
		t.Error("nothing was read")
	}
}

// shifting is a context that shifts names when it is first asked.
type shifting struct {
	context.Context
	once  sync.Once
	shift func()
}

func (s *shifting) Err() error {
	s.once.Do(s.shift)
	return s.Context.Err()
}

// TestPackedShifted: what is asked about a compressed file is asked of one file, also when
// names are shifted between two questions.
func TestPackedShifted(t *testing.T) {
	f := following(t, "app.log")
	src, err := newSource(&f.src)
	f.must(err)
	before := "an older line of the application\n"
	text := "one line of the application\nand another one\n"
	for name, text := range map[string]string{"app.log.1": before, "app.log.2": text} {
		f.put(name, text)
		(&script{follow: f}).gzip(f.path(name))
	}
	read := func(id, text string) finding.Position {
		g := newGeneration(src, f.path("app.log"), identity{}, nil)
		g.id, g.done = id, true
		g.advance([]byte(text), int64(strings.Count(text, "\n")))
		return g.here()
	}
	path := f.path("app.log.2.gz")
	info, err := os.Stat(path)
	f.must(err)
	g := newGeneration(src, path, numbers(info), nil)
	g.packed, g.stored = true, info.Size()
	g.maybe = []finding.Position{read("unlike", "nothing of this stands there\n"), read("like", text)}
	ctx := &shifting{Context: t.Context(), shift: func() {
		f.must(os.Rename(path, f.path("app.log.3.gz")))
		f.must(os.Rename(f.path("app.log.1.gz"), path))
	}}
	r := g.unpack(ctx, true, func(c *Chunk) (int, error) {
		t.Errorf("read again: %q", c.Data)
		return len(c.Data), nil
	})
	if r.known == nil || r.known.Generation != "like" {
		t.Errorf("not known: %+v", r)
	}
	if r := g.unpack(t.Context(), true, nil); !r.vanished {
		t.Errorf("the name is another file's now: %+v", r)
	}
}

// TestEndsAlike: in a storm all lines have the same length and the same end. A file that
// was copied, cut and has grown beyond where it was read looks as before there, but for
// what stands further before; also after a start, and behind a line of a stack.
func TestEndsAlike(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "app.log")
		written := 0
		lines := func(n int) (b []byte) {
			for range n {
				b = fmt.Appendf(b, "%06d the user is already logged on another device, and so on to the end of the line\n", written)
				written++
			}
			return b
		}
		write := func(flags int, pieces ...[]byte) {
			t.Helper()
			w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|flags, 0o644)
			if err == nil {
				_, err = w.Write(slices.Concat(pieces...))
				err = errors.Join(err, w.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		stack := []byte("\tat com.example.chat.Connection.open(Connection.java:206) of the library that everybody uses\n")
		got := map[string]int{}
		o := Options{Sources: []Source{{Name: "s", Paths: []string{path}}}}
		var last finding.Position
		start := func() *tailer {
			return byHand(t, o, func(c *Chunk) (int, error) {
				for l := range strings.Lines(string(c.Data)) {
					got[l]++
				}
				last = c.Position(len(c.Data))
				return len(c.Data), nil
			})
		}
		write(0, lines(50))
		tail := start()
		tail.turnAll(t)
		write(0, stack)
		tail.sweep()
		tail.turnAll(t)
		if restarted {
			o.Positions = []finding.Position{last}
			tail = start()
			tail.turnAll(t)
		}
		write(0, lines(7)) // unread when it is copied
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".1", data, 0o644); err != nil {
			t.Fatal(err)
		}
		write(os.O_TRUNC, lines(50), stack, lines(10))
		for range 3 {
			tail.sweep()
			tail.turnAll(t)
		}
		if n := len(got) - 1; n != written {
			t.Errorf("restarted %v: %d of %d lines", restarted, n, written)
		}
		for l, n := range got {
			if want := 1 + strings.Count(l, "\tat"); n != want {
				t.Errorf("restarted %v: %d times %q", restarted, n, l)
			}
		}
	}
}

// TestManyLongLines: lines that are longer than is kept, many in one write, need no hint
// each.
func TestManyLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(path, []byte(strings.Repeat(strings.Repeat("a", 524)+"\n", 300)), 0o644); err != nil {
		t.Fatal(err)
	}
	lines := 0
	tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{path}, MaxLine: 300}}}, func(c *Chunk) (int, error) {
		lines += strings.Count(string(c.Data), "\n")
		return len(c.Data), nil
	})
	if tail.turnAll(t); lines != 300 {
		t.Errorf("%d lines", lines)
	}
}
