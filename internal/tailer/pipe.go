package tailer

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// pipe tells whether a path is a named pipe that the configuration names: one
// that only matches a pattern is left alone.
func (s *source) pipe(path string, info os.FileInfo) bool {
	g := s.globOf(path)
	return info.Mode()&fs.ModeNamedPipe != 0 && g != nil && g.exact
}

// adoptPipe begins to follow a named pipe. What it holds cannot be read twice,
// so there is no place in it to go on from.
func (t *tailer) adoptPipe(s *source, path string, key identity, f *os.File) {
	g := newGeneration(s, path, key, f)
	g.pipe, g.turned, g.over = true, make(chan struct{}, 1), make(chan struct{})
	t.byPath[path] = g
	t.add(g)
	t.waits.Go(func() { g.await(t.filled) })
}

// await says whenever there is something in a pipe, and then waits until a turn
// has taken it. The kernel gives no file notification of pipes.
func (g *generation) await(filled chan<- *generation) {
	c, err := g.f.SyscallConn()
	for err == nil {
		err = c.Read(func(fd uintptr) bool {
			n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
			return n > 0 || err != nil
		})
		if err != nil {
			return // it was closed
		}
		select {
		case filled <- g:
		case <-g.over:
			return
		}
		select {
		case <-g.turned:
		case <-g.over:
			return
		}
	}
}

// sipped lets await look again.
func (g *generation) sipped() {
	select {
	case g.turned <- struct{}{}:
	default:
	}
}

// openPipe opens both ends, so that no writer meets an end without a reader and
// none that closes ends the stream; the reading end alone where we may not write.
func openPipe(path string) (*os.File, error) {
	const flags = syscall.O_NONBLOCK | syscall.O_NOCTTY
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0)
	if errors.Is(err, fs.ErrPermission) {
		return os.OpenFile(path, os.O_RDONLY|flags, 0)
	}
	return f, err
}

// sip takes what a pipe holds, at most a longest line, and hands it on.
func (g *generation) sip(buf *[]byte, final bool, handle Handler) result {
	window := g.src.MaxLine + utf8.UTFMax
	if cap(*buf) < window {
		*buf = make([]byte, 0, window)
	}
	data := append((*buf)[:0], g.pending...)
	n, err := take(g.f, data[len(data):window])
	if err != nil {
		return result{err: err}
	}
	data = data[:len(data)+n]
	if n > 0 {
		g.grown = time.Now()
	}
	full, before := len(data) == window, g.offset
	g.size = before + int64(len(data))
	r := g.offer(data, full, final, handle)
	if r.fatal == nil {
		g.pending = append(g.pending[:0], data[g.offset-before:]...)
	}
	return r
}

// take reads what is there, without waiting for more: neither for bytes nor, with
// Read, for await, which holds the descriptor's lock until there are some.
func take(f *os.File, b []byte) (n int, err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	e := c.Control(func(fd uintptr) {
		for n < len(b) {
			var got int
			got, err = unix.Read(int(fd), b[n:])
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if got <= 0 {
				break
			}
			n += got
		}
	})
	if errors.Is(err, unix.EAGAIN) {
		err = nil
	}
	return n, errors.Join(err, e)
}
