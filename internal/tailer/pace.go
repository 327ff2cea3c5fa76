package tailer

import (
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A program that logs line by line makes a notification of every line. To take a
// turn for each would cost hundreds of times what reading the lines costs, so a
// file that was just read rests. It rests no longer, for what is truncated meanwhile,
// and copied where nobody looks for it, is lost.
const (
	restFactor = 20                     // times as long as the turn took: a file takes a twentieth of a core at most,
	denseRest  = 100 * time.Millisecond // but one whose turns brought much rests so long, for they will again
	dense      = 8 << 10                // bytes
	floodRest  = 250 * time.Millisecond // and one with very much so long: what a turn costs beside reading is saved
	flood      = 64 << 10               // bytes
	mostRest   = time.Second            // and one that is written so fast that this costs as much as reading it
	torrent    = 512 << 10              // bytes, in every floodRest since it was read before
	freeTurns  = 5                      // in a row need no rest, nor as many a second as
	freeRate   = 20

	// A hint about a file that rests says that they come thick. Then they are left to
	// the kernel for a while, which makes one of those that are alike, and then taken
	// together; twice as long each time, and at last until the file has rested, or nearly
	// as long, unless so many have come that its queue may run over till then; one that
	// says something new begins anew.
	leastDeaf  = 5 * time.Millisecond
	mostPause  = 40 * time.Millisecond
	mostDeaf   = mostRest / 2 // so long a line in a quiet file may wait
	manyHints  = 100          // that came during a pause, of the 16,384 that there is room for
	leastPause = 5 * time.Millisecond
)

// pace holds hints back; the scheduler owns it.
type pace struct {
	timer   *time.Timer   // of the pause's end, or of the earliest that rests
	due     time.Time     // when it ends; zero: it does not run
	deaf    time.Time     // until when no hint is taken
	heard   int           // hints that said nothing new and came during the last one
	pause   time.Duration // how long the last one was; 0: since then a hint said something new
	resting []*generation
}

func newPace() pace {
	p := pace{timer: time.NewTimer(0)}
	p.timer.Stop()
	return p
}

// hints is where the next hint comes from; nil during a pause.
func (p *pace) hints(w *watcher) <-chan fsnotify.Event {
	if !p.deaf.IsZero() {
		return nil
	}
	return w.events()
}

// turned makes a generation rest that has had a turn, the last of those that it needed for n
// bytes.
func (p *pace) turned(g *generation, began time.Time, n int64) {
	now := time.Now()
	rests := max(1, float64(now.Sub(g.lastTurn))/float64(floodRest)) // that it could have had since
	g.turns = max(0, g.turns-freeRate*now.Sub(g.lastTurn).Seconds()) + 1
	g.lastTurn = now
	switch {
	case float64(n) >= torrent*rests:
		g.rest = now.Add(mostRest)
	case n >= flood:
		g.rest = now.Add(floodRest)
	case n >= dense:
		g.rest = now.Add(denseRest)
	case g.turns > freeTurns:
		g.rest = now.Add(min(restFactor*now.Sub(began), denseRest))
	default:
		g.rest = now
	}
}

// rests tells whether a generation that has grown must rest first; then rested will
// return it.
func (p *pace) rests(g *generation) bool {
	now := time.Now()
	if !g.resting && now.After(g.rest) {
		if now.Sub(g.rest) > mostDeaf {
			p.pause = 0
		}
		return false
	}
	if !g.resting {
		g.resting = true
		p.resting = append(p.resting, g)
		p.wake(g.rest)
	}
	return true
}

// deafen is told of a hint that says nothing new, for g rests.
func (p *pace) deafen(g *generation) {
	p.heard++
	if !p.deaf.IsZero() {
		return
	}
	now := time.Now()
	if !g.rest.After(now) {
		return // the timer reads it within leastPause
	}
	p.pause = min(max(2*p.pause, leastDeaf), mostPause)
	p.deaf = now.Add(p.pause)
	if p.pause == mostPause && g.rest.After(p.deaf) {
		if p.deaf = now.Add(mostDeaf); g.rest.Before(p.deaf) {
			p.deaf = g.rest // both end at once
		}
	}
	p.wake(p.deaf)
}

// listens tells whether the pause has ended; what has come meanwhile is to be taken then,
// and settle and rested to be called.
func (p *pace) listens(now time.Time) bool {
	if p.deaf.IsZero() || now.Before(p.deaf) {
		return false
	}
	p.deaf, p.heard = time.Time{}, 0
	return true
}

// settle makes the next pause shorter where much has come during the last one.
func (p *pace) settle() {
	if most := time.Now().Add(denseRest); p.heard > manyHints && p.deaf.After(most) {
		p.deaf = most
	}
}

// wake sets the timer, if it would not fire before.
func (p *pace) wake(at time.Time) {
	if p.due.IsZero() || at.Before(p.due) {
		p.due = at
		p.timer.Reset(max(time.Until(at), leastPause))
	}
}

// rested returns what has rested, and sets the timer anew.
func (p *pace) rested(now time.Time) (list []*generation) {
	p.due = time.Time{}
	p.resting = slices.DeleteFunc(p.resting, func(g *generation) bool {
		if now.Before(g.rest) {
			return false
		}
		g.resting = false
		list = append(list, g)
		return true
	})
	for _, g := range p.resting {
		p.wake(g.rest)
	}
	if !p.deaf.IsZero() {
		p.wake(p.deaf)
	}
	return list
}
