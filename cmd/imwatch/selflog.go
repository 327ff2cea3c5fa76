//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/rs/zerolog"
)

// selfLog is what the daemon says about itself: JSON for a service, lines for a
// person at a terminal. The same message is said at most once a minute; those in
// between are counted, and told when the minute is over.
type selfLog struct {
	log    zerolog.Logger
	person bool

	mu     sync.Mutex
	every  time.Duration
	held   map[string]*held
	closed bool
}

// held is a message that was said less than a minute ago.
type held struct {
	level, text string
	again       int
	end         *time.Timer
}

const maxHeld = 1000 // different messages in a minute; more are said at once

func newSelfLog(w io.Writer) *selfLog {
	s := &selfLog{log: zerolog.New(w).With().Timestamp().Logger(), every: time.Minute, held: map[string]*held{}}
	if terminal.Is(w) {
		s.person = true
		s.log = zerolog.New(forPerson(w)).With().Timestamp().Logger()
	}
	return s
}

// forPerson writes a line as a person reads it: when, how bad, what.
func forPerson(w io.Writer) zerolog.ConsoleWriter {
	style := terminal.Of(w)
	return zerolog.ConsoleWriter{Out: w, NoColor: !style.Color, TimeFormat: "15:04:05", TimeLocation: time.Local,
		PartsOrder: []string{zerolog.TimestampFieldName, zerolog.LevelFieldName, zerolog.MessageFieldName},
		FormatLevel: func(v any) string {
			switch v {
			case "warn":
				return style.Paint(terminal.Yellow, "warning:")
			case "error":
				return style.Paint(terminal.Red, "error:")
			}
			return "imwatch:"
		}}
}

// say says something, unless it was said less than a minute ago.
func (s *selfLog) say(level, text string) {
	key := level + "\x00" + text
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[key]; h != nil {
		h.again++
		return
	}
	if len(s.held) < maxHeld && !s.closed {
		h := &held{level: level, text: text}
		h.end = time.AfterFunc(s.every, func() { s.over(key) })
		s.held[key] = h
	}
	s.write(level, text, 0)
}

// answer says something that somebody has asked for, as often as they ask.
func (s *selfLog) answer(level, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(level, text, 0)
}

// over ends a message's minute: what came in it is told, and begins the next.
func (s *selfLog) over(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[key]
	switch {
	case h == nil || s.closed:
	case h.again == 0:
		delete(s.held, key)
	default:
		s.write(h.level, h.text, h.again)
		h.again = 0
		h.end.Reset(s.every)
	}
}

// close tells what was held back.
func (s *selfLog) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for key, h := range s.held {
		h.end.Stop()
		if h.again > 0 {
			s.write(h.level, h.text, h.again)
		}
		delete(s.held, key)
	}
}

// write writes a message; again counts how often it came since it was written
// last. The caller holds the lock.
func (s *selfLog) write(level, text string, again int) {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		l = zerolog.InfoLevel
	}
	what, hint, _ := strings.Cut(text, "\nhint: ")
	if s.person {
		what = lines(what)
		if again > 0 {
			what += fmt.Sprintf(" (%d more in the last minute)", again)
		}
		if hint != "" {
			what += "\n         hint: " + lines(hint)
		}
		s.log.WithLevel(l).Msg(what)
		return
	}
	e := s.log.WithLevel(l)
	if hint != "" {
		e = e.Str("hint", redact.Clean(hint, 1024))
	}
	if again > 0 {
		e = e.Int("repeated", again)
	}
	e.Msg(redact.Clean(what, 2048))
}

// lines makes a text of several lines harmless on a terminal.
func lines(text string) string {
	var list []string
	for l := range strings.SplitSeq(text, "\n") {
		list = append(list, redact.Terminal(l))
	}
	return strings.Join(list, "\n         ")
}
