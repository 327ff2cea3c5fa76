package tailer

import (
	"errors"
	"fmt"
	"maps"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher watches directories. Where that is impossible it says so once, and
// the tailer polls instead.
type watcher struct {
	w      *fsnotify.Watcher
	dirs   map[string]bool // watched
	failed map[string]bool // cannot be
	remote map[string]bool // on file systems that do not tell
	full   bool            // in the sweep under way: no more watches are to be had
	ill    bool            // told
	retry  backoff         // of the watcher itself
	notice func(level, text string)
}

func newWatcher(notice func(level, text string)) *watcher {
	w := &watcher{dirs: map[string]bool{}, failed: map[string]bool{}, remote: map[string]bool{}, notice: notice}
	w.start()
	return w
}

func (w *watcher) start() {
	var err error
	if w.w, err = fsnotify.NewWatcher(); err != nil {
		w.w = nil
		w.retry.later()
		w.notice("warn", fmt.Sprintf("no file notification (%v): files are looked at every second instead\nhint: raise fs.inotify.max_user_instances", err))
	}
}

// begin makes ready for a sweep, which adds every directory again.
func (w *watcher) begin() {
	if w.w == nil && time.Now().After(w.retry.at) {
		w.start()
	}
	w.full = false
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
func (w *watcher) healthy() bool { return w.w != nil && len(w.failed)+len(w.remote) == 0 }

// add watches a directory. A watch ends with its directory's inode, so every
// sweep adds all of them again; that is cheap for those that are there.
func (w *watcher) add(dir string) {
	if w.w == nil || w.remote[dir] {
		return
	}
	if !w.dirs[dir] {
		if fs := remoteFS(dir); fs != "" {
			w.remote[dir] = true
			w.notice("info", fmt.Sprintf("%s is on %s, where changes are not told: its files are looked at every second", dir, fs))
			return
		}
		if w.full {
			w.failed[dir] = true
			return
		}
	}
	err := w.w.Add(dir)
	switch {
	case err == nil:
		w.dirs[dir] = true
		delete(w.failed, dir)
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
		delete(w.dirs, dir) // gone meanwhile
		delete(w.failed, dir)
	default:
		delete(w.dirs, dir)
		w.failed[dir] = true
		w.full = errors.Is(err, syscall.ENOSPC)
		w.tell(dir, err)
	}
}

// tell says once that directories cannot be watched.
func (w *watcher) tell(dir string, err error) {
	if w.ill {
		return
	}
	w.ill = true
	hint := ""
	if errors.Is(err, syscall.ENOSPC) {
		hint = "\nhint: raise fs.inotify.max_user_watches"
	}
	w.notice("warn", fmt.Sprintf("watch %s: %v: files are looked at every second or two instead%s", dir, err, hint))
}

// keep drops the watches of directories that a sweep has not seen.
func (w *watcher) keep(seen map[string]bool) {
	for dir := range w.dirs {
		if !seen[dir] {
			if w.w != nil && w.w.Remove(dir) != nil {
				// It went with its directory.
			}
			delete(w.dirs, dir)
		}
	}
	gone := func(dir string, _ bool) bool { return !seen[dir] }
	maps.DeleteFunc(w.failed, gone)
	maps.DeleteFunc(w.remote, gone)
	if w.ill && len(w.failed) == 0 {
		w.ill = false
		w.notice("info", "every directory is watched again")
	}
}

func (w *watcher) close() {
	if w.w != nil {
		w.w.Close()
	}
}
