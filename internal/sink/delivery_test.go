package sink_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// script is a sink whose answers are given; it notes what it was sent and when.
type script struct {
	answer func(n int, events []sink.Event) error // n counts the attempts from 1

	mu    sync.Mutex
	sent  [][]string
	when  []time.Time
	taken []string
}

func (s *script) Send(ctx context.Context, events []sink.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for i := range events {
		ids = append(ids, events[i].ID)
	}
	s.sent, s.when = append(s.sent, ids), append(s.when, time.Now())
	var err error
	if s.answer != nil {
		s.mu.Unlock()
		err = s.answer(len(s.sent), events)
		s.mu.Lock()
	}
	if err == nil {
		s.taken = append(s.taken, ids...)
	}
	return err
}

func (s *script) Close() error { return nil }

// findings have the ids 1 to n.
func findings(n int) (list []finding.Finding) {
	for i := range n {
		list = append(list, finding.Finding{ID: fmt.Sprint(i + 1), Path: "a.log"})
	}
	return list
}

func newQueue(n int) *sinktest.Queue { return sinktest.NewQueue(findings(n)...) }

type notices struct {
	mu   sync.Mutex
	list []string
}

func (n *notices) add(level, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, level+": "+text)
}

// deliver makes a delivery of 100-byte events.
func deliver(s *script, q *sinktest.Queue) (*sink.Delivery, *notices) {
	n := new(notices)
	return &sink.Delivery{Name: "x", Sink: s, Queue: q, Notice: n.add,
		Encode: func(f *finding.Finding) (sink.Event, bool) {
			return sink.Event{ID: f.ID, Finding: f, JSON: fmt.Appendf(nil, `{"id":"%s","pad":"%s"}`+"\n", f.ID, strings.Repeat("x", 100-18-len(f.ID)))}, true
		}}, n
}

// drained runs a delivery until nothing is left.
func drained(t *testing.T, d *sink.Delivery) {
	t.Helper()
	end := make(chan struct{})
	close(end)
	d.Run(t.Context(), end)
}

func sizes(s *script) (list []int) {
	for _, ids := range s.sent {
		list = append(list, len(ids))
	}
	return list
}

func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, q := new(script), newQueue(25)
		d, _ := deliver(s, q)
		d.Batch = sink.Batch{Events: 10}
		drained(t, d)
		if fmt.Sprint(sizes(s)) != "[10 10 5]" {
			t.Errorf("by count: %v", sizes(s))
		}
		s, q = new(script), newQueue(25)
		d, _ = deliver(s, q)
		d.Batch = sink.Batch{Events: 10, Bytes: 450}
		drained(t, d)
		if fmt.Sprint(sizes(s)) != "[4 4 2 4 4 2 4 1]" || q.At() != 25 {
			t.Errorf("by bytes: %v, cursor at %d", sizes(s), q.At())
		}
		// By time: what comes within Wait goes with the first.
		s, q = new(script), newQueue(1)
		d, _ = deliver(s, q)
		d.Batch = sink.Batch{Events: 10, Wait: time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.Run(ctx, nil); close(done) }()
		time.Sleep(500 * time.Millisecond)
		q.Add(findings(3)...)
		time.Sleep(time.Second)
		q.Add(findings(1)...)
		time.Sleep(2 * time.Second)
		cancel()
		<-done
		if fmt.Sprint(sizes(s)) != "[4 1]" {
			t.Errorf("by time: %v", sizes(s))
		}
	})
}

// TestOutage: it is told once, with its first error; attempts come further and
// further apart, after the third with one event; nothing is lost or repeated.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(6)
		var during sink.State
		var d *sink.Delivery
		s := &script{}
		s.answer = func(n int, _ []sink.Event) error {
			if n > 20 {
				return nil
			}
			during = d.State()
			return fmt.Errorf("fault %d", n)
		}
		d, told := deliver(s, q)
		drained(t, d)
		if fmt.Sprint(sizes(s)) != "[6 6 6 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5]" || strings.Join(s.taken, "") != "123456" || q.At() != 6 {
			t.Errorf("sent %v, taken %v, cursor %d", sizes(s), s.taken, q.At())
		}
		if len(told.list) != 2 || told.list[0] != "error: sink x: fault 1; trying again" || !strings.HasPrefix(told.list[1], "info: sink x takes events again, after ") || !strings.HasSuffix(told.list[1], " and 20 attempts") {
			t.Errorf("told: %q", told.list)
		}
		if during.Error != "fault 1" || during.Attempts != 19 || !during.Probing || during.Since.IsZero() || during.Errors[sink.Other] != 19 {
			t.Errorf("during the outage: %+v", during)
		}
		if st := d.State(); st.Error != "" || st.Sent != 6 || st.Errors[sink.Other] != 20 || st.Probing {
			t.Errorf("after it: %+v", st)
		}
		for i := 1; i < 20; i++ {
			full := min(100*time.Millisecond<<(i-1), 30*time.Second)
			if gap := s.when[i].Sub(s.when[i-1]); gap < full/2 || gap > full {
				t.Errorf("attempt %d comes after %v, want %v to %v", i+1, gap, full/2, full)
			}
		}
	})
}

func TestWaits(t *testing.T) {
	for _, test := range []struct {
		name     string
		err      error
		from, to time.Duration
		why      string
	}{
		{"retry after", &sink.Failure{Class: sink.Throttled, After: 90 * time.Second, Err: errors.New("busy")}, 90 * time.Second, 90 * time.Second, "who asks for time gets it"},
		{"an hour at most", &sink.Failure{Class: sink.Throttled, After: 90 * time.Hour, Err: errors.New("busy")}, time.Hour, time.Hour, "a mistaken header must not stop a sink for ever"},
		{"a short one", &sink.Failure{Class: sink.Throttled, After: time.Millisecond, Err: errors.New("busy")}, 50 * time.Millisecond, 100 * time.Millisecond, "never sooner than our own first delay"},
		{"who are you", &sink.Failure{Class: sink.Auth, Err: errors.New("401")}, 15 * time.Second, 30 * time.Second, "fast attempts lock an account"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Log(test.why)
			synctest.Test(t, func(t *testing.T) {
				s := &script{answer: func(n int, _ []sink.Event) error {
					if n == 1 {
						return test.err
					}
					return nil
				}}
				d, _ := deliver(s, newQueue(1))
				drained(t, d)
				if gap := s.when[1].Sub(s.when[0]); gap < test.from || gap > test.to {
					t.Errorf("%v until the next attempt, want %v to %v", gap, test.from, test.to)
				}
			})
		})
	}
}

// TestHangs: an attempt that does not return by itself is ended.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &hanging{}
		d, told := deliver(nil, newQueue(1))
		d.Sink = s
		drained(t, d)
		if s.n != 2 || d.State().Errors[sink.Timeout] != 1 || len(told.list) != 2 {
			t.Errorf("%d attempts, %+v, %q", s.n, d.State(), told.list)
		}
	})
}

type hanging struct{ n int }

func (h *hanging) Send(ctx context.Context, _ []sink.Event) error {
	if h.n++; h.n > 1 {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (h *hanging) Close() error { return nil }

// TestPartly: what was taken is not sent again, what was refused is kept, the
// rest comes again.
func TestPartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.answer = func(n int, events []sink.Event) error {
			if n == 1 {
				s.taken = append(s.taken, events[0].ID, events[4].ID)
				return &sink.Partial{Rejected: map[int]string{1: "no"}, Again: []int{2, 3}, Err: &sink.Failure{Class: sink.Throttled, Err: errors.New("full")}}
			}
			return nil
		}
		q := newQueue(5)
		d, _ := deliver(s, q)
		d.Letters = &sink.Letters{Path: sink.LettersPath(t.TempDir(), "x")}
		drained(t, d)
		if strings.Join(s.taken, "") != "1534" || q.At() != 5 || len(q.Lost()) != 1 {
			t.Errorf("taken %v, cursor %d, lost %v", s.taken, q.At(), q.Lost())
		}
		if st := d.State(); st.Sent != 4 || st.Letters != 1 || st.Errors[sink.Throttled] != 1 || st.Errors[sink.Refused] != 1 {
			t.Errorf("%+v", st)
		}
		if data, err := os.ReadFile(d.Letters.Path); err != nil || strings.Count(string(data), "\n") != 1 || !strings.Contains(string(data), `"id":"2","answer":"no","event":{`) {
			t.Errorf("dead letters %s, %v", data, err)
		}
	})
}

// TestRefusesAll: a side that refuses every event is more likely the wrong one
// than every event is bad: it is told, and the dead letters grow slowly.
func TestRefusesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: func(int, []sink.Event) error { return fmt.Errorf("%w: no such table", sink.ErrRejected) }}
		q := newQueue(1000)
		d, told := deliver(s, q)
		d.Letters = &sink.Letters{Path: sink.LettersPath(t.TempDir(), "x")}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		d.Run(ctx, nil)
		st := d.State()
		if st.Letters < 30 || st.Letters > 60 || !strings.Contains(st.Error, "every event is refused, the last with: no such table") || q.At() != 0 {
			t.Errorf("%+v, cursor %d", st, q.At())
		}
		if len(told.list) != 2 || !strings.Contains(told.list[0], "hint: it is kept in ") {
			t.Errorf("told %q", told.list)
		}
	})
}

// TestLetterFirst: an event that cannot be put into the dead letters is not
// passed over.
func TestLetterFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "dead-letters"), nil, 0o600); err != nil { // where the directory should be
			t.Fatal(err)
		}
		s := &script{answer: func(int, []sink.Event) error { return fmt.Errorf("%w: no", sink.ErrRejected) }}
		q := newQueue(1)
		d, _ := deliver(s, q)
		d.Letters = &sink.Letters{Path: sink.LettersPath(dir, "x")}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		d.Run(ctx, nil)
		if q.At() != 0 || len(q.Lost()) != 0 || !strings.Contains(d.State().Error, "keep a dead letter") {
			t.Errorf("cursor %d, lost %v, %+v", q.At(), q.Lost(), d.State())
		}
		if err := os.Remove(filepath.Join(dir, "dead-letters")); err != nil {
			t.Fatal(err)
		}
		drained(t, d)
		if q.At() != 1 || len(q.Lost()) != 1 || d.State().Letters != 1 {
			t.Errorf("cursor %d, lost %v, %+v", q.At(), q.Lost(), d.State())
		}
	})
}

// TestCursor: it moves only when everything up to it was taken.
func TestCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(9)
		s := &script{}
		s.answer = func(n int, _ []sink.Event) error {
			if c := q.At(); n < 4 && c != 0 || n == 4 && c != 6 {
				t.Errorf("at attempt %d the cursor is at %d", n, c)
			}
			if n == 4 {
				return errors.New("down")
			}
			return nil
		}
		d, _ := deliver(s, q)
		d.Batch = sink.Batch{Events: 6, Bytes: 220}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		d.Run(ctx, nil)
		if q.At() != 6 || fmt.Sprint(sizes(s)) != "[2 2 2 2]" {
			t.Errorf("when it ends, the cursor is at %d, sent %v", q.At(), sizes(s))
		}
	})
}
