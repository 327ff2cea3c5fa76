package tailer

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
)

// A mount is a file system that may stop answering: whoever then looks at what is
// on it waits until it answers again, which may be never.
type mount struct{ dir, kind string }

// farKinds are the types in mountinfo(5) of the file systems in remote.
var farKinds = []string{"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "lustre", "gpfs", "fuse"}

// readMounts lists them without a look at any. The root is none: a program that
// cannot read that one follows nothing at all.
var readMounts = func() (list []mount) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil // as if everything were here
	}
	lines := bufio.NewScanner(bytes.NewReader(info))
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		field := strings.Fields(before)
		if !ok || len(field) < 5 {
			continue
		}
		kind, _, _ := strings.Cut(after, " ")
		main, _, _ := strings.Cut(kind, ".")
		m := mount{dir: unquoteMount(field[4])}
		if m.dir != "/" && slices.Contains(farKinds, main) {
			m.kind = kind
		}
		list = append(list, m)
	}
	return list
}

// unquoteMount takes the octal escapes of mountinfo(5) out of a name.
func unquoteMount(s string) string {
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

// farFrom returns the mount that a path is on, if that one may stop answering.
func farFrom(mounts []mount, path string) (on mount) {
	longest := -1
	for _, m := range mounts {
		if in := path == m.dir || m.dir == "/" || strings.HasPrefix(path, m.dir+"/"); in && len(m.dir) >= longest {
			on, longest = m, len(m.dir)
		}
	}
	if on.kind == "" {
		return mount{}
	}
	return on
}

// split cuts options into one part for what is here and one for each mount that
// may stop answering, so that only what is on it waits for it. Which one a path is
// on is told by its name: links are not followed for that.
func (o *Options) split() (parts []*tailer, err error) {
	mounts := readMounts()
	at := map[mount]*Options{}
	order := []mount{}
	of := func(m mount) *Options {
		if at[m] == nil {
			part := *o
			part.Sources, part.Positions = nil, nil
			at[m] = &part
			order = append(order, m)
		}
		return at[m]
	}
	of(mount{})
	for _, s := range o.Sources {
		s.known = slices.ContainsFunc(o.Positions, func(p finding.Position) bool { return p.Source == s.Name })
		paths := map[mount][]string{}
		for _, p := range s.Paths {
			m := mount{}
			if abs, err := filepath.Abs(p); err == nil {
				m = farFrom(mounts, abs)
			}
			paths[m] = append(paths[m], p)
			of(m)
		}
		for _, m := range order {
			if len(paths[m]) > 0 {
				s.Paths = paths[m]
				of(m).Sources = append(of(m).Sources, s)
			}
		}
	}
	for _, p := range o.Positions {
		follows := func(m mount) bool {
			return at[m] != nil && slices.ContainsFunc(at[m].Sources, func(s Source) bool { return s.Name == p.Source })
		}
		m := farFrom(mounts, p.Path)
		if i := slices.IndexFunc(order, follows); !follows(m) && i >= 0 {
			m = order[i]
		} else if i < 0 {
			m = mount{}
		}
		of(m).Positions = append(of(m).Positions, p)
	}
	for _, m := range order {
		t, err := newTailer(*of(m), m, len(order))
		if err != nil {
			return nil, err
		}
		parts = append(parts, t)
	}
	return parts, nil
}

// How long is waited for a mount that does not answer: by a start for its first
// sweep, by who asks about files, and at the end. After stallAfter a read from it is
// told to wait. Tests are in more of a hurry.
var (
	sweepPatience = 5 * time.Second
	askPatience   = time.Second
	endPatience   = 2 * time.Second
	stallAfter    = 10 * time.Second
)

// asked returns what the scheduler tells about its files; nil when ctx or the
// following ends first. Of a mount that does not answer it tells just that.
func (t *tailer) asked(ctx context.Context) []Status {
	var late <-chan time.Time
	if t.on.dir != "" {
		late = time.After(askPatience)
	}
	answer := make(chan []Status, 1)
	select {
	case t.status <- answer:
	case <-late:
		return t.silent()
	case <-ctx.Done():
		return nil
	case <-t.over:
		return nil
	}
	list := <-answer
	if t.on.dir == "" {
		return list
	}
	for i := range list { // a read that waits for its mount is not stuck: it would wait again
		if s := &list[i]; !s.moved.IsZero() && time.Since(s.moved) > stallAfter {
			s.Mode, s.Error = "stalled", t.on.silence()
		}
		list[i].moved = time.Time{}
	}
	return list
}

func (m mount) silence() string { return m.dir + " (" + m.kind + ") does not answer" }

// silent is the status of a mount that does not answer.
func (t *tailer) silent() (list []Status) {
	for _, s := range t.sources {
		list = append(list, Status{Source: s.Name, Path: t.on.dir, Mode: "stalled", Error: t.on.silence()})
	}
	return list
}

// ask looks whether a mount answers, and tells when that changes.
func (t *tailer) ask(ctx context.Context) {
	tick := time.NewTicker(stallAfter / 2)
	defer tick.Stop()
	for silent := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		is := slices.ContainsFunc(t.asked(ctx), func(s Status) bool { return s.Mode == "stalled" })
		if is == silent || ctx.Err() != nil {
			continue
		}
		if silent = is; silent {
			t.o.Notice("error", t.on.silence()+": what is there is read when it does; everything else goes on")
		} else {
			t.o.Notice("info", t.on.dir+" answers again")
		}
	}
}
