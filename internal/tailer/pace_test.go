package tailer

import (
	"testing"
	"time"
)

// TestPace: a file that was just read is read again for a hint only when it has
// rested, and then though no further hint comes; hints that say nothing new are left
// to the kernel for longer and longer.
func TestPace(t *testing.T) {
	var p pace
	p.start()
	defer p.stop()
	w := newWatcher(func(_, text string) { t.Log(text) })
	defer w.close()
	if w.w == nil {
		t.Skip("no notification here")
	}
	busy, quiet := &generation{}, &generation{}
	if !p.grew(busy) || !p.grew(quiet) || p.hints(w) == nil {
		t.Error("a first hint has to wait")
	}
	pause := time.Duration(0)
	for range 8 {
		p.turned(busy, time.Now().Add(-time.Minute))
		if left := time.Until(busy.rest); left > maxRest {
			t.Errorf("it rests for %v", left)
		}
		if p.grew(busy) {
			t.Error("a hint about a file that rests makes a turn")
		}
		if p.hints(w) != nil {
			t.Error("hints are taken though they say nothing new")
		}
		if list := p.rested(busy.rest.Add(-time.Millisecond)); len(list) > 0 {
			t.Error("it has not rested")
		}
		if list := p.rested(busy.rest); len(list) != 1 || list[0] != busy || busy.resting {
			t.Error("what has rested is forgotten")
		}
		if p.hints(w) == nil {
			t.Error("the pause does not end")
		}
		if p.pause < pause || p.pause > mostDeaf {
			t.Errorf("a pause of %v after one of %v", p.pause, pause)
		}
		pause, p.listen = p.pause, time.Time{}
	}
	if pause != mostDeaf {
		t.Errorf("the last pause was %v", pause)
	}
	if !p.grew(quiet) || p.pause != 0 {
		t.Error("another file has to wait")
	}
	p.pause, busy.rest = mostDeaf, time.Now().Add(-time.Second)
	if !p.grew(busy) || p.pause != 0 {
		t.Error("a hint about a file that has rested for long says nothing new")
	}
	busy.busy = true
	busy.rest = time.Now().Add(time.Second)
	if !p.grew(busy) {
		t.Error("a hint about a file that is being read is lost")
	}
}
