// Package tailer follows log files without losing a line: it finds them, knows
// each by its inode and content through every kind of rotation, and gives what
// is complete to a handler together with the position that will be durable when
// the handler's work is.
//
// It reads with pread on descriptors that it holds, never by path.
// github.com/nxadm/tail, which a reader may expect here, loses lines in rotations
// before they reach its channel (docs in the README); it serves imwatch peek and
// the tests, as a second reading of the same files.
//
// One goroutine, the scheduler in Run, owns all state. A generation is given to
// a worker for one turn, during which the worker owns it. fsnotify watches
// directories and is a hint; a sweep of all paths is the truth.
package tailer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/klauspost/compress/gzip"
)

// A Source is a kind of file to follow.
type Source struct {
	Name       string
	Paths      []string // files, directories, globs with **
	Exclude    []string
	StartAt    string        // of files that are there at the first start: beginning, or end
	MaxLine    int           // bytes of a line that are kept; default 1 MiB
	RotateWait time.Duration // how long a rotated file must be quiet before it is given up; default 30 s
	Links      bool          // follow symbolic links wherever they lead
	UTF16      bool          // also without a byte order mark
	Roots      []string      // further directories that they may lead into
}

// Options say what to follow and from where.
type Options struct {
	Sources   []Source
	Positions []finding.Position       // what the store has
	Reread    time.Time                // not zero: the positions were lost; files younger than this are read from the beginning
	Refuse    func(os.FileInfo) bool   // our own files, never to be read
	Notice    func(level, text string) // told of what an operator should know; once for each cause
	Rotated   func(kind string)        // told of each rotation met: one of Rotations
	Sweep     time.Duration            // between sweeps while notification is healthy; default 10 s
	Poll      time.Duration            // where it is not; default 1 s
	Idle      time.Duration            // after which a file that does not grow is closed; default 1 h
	Workers   int                      // default the number of CPUs, at most 8; as many again for each far mount
}

// Rotations are the kinds of rotation that are told.
var Rotations = []string{"renamed", "truncated", "deleted"}

// A Chunk is a run of complete lines of one generation, as they stand in the
// file.
type Chunk struct {
	Source     string
	Path       string
	Generation string
	Data       []byte // valid until the handler returns; may be empty: only the position has changed
	Offset     int64  // of Data[0] in the file
	Line       int64  // number of the line at Data[0], from 1
	Final      bool   // the handler must consume all
	Truncated  bool   // the one line of Data was cut
	Partial    bool   // the last line has no newline, and never will
	Proved     map[string]string
	Losses     []finding.Loss

	at      func(consumed int) finding.Position
	counted int   // bytes of Data
	lines   int64 // that end in them
}

// LineAt returns the number of the line at Data[n]. Asked in rising order, it counts each
// byte once.
func (c *Chunk) LineAt(n int) int64 {
	if n < c.counted {
		c.counted, c.lines = 0, 0
	}
	c.lines += int64(bytes.Count(c.Data[c.counted:n], newline))
	c.counted = n
	return c.Line + c.lines
}

// Position is the place behind the first consumed bytes of Data.
func (c *Chunk) Position(consumed int) finding.Position { return c.at(consumed) }

// A Handler takes a chunk and returns how many bytes of it are done with; the
// rest is offered again with more behind it. It is called from several
// goroutines, never from two for one generation. An error ends the tailer.
type Handler func(*Chunk) (consumed int, err error)

// A Status is what can be told about one followed file.
type Status struct {
	Source string `json:"source"`
	Path   string `json:"path"`
	Mode   string `json:"mode"` // live, rotated, waiting, unreadable, stalled
	Lag    int64  `json:"lag"`  // bytes that are not yet read
	Error  string `json:"error,omitempty"`

	generation string
	moved      time.Time
	handed     bool // what was read is with the handler
}

// Turn tells, of a file that is being read just now, its generation and when
// its reading last moved; the zero time of any other.
func (s *Status) Turn() (generation string, moved time.Time) { return s.generation, s.moved }

const (
	chunkSize = 1 << 20
	maxHeld   = time.Second // a block that has not grown for so long is taken as it is
)

// tailer is the state of one scheduler: of what is here, or on one far mount.
type tailer struct {
	on       mount
	first    chan struct{} // closed after the first sweep
	telling  atomic.Bool   // the scheduler waits for the handler
	o        Options
	handle   Handler
	sources  []*source
	byPath   map[string]*generation
	byIno    map[inode][]*generation
	all      []*generation
	known    *memory
	held     int // descriptors
	limit    int // of those
	turned   int // turns given
	watch    *watcher
	live     []*generation // ready for a turn
	backlog  []*generation
	pace     pace
	sweepAt  time.Time // the next one
	sweeper  *time.Timer
	others   map[string][]fs.DirEntry // by directory: files that the sweep has met and that are not followed
	took     time.Duration            // the last one
	idle     int                      // workers
	turns    chan turn
	filled   chan *generation // pipes
	waits    sync.WaitGroup   // for who waits for them
	ended    chan turn
	swept    bool // once
	glanced  int  // which of all was last glanced at
	orphaned bool // some positions' files could not be looked for yet
	status   chan chan []Status
	over     chan struct{} // closed when Run ends
	told     map[string]bool
	failures map[string]*told         // by text
	timed    map[*generation]bool     // waiting for time to pass
	kin      map[string][]*generation // by directory and stem of the name
	since    map[string]time.Time     // by kin: what is older beside it is history
	seen     map[string]time.Time     // by kin: what is older beside it has been seen to, in this run
	looked   time.Time                // when the last sweep began
	settled  map[string]settled       // by path: rotated files that are read to their end
}

// settled is a rotated file that is read to its end, as it was then.
type settled struct {
	key  identity
	size int64
}

type turn struct {
	g     *generation
	final bool
	began time.Time
	from  int64 // its offset then
	res   result
}

// A Tailer follows files. Make it with New, start it with Run.
type Tailer struct {
	parts []*tailer // the first is what is here
	ready func()

	handing sync.RWMutex // read by who calls the handler
	left    bool         // Run has ended, perhaps without some parts
}

// New prepares a tailer; ready is called once, from Run, when every source has been
// swept and what was there has been found, but for what is on a far mount that does
// not answer.
func New(o Options, handle Handler, ready func()) (*Tailer, error) {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Sweep, 10*time.Second)
	def(&o.Poll, time.Second)
	def(&o.Idle, time.Hour)
	if o.Workers <= 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), 8)
	}
	if o.Notice == nil {
		o.Notice = func(string, string) {}
	}
	if o.Rotated == nil {
		o.Rotated = func(string) {}
	}
	if o.Refuse == nil {
		o.Refuse = func(os.FileInfo) bool { return false }
	}
	x := &Tailer{ready: ready}
	var err error
	x.parts, err = split(&o, func(c *Chunk) (int, error) {
		x.handing.RLock()
		defer x.handing.RUnlock()
		if x.left {
			return 0, context.Canceled
		}
		return handle(c)
	})
	return x, err
}

func newTailer(o Options, handle Handler, on mount, parts int) (*tailer, error) {
	t := &tailer{o: o, on: on, handle: handle, first: make(chan struct{}), byPath: map[string]*generation{}, known: newMemory(o.Positions), byIno: map[inode][]*generation{}, limit: max(8, descriptorLimit()/parts), status: make(chan chan []Status), over: make(chan struct{}), told: map[string]bool{}, failures: map[string]*told{}, timed: map[*generation]bool{}, kin: map[string][]*generation{}, settled: map[string]settled{}, since: map[string]time.Time{}, seen: map[string]time.Time{}, pace: newPace()}
	for i := range o.Sources {
		s, err := newSource(&o.Sources[i])
		if err != nil {
			return nil, err
		}
		s.fresh = !slices.ContainsFunc(o.Positions, func(p finding.Position) bool { return p.Source == s.Name })
		t.sources = append(t.sources, s)
	}
	return t, nil
}

// Check tells whether sources can be followed: their patterns, not their files.
func Check(sources []Source) error {
	for i := range sources {
		if _, err := newSource(&sources[i]); err != nil {
			return err
		}
	}
	return nil
}

// Run follows until ctx ends, then waits for the turns under way, or until the
// handler fails. A far mount that does not answer is not waited for long; what it
// gives later reaches the handler no more.
func (x *Tailer) Run(ctx context.Context) error {
	defer x.leave()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	helpers.Go(func() { x.tellReady(ctx) })
	here, far := x.parts[0], x.parts[1:]
	ended := make(chan error, len(far))
	for _, t := range far {
		helpers.Go(func() { t.tellStalls(ctx) })
		go func() { // no helper: its mount may never let it end
			err := t.run(ctx)
			if err != nil {
				cancel()
			}
			ended <- err
		}()
	}
	err := here.run(ctx)
	cancel()
	late := time.NewTimer(endPatience)
	defer late.Stop()
	for range far {
		select {
		case e := <-ended:
			err = cmp.Or(err, e)
		case <-late.C:
			return err
		}
	}
	return err
}

// leave waits for calls of the handler, and lets no more through.
func (x *Tailer) leave() {
	x.handing.Lock()
	defer x.handing.Unlock()
	x.left = true
}

// tellReady waits for the first sweep of what is here, and for a while for those of
// the far mounts.
func (x *Tailer) tellReady(ctx context.Context) {
	select {
	case <-x.parts[0].first:
	case <-ctx.Done():
		return
	}
	patience, stop := context.WithTimeout(ctx, sweepPatience)
	defer stop()
	for _, t := range x.parts[1:] {
		select {
		case <-t.first:
		case <-patience.Done():
		}
	}
	if ctx.Err() == nil {
		x.ready()
	}
}

// Files tells about every followed file; nil when ctx or the following ends first.
func (x *Tailer) Files(ctx context.Context) (all []Status) {
	for _, t := range x.parts {
		list, ok := t.ask(ctx)
		if !ok {
			return nil
		}
		all = append(all, list...)
	}
	return all
}

func (t *tailer) run(ctx context.Context) error {
	defer close(t.over)
	t.turns, t.ended = make(chan turn, t.o.Workers), make(chan turn, t.o.Workers)
	t.filled = make(chan *generation)
	for range t.o.Workers {
		go t.work(ctx)
	}
	t.idle = t.o.Workers
	t.looked = time.Now()
	t.watch = newWatcher(t.notice)
	defer t.watch.close()
	err := t.schedule(ctx)
	if err == nil {
		t.readRested()
	}
	close(t.turns)
	for t.idle < t.o.Workers { // workers finish their turns before we go
		<-t.ended
		t.idle++
	}
	for _, g := range t.all {
		g.close()
	}
	t.waits.Wait()
	return err
}

// work gives turns to generations until there are none.
func (t *tailer) work(ctx context.Context) {
	buf := make([]byte, 0, chunkSize)
	for turn := range t.turns {
		g := turn.g
		turn.res = g.turn(ctx, &buf, turn.final, func(c *Chunk) (int, error) {
			g.handed.Store(true)
			defer g.handed.Store(false)
			return t.handle(c)
		})
		t.ended <- turn
	}
}

// schedule is the loop that owns everything.
func (t *tailer) schedule(ctx context.Context) error {
	t.sweeper = time.NewTimer(0)
	defer t.sweeper.Stop()
	tick := time.NewTicker(250 * time.Millisecond)
	tick.Stop()
	ticking := false
	defer t.pace.timer.Stop()
	for {
		t.dispatch()
		if busy := len(t.timed) > 0; busy != ticking {
			if ticking = busy; busy {
				tick.Reset(250 * time.Millisecond)
			} else {
				tick.Stop()
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case ev := <-t.pace.hints(t.watch):
			t.event(ev)
		case now := <-t.pace.timer.C:
			if t.pace.listens(now) {
				if !t.listen() {
					t.glance()
				}
				t.pace.settle()
			}
			for _, g := range t.pace.rested(now) {
				t.enqueue(g)
			}
		case err := <-t.watch.errors():
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				t.notice("warn", "the kernel's queue of file notifications ran over; looking at every file now")
			}
			t.soon(0)
		case g := <-t.filled:
			t.enqueue(g)
		case <-t.sweeper.C:
			t.sweepAt = time.Now().Add(t.interval()) // soon, called meanwhile, may want it earlier
			t.sweep()
			if !t.swept {
				t.swept, t.o.Positions = true, nil
				close(t.first)
			}
			if at := time.Now().Add(t.interval()); at.Before(t.sweepAt) {
				t.sweepAt = at // notification has just failed
			}
			t.sweeper.Reset(time.Until(t.sweepAt))
		case <-tick.C:
			t.tick()
		case turn := <-t.ended:
			t.idle++
			if err := t.end(turn); err != nil {
				return err
			}
		case answer := <-t.status:
			answer <- t.files()
		}
	}
}

// readRested gives a last turn to what was read just now: it may have grown since, and
// no hint about that was taken.
func (t *tailer) readRested() {
	now := time.Now()
	t.live, t.backlog = nil, nil
	for _, g := range t.all {
		if now.Before(g.rest.Add(mostDeaf)) && g.waiting == nil && g.failed == nil {
			t.live = append(t.live, g)
		}
	}
	for t.dispatch(); len(t.live) > 0; t.dispatch() { // all workers are busy
		<-t.ended
		t.idle++
	}
}

// listen takes the hints that were left to the kernel during a pause: behind many that
// say nothing new there may be one that does. It returns false where that takes too long:
// some are left then.
func (t *tailer) listen() (all bool) {
	const (
		most     = 10 * time.Millisecond  // some thousand hints; each costs as much as to read ten lines
		next     = 50 * time.Microsecond  // in which the watcher brings another one, if it has one
		fetching = 500 * time.Microsecond // or fetches more, where there are so many
		bulk     = 1000
	)
	began := time.Now()
	for n, last := 0, began; last.Sub(began) < most; {
		runtime.Gosched()
		select {
		case ev := <-t.watch.events():
			t.event(ev)
			n, last = n+1, time.Now()
		default:
			if idle := time.Since(last); idle > fetching || n < bulk && idle > next {
				return true
			}
		}
	}
	return false
}

// glance looks whether files have grown whose hints are among those that were not taken,
// at so many of them at a time. What else has happened, a sweep finds soon.
func (t *tailer) glance() {
	const most = 1000
	now := time.Now()
	for range min(most, len(t.all)) {
		t.glanced = (t.glanced + 1) % len(t.all)
		g := t.all[t.glanced]
		// What is busy is a worker's, who may be opening it.
		if g.busy || g.f == nil || g.pipe || now.Before(g.rest) {
			continue
		}
		if info, err := g.f.Stat(); err == nil && info.Size() != g.size {
			t.enqueue(g)
		}
	}
	t.soon(max(time.Second, 20*t.took)) // at most a twentieth of a core
}

func (t *tailer) interval() time.Duration {
	if t.watch.healthy() {
		return t.o.Sweep
	}
	return max(t.o.Poll, 20*t.took) // at most a twentieth of a core
}

// soon sweeps after a time, if not before: whatever else happens meanwhile does
// not put it off.
func (t *tailer) soon(d time.Duration) {
	if at := time.Now().Add(max(d, 5*t.took)); at.Before(t.sweepAt) {
		t.sweepAt = at
		t.sweeper.Reset(time.Until(at))
	}
}

func (t *tailer) notice(level, text string) {
	if !t.told[text] {
		if len(t.told) >= 1000 {
			clear(t.told) // rather twice than never
		}
		t.told[text] = true
		t.o.Notice(level, text)
	}
}

// event takes a hint: a known file is looked at, for anything else the whole
// directory is swept soon.
func (t *tailer) event(ev fsnotify.Event) {
	g := t.byPath[ev.Name]
	if g != nil && ev.Op == fsnotify.Write {
		if g.busy || !t.pace.rests(g) {
			t.enqueue(g)
		} else {
			t.pace.deafen(g)
		}
		return
	}
	if ev.Op == fsnotify.Chmod {
		t.readable(ev.Name)
		return
	}
	if g != nil {
		t.look(g.src, ev.Name) // renamed, removed or made anew
		return
	}
	const soon = 20 * time.Millisecond
	if ev.Op == fsnotify.Write {
		if src := t.sourceOf(ev.Name); src != nil {
			t.look(src, ev.Name)
		}
		return
	}
	if info, err := os.Lstat(ev.Name); err == nil && (info.IsDir() || info.Mode()&os.ModeSymlink != 0) {
		t.soon(soon)
	}
	if src := t.sourceOf(ev.Name); src != nil {
		t.look(src, ev.Name)
	} else if len(t.kin[kinOf(ev.Name)]) > 0 && ev.Has(fsnotify.Create) {
		t.soon(soon) // a rotated form of a followed file
	}
}

func (t *tailer) sourceOf(path string) *source {
	for _, s := range t.sources {
		if s.matches(path) {
			return s
		}
	}
	return nil
}

// enqueue makes a generation ready for a turn.
func (t *tailer) enqueue(g *generation) {
	switch {
	case g.busy:
		g.again = true
	case g.queued || g.waiting != nil || g.gone || g.failed != nil && time.Now().Before(g.retry.at):
	default:
		g.queued = true
		if g.size-g.offset > chunkSize {
			t.backlog = append(t.backlog, g)
		} else {
			t.live = append(t.live, g)
		}
	}
}

// dispatch gives ready generations to idle workers, live ones first, but every
// fourth turn to the backlog.
func (t *tailer) dispatch() {
	for ; t.idle > 0 && len(t.live)+len(t.backlog) > 0; t.turned++ {
		from := &t.live
		if len(t.live) == 0 || t.turned%4 == 3 && len(t.backlog) > 0 {
			from = &t.backlog
		}
		g := (*from)[0]
		*from = (*from)[1:]
		g.queued = false
		if g.busy || g.gone {
			g.again = true
			continue
		}
		g.busy = true // what would enqueue it from here on is about the turn that it gets
		if g.offset == 0 && g.f == nil && !g.packed {
			t.open(g)
		}
		if g.offset == 0 && (t.nowPacked(g) || t.isCopy(g)) {
			g.busy = false
			continue
		}
		if g.offset > 0 {
			g.limit = -1
		}
		g.again, g.said, g.since = false, g.path, t.seenTo(g.kin)
		now := time.Now()
		g.moved.Store(now.UnixNano())
		t.idle--
		t.turns <- turn{g: g, final: g.flush, began: now, from: g.offset}
	}
}

// nowPacked lets go of a file that was empty when it was found and turns out to
// be compressed.
func (t *tailer) nowPacked(g *generation) bool {
	if g.f == nil || g.packed || g.pipe || !compressed(g.f) {
		return false
	}
	g.done = true
	t.drop(g)
	if g.told {
		t.tell(g)
	}
	return true
}

// time keeps the list of generations that wait for time to pass.
func (t *tailer) time(g *generation) {
	if !g.gone && (!g.busy && g.held || g.rotated || g.waiting != nil || g.failed != nil) {
		t.timed[g] = true
	} else {
		delete(t.timed, g)
	}
}

// tick looks at the generations that wait for time to pass.
func (t *tailer) tick() {
	now := time.Now()
	for g := range maps.Clone(t.timed) {
		if g.busy || g.gone {
			continue
		}
		quiet := min(now.Sub(g.grown), now.Sub(g.awayAt))
		switch {
		case g.failed != nil:
			t.enqueue(g)
		case g.waiting != nil:
			t.settleCopy(g)
		case g.rotated && quiet >= g.src.RotateWait:
			g.flush, g.last = true, true
			t.enqueue(g)
		case g.held && quiet >= maxHeld:
			g.flush = true
			t.enqueue(g)
		case g.rotated:
			t.enqueue(g)
		}
	}
}

// end takes what a turn has found out.
func (t *tailer) end(x turn) error {
	g, r := x.g, x.res
	g.busy = false
	brought := g.brought + g.offset - x.from
	if g.brought = 0; r.more {
		g.brought = brought
	}
	if g.pipe {
		g.sipped()
	}
	if r.opened {
		t.held++
		t.room()
	}
	switch {
	case r.fatal != nil:
		return r.fatal
	case r.err != nil:
		if r.grew {
			g.retry = backoff{}
		}
		if g.packed && (g.retry.tries >= maxTries || errors.Is(r.err, errBomb)) {
			t.damaged(g, r.err)
			return nil
		}
		g.grown = time.Now()
		t.later(g, r.err)
		return nil
	case r.known != nil:
		t.compressedForm(g, r.known)
		return nil
	case r.truncated:
		t.later(g, t.truncated(g))
		return nil
	case r.vanished:
		t.later(g, t.vanished(g))
		return nil
	}
	if g.failed != nil {
		t.healed(g.path, g.failed)
		g.failed, g.retry = nil, backoff{}
	}
	if !r.more {
		t.pace.turned(g, x.began, brought)
	}
	switch {
	case r.more || g.again && !t.pace.rests(g):
		t.enqueue(g)
	case !g.again && g.last && x.final && r.atEnd:
		t.finish(g)
	}
	g.flush = false
	t.time(g)
	for _, o := range slices.Clone(t.kin[g.kin]) {
		if o.waiting == g && !o.copied {
			t.settleCopy(o) // it waited for the end of this turn
		}
	}
	return nil
}

// finish gives up a rotated generation that has been read to its end.
func (t *tailer) finish(g *generation) {
	g.done = true
	t.settled[g.path] = settled{g.key, g.size}
	if g.packed {
		t.settled[g.path] = settled{g.key, g.stored}
	}
	t.drop(g)
	t.tell(g)
}

// damaged gives up a compressed file that cannot be read.
func (t *tailer) damaged(g *generation, err error) {
	g.done = true
	t.settled[g.path] = settled{g.key, g.stored}
	t.drop(g)
	if behind := errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum); behind && g.offset > 0 && g.offset == g.size {
		t.tell(g) // what is wrong is behind the text
		return
	}
	t.tell(g, finding.Loss{Time: time.Now().UTC(), Source: g.src.Name, Path: g.path, Reason: "its compressed form cannot be read: " + err.Error(), From: g.offset, To: max(g.size, g.offset)})
}

// add and remove keep the lists of what is followed.
func (t *tailer) add(g *generation) {
	g.at = len(t.all)
	t.all = append(t.all, g)
	t.byIno[g.key.inode()] = append(t.byIno[g.key.inode()], g)
	if g.f != nil {
		t.held++
	}
	g.kin = kinOf(g.path)
	g.since = t.seenTo(g.kin)
	t.kin[g.kin] = append(t.kin[g.kin], g)
}

func (t *tailer) remove(g *generation) {
	g.gone = true
	delete(t.timed, g)
	last := len(t.all) - 1
	t.all[g.at], t.all[last].at = t.all[last], g.at
	t.all[last] = nil
	t.all = t.all[:last]
	without(t.byIno, g.key.inode(), g)
	without(t.kin, g.kin, g)
	t.shut(g)
}

// shut gives a generation's descriptor back.
func (t *tailer) shut(g *generation) {
	if g.f != nil {
		g.close()
		t.held--
	}
}

// later tries again what could not be decided.
func (t *tailer) later(g *generation, err error) {
	if err == nil {
		return
	}
	g.failed = err
	g.retry.later()
	if !g.retry.short(err) {
		t.failing(g.path, err)
	}
	t.time(g)
}

// open takes a generation's descriptor again before its first turn. What cannot
// be opened, the turn finds out.
func (t *tailer) open(g *generation) {
	t.room()
	g.said = g.path
	if vanished, err := g.reopen(); !vanished && err == nil {
		t.held++
	}
}

// drop forgets a generation but for its position.
func (t *tailer) drop(g *generation) {
	if t.byPath[g.path] == g {
		delete(t.byPath, g.path)
	}
	t.remove(g)
	g.said = g.path
	t.known.add(g.here())
}

// tell makes a changed position durable, with what was lost.
func (t *tailer) tell(g *generation, losses ...finding.Loss) {
	c := &Chunk{Source: g.src.Name, Path: g.path, Generation: g.id, Offset: g.offset, Line: g.lines + 1, Final: true, Proved: g.proved, Losses: losses}
	g.said = g.path
	c.at = func(int) finding.Position { return g.here() }
	t.hand(c)
}

// keep makes the position of a file durable that is not followed any more, with
// what was lost of it.
func (t *tailer) keep(p finding.Position, losses ...finding.Loss) {
	c := &Chunk{Source: p.Source, Path: p.Path, Generation: p.Generation, Offset: p.Offset, Line: p.Lines + 1, Final: true, Losses: losses, at: func(int) finding.Position { return p }}
	t.hand(c)
}

// hand gives the handler a position without data.
func (t *tailer) hand(c *Chunk) {
	t.telling.Store(true)
	defer t.telling.Store(false)
	if _, err := t.handle(c); err != nil && !errors.Is(err, context.Canceled) {
		t.notice("error", fmt.Sprintf("keep position of %s: %v", c.Path, err))
	}
}

func (t *tailer) files() (list []Status) {
	for _, g := range t.all {
		s := Status{Source: g.src.Name, Path: g.path, Mode: "live"}
		switch {
		case g.failed != nil:
			s.Mode, s.Error = "unreadable", g.failed.Error()
		case g.waiting != nil:
			s.Mode = "waiting"
		case g.rotated:
			s.Mode = "rotated"
		}
		if g.busy {
			s.generation, s.moved, s.handed = g.id, time.Unix(0, g.moved.Load()), g.handed.Load()
		} else {
			s.Lag = max(0, g.size-g.offset)
		}
		list = append(list, s)
	}
	for _, s := range t.sources {
		for _, path := range slices.Sorted(maps.Keys(s.failed)) {
			list = append(list, Status{Source: s.Name, Path: path, Mode: "unreadable", Error: s.failed[path].err.Error()})
		}
	}
	return list
}
