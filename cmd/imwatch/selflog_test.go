//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestSelfLog: the same message once a minute, with a count, and none is held
// back at the end.
func TestSelfLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := newSelfLog(&out)
		type line struct {
			Level, Message, Hint string
			Repeated             int
		}
		said := func() (list []line) {
			s.mu.Lock() // what a timer writes comes from another goroutine
			defer s.mu.Unlock()
			for l := range strings.Lines(out.String()) {
				var x line
				if err := json.Unmarshal([]byte(l), &x); err != nil {
					t.Fatal(err)
				}
				list = append(list, x)
			}
			out.Reset()
			return list
		}
		for range 100 {
			s.say("error", "sink a: no\nhint: is it up?")
		}
		s.say("error", "sink b: no")
		if got := said(); len(got) != 2 || got[0] != (line{"error", "sink a: no", "is it up?", 0}) {
			t.Errorf("at once %+v", got)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := said(); len(got) != 1 || got[0].Repeated != 99 || got[0].Message != "sink a: no" {
			t.Errorf("after a minute %+v", got)
		}
		s.say("error", "sink a: no\nhint: is it up?")
		s.say("error", "sink b: no")
		if got := said(); len(got) != 1 || got[0].Message != "sink b: no" {
			t.Errorf("in the second minute %+v", got)
		}
		s.answer("info", "reloaded")
		s.answer("info", "reloaded")
		if got := said(); len(got) != 2 {
			t.Errorf("answers %+v", got)
		}
		s.close()
		if got := said(); len(got) != 1 || got[0].Repeated != 1 {
			t.Errorf("at the end %+v", got)
		}
	})
}

// TestSelfLogPerson: on a terminal it is a line to read, and nothing in it can
// do anything to the terminal.
func TestSelfLogPerson(t *testing.T) {
	var out bytes.Buffer
	s := &selfLog{log: zerolog.New(forPerson(&out)).With().Timestamp().Logger(), person: true, every: time.Minute, held: map[string]*held{}}
	s.say("warn", "read /var/log/\x1b[31mx: no\nhint: look")
	s.close()
	if got := out.String(); !strings.Contains(got, ` warning: read /var/log/\u001b[31mx: no`) || !strings.Contains(got, "\n         hint: look\n") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}
