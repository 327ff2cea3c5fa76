package sink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
)

// Writer sends events to an open stream, such as standard output.
type Writer struct {
	W    io.Writer
	Text func(*Event) string // nil: the event's JSON
}

// Send writes the events with one call.
func (s *Writer) Send(_ context.Context, events []Event) error {
	var b bytes.Buffer
	appendAll(&b, events, s.Text)
	if _, err := s.W.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// Close leaves the stream open: it is the process's.
func (s *Writer) Close() error { return nil }

func appendAll(b *bytes.Buffer, events []Event, text func(*Event) string) {
	for i := range events {
		if text != nil {
			b.WriteString(text(&events[i]) + "\n")
		} else {
			b.Write(events[i].JSON)
		}
	}
}

// File appends events to a file, each batch synced before it counts.
type File struct {
	path string
	max  int64
	text func(*Event) string

	mu   sync.Mutex
	f    *os.File
	size int64
	torn bool // its last line may be: not yet looked at
}

// OpenFile opens a file to append to. max, if not 0, is the size in bytes at
// which it is renamed to path.1 and begun anew. text nil: the events' JSON.
func OpenFile(path string, max int64, text func(*Event) string) (*File, error) {
	s := &File{path: path, max: max, text: text}
	return s, s.Reopen()
}

// Reopen opens the path again, after somebody else has renamed the file.
func (s *File) Reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reopen()
}

func (s *File) reopen() error {
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	if s.f != nil {
		s.f.Close() // everything in it is synced
	}
	s.f, s.size, s.torn = f, info.Size(), true
	return nil
}

// mend cuts off a last line that was torn by a crash: it was not delivered, and
// is sent again. It is done before the first event is written, when nobody else
// writes any more.
func (s *File) mend() error {
	const most = 64 << 10 // no event is longer
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size() // now: somebody else may have written since it was opened
	r, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer r.Close()
	from := max(0, s.size-most)
	b := make([]byte, s.size-from)
	if _, err := io.ReadFull(io.NewSectionReader(r, from, s.size-from), b); err != nil {
		return err
	}
	whole := from + int64(bytes.LastIndexByte(b, '\n')+1)
	if whole == s.size {
		return nil
	}
	if err := s.f.Truncate(whole); err != nil {
		return err
	}
	s.size = whole
	return nil
}

// Info is the open file's, so that it is never followed.
func (s *File) Info() (os.FileInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		return nil, os.ErrClosed
	}
	return s.f.Stat()
}

// Send appends the events and syncs. After an error what was written of them is
// cut off again, so that no line stands in the file half.
func (s *File) Send(_ context.Context, events []Event) error {
	var b bytes.Buffer
	appendAll(&b, events, s.text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		if err := s.reopen(); err != nil {
			return err
		}
	}
	if s.torn {
		if err := s.mend(); err != nil {
			return fmt.Errorf("cut off a torn last line: %w", err)
		}
		s.torn = false
	}
	if s.max > 0 && s.size > 0 && s.size+int64(b.Len()) > s.max {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	n, err := s.f.Write(b.Bytes())
	if err == nil {
		err = s.f.Sync()
	}
	if err != nil {
		if n > 0 {
			if e := s.f.Truncate(s.size); e != nil {
				return fmt.Errorf("%w; cut off what was written: %w", err, e)
			}
		}
		return err
	}
	s.size += int64(n)
	return nil
}

func (s *File) rotate() error {
	if err := os.Rename(s.path, s.path+".1"); err != nil && !os.IsNotExist(err) {
		return err
	}
	return s.reopen()
}

// Close closes the file.
func (s *File) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f = nil
	return err
}
