package tailer

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// watcher watches directories. Where that is impossible it says so once, and
// the tailer polls instead.
type watcher struct {
	w      *fsnotify.Watcher
	dirs   map[string]bool // watched
	failed map[string]bool // cannot be
	notice func(level, text string)
}

func newWatcher(notice func(level, text string)) *watcher {
	w := &watcher{dirs: map[string]bool{}, failed: map[string]bool{}, notice: notice}
	var err error
	if w.w, err = fsnotify.NewBufferedWatcher(4096); err != nil {
		w.w = nil
		notice("warn", fmt.Sprintf("no file notification (%v): files are looked at every second instead\nhint: raise fs.inotify.max_user_instances", err))
	}
	return w
}

func (w *watcher) events() <-chan fsnotify.Event {
	if w.w == nil {
		return nil
	}
	return w.w.Events
}

func (w *watcher) errors() <-chan error {
	if w.w == nil {
		return nil
	}
	return w.w.Errors
}

// healthy tells whether every directory is watched.
func (w *watcher) healthy() bool { return w.w != nil && len(w.failed) == 0 }

// add watches a directory. A watch ends with its directory's inode, so every
// sweep adds all of them again; that is cheap for those that are there.
func (w *watcher) add(dir string) {
	if w.w == nil || w.failed[dir] {
		return
	}
	if fs := remoteFS(dir); fs != "" && !w.dirs[dir] {
		w.failed[dir] = true
		w.notice("info", fmt.Sprintf("%s is on %s, where changes are not told: its files are looked at every second", dir, fs))
		return
	}
	err := w.w.Add(dir)
	switch {
	case err == nil:
		w.dirs[dir] = true
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		delete(w.dirs, dir) // gone meanwhile
	default:
		w.failed[dir] = true
		hint := ""
		if errors.Is(err, syscall.ENOSPC) {
			hint = "\nhint: raise fs.inotify.max_user_watches"
		}
		w.notice("warn", fmt.Sprintf("watch %s: %v: its files are looked at every second instead%s", dir, err, hint))
	}
}

// keep drops the watches of directories that a sweep has not seen.
func (w *watcher) keep(seen map[string]bool) {
	for dir := range w.dirs {
		if !seen[dir] {
			if w.w.Remove(dir) != nil {
				// It went with its directory.
			}
			delete(w.dirs, dir)
		}
	}
	for dir := range w.failed {
		if !seen[dir] {
			delete(w.failed, dir)
		}
	}
}

func (w *watcher) close() {
	if w.w != nil {
		w.w.Close()
	}
}
