package tailer

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nxadm/tail"
)

// oracle reads a quiet file with nxadm/tail, once: the texts of its complete
// lines and the offsets behind them.
func oracle(t testing.TB, path string) (lines []string) {
	x, err := tail.TailFile(path, tail.Config{Location: &tail.SeekInfo{Whence: io.SeekStart}, MustExist: true, Poll: true, Logger: tail.DiscardingLogger})
	if err != nil {
		t.Fatal(err)
	}
	var before int64
	for l := range x.Lines {
		if l.SeekInfo.Offset == before+int64(len(l.Text))+1 { // else the last line has no end
			lines = append(lines, fmt.Sprintf("%d %q", l.SeekInfo.Offset, l.Text))
		}
		before = l.SeekInfo.Offset
	}
	if err := x.Wait(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// FuzzOracle holds our reading of a quiet file against nxadm/tail's: the same
// texts at the same offsets, whatever the bytes.
func FuzzOracle(f *testing.F) {
	f.Add([]byte("one\n two\r\n\nbin\x01\xff\xfe\nhalf"))
	f.Add([]byte(strings.Repeat("line\n", 1000)))
	f.Add([]byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.HasPrefix(string(data), "\x00") || strings.Contains(string(data), "\n\x00") {
			return // NULs at the start of a line are a hole to us, and a text to it
		}
		if strings.HasPrefix(string(data), "\xff\xfe") || strings.HasPrefix(string(data), "\xfe\xff") {
			return // UTF-16, which it does not know
		}
		path := filepath.Join(t.TempDir(), "a.log")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		src, err := newSource(&Source{Name: "s", Paths: []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		file, key, _, err := src.open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		g := newGeneration(src, path, key, file)
		g.limit = -1
		var got []string
		var buf []byte
		for more := true; more; {
			r := g.turn(t.Context(), &buf, false, func(c *Chunk) (int, error) {
				at := c.Offset
				for l := range strings.Lines(string(c.Data)) {
					at += int64(len(l))
					got = append(got, fmt.Sprintf("%d %q", at, strings.TrimSuffix(l, "\n")))
				}
				if p := c.Position(len(c.Data)); p.Offset != at || !strings.HasSuffix(string(data[:at]), string(p.Anchor)) || !strings.HasPrefix(string(data), string(p.Head)) {
					t.Fatalf("position %+v", p)
				}
				return len(c.Data), nil
			})
			if r.err != nil || r.truncated || r.vanished {
				t.Fatalf("%+v", r)
			}
			more = r.more
		}
		if want := oracle(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

// TestLongLine: a line over the limit is cut and marked, the next one is whole
// and in its place, also when the reading is interrupted in between.
func TestLongLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	if err := os.WriteFile(path, []byte("first\n"+strings.Repeat("x", 5000)+"\nlast\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	src := Source{Name: "s", Paths: []string{path}, MaxLine: 1000}
	var s sinkModel
	var seen []string
	ctx, cancel := context.WithCancel(context.Background())
	x, err := New(Options{Sources: []Source{src}}, func(c *Chunk) (int, error) {
		for l := range strings.Lines(string(c.Data)) {
			seen = append(seen, fmt.Sprintf("%d %d %.5s %v", c.Offset, len(l), l, c.Truncated))
		}
		if strings.Contains(string(c.Data), "last") {
			cancel()
		}
		return s.handle(c)
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(10*time.Second, cancel)
	defer stop.Stop()
	if err := x.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if want := "[0 6 first false 6 1001 xxxxx true 5007 5 last\n false]"; fmt.Sprint(seen) != want {
		t.Errorf("got %v, want %s", seen, want)
	}
	// From the position inside the cut line, its rest is still left out.
	for _, c := range s.calls {
		if !c.position.Skipping {
			continue
		}
		got := ""
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		pos := c.position
		y, err := New(Options{Sources: []Source{src}, Positions: append(s.positions()[:0:0], pos)}, func(c *Chunk) (int, error) {
			got += string(c.Data)
			if got != "" {
				cancel()
			}
			return len(c.Data), nil
		}, func() {})
		if err != nil {
			t.Fatal(err)
		}
		if err := y.Run(ctx); err != nil || got != "last\n" {
			t.Errorf("after a restart: %q, %v", got, err)
		}
		cancel()
	}
}
