//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/redact"
)

// checkUser tells which followed files a user could not read, and what lets it.
// It is exact: it tries to open them as that user.
func checkUser(ctx context.Context, w io.Writer, c *config.Config, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("--user %s: %w\nhint: the packages' service runs as imwatch", name, err)}
	}
	say := func(format string, args ...any) {
		for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
			fmt.Fprintln(w, redact.Terminal(line))
		}
	}
	unit := unitOf(ctx, name)
	troubled := 0
	for i := range c.Sources {
		s := &c.Sources[i]
		files, refused, err := tryAs(u, s)
		if err != nil {
			return err
		}
		var hidden []string
		for _, p := range s.Paths {
			base, pattern := baseOf(p)
			if directive := unit.hides(base); directive != "" {
				hidden = append(hidden, fmt.Sprintf("%s is hidden from imwatch.service by %s", pattern, directive))
			}
		}
		if unit.readsAll {
			refused = nil
		}
		if len(refused)+len(hidden) == 0 {
			say("source %s: %s can read %s", s.Name, name, count(files, "file", "files"))
			continue
		}
		troubled++
		if len(refused) > 0 {
			say("source %s: %s cannot read %s:", s.Name, name, count(len(refused), "file or directory", "files and directories"))
			for _, p := range refused[:min(len(refused), 10)] {
				say("  %s", describe(p))
			}
			if n := len(refused) - 10; n > 0 {
				say("  and %d more", n)
			}
			say("  to let it:")
			for _, h := range allowEach(refused, name) {
				say("    %s", h)
			}
			if _, err := os.Stat(dropIns + "read-all.conf"); err == nil && unit.loaded {
				say("  or, where files are made anew with a mode that undoes this, let the service read every file of the machine:\n    %s", dropInCommand("read-all.conf"))
			}
		}
		for _, h := range hidden {
			say("source %s: %s\n  to let it:\n    %s", s.Name, h, dropInCommand("home-and-tmp.conf"))
		}
	}
	if troubled > 0 {
		return exit{exitFindings, fmt.Errorf("%s cannot read all of %s", name, count(troubled, "source", "sources"))}
	}
	return nil
}

// allowEach is allow for files and directories: one that cannot be searched is
// opened itself.
func allowEach(paths []string, name string) []string {
	var files []string
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			p = filepath.Join(p, "x")
		}
		files = append(files, p)
	}
	return allow(files, name)
}

// tryAs tries to open a source's files and directories as a user. Which there
// are is what we see, who are root or that user.
func tryAs(u *user.User, s *config.Source) (files int, refused []string, err error) {
	paths := followed(s)
	err = as(u, func() {
		for _, p := range paths {
			f, err := os.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
			switch {
			case errors.Is(err, fs.ErrPermission):
				refused = append(refused, p)
			case err == nil:
				if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
					files++
				}
				f.Close()
			}
		}
	})
	return files, refused, err
}

// followed lists a source's files and the directories where more may appear.
func followed(s *config.Source) (paths []string) {
	add := func(p string) {
		if !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	excluded := func(p string) bool {
		return slices.ContainsFunc(s.Exclude, func(x string) bool { ok, err := doublestar.PathMatch(x, p); return err == nil && ok })
	}
	for _, p := range s.Paths {
		base, pattern := baseOf(p)
		info, err := os.Stat(base)
		switch {
		case err != nil:
			continue // not there, which a start tells
		case !info.IsDir():
			add(base)
			continue
		case base == pattern:
			pattern = filepath.Join(base, "**")
		}
		_ = filepath.WalkDir(base, func(p string, d fs.DirEntry, err error) error {
			if err == nil && (d.IsDir() && (p == base || strings.Contains(pattern, "**")) || d.Type().IsRegular() && matches(pattern, p) && !excluded(p)) {
				add(p)
			}
			return nil
		})
	}
	return paths
}

func matches(pattern, path string) bool {
	ok, err := doublestar.PathMatch(pattern, path)
	return err == nil && ok
}

// as runs f with a user's rights on a thread of its own, which ends with it.
func as(u *user.User, f func()) error {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("user %s has the id %q", u.Username, u.Uid)
	}
	if uid == os.Getuid() {
		f()
		return nil
	}
	if os.Geteuid() != 0 {
		return exit{exitPermission, fmt.Errorf("only root can try what %s may read\nhint: sudo imwatch check --user %s …", u.Username, u.Username)}
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("user %s has the group id %q", u.Username, u.Gid)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("groups of %s: %w", u.Username, err)
	}
	groups := []uint32{uint32(gid)}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: no other goroutine gets this thread
		failed <- become(uint32(uid), groups, f)
	}()
	return <-failed
}

// become gives this thread, and no other, a user's rights to files.
func become(uid uint32, groups []uint32, f func()) error {
	if _, _, no := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0); no != 0 {
		return fmt.Errorf("take the user's groups: %w", no)
	}
	for _, x := range []struct {
		call uintptr
		id   uint32
	}{{syscall.SYS_SETFSGID, groups[0]}, {syscall.SYS_SETFSUID, uid}} {
		syscall.RawSyscall(x.call, uintptr(x.id), 0, 0) // they return the former id, never an error
		if now, _, _ := syscall.RawSyscall(x.call, ^uintptr(0), 0, 0); uint32(now) != x.id {
			return fmt.Errorf("take the user's id: %w", syscall.EPERM)
		}
	}
	f()
	return nil
}

// A unit is what systemd says of imwatch.service, where that runs as the user.
type unit struct {
	loaded, readsAll bool
	props            map[string]string
}

func unitOf(ctx context.Context, name string) (u unit) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "show", "imwatch.service", "-p", "LoadState,User,ProtectHome,PrivateTmp,InaccessiblePaths,AmbientCapabilities").Output()
	if err != nil {
		return u // no systemd here
	}
	u.props = map[string]string{}
	for line := range strings.Lines(string(out)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			u.props[k] = v
		}
	}
	u.loaded = u.props["LoadState"] == "loaded" && u.props["User"] == name
	u.readsAll = u.loaded && strings.Contains(u.props["AmbientCapabilities"], "cap_dac_read_search")
	return u
}

// hides tells which directive keeps the service from seeing a path.
func (u unit) hides(path string) string {
	below := func(dirs ...string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return path == d || strings.HasPrefix(path, d+"/") })
	}
	switch {
	case !u.loaded:
		return ""
	case (u.props["ProtectHome"] == "yes" || u.props["ProtectHome"] == "tmpfs") && below("/home", "/root", "/run/user"):
		return "ProtectHome="
	case u.props["PrivateTmp"] == "yes" && below("/tmp", "/var/tmp"):
		return "PrivateTmp="
	case below(strings.Fields(strings.ReplaceAll(u.props["InaccessiblePaths"], "-/", "/"))...):
		return "InaccessiblePaths="
	}
	return ""
}
