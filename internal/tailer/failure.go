package tailer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A backoff says when something is tried again.
type backoff struct {
	at    time.Time
	delay time.Duration
	tries int
}

var (
	firstRetry = time.Second
	lastRetry  = 10 * time.Second // tests are in more of a hurry
)

const (
	maxTries = 10 // of a compressed file, which must be read from its beginning each time
)

func (b *backoff) later() {
	b.tries++
	b.delay = min(max(firstRetry, 2*b.delay), lastRetry)
	b.at = time.Now().Add(b.delay)
}

// short tells whether what failed only lacks descriptors for the moment: many
// files that are renamed at once hold some until they are known again.
func (b *backoff) short(err error) bool {
	return b.tries <= 3 && (errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE))
}

// A failure is a path that cannot be opened or looked at.
type failure struct {
	err    error
	retry  backoff
	missed bool // by the sweep under way
}

// unreadable keeps a path that fails, and when it is tried again.
func (t *tailer) unreadable(s *source, path string, err error) {
	f := s.failed[path]
	if f == nil {
		f = &failure{}
		s.failed[path] = f
	}
	f.err, f.missed = err, false
	f.retry.later()
	t.soon(f.retry.delay)
	if s.failed[filepath.Dir(path)] == nil && !f.retry.short(err) { // that tells it all
		t.failing(path, err)
	}
}

// hopeless tells whether a path has failed and its time has not come again.
func (s *source) hopeless(path string) bool {
	f := s.failed[path]
	if f == nil {
		return false
	}
	f.missed = false
	return time.Now().Before(f.retry.at)
}

// readable takes a hint that a path's mode has changed.
func (t *tailer) readable(path string) {
	for _, s := range t.sources {
		if f := s.failed[path]; f != nil {
			f.retry.at = time.Time{}
			t.look(s, path)
			t.soon(0) // a directory's files
		}
	}
}

// opened forgets that a path failed.
func (t *tailer) opened(s *source, path string) {
	if f := s.failed[path]; f != nil {
		delete(s.failed, path)
		t.healed(path, f.err)
	}
}

// told is a failure that was told.
type told struct {
	at     time.Time
	healed bool
}

// A failure that comes and goes is told again after so long.
const tellAgain = 10 * time.Minute

func (t *tailer) failing(path string, err error) {
	text := fmt.Sprintf("read %s: %v", path, err)
	if x := t.failures[text]; x != nil && (!x.healed || time.Since(x.at) < tellAgain) {
		return
	}
	if len(t.failures) >= 1000 {
		clear(t.failures) // rather twice than never
	}
	t.failures[text] = &told{at: time.Now()}
	hint := ""
	if errors.Is(err, unix.EACCES) {
		hint = fmt.Sprintf("\nhint: sudo setfacl -m u:%d:rX '%s', or put this user into the file's group", unix.Getuid(), path)
	}
	t.o.Notice("error", text+"; trying again"+hint)
}

// healed tells that what failed is read again.
func (t *tailer) healed(path string, err error) {
	x := t.failures[fmt.Sprintf("read %s: %v", path, err)]
	if x == nil || x.healed {
		return
	}
	x.healed = true
	if _, err := os.Stat(path); err == nil {
		t.o.Notice("info", path+" is read again")
	}
}
