package tailer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"
)

// descriptorLimit is how many descriptors may be held: half of what the process
// may have.
func descriptorLimit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 512
	}
	return max(8, int(min(r.Cur, 1<<20)/2))
}

// truncated follows a file whose consumed content is gone. What was not yet
// read may be in a copy (logrotate's copytruncate); the file itself begins a new
// generation.
func (t *tailer) truncated(g *generation) error {
	old := g.here()
	ok, err := t.rescue(g.src, &old)
	if err != nil {
		return err
	}
	t.o.Rotated("truncated")
	if !ok {
		g.done = true
		t.tell(g, unread(g.src, &old, "truncated before it was read")...)
		old.Done = true
		t.known.add(old)
	}
	fresh := newGeneration(g.src, g.path, g.key, nil)
	g.id, g.offset, g.size, g.lines, g.head, g.anchor, g.ending = fresh.id, 0, 0, 0, head{}, nil, ending{}
	g.skipping, g.held, g.done, g.flush, g.last, g.grown = false, false, false, false, false, time.Now()
	g.failed, g.retry = nil, backoff{}
	t.time(g)
	t.enqueue(g)
	return nil
}

func unread(s *source, p *finding.Position, reason string) []finding.Loss {
	if p.Size <= p.Offset {
		return nil
	}
	return []finding.Loss{{Time: time.Now().UTC(), Source: s.Name, Path: p.Path, Reason: reason, From: p.Offset, To: p.Size}}
}

// vanished follows a generation whose descriptor was given back and whose path
// names another file now.
func (t *tailer) vanished(g *generation) error {
	if g.packed && g.offset == 0 {
		t.remove(g) // the next sweep finds it under its new name
		return nil
	}
	p := g.here()
	ok, err := t.rescue(g.src, &p)
	if err != nil {
		return err
	}
	if t.byPath[g.path] == g {
		delete(t.byPath, g.path)
	}
	if ok {
		t.remove(g)
		t.look(g.src, g.path)
		return nil
	}
	g.done = true
	t.drop(g)
	t.tell(g, unread(g.src, &p, "deleted before it was read")...)
	t.look(g.src, g.path)
	return nil
}

// rescue finds where the content behind a position lies now: in a file of the
// same inode under a rotated name, in a copy, in a compressed one. The
// generation goes on there under its own id, so that what is read twice has the
// same event ids.
func (t *tailer) rescue(s *source, p *finding.Position) (found bool, err error) {
	for range 5 { // while names are being shifted under our eyes
		var moved bool
		if found, moved, err = t.search(s, p); found || err != nil || !moved {
			return found, err
		}
	}
	return false, nil
}

// search looks once. moved says that names were shifted meanwhile.
func (t *tailer) search(s *source, p *finding.Position) (found, moved bool, err error) {
	for _, g := range t.all {
		if p.Offset > 0 && g.waiting != nil && !g.busy && g.waiting.id == p.Generation && g.f != nil && contains(g.f, p) {
			t.become(g, p)
			return true, false, nil
		}
	}
	packed := []string{}
	list := s.siblings(p.Path)
	for _, x := range list {
		path := x.path
		t.room()
		f, key, _, err := s.open(path)
		if passing(err) {
			return false, false, err
		}
		if errors.Is(err, os.ErrNotExist) || err == nil && key.inode() != x.inode {
			moved = true
		}
		if err != nil {
			continue
		}
		if compressed(f) {
			packed = append(packed, path)
			f.Close()
			continue
		}
		other := t.byKey(key)
		if other == nil {
			other = t.closedUnread(key, p)
		}
		if other != nil && (other.busy || other.offset > 0) || p.Offset == 0 && !key.same(identity{p.Dev, p.Ino, p.Handle}) || !contains(f, p) {
			f.Close()
			continue
		}
		if other != nil {
			f.Close()
			t.become(other, p)
			return true, false, nil
		}
		g := resume(s, path, key, f, p)
		g.rotated = true
		t.take(g)
		return true, false, nil
	}
	for _, path := range packed {
		if key, ok := s.packs(path, p); ok {
			g := resume(s, path, key, nil, p)
			g.packed, g.rotated, g.flush, g.last = true, true, true, true
			t.take(g)
			return true, false, nil
		}
	}
	// Names that were shifted while they were listed may have hidden it.
	same := slices.EqualFunc(list, s.siblings(p.Path), func(a, b sibling) bool { return a.path == b.path && a.inode == b.inode })
	return false, moved || !same, nil
}

// closedUnread finds a generation whose descriptor was given back before anything was
// read, other than the one that is searched.
func (t *tailer) closedUnread(key identity, p *finding.Position) *generation {
	for _, g := range t.byIno[key.inode()] {
		if !g.busy && g.f == nil && g.offset == 0 && !g.packed && g.key.same(key) && g.id != p.Generation {
			return g
		}
	}
	return nil
}

// take follows a generation that was found under another name.
func (t *tailer) take(g *generation) {
	g.awayAt = time.Now()
	if g.f != nil {
		if info, err := g.f.Stat(); err == nil {
			g.size = max(g.size, info.Size())
		}
	}
	t.add(g)
	if t.byPath[g.path] == nil && !g.packed {
		t.byPath[g.path] = g
	}
	t.time(g)
	t.enqueue(g)
}

// passing tells whether an error says nothing about the file that it came for.
func passing(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// become makes a copy go on where the generation it is a copy of stands.
func (t *tailer) become(g *generation, p *finding.Position) {
	if g.told { // its own id is never used
		g.done = true
		t.tell(g)
		g.done = false
	}
	g.from(p)
	g.waiting, g.rotated, g.held, g.grown, g.awayAt = nil, g.rotated || g.path != p.Path, false, time.Now(), time.Now()
	t.time(g)
	t.enqueue(g)
}

// isCopy tells whether a file that has not been read yet is the copy of one
// that is followed, and must wait: copytruncate copies first and truncates then,
// and only then does the copy hold what nobody else does.
func (t *tailer) isCopy(g *generation) bool {
	g.limit = -1
	if g.early || g.pipe {
		return false
	}
	if g.f == nil { // the turn that may open it after all must not read it unseen
		g.limit = 0
		return false
	}
	if len(t.kin[g.kin]) > 1 {
		// What comes to it after this look has not been looked at.
		if info, err := g.f.Stat(); err == nil {
			g.limit = info.Size()
		}
	}
	for _, o := range slices.Clone(t.kin[g.kin]) {
		if o == g || o.gone || o.packed || o.pipe || o.waiting != nil || o.id == g.id || o.born != g.path && !rotatedForm(o.path, g.path) && !rotatedForm(o.born, g.path) {
			continue
		}
		if o.busy {
			t.wait(g, o, false) // looked at again when that one's turn has ended
			return true
		}
		if o.f == nil {
			t.open(o)
		}
		if p := o.here(); o.f == nil {
			if o.offset > 0 && contains(g.f, &p) {
				t.wait(g, o, false) // o's next turn finds out what has become of it
				t.enqueue(o)
				return true
			}
			continue
		}
		if o.born != g.path && o.rotated && t.byPath[o.path] == o && o.intact() {
			continue // it is where it should be, under its rotated name
		}
		same := copied(o, g)
		if o.born != g.path {
			p := o.here()
			switch whole := o.intact(); {
			case !whole && o.offset > 0 && contains(g.f, &p):
				// o has been cut since, and its next turn will find out.
				t.wait(g, o, false)
				t.enqueue(o)
				return true
			case whole && longer(g.f, o.f):
				continue // it only begins like o
			}
		}
		if same && t.copyOf(g, o) {
			return true
		}
	}
	t.late(g)
	return false
}

// late makes a rotated form go on where a generation stands that is over and
// whose content it holds.
func (t *tailer) late(g *generation) {
	best := t.longest(g.f, g.kin, func(p *finding.Position) bool {
		return p.Generation != g.id && (g.rotated || p.Offset >= enough && (p.Path == g.path || rotatedForm(p.Path, g.path)) || g.key.same(identity{p.Dev, p.Ino, p.Handle}))
	})
	if best == nil {
		return
	}
	t.known.remove(best)
	t.become(g, best)
}

// longest returns the known position, of those of a kin that fit, that stands
// furthest behind what a file holds. The file's head is read once: there may be
// many positions.
func (t *tailer) longest(f *os.File, kin string, fits func(*finding.Position) bool) (best *finding.Position) {
	first := make([]byte, maxHead)
	n, err := f.ReadAt(first, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	for _, p := range t.known.byKin[kin] {
		if p.Offset > 0 && headOf(p).begins(first[:n]) && (best == nil || p.Offset > best.Offset) && fits(p) && contains(f, p) {
			best = p
		}
	}
	return best
}

func kinOf(path string) string { return filepath.Join(filepath.Dir(path), stem(path)) }

var rotationMark = regexp.MustCompile(`[-._]?\d([\d\-_.T:]*\d)?`)

// rotatedForm tells whether a name is one that a rotation would give to a
// followed file: something behind it, or a number or date inside it.
func rotatedForm(live, name string) bool {
	live, name = filepath.Base(live), filepath.Base(name)
	if rest, ok := strings.CutPrefix(name, live); ok {
		return rest != "" && strings.ContainsAny(rest[:1], ".-_~")
	}
	name = strings.TrimSuffix(name, ".gz")
	return rotationMark.ReplaceAllString(name, "") == rotationMark.ReplaceAllString(live, "")
}

// intact tells whether a file still holds what was consumed of it.
func (g *generation) intact() bool {
	info, err := g.f.Stat()
	if err != nil || info.Size() < g.offset {
		return err != nil
	}
	ok, err := g.unchanged()
	return ok || err != nil
}

func (t *tailer) wait(g, original *generation, copied bool) {
	g.waiting, g.waitsFor, g.copied, g.awayAt = original, original.id, copied, time.Now()
	t.time(g)
}

// longer tells whether one file is longer than another.
func longer(f, than *os.File) bool {
	a, errA := than.Stat() // first: it may grow
	b, errB := f.Stat()
	return errA == nil && errB == nil && b.Size() > a.Size()
}

// enough is how much two files must have in common to be taken for copies.
const enough = 16

// copied tells whether two files hold the same, as far as both go.
func copied(o, g *generation) bool {
	a, err := o.f.Stat()
	if err != nil || g.f == nil {
		return false
	}
	b, err := g.f.Stat()
	if err != nil {
		return false
	}
	n := min(a.Size(), b.Size())
	const piece = 64 << 10
	return n >= enough && equal(o.f, g.f, 0, min(n, piece)) && equal(o.f, g.f, max(0, n-piece), min(n, piece))
}

func equal(a, b *os.File, at, n int64) bool {
	x, y := make([]byte, n), make([]byte, n)
	i, errA := a.ReadAt(x, at)
	j, errB := b.ReadAt(y, at)
	return int64(i) == n && int64(j) == n && (errA == nil || errors.Is(errA, io.EOF)) && (errB == nil || errors.Is(errB, io.EOF)) && bytes.Equal(x, y)
}

// copyOf decides what a file whose content is o's is to be; true: it waits.
func (t *tailer) copyOf(g, o *generation) bool {
	info, err := g.f.Stat()
	if err != nil {
		return false
	}
	g.size = info.Size()
	if o.born == g.path && o.rotated {
		// It has taken o's place (an editor's save): it goes on where o stands.
		if g.size < o.offset {
			return false
		}
		p := o.here()
		p.Path = g.path
		t.remove(o)
		if t.byPath[o.path] == o {
			delete(t.byPath, o.path)
		}
		t.become(g, &p)
		g.done = false
		t.time(g)
		return false
	}
	t.wait(g, o, true)
	return true
}

func lastBytes(f *os.File, end int64) []byte {
	b := make([]byte, min(end, maxAnchor))
	n, err := f.ReadAt(b, end-int64(len(b)))
	if err != nil && n < len(b) {
		return nil
	}
	return b
}

// A copy that has been still for so long is whole: what its original has read
// need not be read in it.
const stillFor = 10 * time.Second

// settleCopy looks again at a copy that waits: whether its original has been
// cut or is over, or the copy has gone on growing.
func (t *tailer) settleCopy(g *generation) {
	o := g.waiting
	if o.busy || g.f == nil {
		return
	}
	info, err := g.f.Stat()
	if err == nil && g.copied && !o.gone && o.id == g.waitsFor && info.Size() == g.size && o.offset >= g.size {
		if time.Since(g.awayAt) > stillFor {
			h, err := readHead(g.f, g.size)
			if err != nil {
				return // the next look tells more
			}
			g.waiting, g.offset, g.head, g.anchor = nil, g.size, h, lastBytes(g.f, g.size)
			t.time(g)
			t.tell(g)
		}
		return
	}
	g.waiting = nil
	t.time(g)
	t.enqueue(g) // dispatch decides again
}

// orphans looks, after the first sweep, for the generations that were followed
// when the program ended and are not where they were.
func (t *tailer) orphans() {
	t.orphaned = false
	for _, p := range slices.Collect(maps.Values(t.known.byID)) {
		s := t.sourceByName(p.Source)
		if s == nil || p.Done {
			continue
		}
		ok, err := t.rescue(s, p)
		if err != nil {
			t.orphaned = true
			t.failing(p.Path, err)
			continue
		}
		if ok {
			if t.known.byID[p.Generation] == p {
				t.known.remove(p)
			}
			continue
		}
		lost := unread(s, p, "gone while imwatch was down")
		p.Done = true
		t.keep(*p, lost...)
		if len(lost) > 0 {
			t.notice("warn", fmt.Sprintf("%s: bytes %d to %d were deleted before they were read", p.Path, p.Offset, p.Size))
		}
	}
}

// beside looks for rotated forms of followed files that no pattern names: one
// that came and was rotated away between two looks, or while imwatch was down,
// and the copies of copytruncate. What is older than our following is history.
//
// Of what it takes, a kill can leave nothing behind before the first bytes are
// read. So the time that positions carry (seenTo) moves on only when all that
// lies beside a file is done with or read from: the next start looks at the rest
// again.
func (t *tailer) beside(seen map[string]bool, began time.Time) {
	live := map[string]map[string][]*generation{} // directory → stem → followed files
	follow := func(g *generation) {
		dir := filepath.Dir(g.path)
		if live[dir] == nil {
			live[dir] = map[string][]*generation{}
		}
		live[dir][stem(g.path)] = append(live[dir][stem(g.path)], g)
	}
	for path, g := range t.byPath {
		if !g.rotated && !g.packed && path == g.born {
			follow(g)
		}
	}
	for _, s := range t.sources {
		for i := range s.globs {
			if path := s.globs[i].pattern; s.globs[i].exact && t.byPath[path] == nil {
				follow(&generation{src: s, path: path, born: path, kin: kinOf(path)}) // not there at the moment
			}
		}
	}
	for dir, stems := range live {
		entries, walked := t.others[dir]
		if !walked {
			var err error
			if entries, err = os.ReadDir(dir); err != nil {
				continue // the sweep has told
			}
		}
		behind := map[string]bool{} // stems of which not everything is seen to
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			seen[path] = true
			if !e.Type().IsRegular() || t.byPath[path] != nil {
				continue
			}
			for _, g := range stems[stem(path)] {
				if rotatedForm(g.path, path) && !g.src.excluded(path) {
					if !t.sibling(g, path, e) {
						behind[stem(path)] = true
					}
					break
				}
			}
		}
		for stem, list := range stems {
			kin := list[0].kin
			unread := func(g *generation) bool { return g.busy || g.offset == 0 }
			if !behind[stem] && !slices.ContainsFunc(t.kin[kin], unread) {
				t.seen[kin] = began
			}
		}
	}
	t.forget(seen, func(kin string) bool { return live[filepath.Dir(kin)][filepath.Base(kin)] != nil })
}

// forget lets go of what is remembered of paths and kins that are not there any more.
func (t *tailer) forget(seen map[string]bool, followed func(kin string) bool) {
	maps.DeleteFunc(t.settled, func(path string, _ settled) bool { return !seen[path] && t.byPath[path] == nil })
	gone := func(kin string, at time.Time) bool {
		return len(t.kin[kin]) == 0 && !followed(kin) && time.Since(at) > time.Hour
	}
	maps.DeleteFunc(t.since, gone)
	maps.DeleteFunc(t.seen, gone)
}

// history is the time before which what lies beside the files of a kin was
// there before they were followed, or was seen to before the start.
func (t *tailer) history(kin string) time.Time {
	at, ok := t.since[kin]
	if ok {
		return at
	}
	for _, p := range t.known.byKin[kin] {
		since := p.Since
		if since.IsZero() {
			since = p.Seen // kept by a version that did not know
		}
		if since.After(at) {
			at = since
		}
	}
	now := time.Now()
	switch {
	case at.After(now.Add(time.Second)):
		at = now.Add(-keepAlone) // the clock has been set back by nobody knows how much
	case !at.IsZero():
	case !t.swept && !t.o.Reread.IsZero():
		at = t.o.Reread
	default:
		at = t.looked // what came since then, came while we followed
	}
	t.since[kin] = at
	return at
}

// seenTo is the time before which everything beside the files of a kin has been
// seen to, or is history.
func (t *tailer) seenTo(kin string) time.Time {
	if at, ok := t.seen[kin]; ok {
		return at
	}
	return t.history(kin)
}

// sibling decides about one file beside a followed one, and tells whether
// nothing is left to do about it.
func (t *tailer) sibling(live *generation, path string, e os.DirEntry) (over bool) {
	info, err := e.Info()
	if err != nil {
		return false // it has just been renamed
	}
	if info.ModTime().Before(t.history(live.kin).Add(-time.Second)) || t.o.Refuse(info) {
		return true
	}
	if strings.HasSuffix(path, ".tmp") || strings.HasSuffix(path, ".swp") {
		return false // somebody is still writing it
	}
	key := numbers(info)
	if d, ok := t.settled[path]; ok && d.key.same(key) && d.size == info.Size() {
		return true
	}
	if t.renamed(live.src, path, key) {
		return true
	}
	t.room()
	f, key, _, err := live.src.open(path)
	if err != nil {
		return false
	}
	if t.renamed(live.src, path, key) { // since it was looked at
		f.Close()
		return true
	}
	if compressed(f) {
		f.Close()
		return t.packedSibling(live, path, key, info)
	}
	if t.sourceOf(path) != nil { // the next sweep follows it
		f.Close()
		return true
	}
	g := t.recall(live.src, path, key, f)
	if g == nil {
		g = t.recallCopy(live, path, key, f)
	}
	switch {
	case g == nil:
		g = newGeneration(live.src, path, key, f)
	case g.done && g.offset == info.Size():
		t.settle(g, f, info.Size())
		return true
	}
	g.done, g.rotated, g.size = false, true, info.Size()
	t.take(g)
	return false
}

// renamed tells whether a file beside a followed one is followed itself, and
// keeps its name if it has no other.
func (t *tailer) renamed(s *source, path string, key identity) bool {
	g := t.followed(s, path, key)
	if g != nil && g.path != path && t.byPath[g.path] != g {
		g.path = path
		t.byPath[path] = g
	}
	return g != nil
}

// recallCopy finds the position of a generation that is over and whose content a
// file beside it holds: the copy goes on under its id.
func (t *tailer) recallCopy(live *generation, path string, key identity, f *os.File) *generation {
	p := t.longest(f, live.kin, func(*finding.Position) bool { return true })
	if p == nil {
		return nil
	}
	g := resume(live.src, path, key, f, p)
	g.done = p.Done
	return g
}

// A compressed file that was written less than this ago may not be whole.
const packing = time.Second

// packedSibling reads a compressed file that came up beside a followed one,
// unless what it holds has been read or is being read. It tells whether that is
// so.
func (t *tailer) packedSibling(live *generation, path string, key identity, info os.FileInfo) (over bool) {
	if !strings.HasSuffix(path, ".gz") {
		return true // no form that we read
	}
	if age := time.Since(info.ModTime()); 0 <= age && age < packing { // the clock may have been set back
		t.soon(packing)
		return false
	}
	known := []finding.Position{}
	for _, g := range t.kin[live.kin] {
		if g.path == path || g.busy || g.offset == 0 && g.size > 0 {
			return false // the next sweep knows more
		}
		known = append(known, g.here())
	}
	for _, p := range t.known.byKin[live.kin] {
		known = append(known, *p)
	}
	g := newGeneration(live.src, path, key, nil)
	g.packed, g.rotated, g.flush, g.last, g.stored, g.maybe = true, true, true, true, info.Size(), known
	t.take(g)
	return false
}

// alreadyRead returns the position, of those known when the file was found, that
// stands furthest behind what a compressed file holds.
func (g *generation) alreadyRead(ctx context.Context, f *os.File) (best *finding.Position, err error) {
	for i := range g.maybe {
		p := &g.maybe[i]
		if p.Offset == 0 || best != nil && p.Offset <= best.Offset {
			continue
		}
		ok, err := packs(ctx, f, p)
		if err != nil {
			return nil, err
		}
		if ok {
			best = p
		}
	}
	return best, nil
}

// compressedForm follows a compressed file that holds what p stands behind. Of a
// generation that is over it may hold more, lines that came late: it goes on
// there.
func (t *tailer) compressedForm(g *generation, p *finding.Position) {
	now := t.known.byID[p.Generation]
	switch {
	case !p.Done && p.Offset < maxHead: // files begin alike; the next sweep knows more
		t.remove(g)
	case !p.Done: // whoever follows that one reads it
		t.settled[g.path] = settled{g.key, g.stored}
		t.remove(g)
	case now == nil || !now.Done: // another one goes on there: looked at anew
		t.remove(g)
		t.soon(0)
	default:
		t.known.remove(now)
		g.from(now)
		g.maybe = nil
		t.enqueue(g)
	}
}

func (t *tailer) sourceByName(name string) *source {
	for _, s := range t.sources {
		if s.Name == name {
			return s
		}
	}
	return nil
}

var errBomb = fmt.Errorf("comes out %d times larger than it is stored: not read further", maxRatio)

// Bounds of what is taken out of one compressed file.
const (
	maxUnpacked = 16 << 30
	maxRatio    = 1000
)

// packs tells whether the compressed file of a name holds what a position stands
// behind, and which file that is. Behind the beginning stands nothing that would tell.
func (s *source) packs(path string, p *finding.Position) (key identity, ok bool) {
	if p.Offset == 0 {
		return key, false
	}
	f, key, _, err := s.open(path)
	if err != nil {
		return key, false
	}
	defer f.Close()
	ok, err = packs(context.Background(), f, p)
	return key, ok && err == nil
}

// packs tells whether a compressed file holds what a position stands behind. An
// error says that it cannot be told: the file is not whole yet.
func packs(ctx context.Context, f io.ReaderAt, p *finding.Position) (bool, error) {
	z, err := gzip.NewReader(moving{whole(f), nil, ctx.Err})
	if err != nil {
		return false, err
	}
	defer z.Close()
	first, err := unpacked(z, headOf(p).length())
	if err != nil || !headOf(p).begins(first) {
		return false, err
	}
	// The anchor overlaps the head where little has been read.
	at, from := int64(len(first)), p.Offset-int64(len(p.Anchor))
	if skip := from - at; skip > 0 {
		n, err := io.CopyN(io.Discard, z, skip)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if at += n; at < from {
			return false, nil // it is shorter
		}
	}
	want := p.Anchor[min(max(0, at-from), int64(len(p.Anchor))):]
	last, err := unpacked(z, len(want))
	if err != nil || !bytes.Equal(last, want) {
		return false, err
	}
	return true, nil
}

// whole reads a file from its beginning, wherever others read in it.
func whole(f io.ReaderAt) io.Reader { return io.NewSectionReader(f, 0, math.MaxInt64) }

// unpacked reads n bytes of a stream, or as many as it has.
func unpacked(z *gzip.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := io.ReadFull(z, b)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = shorter(z, err)
	}
	return b[:got], err
}

// shorter tells a stream that ends early from one that is cut: only the first
// has a checksum behind it.
func shorter(z *gzip.Reader, err error) error {
	var b [1]byte
	if _, e := z.Read(b[:]); errors.Is(e, io.EOF) {
		return nil
	}
	return err
}

// unpack reads a compressed generation from its offset to its end, in one turn:
// it cannot be read from the middle.
func (g *generation) unpack(ctx context.Context, final bool, handle Handler) (r result) {
	// All that is asked about it is asked of this one file: the name may be another's
	// in a moment.
	f, key, info, err := g.src.open(g.said)
	if errors.Is(err, os.ErrNotExist) {
		return result{vanished: true}
	}
	if err != nil {
		return result{err: err}
	}
	defer f.Close()
	if !key.same(g.key) {
		return result{vanished: true}
	}
	if info.Size() != g.stored { // it is still being written, however slowly
		g.stored, r.grew = info.Size(), true
	}
	if r.known, r.err = g.alreadyRead(ctx, f); r.known != nil || r.err != nil {
		return r
	}
	g.maybe = nil
	p := g.here()
	if ok, err := packs(ctx, f, &p); err == nil && !ok {
		return result{vanished: true} // it was written anew
	}
	z, err := gzip.NewReader(moving{whole(f), g, ctx.Err})
	if err != nil {
		r.err = err
		return r
	}
	defer z.Close()
	if _, err := io.CopyN(io.Discard, z, g.offset); err != nil {
		r.err = fmt.Errorf("unpack to %d: %w", g.offset, err)
		return r
	}
	limit := min(maxUnpacked, maxRatio*max(info.Size(), 64<<10))
	buf := make([]byte, 0, max(chunkSize, g.src.MaxLine+8))
	for out := g.offset; ; {
		n, err := io.ReadFull(z, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		out += int64(n)
		if errors.Is(err, io.ErrUnexpectedEOF) && shorter(z, err) == nil {
			err = io.EOF
		}
		end := errors.Is(err, io.EOF)
		if out > limit {
			return result{err: errBomb}
		}
		before := g.offset
		if o := g.offer(buf, err == nil, final && end, handle); o.fatal != nil || end && !o.more {
			g.size = g.offset
			return result{atEnd: end, fatal: o.fatal}
		}
		buf = append(buf[:0], buf[g.offset-before:]...)
		if err != nil && !end { // cut, or damaged
			g.size = g.offset + int64(len(buf))
			r.err = err
			return r
		}
	}
}

// moving reads for a generation and says that it moves.
type moving struct {
	r    io.Reader
	g    *generation  // nil: none
	over func() error // why to stop
}

func (m moving) Read(b []byte) (int, error) {
	if err := m.over(); err != nil {
		return 0, err
	}
	if m.g != nil {
		m.g.moved.Store(time.Now().UnixNano())
	}
	return m.r.Read(b)
}
