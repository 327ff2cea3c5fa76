package tailer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
)

// sweep looks at every path of every source: the truth, whatever notification
// told or missed.
func (t *tailer) sweep() {
	began := time.Now()
	defer func() { t.took, t.looked = time.Since(began), began }()
	t.watch.begin()
	seen, dirs := make(map[string]bool, len(t.byPath)), map[string]bool{}
	t.others = map[string][]fs.DirEntry{}
	for _, s := range t.sources {
		for _, f := range s.failed {
			f.missed = true
		}
		for i := range s.globs {
			t.walk(s, &s.globs[i], seen, dirs)
		}
		for path, f := range s.failed {
			if f.missed { // a directory that can be read again, or nothing any more
				delete(s.failed, path)
				t.healed(path, f.err)
			}
		}
	}
	for dir := range dirs {
		t.watch.add(dir)
	}
	t.watch.keep(dirs)
	for path, g := range t.byPath {
		if !seen[path] {
			t.look(g.src, path)
		}
	}
	if !t.swept || t.orphaned {
		t.orphans()
	}
	t.beside(seen, began)
	t.closeIdle()
	if now := time.Now(); t.known.untidy(now) {
		for _, p := range t.known.old(now) {
			p.Gone = true
			t.keep(*p)
		}
	}
}

// walk looks at the files that one pattern names.
func (t *tailer) walk(s *source, g *glob, seen, dirs map[string]bool) {
	if g.exact {
		if info, err := os.Stat(g.pattern); err == nil && info.IsDir() {
			*g = treeOf(g.pattern) // only now is it known
			t.walkDir(s, g, g.base, seen, dirs, 0)
			return
		}
		dirs[nearest(filepath.Dir(g.pattern))] = true
		seen[g.pattern] = true
		t.look(s, g.pattern)
		return
	}
	dirs[nearest(g.base)] = true
	t.walkDir(s, g, g.base, seen, dirs, 0)
}

// walkDir goes through directories, and links to directories inside the base.
func (t *tailer) walkDir(s *source, g *glob, dir string, seen, dirs map[string]bool, links int) {
	const maxLinks = 8 // on the way down: more is a loop
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			if !errors.Is(err, fs.ErrNotExist) && !s.hopeless(path) {
				t.unreadable(s, path, err)
			}
			return nil
		case d.IsDir() && t.ours(d):
			return fs.SkipDir
		case d.IsDir() && g.tree && path != g.base && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			dirs[path] = true
			if t.others[path] == nil {
				t.others[path] = []fs.DirEntry{}
			}
		case d.Type()&fs.ModeSymlink != 0:
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				if links < maxLinks && s.leads(path, g) {
					t.walkDir(s, g, path+"/", seen, dirs, links+1)
				}
				return nil
			}
			fallthrough
		case d.Type().IsRegular():
			if !seen[path] && s.names(path, g) {
				seen[path] = true
				t.look(s, path)
			}
			if t.byPath[path] == nil {
				dir := filepath.Dir(path)
				t.others[dir] = append(t.others[dir], d)
			}
		}
		return nil
	})
	if err != nil {
		t.unreadable(s, dir, err)
	}
}

// nearest is the deepest existing directory on the way to one.
func nearest(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || dir == "/" {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// look compares a path with the generation that is known by it.
func (t *tailer) look(s *source, path string) {
	if s.hopeless(path) {
		return
	}
	info, err := os.Stat(path)
	g := t.byPath[path]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if g != nil {
			t.away(g)
		}
		return
	case err != nil:
		t.unreadable(s, path, err)
		return
	case !info.Mode().IsRegular() && !s.pipe(path, info):
		if gl := s.globOf(path); gl != nil && gl.exact && !info.IsDir() {
			t.unreadable(s, path, fmt.Errorf("is no file and no named pipe (%s)", info.Mode().Type()))
		}
		return
	case t.o.Refuse(info):
		return
	}
	key := numbers(info)
	if g != nil && g.key.same(key) {
		if g.failed != nil || g.busy || g.pipe || info.Size() != g.size || g.size > g.offset && !g.held {
			t.enqueue(g)
		}
		return
	}
	if g != nil {
		t.away(g)
	}
	if d, ok := t.settled[path]; ok && d.key.same(key) && d.size == info.Size() {
		return
	}
	if other := t.followed(s, path, key); other != nil {
		t.moved(other, path)
		return
	}
	delete(t.settled, path)
	t.adopt(s, path)
}

// followed finds the generation that a file is, whatever its name was.
func (t *tailer) followed(s *source, path string, key identity) *generation {
	if g := t.byKey(key); g != nil {
		return g
	}
	return t.closed(s, path, key)
}

// byKey finds a generation by its inode, among those whose descriptor is held:
// theirs cannot have been used again.
func (t *tailer) byKey(key identity) *generation {
	for _, g := range t.byIno[key.inode()] {
		if g.key.same(key) && !g.packed && (g.busy || g.f != nil) {
			return g
		}
	}
	return nil
}

// closed finds a generation whose descriptor was given back and whose file has
// this path now, and takes the descriptor again.
func (t *tailer) closed(s *source, path string, key identity) *generation {
	for _, g := range t.byIno[key.inode()] {
		if g.packed || g.pipe || g.busy || g.f != nil {
			continue
		}
		t.room()
		f, full, _, err := s.open(path)
		if err != nil {
			return nil // the next look tells
		}
		if p := g.here(); full.same(g.key) && contains(f, &p) {
			g.f = f
			t.held++
			return g
		}
		f.Close()
	}
	return nil
}

// away marks a generation whose path names another file now, or none. Its
// descriptor is read on until it is quiet.
func (t *tailer) away(g *generation) {
	if t.byPath[g.path] == g {
		delete(t.byPath, g.path)
	}
	t.rotation(g)
	g.rotated, g.awayAt = true, time.Now()
	t.time(g)
	t.enqueue(g)
}

// rotation tells once that a generation has lost its name.
func (t *tailer) rotation(g *generation) {
	if g.rotated {
		return
	}
	kind := "renamed"
	if !g.busy && g.f != nil {
		if info, err := g.f.Stat(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
				kind = "deleted"
			}
		}
	}
	t.o.Rotated(kind)
}

// moved gives a generation its new path.
func (t *tailer) moved(g *generation, path string) {
	if t.byPath[g.path] == g {
		delete(t.byPath, g.path)
	}
	t.rotation(g)
	g.path, g.rotated, g.awayAt = path, path != g.born, time.Now()
	t.byPath[path] = g
	t.time(g)
	t.enqueue(g)
}

// adopt begins to follow a file that no generation holds: one that a position
// knows, or a new one.
func (t *tailer) adopt(s *source, path string) {
	t.room()
	f, key, info, err := s.open(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.unreadable(s, path, err)
		}
		return
	}
	t.opened(s, path)
	if other := t.followed(s, path, key); other != nil { // names were shifted since it was looked at
		f.Close()
		t.moved(other, path)
		return
	}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		t.adoptPipe(s, path, key, f)
		return
	}
	if t.o.Refuse(info) || compressed(f) || s.globOf(path) != nil && s.globOf(path).tree && untext(f) {
		f.Close()
		return
	}
	since := t.seenTo(kinOf(path)) // before a position that tells it is recalled
	g := t.recall(s, path, key, f)
	if g != nil && g.done && g.offset == info.Size() {
		t.settle(g, f, info.Size())
		return
	}
	if g == nil {
		g = newGeneration(s, path, key, f)
		g.since = since
		end := s.StartAt == "end"
		if !t.o.Reread.IsZero() {
			end = info.ModTime().Before(t.o.Reread)
		}
		if s.fresh && !t.swept && end {
			t.startAtEnd(g, info.Size())
		} else if s.globOf(path) != nil {
			g.told = true // known from now on, also if it is rotated while we are down
			t.tell(g)
		}
	}
	g.done, g.early = false, s.fresh && !t.swept
	t.byPath[path] = g
	t.add(g)
	t.time(g)
	g.size = max(g.size, info.Size())
	t.enqueue(g)
}

// settle leaves a rotated file alone that is read to its end.
func (t *tailer) settle(g *generation, f *os.File, size int64) {
	f.Close()
	t.settled[g.path] = settled{g.key, size}
	t.known.add(g.here())
}

// recall finds the position that a file goes on from: by its inode or its path,
// and always by what stands before the position.
func (t *tailer) recall(s *source, path string, key identity, f *os.File) *generation {
	var best *finding.Position
	for _, list := range [][]*finding.Position{t.known.byIno[key.inode()], t.known.byPath[path]} {
		for _, p := range list {
			byKey := key.same(identity{p.Dev, p.Ino, p.Handle})
			if !byKey && p.Path != path || p.Offset == 0 && (!byKey || p.Done) || best != nil && p.Offset <= best.Offset {
				continue
			}
			if contains(f, p) {
				best = p
			}
		}
	}
	if best == nil {
		return nil
	}
	g := resume(s, path, key, f, best)
	back := best.Done && !s.exactly(path) // a rotated file that has grown
	g.rotated, g.done, g.awayAt = best.Path != path || back, best.Done, time.Now()
	t.known.remove(best)
	return g
}

// contains tells whether a file holds what a position stands behind.
func contains(f *os.File, p *finding.Position) bool {
	info, err := f.Stat()
	if err != nil || info.Size() < p.Offset {
		return false
	}
	first := make([]byte, headOf(p).length())
	n, err := f.ReadAt(first, 0)
	return (err == nil || errors.Is(err, io.EOF)) && headOf(p).begins(first[:n]) && holds(f, p.Offset-int64(len(p.Anchor)), p.Anchor)
}

func holds(f *os.File, at int64, want []byte) bool {
	got := make([]byte, len(want))
	n, err := f.ReadAt(got, at)
	return n == len(want) && (err == nil || n == len(got)) && string(got) == string(want)
}

// startAtEnd passes over what a file holds at the first start: not over room that
// a writer made in advance, NULs up to the file's end.
func (t *tailer) startAtEnd(g *generation, size int64) {
	first := make([]byte, 2)
	if n, err := g.f.ReadAt(first, 0); err == nil && g.wide(first[:n]) == nil {
		size = written(g.f, size)
	}
	if size == 0 {
		return
	}
	g.offset = size
	g.anchor = make([]byte, min(size, maxAnchor))
	n, err := g.f.ReadAt(g.anchor, size-int64(len(g.anchor)))
	if err != nil && n < len(g.anchor) {
		g.offset, g.anchor = 0, nil
		return
	}
	if h, err := readHead(g.f, size); err == nil {
		g.head = h
	}
	g.skipping = g.anchor[len(g.anchor)-1] != '\n'
	t.tell(g)
}

// written returns where the NULs begin that a file ends with, or its size.
func written(f *os.File, size int64) int64 {
	b := make([]byte, 64<<10)
	for end := size; end > 0; {
		piece := b[:min(end, int64(len(b)))]
		if _, err := f.ReadAt(piece, end-int64(len(piece))); err != nil {
			return size // the first turn finds out
		}
		if text := bytes.TrimRight(piece, "\x00"); len(text) > 0 {
			return end - int64(len(piece)-len(text))
		}
		end -= int64(len(piece))
	}
	return 0
}

// ours tells whether a directory is our own.
func (t *tailer) ours(d fs.DirEntry) bool {
	info, err := d.Info()
	return err == nil && t.o.Refuse(info)
}

// closeIdle gives back the descriptors of files that have not grown for long.
func (t *tailer) closeIdle() {
	for _, g := range t.all {
		if t.spare(g) && g.offset >= g.size && time.Since(g.grown) > t.o.Idle {
			t.shut(g)
		}
	}
}

// spare tells whether a generation can do without its descriptor for a while:
// its path still leads to it.
func (t *tailer) spare(g *generation) bool {
	return !g.busy && g.f != nil && t.byPath[g.path] == g && g.waiting == nil && !g.pipe
}

// room gives descriptors back before more are taken, where half of the limit is
// held: those of the files that have not grown for longest.
func (t *tailer) room() {
	if t.held < t.limit {
		return
	}
	var list []*generation
	for _, g := range t.all {
		if t.spare(g) {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *generation) int { return a.grown.Compare(b.grown) })
	for _, g := range list[:min(len(list), t.held-t.limit+1+t.limit/8)] {
		t.shut(g)
	}
}
