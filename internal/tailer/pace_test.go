package tailer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TestPace: a file that was just read is read again for a hint only when it has
// rested, and then though no further hint comes; hints that say nothing new are left
// to the kernel for longer and longer.
func TestPace(t *testing.T) {
	p := newPace()
	w := newWatcher(func(_, text string) { t.Log(text) })
	defer w.close()
	if w.w == nil {
		t.Skip("no notification here")
	}
	busy, quiet := &generation{}, &generation{}
	for i := range 2 * freeTurns {
		quiet.lastTurn = time.Now() // they follow each other at once
		if p.turned(quiet, time.Now().Add(-time.Hour), 100); quiet.rest.After(quiet.lastTurn) != (i >= freeTurns) {
			t.Errorf("turn %d: it rests for %v", i, quiet.rest.Sub(quiet.lastTurn))
		}
	}
	for n, want := range map[int64]time.Duration{dense: denseRest, flood - 1: denseRest, flood: floodRest, torrent - 1: floodRest, torrent: mostRest} {
		busy.lastTurn = time.Now()
		if p.turned(busy, time.Now(), n); busy.rest.Sub(busy.lastTurn) != want {
			t.Errorf("%d bytes make a file rest for %v", n, busy.rest.Sub(busy.lastTurn))
		}
	}
	for n, want := range map[int64]time.Duration{torrent: floodRest, 3 * torrent: floodRest, 8 * torrent: mostRest} {
		busy.lastTurn = time.Now().Add(-mostRest)
		if p.turned(busy, time.Now(), n); busy.rest.Sub(busy.lastTurn) != want {
			t.Errorf("%d bytes in a second make a file rest for %v", n, busy.rest.Sub(busy.lastTurn))
		}
	}
	busy, quiet = &generation{}, &generation{}
	if p.rests(busy) || p.rests(quiet) || p.hints(w) == nil {
		t.Error("a first hint has to wait")
	}
	pause := time.Duration(0)
	for range 8 {
		p.turned(busy, time.Now().Add(-time.Minute), dense)
		if left := time.Until(busy.rest); left > denseRest {
			t.Errorf("it rests for %v", left)
		}
		busy.rest = busy.rest.Add(time.Minute) // however slow this test is
		if !p.rests(busy) {
			t.Error("a hint about a file that rests makes a turn")
		}
		before := time.Now()
		if p.deafen(busy); p.hints(w) != nil {
			t.Error("hints are taken though they say nothing new")
		}
		if p.pause == mostPause && (p.deaf.Before(before.Add(mostDeaf)) || p.deaf.After(time.Now().Add(mostDeaf))) {
			t.Errorf("beside a file that rests for long, hints are left alone for %v", p.deaf.Sub(before))
		}
		if p.listens(p.deaf.Add(-time.Millisecond)) {
			t.Error("hints are taken before the pause ends")
		}
		if list := p.rested(busy.rest.Add(-time.Millisecond)); len(list) > 0 {
			t.Error("it has not rested")
		}
		if !p.listens(busy.rest) || p.hints(w) == nil {
			t.Error("the pause does not end")
		}
		if list := p.rested(busy.rest); len(list) != 1 || list[0] != busy || busy.resting {
			t.Error("what has rested is forgotten")
		}
		if p.pause < pause || p.pause > mostPause {
			t.Errorf("a pause of %v after one of %v", p.pause, pause)
		}
		pause = p.pause
	}
	if pause != mostPause {
		t.Errorf("the last pause was %v", pause)
	}
	if p.rests(quiet) || p.pause != 0 {
		t.Error("another file has to wait")
	}
	for _, hints := range []int{1, manyHints + 1} {
		p.turned(busy, time.Now(), flood)
		p.rests(busy)
		p.pause = mostPause
		for range hints {
			p.deafen(busy)
		}
		if p.settle(); hints > manyHints != p.deaf.Before(busy.rest) || hints <= manyHints && !p.deaf.Equal(busy.rest) || busy.rest.Sub(busy.lastTurn) > mostDeaf {
			t.Errorf("after %d hints about a file that rests, another one waits for %v", hints, p.deaf.Sub(busy.lastTurn))
		}
		p.listens(busy.rest)
		p.rested(busy.rest)
	}
	p.pause, busy.rest = mostPause, time.Now().Add(-time.Second)
	if p.rests(busy) || p.pause != 0 {
		t.Error("a hint about a file that has rested for long says nothing new")
	}
}

// TestRestOfAll: a file rests for all that it has brought since it rested, though the last
// of several turns brings little; but not for what it brought in one burst, or before it was
// cut. A hint that comes when it has rested begins no pause, where others do (TestPace).
func TestRestOfAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	write := func(bytes, flags int) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Repeat("x", 99) + "\n"
		if _, err := f.WriteString(strings.Repeat(line, bytes/len(line))); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(1000, 0)
	tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{path}}}}, func(c *Chunk) (int, error) { return len(c.Data), nil })
	tail.turnAll(t)
	g := tail.byPath[path]
	for _, c := range []struct {
		bytes, flags int
		since        time.Duration // it was read
		want         time.Duration
	}{
		{2*chunkSize + flood, os.O_APPEND, 0, mostRest},
		{2*chunkSize + 1000, os.O_APPEND, 0, mostRest},
		{2*chunkSize + flood, os.O_APPEND, time.Minute, floodRest},
		{flood + 1000, os.O_APPEND, 0, floodRest}, // by one turn
		{flood + 1000, os.O_TRUNC, 0, floodRest},
	} {
		write(c.bytes, c.flags)
		if c.flags == os.O_TRUNC {
			g.brought = 2 * chunkSize // by turns that left more, of what was there before
		}
		g.lastTurn = time.Now().Add(-c.since)
		tail.enqueue(g)
		tail.turnAll(t)
		if got := g.rest.Sub(g.lastTurn); got != c.want || g.brought != 0 {
			t.Errorf("%d bytes: it rests for %v, not %v; %d are still counted", c.bytes, got, c.want, g.brought)
		}
	}
	g.rest = time.Now().Add(-time.Millisecond)
	if tail.pace.deafen(g); !tail.pace.deaf.IsZero() {
		t.Error("hints are left alone for a file that has rested")
	}
}

// TestListen: behind many hints about files that rest there is one about another file. It
// is taken with them; where they are too many, the file is glanced at.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	var files []*os.File
	for _, name := range []string{"a.log", "b.log", "quiet.log"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{dir}}}}, func(c *Chunk) (int, error) { return len(c.Data), nil })
	tail.turnAll(t)
	if tail.watch.w == nil {
		t.Skip("no notification here")
	}
	for _, f := range files[:2] {
		tail.byPath[f.Name()].rest = time.Now().Add(time.Hour)
	}
	quiet := tail.byPath[files[2].Name()]
	write := func(lines int) {
		t.Helper()
		for i := range lines { // in turns: the kernel makes one of those that are alike
			if _, err := files[i%2].WriteString("a line\n"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := files[2].WriteString("a line\n"); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(how string) {
		t.Helper()
		if len(tail.live) != 1 || tail.live[0] != quiet {
			t.Errorf("%s: %d files are ready to be read", how, len(tail.live))
		}
		tail.turnAll(t)
	}
	write(300)
	for end := time.Now().Add(10 * time.Second); len(tail.live) == 0 && time.Now().Before(end); {
		tail.listen()
	}
	ready("hints taken")
	if tail.pace.heard == 0 || tail.pace.deaf.IsZero() {
		t.Error("nothing was heard about the others")
	}
	write(9000)
	tail.live, quiet.queued = nil, false // whatever has come of it
	tail.glance()
	ready("glanced at")
}

// TestRestedAtEnd: what a file that rests has got meanwhile is read before the tailer
// ends.
func TestRestedAtEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(path, []byte("one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	read := ""
	tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{path}}}, Workers: 1}, func(c *Chunk) (int, error) {
		read += string(c.Data)
		return len(c.Data), nil
	})
	tail.turnAll(t)
	if err := os.WriteFile(path, []byte("one\ntwo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tail.byPath[path].rest = time.Now().Add(time.Hour)
	tail.event(fsnotify.Event{Name: path, Op: fsnotify.Write})
	if tail.turnAll(t); read != "one\n" {
		t.Fatalf("read %q though it rests", read)
	}
	tail.ended = make(chan turn, 1)
	go tail.work(context.Background())
	tail.readRested()
	<-tail.ended // as Run waits for the turns under way
	if read != "one\ntwo\n" {
		t.Errorf("read %q", read)
	}
	close(tail.turns)
}

// TestGrownWhileLast: a rotated file that has grown during its last turn is not given up.
func TestGrownWhileLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(path, []byte("one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tail := byHand(t, Options{Sources: []Source{{Name: "s", Paths: []string{path}}}}, func(c *Chunk) (int, error) { return len(c.Data), nil })
	tail.turnAll(t)
	g := tail.byPath[path]
	g.rotated, g.last, g.again = true, true, true
	g.turns, g.lastTurn = 2*freeTurns, time.Now()
	if err := tail.end(turn{g: g, final: true, began: time.Now().Add(-time.Second), res: result{atEnd: true}}); err != nil {
		t.Fatal(err)
	}
	if g.done || g.gone || !g.resting {
		t.Errorf("done %v, gone %v, resting %v", g.done, g.gone, g.resting)
	}
}
