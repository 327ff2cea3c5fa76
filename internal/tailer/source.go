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

	"github.com/bmatcuk/doublestar/v4"
)

// source is a Source with its patterns taken apart.
type source struct {
	Source
	globs  []glob
	fresh  bool                // nothing of it was ever stored: StartAt applies to the first sweep
	failed map[string]*failure // paths that cannot be opened
}

// glob is one of a source's paths.
type glob struct {
	pattern string // absolute
	base    string // the directory above its first wildcard
	exact   bool   // one name, without a wildcard: a file, or a directory until the first sweep
	tree    bool   // a directory: all text files below it
}

func newSource(o *Source) (*source, error) {
	s := &source{Source: *o, failed: map[string]*failure{}}
	if s.MaxLine <= 0 {
		s.MaxLine = 1 << 20
	}
	if s.RotateWait <= 0 {
		s.RotateWait = 30 * time.Second
	}
	for _, p := range o.Paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("source %s: path %s: %w", o.Name, p, err)
		}
		if !doublestar.ValidatePathPattern(abs) {
			return nil, fmt.Errorf("source %s: %q is no pattern", o.Name, p)
		}
		g := glob{pattern: abs}
		g.base, _ = doublestar.SplitPattern(filepath.ToSlash(abs))
		if !strings.ContainsAny(abs, "*?[{") {
			g.exact = true
		}
		s.globs = append(s.globs, g)
	}
	s.Exclude = slices.Clone(o.Exclude)
	for i, p := range s.Exclude {
		abs, err := filepath.Abs(p)
		if err != nil || !doublestar.ValidatePathPattern(abs) {
			return nil, fmt.Errorf("source %s: exclude %q is no pattern", o.Name, p)
		}
		s.Exclude[i] = abs
	}
	return s, nil
}

// treeOf is a directory with all text files below it.
func treeOf(dir string) glob {
	return glob{pattern: filepath.Join(dir, "**"), base: dir, tree: true}
}

// matches tells whether the source's patterns name a path.
func (s *source) matches(path string) bool { return s.globOf(path) != nil }

// names tells whether a pattern is the first that names a path below its base.
func (s *source) names(path string, g *glob) bool {
	if len(s.globs) == 1 && len(s.Exclude) == 0 && g.tree {
		return !hidden(path, g.base)
	}
	return s.globOf(path) == g
}

// excluded tells whether a path is one to leave out.
func (s *source) excluded(path string) bool {
	return slices.ContainsFunc(s.Exclude, func(p string) bool { ok, err := doublestar.PathMatch(p, path); return err == nil && ok })
}

func (s *source) globOf(path string) *glob {
	if s.excluded(path) {
		return nil
	}
	for i := range s.globs {
		g := &s.globs[i]
		if g.exact && path == g.pattern {
			return g
		}
		if ok, err := doublestar.PathMatch(g.pattern, path); err == nil && ok && !g.exact && (!g.tree || !hidden(path, g.base)) {
			return g
		}
	}
	return nil
}

// exactly tells whether one of the source's paths is this one.
func (s *source) exactly(path string) bool {
	g := s.globOf(path)
	return g != nil && g.exact
}

// hidden tells whether a path has a hidden part below a directory.
func hidden(path, below string) bool {
	return strings.Contains(strings.TrimPrefix(path, below), "/.")
}

// errLink is what a link out of the paths is refused with.
var errLink = errors.New("a symbolic link that leads out of the source's paths is not followed\nhint: follow_symlinks: [DIRECTORY] lets links lead there")

// open opens a regular file for reading, never waiting for the other end of a
// pipe, and never through a link that leads out of the source's directories.
func (s *source) open(path string) (*os.File, identity, os.FileInfo, error) {
	f, err := s.openInside(path)
	if err != nil {
		return nil, identity{}, nil, err
	}
	info, err := f.Stat()
	if err == nil && s.pipe(path, info) {
		one := f // held until the other is: a writer must not meet an end without a reader
		f, err = openPipe(path)
		one.Close()
		if err != nil {
			return nil, identity{}, nil, err
		}
		if info, err = f.Stat(); err == nil && info.Mode()&fs.ModeNamedPipe == 0 {
			err = errors.New("was a pipe a moment ago")
		}
	} else if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("is no regular file (%s)", info.Mode().Type())
	}
	if err != nil {
		f.Close()
		return nil, identity{}, nil, err
	}
	return f, identify(f, info), info, nil
}

func (s *source) openInside(path string) (*os.File, error) {
	g := s.globOf(path)
	if s.Links || g != nil && g.exact {
		return os.OpenFile(path, openFlags, 0)
	}
	base := filepath.Dir(path) // of a rotated name beside a followed one
	if g != nil {
		base = g.base
	}
	f, err := openBelow(base, path)
	if !escapes(err) {
		return f, err
	}
	// A link may lead to another place inside, or into a further root.
	target, e := filepath.EvalSymlinks(path)
	if e != nil {
		return nil, e
	}
	for _, root := range append([]string{base}, s.Roots...) {
		if real, e := filepath.EvalSymlinks(root); e == nil && below(target, real) {
			if f, err = openBelow(real, target); !escapes(err) {
				return f, err
			}
		}
	}
	return nil, errLink
}

const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// openBelow opens a file below a directory, through no link that leads out of it.
func openBelow(dir, path string) (*os.File, error) {
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(rel, openFlags, 0)
}

func escapes(err error) bool {
	var pe *fs.PathError
	return errors.As(err, &pe) && strings.Contains(pe.Err.Error(), "escapes")
}

func below(path, dir string) bool {
	return strings.HasPrefix(path+"/", strings.TrimSuffix(dir, "/")+"/")
}

// leads tells whether a link to a directory is followed: one that leads to a
// place below the base or a further root, and not above itself.
func (s *source) leads(link string, g *glob) bool {
	target, err := filepath.EvalSymlinks(link)
	if err != nil || below(link, target) {
		return false
	}
	return s.Links || slices.ContainsFunc(append([]string{g.base}, s.Roots...), func(root string) bool {
		real, err := filepath.EvalSymlinks(root)
		return err == nil && below(target, real)
	})
}

// compressed tells whether a file begins like a compressed one. Those are never
// followed; a rotated one is read when what it was is missing.
func compressed(f *os.File) bool {
	var b [6]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	for _, magic := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "BZh", "\xfd7zXZ\x00", "PK\x03\x04"} {
		if bytes.HasPrefix(b[:n], []byte(magic)) {
			return true
		}
	}
	return false
}

// untext tells whether a file found in a directory tree holds no text.
func untext(f *os.File) bool {
	var b [512]byte
	n, err := f.ReadAt(b[:], 0)
	return (err == nil || errors.Is(err, io.EOF)) && bytes.IndexByte(b[:n], 0) >= 0 && !bytes.HasPrefix(b[:n], []byte{0xff, 0xfe}) && !bytes.HasPrefix(b[:n], []byte{0xfe, 0xff})
}

// stem is the part of a file's name that its rotated names share: what stands
// before its first dot or date.
func stem(path string) string {
	name := filepath.Base(path)
	for i := 1; i < len(name); i++ {
		if name[i] == '.' || dated(name[i:]) {
			return name[:i]
		}
	}
	return name
}

// dated tells whether a text begins with a mark and what may be a date: eight digits
// from 20.
func dated(s string) bool {
	if s[0] != '-' && s[0] != '_' || !strings.HasPrefix(s[1:], "20") {
		return false
	}
	digits := 0
	for i := 1; i < len(s) && digits < len("20260131"); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c != '-' && c != '_':
			return false
		}
	}
	return digits == len("20260131")
}

// A sibling is a file beside another.
type sibling struct {
	path  string
	inode inode
	at    time.Time
}

// siblings returns the regular files that may be rotated forms of a path: in its
// directory, and in that of what it is a link to.
func (s *source) siblings(path string) []sibling {
	list := inDirectory(path)
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return list
	}
	f, err := s.openInside(path) // whether it may be followed
	if err != nil {
		return list
	}
	f.Close()
	if target, err := filepath.EvalSymlinks(path); err == nil {
		list = append(list, inDirectory(target)...)
	}
	return list
}

// inDirectory returns the regular files of a path's directory that may be rotated
// forms of it, the youngest first.
func inDirectory(path string) (list []sibling) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), stem(path)) {
			continue
		}
		if info, err := e.Info(); err == nil {
			list = append(list, sibling{filepath.Join(filepath.Dir(path), e.Name()), numbers(info).inode(), info.ModTime()})
		}
	}
	slices.SortFunc(list, func(a, b sibling) int { return b.at.Compare(a.at) })
	return list
}
