package tailer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// A mount is where a file system is mounted. It is far if that may stop answering:
// whoever then looks at what is on it waits until it answers again, which may be
// never. kind is the file system's type if it is far, else "".
type mount struct{ dir, kind string }

// farKinds are types in proc_pid_mountinfo(5); fuse stands for all that begin so.
var farKinds = []string{"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "lustre", "gpfs", "fuse", "autofs"}

// readMounts lists the mounts without a look at any.
var readMounts = func() []mount {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil // as if everything were here
	}
	return parseMounts(string(info))
}

// parseMounts reads proc_pid_mountinfo(5). The root never counts as far: without it
// nothing is followed at all.
func parseMounts(info string) (list []mount) {
	for line := range strings.Lines(info) {
		before, after, ok := strings.Cut(line, " - ")
		field := strings.Fields(before)
		if !ok || len(field) < 5 {
			continue
		}
		kind, _, _ := strings.Cut(after, " ")
		m := mount{dir: unoctal(field[4])}
		if family, _, _ := strings.Cut(kind, "."); m.dir != "/" && slices.Contains(farKinds, family) {
			m.kind = kind
		}
		list = append(list, m)
	}
	return list
}

// unoctal takes the escapes of proc_pid_mountinfo(5) out of a name.
func unoctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// farFrom returns the far mount that a path is on by its name, or none.
func farFrom(mounts []mount, path string) (on mount) {
	longest := -1
	for _, m := range mounts { // of two at one place the later one hides the other
		if in := path == m.dir || m.dir == "/" || strings.HasPrefix(path, m.dir+"/"); in && len(m.dir) >= longest {
			on, longest = m, len(m.dir)
		}
	}
	if on.kind == "" {
		return mount{}
	}
	return on
}

// split makes one tailer of what is here and one of each far mount, so that only
// what is on a mount waits for it. A mount above which a pattern begins is not split
// off: its files would be followed twice.
func split(o *Options, handle Handler) (parts []*tailer, err error) {
	mounts := o.farMounts()
	order := []mount{{}}
	options := map[mount]*Options{}
	part := func(m mount) *Options {
		if options[m] == nil {
			x := *o
			x.Sources, x.Positions = nil, nil
			options[m] = &x
		}
		return options[m]
	}
	for _, s := range o.Sources {
		paths := map[mount][]string{}
		for _, p := range s.Paths {
			m := mountOf(mounts, base(p))
			if m != (mount{}) && options[m] == nil {
				order = append(order, m)
			}
			part(m)
			paths[m] = append(paths[m], p)
		}
		for m, list := range paths {
			s.Paths = list
			options[m].Sources = append(options[m].Sources, s)
		}
	}
	part(mount{})
	for _, p := range o.Positions {
		// What is on a mount that nothing is followed on stays in the store: to look
		// for it could mean to wait.
		if x := options[mountOf(mounts, p.Path)]; x != nil {
			x.Positions = append(x.Positions, p)
		}
	}
	for _, m := range order {
		t, err := newTailer(*options[m], handle, m, len(order))
		if err != nil {
			return nil, err
		}
		parts = append(parts, t)
	}
	return parts, nil
}

// farMounts are all mounts, if one of them is far; those above which a pattern
// begins are not.
func (o *Options) farMounts() []mount {
	list := readMounts()
	for i := range list {
		above := func(p string) bool { return strings.HasPrefix(list[i].dir, strings.TrimSuffix(base(p), "/")+"/") }
		if list[i].kind != "" && slices.ContainsFunc(o.Sources, func(s Source) bool { return slices.ContainsFunc(s.Paths, above) }) {
			list[i].kind = ""
		}
	}
	if !slices.ContainsFunc(list, func(m mount) bool { return m.kind != "" }) {
		return nil
	}
	return list
}

// base is the directory above a pattern's first wildcard, or all of a path.
func base(pattern string) string {
	abs, err := filepath.Abs(pattern)
	if err != nil || !strings.ContainsAny(abs, "*?[{") {
		return abs
	}
	dir, _ := doublestar.SplitPattern(filepath.ToSlash(abs))
	return dir
}

// mountOf returns the far mount that a path is on, or none. Links are followed as
// long as they are not on one.
func mountOf(mounts []mount, path string) mount {
	if len(mounts) == 0 {
		return mount{} // without a look at every path
	}
	for range 8 {
		if on := farFrom(mounts, path); on != (mount{}) {
			return on
		}
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = filepath.Clean(to)
	}
	return farFrom(mounts, path)
}

// How long is waited for a far mount: by a start for its first sweep, by who asks
// about files, and at the end. After stallAfter it is told that it does not answer.
// Tests are in more of a hurry.
var (
	sweepPatience = 3 * time.Second
	askPatience   = time.Second
	endPatience   = 2 * time.Second
	stallAfter    = 10 * time.Second
)

// ask returns what a scheduler tells about its files; not ok when ctx or the
// following ends first. Of a far mount that does not answer it tells just that.
func (t *tailer) ask(ctx context.Context) (list []Status, ok bool) {
	var late <-chan time.Time
	if t.on.dir != "" {
		late = time.After(askPatience)
	}
	answer := make(chan []Status, 1)
	select {
	case t.status <- answer:
	case <-late:
		if t.telling.Load() { // it waits for the store, not for its mount
			return nil, true
		}
		return t.stalled(), true
	case <-ctx.Done():
		return nil, false
	case <-t.over:
		return nil, false
	}
	list = <-answer
	for i := range list {
		if s := &list[i]; t.on.dir != "" && !s.handed { // it is being read: no restart would help
			if !s.moved.IsZero() && time.Since(s.moved) > stallAfter {
				s.Mode, s.Error = "stalled", t.silence()
			}
			s.moved = time.Time{}
		}
	}
	return list, true
}

func (t *tailer) silence() string { return t.on.dir + " (" + t.on.kind + ") does not answer" }

// stalled is the status of all that is on a far mount.
func (t *tailer) stalled() (list []Status) {
	for _, s := range t.sources {
		list = append(list, Status{Source: s.Name, Path: t.on.dir, Mode: "stalled", Error: t.silence()})
	}
	return list
}

// tellStalls tells when a far mount does not answer for a while, and when it does
// again.
func (t *tailer) tellStalls(ctx context.Context) {
	tick := time.NewTicker(stallAfter / 4)
	defer tick.Stop()
	told, answered := false, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list, ok := t.ask(ctx)
		switch {
		case !ok:
			return
		case !slices.ContainsFunc(list, func(s Status) bool { return s.Mode == "stalled" }):
			answered = time.Now()
			if told {
				told = false
				t.o.Notice("info", t.on.dir+" answers again")
			}
		case !told && time.Since(answered) > stallAfter:
			told = true
			t.o.Notice("error", t.silence()+": what is there is read when it does; everything else goes on")
		}
	}
}
