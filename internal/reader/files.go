// Package reader reads log files once, from the beginning: plain, compressed,
// in archives, in the encodings that logs come in. Its memory is bounded
// whatever the input.
package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"
)

// A File is something to read.
type File struct {
	Path string // "-" for standard input
	Size int64  // in bytes as stored; 0 for standard input

	named bool // by its own name, not through a directory or a glob
}

// Options say how to read. The zero value is ready to use.
type Options struct {
	MaxLine         int    // bytes of a line that are kept; default 1 MiB
	ChunkSize       int    // bytes read at once; default 384 KiB
	Encoding        string // auto (or empty), utf-8, gb18030, utf-16
	MaxArchiveBytes int64  // that may come out of one compressed file; default 16 GiB
	MaxRatio        int64  // of what comes out to what went in, judged after 64 MiB; default 1000
	FollowSymlinks  bool   // in directories, also to targets outside of them
	Exclude         []string
	Stdin           *os.File      // what "-" means; nil: os.Stdin
	Progress        func(n int64) // told of every n stored bytes read
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxLine, 1<<20)
	def(&o.ChunkSize, 384<<10)
	if o.MaxArchiveBytes <= 0 {
		o.MaxArchiveBytes = 16 << 30
	}
	if o.MaxRatio <= 0 {
		o.MaxRatio = 1000
	}
	return o
}

// Files expands files, directories (recursively), globs with ** and "-" into a
// sorted list in which no file stands twice, whatever names it goes by, and
// tells what could not be looked at: each error names the path, the reason and
// what to do.
func Files(paths []string, o Options) (files []File, problems []error) {
	w := walker{o: o, seen: map[string]bool{}}
	for _, p := range paths {
		w.path(p)
	}
	return w.dedupe(), w.problems
}

type walker struct {
	o        Options
	files    []File
	problems []error
	seen     map[string]bool // directories entered, by their real paths
	outside  []string        // links that lead out of the directory being walked
}

func (w *walker) bad(path string, err error, hint string) {
	w.problems = append(w.problems, problem(path, err, hint))
}

// problem names a path, the reason without the path in it again, and what to do.
func problem(path string, err error, hint string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	name, quoted := path, "'"+strings.ReplaceAll(path, "'", `'\\''`)+"'"
	if strings.ContainsFunc(path, unicode.IsControl) {
		path = strconv.Quote(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		right := "r"
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			right = "rx"
		}
		hint = fmt.Sprintf("run as a user who can read it, or: sudo setfacl -m u:%d:%s %s", os.Getuid(), right, quoted)
	}
	if hint == "" {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return fmt.Errorf("read %s: %w\nhint: %s", path, err, hint)
}

func (w *walker) path(p string) {
	if p == "-" {
		w.files = append(w.files, File{Path: p, named: true})
		return
	}
	info, err := os.Stat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(p, "*?[{"):
		w.glob(p)
	case err != nil:
		w.bad(p, err, "is the path right? imwatch scan takes files, directories and globs")
	case info.IsDir():
		n := len(w.files)
		w.dir(p, p)
		w.toldOutside(p)
		if len(w.files) == n && len(w.problems) == 0 {
			w.bad(p, errors.New("no readable log file in this directory"), "name a directory that has log files, or a file; hidden and binary files are passed over")
		}
	case info.Mode().IsRegular():
		w.files = append(w.files, File{Path: p, Size: info.Size(), named: true})
	default:
		w.bad(p, fmt.Errorf("is a %s, not a file", kind(info.Mode())), "pipe it into: imwatch scan -")
	}
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

func (w *walker) glob(pattern string) {
	matches, err := doublestar.FilepathGlob(pattern, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
	if err != nil && len(matches) == 0 {
		matches, err = doublestar.FilepathGlob(pattern, doublestar.WithFilesOnly())
	}
	if err != nil {
		w.bad(pattern, err, "quote the pattern; ** stands for any number of directories")
		return
	}
	if len(matches) == 0 {
		w.bad(pattern, errors.New("no file matches"), "is the pattern quoted? ** stands for any number of directories")
	}
	for _, m := range matches {
		w.found(m, "/") // a link that a pattern names was meant
	}
}

// toldOutside tells of the links that were not followed.
func (w *walker) toldOutside(root string) {
	n := len(w.outside)
	if n == 0 {
		return
	}
	target, err := filepath.EvalSymlinks(w.outside[0])
	if err == nil {
		target, err = filepath.Abs(target)
	}
	if err != nil {
		target = "elsewhere"
	}
	links := "1 link leads"
	if n > 1 {
		links = fmt.Sprintf("%d links lead", n)
	}
	w.bad(root, fmt.Errorf("%s out of this directory, not followed: %s to %s", links, w.outside[0], target), fmt.Sprintf("name what they lead to, or a pattern that names them: imwatch scan '%s'", filepath.Join(root, "*.log")))
	w.outside = nil
}

// dir adds the files below a directory. Links are followed inside the root.
func (w *walker) dir(dir, root string) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || w.seen[real] {
		if err != nil {
			w.bad(dir, err, "")
		}
		return
	}
	w.seen[real] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.bad(dir, err, "")
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			w.found(filepath.Join(dir, e.Name()), root)
		}
	}
}

// found adds what a directory or a glob led to.
func (w *walker) found(path, root string) {
	if w.excluded(path) {
		return
	}
	link, err := os.Lstat(path)
	isLink := err == nil && link.Mode()&fs.ModeSymlink != 0
	info, err := os.Stat(path)
	if isLink && err == nil && !w.o.FollowSymlinks && !within(path, root) {
		w.outside = append(w.outside, path)
		return
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // a dangling link, or gone meanwhile
	case err != nil:
		w.bad(path, err, "")
	case info.IsDir():
		w.dir(path, root)
	case info.Mode().IsRegular():
		w.files = append(w.files, File{Path: path, Size: info.Size()})
	}
}

func (w *walker) excluded(path string) bool {
	return slices.ContainsFunc(w.o.Exclude, func(p string) bool {
		ok, err := doublestar.PathMatch(p, path)
		return err == nil && ok
	})
}

// within tells whether a link's target lies inside the root.
func within(link, root string) bool {
	target, err := filepath.EvalSymlinks(link)
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(real, target)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// dedupe keeps of each file the first name, and sorts what directories and
// globs gave.
func (w *walker) dedupe() []File {
	slices.SortStableFunc(w.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var out []File
	bySize := map[int64][]os.FileInfo{}
	for _, f := range w.files {
		if f.Path == "-" {
			if len(out) == 0 || out[len(out)-1].Path != "-" {
				out = append(out, f)
			}
			continue
		}
		info, err := os.Stat(f.Path)
		if err == nil && slices.ContainsFunc(bySize[info.Size()], func(o os.FileInfo) bool { return os.SameFile(o, info) }) {
			continue
		}
		if err == nil {
			bySize[info.Size()] = append(bySize[info.Size()], info)
		}
		out = append(out, f)
	}
	return out
}
