package tailer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/imwatch/imwatch/internal/finding"
)

// follow is a tailer on a directory of a test's own.
type follow struct {
	t       *testing.T
	dir     string
	src     Source
	mu      sync.Mutex
	lines   []string
	notices []string
	last    map[string]finding.Position
	losses  []finding.Loss
	reread  time.Time
	sweep   time.Duration
	touch   func(name string) // called before a file is looked at
	take    func(name string) // called before what was read is taken
	left    int               // calls of the handler that still become durable
	x       *Tailer
	stop    func()
}

func following(t *testing.T, patterns ...string) *follow {
	t.Helper()
	f := &follow{t: t, dir: t.TempDir(), last: map[string]finding.Position{}, left: math.MaxInt}
	f.src = Source{Name: "s", RotateWait: 100 * time.Millisecond}
	for _, p := range patterns {
		f.src.Paths = append(f.src.Paths, filepath.Join(f.dir, p))
	}
	t.Cleanup(func() {
		if f.stop != nil {
			f.stop()
		}
	})
	return f
}

func (f *follow) path(name string) string { return filepath.Join(f.dir, name) }

func (f *follow) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *follow) put(name, text string) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.path(name)), 0o755))
	w, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	f.must(err)
	_, err = w.WriteString(text)
	f.must(err)
	f.must(w.Close())
}

func (f *follow) start() {
	f.t.Helper()
	ready := make(chan struct{})
	var positions []finding.Position
	for _, p := range f.last {
		positions = append(positions, p)
	}
	var err error
	f.x, err = New(Options{Sources: []Source{f.src}, Positions: positions, Sweep: cmp.Or(f.sweep, 50*time.Millisecond), Poll: 50 * time.Millisecond, Notice: func(_, text string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.notices = append(f.notices, text)
	}, Reread: f.reread, Refuse: func(info os.FileInfo) bool {
		if f.touch != nil {
			f.touch(info.Name())
		}
		return false
	}}, func(c *Chunk) (int, error) {
		if f.take != nil {
			f.take(filepath.Base(c.Path))
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.left--; f.left < 0 {
			return len(c.Data), nil // killed: nothing more comes of it
		}
		for l := range strings.Lines(string(c.Data)) {
			f.lines = append(f.lines, strings.TrimSuffix(l, "\n"))
		}
		f.losses = append(f.losses, c.Losses...)
		p := c.Position(len(c.Data))
		f.last[p.Generation] = p
		return len(c.Data), nil
	}, func() { close(ready) })
	f.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.x.Run(ctx) }()
	<-ready
	f.stop = func() {
		cancel()
		f.must(<-done)
		f.stop = nil
	}
}

// age makes the positions older than they are.
func (f *follow) age(d time.Duration) {
	for id, p := range f.last {
		p.Seen, p.Since = p.Seen.Add(-d), p.Since.Add(-d)
		f.last[id] = p
	}
}

func init() {
	firstRetry, lastRetry = 20*time.Millisecond, time.Second
	sweepPatience, askPatience, endPatience, stallAfter = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
}

// patience is how long what must come may take, on a machine with much else to do.
const patience = time.Minute

// until waits for what the handler has brought to be so; f.mu is held.
func (f *follow) until(so func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		ok := so()
		f.mu.Unlock()
		if ok {
			return true
		}
	}
	return false
}

// want waits for exactly these lines, in any order.
func (f *follow) want(lines ...string) {
	f.t.Helper()
	slices.Sort(lines)
	var got []string
	if !f.until(func() bool { got = slices.Sorted(slices.Values(f.lines)); return slices.Equal(got, lines) }) {
		f.t.Errorf("got  %.300q\nwant %.300q", got, lines)
	}
}

// told waits for a notice.
func (f *follow) told(text string) {
	f.t.Helper()
	if !f.until(func() bool {
		return slices.ContainsFunc(f.notices, func(n string) bool { return strings.Contains(n, text) })
	}) {
		f.t.Errorf("%q was not told; told %q", text, f.notices)
	}
}

func TestDirectoriesThatAppearLater(t *testing.T) {
	f := following(t, "a/**/*.log")
	f.start()
	f.put("a/b/c/d/x.log", "one\n")
	f.want("one")
	f.put("a/b/y.log", "two\n")
	f.put("a/b/y.txt", "not this\n")
	f.want("one", "two")
}

func TestPartialLastLine(t *testing.T) {
	f := following(t, "a.log")
	f.put("a.log", "whole\nhalf")
	f.start()
	f.want("whole")
	f.put("a.log", " and half\n")
	f.want("whole", "half and half")
	f.put("a.log", "cut off")
	f.must(os.Rename(f.path("a.log"), f.path("gone")))
	f.want("whole", "half and half", "cut off") // once it is rotated and quiet
}

func TestSymlinkSwitch(t *testing.T) {
	f := following(t, "current.log")
	f.src.RotateWait = 5 * time.Second
	f.put("one", "1\n")
	f.put("two", "2\n")
	f.must(os.Symlink("one", f.path("current.log")))
	f.start()
	f.want("1")
	f.must(os.Symlink("two", f.path("next")))
	f.must(os.Rename(f.path("next"), f.path("current.log")))
	f.want("1", "2")
	f.put("one", "late\n") // its descriptor is still held
	f.want("1", "2", "late")
}

// TestPlanted: a pipe does not block, a link that leads out is refused, a link to
// a secret directory too.
func TestPlanted(t *testing.T) {
	f := following(t, "logs/**/*.log")
	f.put("secret/key.log", "secret\n")
	f.put("logs/a.log", "1\n")
	f.must(syscall.Mkfifo(f.path("logs/pipe.log"), 0o644))
	f.must(os.Symlink("../secret/key.log", f.path("logs/link.log")))
	f.must(os.Symlink("../secret", f.path("logs/dir")))
	f.must(os.Symlink("a.log", f.path("logs/inside.log"))) // the same file twice
	f.start()
	f.told("leads out of the source's paths")
	f.put("logs/a.log", "2\n")
	f.want("1", "2")
	f.stop()
	f.src.Links = true
	f.start()
	f.want("1", "2", "secret")
}

func TestStartAtEnd(t *testing.T) {
	f := following(t, "*.log")
	f.src.StartAt = "end"
	f.put("a.log", "old\nhalf of an old")
	f.start()
	f.put("a.log", " line\nnew\n")
	f.put("b.log", "a file that came later\n")
	f.want("new", "a file that came later")
	f.stop()
	f.put("c.log", "while it was down\n")
	f.start()
	f.want("new", "a file that came later", "while it was down")
}

// TestReread: when the positions were lost, young files are read again, rotated
// ones too, whatever start_at says, and old ones are not.
func TestReread(t *testing.T) {
	f := following(t, "*.log")
	f.src.StartAt, f.reread = "end", time.Now().Add(-time.Hour)
	f.put("young.log", "1\n")
	f.put("old.log", "2\n")
	old := time.Now().Add(-2 * time.Hour)
	f.must(os.Chtimes(f.path("old.log"), old, old))
	f.put("young.log.1", "0\n")
	f.put("young.log.2", "history\n")
	f.must(os.Chtimes(f.path("young.log.2"), old, old))
	f.start()
	f.want("0", "1")
	f.put("old.log", "3\n")
	f.want("0", "1", "3")
}

// TestKilledAtStart: files that were rotated while nobody followed are found, all
// of them, also when the first starts after that are killed at any moment.
func TestKilledAtStart(t *testing.T) {
	const hour = time.Hour
	for left := range 12 {
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %v", left, packed), func(t *testing.T) {
				t.Parallel()
				f := following(t, "app.log")
				age := func(name string, d time.Duration) {
					at := time.Now().Add(-d)
					f.must(os.Chtimes(f.path(name), at, at))
				}
				f.put("app.log.1", "history\n")
				age("app.log.1", 9*hour)
				f.put("app.log", "a1\n")
				f.start()
				f.want("a1")
				f.stop()
				f.age(6 * hour) // it was in the morning
				want := []string{"a1", "a2"}
				f.put("app.log", "a2\n")
				age("app.log", 5*hour)
				f.must(os.Rename(f.path("app.log.1"), f.path("app.log.9")))
				f.must(os.Rename(f.path("app.log"), f.path("app.log.8")))
				for i := 7; i >= 3; i-- {
					name := fmt.Sprintf("app.log.%d", i)
					f.put(name, name+"\n")
					age(name, time.Duration(i)*hour/2)
					if want = append(want, name); packed {
						(&script{follow: f}).gzip(f.path(name))
					}
				}
				f.put("app.log", "live\n")
				for n := left; n >= 0; n -= 4 {
					f.left = n
					f.start()
					for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
						f.mu.Lock()
						killed := f.left < 0
						f.mu.Unlock()
						if killed {
							break
						}
					}
					f.stop()
				}
				f.left = math.MaxInt
				f.start()
				f.want(append(want, "live")...)
				f.stop()
				if len(f.losses) > 0 {
					t.Errorf("lost %+v", f.losses)
				}
			})
		}
	}
}

// TestShifted: names are shifted all the time while a start looks at them. What
// has two names for a start is still one file.
func TestShifted(t *testing.T) {
	for _, pattern := range []string{"app.log*", "app.log"} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			f := following(t, pattern)
			name := func(i int) string { return f.path(fmt.Sprintf("app.log.%d", i)) }
			const files = 40
			want := []string{"live"}
			f.put("app.log", "live\n")
			for i := range files {
				line := fmt.Sprintf("the first line of file %d", i)
				f.put(fmt.Sprintf("app.log.%d", i), line+"\n")
				want = append(want, line)
			}
			f.reread = time.Now().Add(-time.Hour)
			first := 0
			for range 30 {
				over, done := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					for at := first; ; {
						for i := at + files - 1; i >= at; i-- {
							if err := os.Rename(name(i), name(i+1)); err != nil {
								t.Error(err)
								return
							}
						}
						at++
						select {
						case <-over:
							first = at
							return
						default:
						}
					}
				}()
				f.start()
				close(over)
				<-done
				if f.want(want...); t.Failed() {
					return
				}
				f.stop()
			}
		})
	}
}

// TestHole: a writer without O_APPEND goes on at its old place after a truncate.
func TestHole(t *testing.T) {
	for _, longest := range []int{0, 200} { // less than a head is
		f := following(t, "a.log")
		f.src.MaxLine = longest
		f.start()
		w, err := os.Create(f.path("a.log"))
		f.must(err)
		defer w.Close()
		_, err = w.WriteString(strings.Repeat("before\n", 1000))
		f.must(err)
		f.want(slices.Repeat([]string{"before"}, 1000)...)
		f.must(w.Truncate(0))
		_, err = w.WriteString("behind\n")
		f.must(err)
		f.want(append(slices.Repeat([]string{"before"}, 1000), "behind")...)
		f.stop()
	}
}

// TestNothingLost: what is written after a file was cut, before the next look at it, is
// not what was lost.
func TestNothingLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(path, []byte(strings.Repeat("before\n", 1000)), 0o644))
	lines := 0
	tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{path}}}}, func(c *Chunk) (int, error) {
		if len(c.Losses) > 0 {
			t.Errorf("lost: %+v", c.Losses)
		}
		lines += bytes.Count(c.Data, newline)
		return len(c.Data), nil
	})
	tail.turnAll(t)
	must(os.WriteFile(path, []byte(strings.Repeat("after it was cut\n", 1000)), 0o644))
	tail.sweep()
	if tail.turnAll(t); lines != 2000 {
		t.Errorf("%d lines", lines)
	}
}

// TestLoss: bytes that are gone before they were read are told, with their
// offsets.
func TestLoss(t *testing.T) {
	f := following(t, "a.log")
	f.put("a.log", "read\n")
	f.start()
	f.want("read")
	f.stop()
	// The last position knew of more than was read.
	for id, p := range f.last {
		p.Size = 100
		f.last[id] = p
	}
	f.must(os.Remove(f.path("a.log")))
	f.put("a.log", "new\n")
	f.start()
	f.want("read", "new")
	f.told("bytes 5 to 100 were deleted before they were read")
}

// TestUnwatchable: where the kernel has no notification left, files are looked
// at every second, and that is told.
func TestUnwatchable(t *testing.T) {
	f := following(t, "a.log")
	f.put("a.log", "1\n")
	w := newWatcher(func(_, text string) { f.notices = append(f.notices, text) })
	w.w.Close()
	w.add(f.dir)
	if w.healthy() {
		t.Error("a closed watcher counts as healthy")
	}
	f.told("files are looked at every second or two instead")
}

// TestDescriptors: everything is given back when a source goes away.
func TestDescriptors(t *testing.T) {
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	fds, routines := open(), runtime.NumGoroutine()
	f := following(t, "*.log")
	var want []string
	for i := range 200 {
		f.put(fmt.Sprintf("%d.log", i), fmt.Sprintf("%d\n", i))
		want = append(want, fmt.Sprint(i))
	}
	f.start()
	f.want(want...)
	if n := len(f.x.Files(context.Background())); n != 200 {
		t.Errorf("%d files", n)
	}
	f.stop()
	for end := time.Now().Add(5 * time.Second); (open() > fds || runtime.NumGoroutine() > routines) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if open() > fds || runtime.NumGoroutine() > routines {
		t.Errorf("%d descriptors were %d, %d goroutines were %d", open(), fds, runtime.NumGoroutine(), routines)
	}
}

// TestNames: strange names and several patterns for one file.
func TestNames(t *testing.T) {
	f := following(t, "**/*.log", "*.log")
	f.put("-rf.log", "1\n")
	f.put("new\nline.log", "2\n")
	f.put("\x1b[31m.log", "3\n")
	f.put("\xff\xfe.log", "4\n")
	f.put(strings.Repeat("n", 250)+".log", "5\n")
	f.start()
	f.want("1", "2", "3", "4", "5")
	f.must(os.Link(f.path("-rf.log"), f.path("hard.log")))
	f.put("hard.log", "6\n")
	f.want("1", "2", "3", "4", "5", "6")
}

// TestPipe: what comes through a pipe is seen without a sweep; when it goes, what
// waited for it goes too.
func TestPipe(t *testing.T) {
	f := following(t, "in.pipe")
	f.sweep = time.Hour
	f.must(syscall.Mkfifo(f.path("in.pipe"), 0o644))
	routines := runtime.NumGoroutine()
	f.start()
	for i := range 3 {
		f.put("in.pipe", fmt.Sprintf("%d\n", i)) // a writer of its own each time
	}
	f.want("0", "1", "2")
	f.stop()
	for end := time.Now().Add(patience); runtime.NumGoroutine() > routines; time.Sleep(time.Millisecond) {
		if time.Now().After(end) { // fsnotify's ends by itself
			t.Fatalf("%d goroutines were %d", runtime.NumGoroutine(), routines)
		}
	}
}

// TestWideWithoutMark: where the configuration says so, no mark is needed.
func TestWideWithoutMark(t *testing.T) {
	f := following(t, "*.log")
	f.src.UTF16 = true
	f.put("little.log", "o\x00n\x00e\x00\n\x00t\x00")
	f.put("big.log", "\x00t\x00w\x00o\x00\n")
	f.start()
	f.want("one", "two")
	f.put("little.log", "h\x00r\x00\n\x00")
	f.want("one", "two", "thr")
}

// TestWide follows UTF-16: texts in UTF-8, offsets of the file, also across a
// restart and with a line that is too long.
func TestWide(t *testing.T) {
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		t.Run(name, func(t *testing.T) {
			f := following(t, "a.log")
			f.src.MaxLine = 200
			put := func(text string) {
				var b []byte
				for _, u := range utf16.Encode([]rune(text)) {
					b = order.AppendUint16(b, u)
				}
				f.put("a.log", string(b))
			}
			put("\ufeffone\n行 two 😀\nhalf")
			f.start()
			f.want("one", "行 two 😀")
			put(" done\n")
			f.want("one", "行 two 😀", "half done")
			f.stop()
			put(strings.Repeat("x", 500) + "\nfour\n")
			f.start()
			f.want("one", "行 two 😀", "half done", strings.Repeat("x", 102), "four")
			info, err := os.Stat(f.path("a.log"))
			f.must(err)
			for _, p := range f.last {
				if p.Offset != info.Size() || p.Lines != 5 {
					t.Errorf("position %d of %d, line %d", p.Offset, info.Size(), p.Lines)
				}
			}
		})
	}
}

// TestWideLeftOut: the rest of a line that is too long is left out, however many turns it
// takes, and what looks like a newline in it is none.
func TestWideLeftOut(t *testing.T) {
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		path := filepath.Join(t.TempDir(), "a.log")
		put := func(text string) {
			t.Helper()
			f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			var b []byte
			for _, u := range utf16.Encode([]rune(text)) {
				b = order.AppendUint16(b, u)
			}
			if _, err := f.Write(b); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var texts []string
		var last finding.Position
		put("\ufeffone\n" + strings.Repeat("上", 500)) // U+4E0A
		tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{path}, MaxLine: 200}}}, func(c *Chunk) (int, error) {
			for l := range strings.Lines(string(c.Data)) {
				texts = append(texts, strings.TrimRight(l, "上\n"))
			}
			last = c.Position(len(c.Data))
			return len(c.Data), nil
		})
		for _, more := range []string{"", "", "上 rest", " of it\nthree\n"} {
			if more != "" {
				put(more)
			}
			tail.turnAll(t)
			tail.enqueue(tail.byPath[path])
			tail.turnAll(t)
		}
		if got := strings.Join(texts, ","); got != "one,,three" || last.Lines != 3 || tail.byPath[path].lines != 3 {
			t.Errorf("%s: %q, %d and %d lines", name, got, last.Lines, tail.byPath[path].lines)
		}
	}
}

// TestQuietPipes: pipes in which nothing comes keep no worker from the files, and
// not the tailer from its end.
func TestQuietPipes(t *testing.T) {
	f := following(t, "a.log", "a.pipe", "b.pipe", "c.pipe", "d.pipe", "e.pipe", "f.pipe", "g.pipe", "h.pipe")
	for _, p := range f.src.Paths[1:] {
		f.must(syscall.Mkfifo(p, 0o600))
	}
	f.put("a.log", "0\n")
	f.start()
	want := []string{"0"}
	f.want(want...)
	for i := 1; i <= 5; i++ { // with sweeps between them
		time.Sleep(60 * time.Millisecond)
		want = append(want, fmt.Sprint(i))
		f.put("a.log", fmt.Sprintln(i))
		f.want(want...)
	}
}
