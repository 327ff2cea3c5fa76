//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/tailer"
)

// empty says why a source has no file that can be read: for each of its
// patterns what is there, its mode, who we are, and what would help. It is one
// warning; "" when there is nothing to warn of. path is the configuration's, or "".
func empty(s *config.Source, files []tailer.Status, path string) string {
	readable := false
	var refused []string
	for _, f := range files {
		if f.Source == s.Name {
			readable = readable || f.Mode != "unreadable"
			if f.Mode == "unreadable" {
				refused = append(refused, f.Path)
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		mounts = nil // then the modes are told, which is less
	}
	var what, hints, hidden []string
	for _, p := range s.Paths {
		base, pattern := baseOf(p)
		if directive, dropIn := hiddenBy(string(mounts), base); directive != "" {
			what = append(what, fmt.Sprintf("%s is hidden from this service by %s", pattern, directive))
			hidden = append(hidden, base)
			hints = append(hints, dropInCommand(dropIn))
		} else if !readable && len(refused) == 0 {
			text, hint := missing(base, pattern)
			what, hints = append(what, text), append(hints, hint)
		}
	}
	refused = slices.DeleteFunc(refused, func(p string) bool {
		return slices.ContainsFunc(hidden, func(h string) bool { return p == h || strings.HasPrefix(p, h+"/") })
	})
	if !readable && len(refused) > 0 {
		what = append(what, fmt.Sprintf("%s, for example %s", count(len(refused), "file is refused", "files are refused"), describe(refused[0])))
		hints = append(hints, allow(refused, me())...)
	}
	if len(what) == 0 {
		return ""
	}
	hints = slices.Compact(hints)
	if path != "" && strings.Contains(strings.Join(hints, " "), "sudo ") {
		hints = append(hints, fmt.Sprintf("every file that is refused: sudo imwatch check -c %s --user %s", quote(path), me()))
	}
	return fmt.Sprintf("source %s: no readable file; %s; we are %s\nhint: %s", s.Name, strings.Join(what, "; "), whoami(), strings.Join(hints, "\nhint: "))
}

// baseOf is the directory (or file) above a path's first wildcard, and the path
// made absolute.
func baseOf(path string) (base, pattern string) {
	pattern, err := filepath.Abs(path)
	if err != nil {
		pattern = path
	}
	if !strings.ContainsAny(pattern, "*?[{") {
		return pattern, pattern
	}
	base, _ = doublestar.SplitPattern(pattern)
	return base, pattern
}

// missing says how far a path can be followed down, and what would help.
func missing(base, pattern string) (what, hint string) {
	deepest := base
	var err error
	for deepest != "/" {
		if _, err = os.Stat(deepest); err == nil {
			break
		}
		deepest = filepath.Dir(deepest)
	}
	what = "of " + pattern + " the deepest existing part is " + describe(deepest)
	_, listed := os.ReadDir(deepest)
	_, below := os.Stat(filepath.Join(deepest, strings.TrimPrefix(strings.TrimPrefix(base, deepest), "/")))
	if errors.Is(listed, fs.ErrPermission) || errors.Is(below, fs.ErrPermission) {
		return what, allow([]string{filepath.Join(deepest, "x")}, me())[0]
	}
	return what, "files that appear there later are followed; is the path right?"
}

// describe is a path with its mode and owner.
func describe(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Sprintf("%s (%s)", path, info.Mode())
	}
	owner, group := strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf("%s (%s, owner %s:%s)", path, info.Mode(), owner, group)
}

// me is our user's name, or its number.
func me() string {
	id := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// whoami is who we are to the kernel.
func whoami() string {
	ids, err := os.Getgroups()
	if err != nil {
		ids = nil
	}
	var groups []string
	for _, id := range append([]int{os.Getgid()}, ids...) {
		name := strconv.Itoa(id)
		if g, err := user.LookupGroupId(name); err == nil {
			name = g.Name
		}
		if !slices.Contains(groups, name) {
			groups = append(groups, name)
		}
	}
	return fmt.Sprintf("%s (uid %d, groups %s)", me(), os.Getuid(), strings.Join(groups, " "))
}

// allow is the commands that let a user read files: a directory's at once, and
// those that appear in it later. Directories that are everybody's are not opened
// as a whole.
func allow(files []string, name string) (commands []string) {
	byDir := map[string][]string{}
	for _, f := range files {
		byDir[filepath.Dir(f)] = append(byDir[filepath.Dir(f)], f)
	}
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		if !slices.Contains(everybodys, dir) {
			commands = append(commands, fmt.Sprintf("sudo setfacl -R -m u:%s:rX,d:u:%s:rX %s", name, name, quote(dir)))
			continue
		}
		for _, f := range byDir[dir] {
			commands = append(commands, fmt.Sprintf("sudo setfacl -m u:%s:r %s", name, quote(f)))
		}
	}
	return commands
}

// everybodys are directories of which nobody means all.
var everybodys = []string{"/", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/var", "/var/lib", "/var/log", "/var/tmp"}

// quote makes one word of a shell's.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

const dropIns = "/usr/share/imwatch/drop-ins/"

func dropInCommand(name string) string {
	return "sudo install -Dm644 " + dropIns + name + " /etc/systemd/system/imwatch.service.d/" + name +
		" && sudo systemctl daemon-reload && sudo systemctl restart imwatch"
}

// hiddenBy tells from /proc/self/mountinfo which directive of a systemd unit
// hides a path from us, and the drop-in that lifts it.
func hiddenBy(mountinfo, path string) (directive, dropIn string) {
	deepest := ""
	for line := range strings.SplitSeq(mountinfo, "\n") {
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		root, at := f[3], f[4]
		if path != at && !strings.HasPrefix(path, strings.TrimSuffix(at, "/")+"/") || len(at) < len(deepest) {
			continue
		}
		deepest, directive = at, "" // the last mount on a place is the one that is seen
		home := at == "/home" || at == "/root" || at == "/run/user"
		fstype := f[slices.Index(f, "-")+1]
		switch {
		case strings.Contains(root, "/systemd/inaccessible/") && home, home && fstype == "tmpfs" && at != "/run/user":
			directive = "ProtectHome="
		case strings.Contains(root, "/systemd/inaccessible/"):
			directive = "InaccessiblePaths=" + at
		case strings.Contains(root, "/systemd-private-"):
			directive = "PrivateTmp="
		}
	}
	if directive == "" {
		return "", ""
	}
	return directive, "home-and-tmp.conf"
}
