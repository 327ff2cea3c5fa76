// Package sinktest is the one conformance suite that every sink passes. A sink
// plugs in with a constructor and with the other side of its protocol, which
// behaves in one of the ways below; what the sink must then say is the same for
// all of them.
package sinktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
)

// A Behaviour is how the other side treats what it is sent, until it is healed.
type Behaviour string

// Behaviours of the other side.
const (
	Accepts     Behaviour = "accepts"
	Slow        Behaviour = "is slow"
	Stalls      Behaviour = "stalls for ever"
	Fault       Behaviour = "has a fault"              // HTTP 500
	Unavailable Behaviour = "is unavailable"           // HTTP 503
	Throttles   Behaviour = "throttles"                // HTTP 429 with Retry-After: RetryAfter
	RefusesOne  Behaviour = "refuses one event"        // whose id is Poison
	Unwelcome   Behaviour = "does not know us"         // HTTP 401
	Resets      Behaviour = "resets while we send"     // in the body
	HalfCloses  Behaviour = "closes without an answer" // its half
	CutsAnswer  Behaviour = "takes, and cuts the answer"
	Redirects   Behaviour = "redirects to another host"
	Expired     Behaviour = "has an expired certificate"
	WrongCA     Behaviour = "has a certificate of an unknown authority"
	Garbage     Behaviour = "answers garbage"
)

// RetryAfter is what Throttles asks for, and Poison the event that RefusesOne
// refuses.
const (
	RetryAfter = 7 * time.Second
	Poison     = "00000000000000000000000000000002"
)

// A Peer is the other side.
type Peer struct {
	Address   string          // as the sink's configuration names it
	CA        string          // file of the authority to trust, if it speaks TLS
	Timeout   time.Duration   // of each phase, for the sink to be opened with
	Heal      func()          // from now on it accepts
	IDs       func() []string // of the events it has taken, in order
	Elsewhere func() int      // requests that came to where Redirects points
}

// A Suite is what a sink plugs in. Start returns nil where the protocol has no
// such thing as the behaviour.
type Suite struct {
	Open  func(t *testing.T, p *Peer) sink.Sink
	Start func(t *testing.T, b Behaviour) *Peer
}

// want is what Send says to a behaviour. class "" means success.
type want struct {
	b       Behaviour
	classes []string
	after   time.Duration
	why     string
}

var wants = []want{
	{Accepts, nil, 0, "the ordinary case: all events arrive, once and in order"},
	{Slow, nil, 0, "a slow answer is an answer: sending again would only add to the load"},
	{Stalls, []string{sink.Timeout}, 0, "each phase has its timeout, or one dead peer stops the sink for ever"},
	{Fault, []string{sink.Server}, 0, "a fault of the other side's is not the event's: it is sent again, never thrown away"},
	{Unavailable, []string{sink.Server}, 0, "a restart of the other side's: the event is sent again"},
	{Throttles, []string{sink.Throttled}, RetryAfter, "who asks for time gets it: coming earlier makes the overload worse"},
	{Unwelcome, []string{sink.Auth}, 0, "credentials are the operator's to mend, not the event's fault: it is sent again, slowly"},
	{Resets, []string{sink.Connection}, 0, "what was cut short may not have arrived: it is sent again"},
	{HalfCloses, []string{sink.Connection}, 0, "no answer is not success"},
	{CutsAnswer, []string{sink.Connection}, 0, "half an answer may have been a refusal: only a whole one counts"},
	{Redirects, []string{sink.Address}, 0, "another host is not meant to have the events, nor who we are"},
	{Expired, []string{sink.Trust}, 0, "an expired certificate proves nothing; nothing is sent"},
	{WrongCA, []string{sink.Trust}, 0, "a stranger between us must get nothing"},
	{Garbage, []string{sink.Answer, sink.Connection}, 0, "what is no answer of the protocol is not success"},
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	for _, w := range wants {
		t.Run(string(w.b), func(t *testing.T) {
			p := start(t, s, w.b, w.why)
			x := open(t, s, p)
			events := Events(4)
			s.expect(t, w, x.Send(t.Context(), events))
			if (w.b == Expired || w.b == WrongCA) && len(p.IDs()) > 0 {
				t.Errorf("the untrusted side has %v", p.IDs())
			}
			if p.Elsewhere != nil && p.Elsewhere() > 0 {
				t.Error("the other host was asked")
			}
			if len(w.classes) == 0 {
				same(t, p.IDs(), events)
				return
			}
			if w.b == Expired || w.b == WrongCA {
				return // they do not heal
			}
			p.Heal()
			if err := x.Send(t.Context(), events); err != nil {
				t.Fatalf("after it is mended: %v", err)
			}
			same(t, unique(p.IDs()), events)
		})
	}
	t.Run(string(RefusesOne), func(t *testing.T) { s.poison(t) })
	t.Run("the context ends", func(t *testing.T) { s.cancelled(t) })
	t.Run("an empty batch", func(t *testing.T) {
		p := start(t, s, Accepts, "nothing to send is no reason to fail, nor to disturb")
		if err := open(t, s, p).Send(t.Context(), nil); err != nil || len(p.IDs()) > 0 {
			t.Errorf("error %v, ids %v", err, p.IDs())
		}
	})
	t.Run("the largest event", func(t *testing.T) {
		p := start(t, s, Accepts, "an event of 8 KiB is the largest there is, and must get through whole")
		events := []sink.Event{Largest()}
		if err := open(t, s, p).Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		same(t, p.IDs(), events)
	})
	t.Run("invalid UTF-8", func(t *testing.T) {
		p := start(t, s, Accepts, "log lines hold any bytes; many protocols refuse all but UTF-8, and one such event must not hold up the rest")
		events := []sink.Event{Invalid()}
		if err := open(t, s, p).Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		same(t, p.IDs(), events)
	})
}

func start(t *testing.T, s Suite, b Behaviour, why string) *Peer {
	t.Helper()
	p := s.Start(t, b)
	if p == nil {
		t.Logf("this protocol has no such thing; elsewhere: %s", why)
		t.SkipNow()
	}
	t.Logf("why: %s", why)
	return p
}

func open(t *testing.T, s Suite, p *Peer) sink.Sink {
	t.Helper()
	x := s.Open(t, p)
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return x
}

func (s Suite) expect(t *testing.T, w want, err error) {
	t.Helper()
	if len(w.classes) == 0 {
		if err != nil {
			t.Fatalf("error %v", err)
		}
		return
	}
	if err == nil {
		t.Fatal("success, though nothing says that the events arrived")
	}
	t.Logf("it says: %v", err)
	if errors.Is(err, sink.ErrRejected) {
		t.Errorf("%v is a rejection: the events would be given up", err)
	}
	if c := sink.Class(err); !slices.Contains(w.classes, c) {
		t.Errorf("class %s of %v, want %v", c, err, w.classes)
	}
	var f *sink.Failure
	if w.after > 0 && (!errors.As(err, &f) || f.After < w.after-time.Second || f.After > w.after) {
		t.Errorf("%#v does not carry the %v to wait", err, w.after)
	}
}

// poison: one event of many is refused; it ends in the dead letters, the others
// arrive.
func (s Suite) poison(t *testing.T) {
	p := start(t, s, RefusesOne, "one bad event must not stop the others, nor vanish: it is found, kept with the answer, and passed over")
	events := Events(7)
	q := queueOf(events)
	d := &sink.Delivery{Name: "test", Sink: open(t, s, p), Queue: q, Notice: func(level, text string) { t.Logf("%s: %s", level, text) },
		Letters: &sink.Letters{Path: sink.LettersPath(t.TempDir(), "test")},
		Encode:  func(f *finding.Finding) (sink.Event, bool) { return sink.NewEvent(ann(), f), true }}
	drain := make(chan struct{})
	close(drain)
	d.Run(t.Context(), drain)
	if err := d.Letters.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, unique(p.IDs()), slices.DeleteFunc(slices.Clone(events), func(e sink.Event) bool { return e.ID == Poison }))
	data, err := os.ReadFile(d.Letters.Path)
	if err != nil {
		t.Fatal(err)
	}
	var letter struct {
		ID, Answer string
		Event      map[string]any
	}
	if err := json.Unmarshal(data, &letter); err != nil || letter.ID != Poison || letter.Answer == "" || letter.Event["@timestamp"] == nil {
		t.Errorf("the dead letters are %s (%v)", data, err)
	}
	if lost := q.Lost(); q.At() != uint64(len(events)) || len(lost) != 1 || !strings.Contains(lost[0].Reason, Poison) {
		t.Errorf("the cursor is at %d, the ledger has %v", q.At(), lost)
	}
	if st := d.State(); st.Letters != 1 || st.Sent != int64(len(events)-1) || st.Error != "" {
		t.Errorf("the state is %+v", st)
	}
}

func (s Suite) cancelled(t *testing.T) {
	p := start(t, s, Stalls, "when the daemon ends, it waits for nobody")
	p.Timeout = time.Hour
	x := open(t, s, p)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Send(ctx, Events(1)) }()
	time.AfterFunc(50*time.Millisecond, cancel)
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Send goes on without its context")
	}
}

func same(t *testing.T, got []string, events []sink.Event) {
	t.Helper()
	var want []string
	for i := range events {
		want = append(want, events[i].ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the other side has %v, want %v", got, want)
	}
}

func unique(ids []string) (list []string) {
	for _, id := range ids {
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

var ann = sync.OnceValue(func() *annotator.Annotator {
	return annotator.New(codes.Embedded(), annotator.Options{Language: "both", Host: annotator.Host{Name: "web1", ID: "5f1e"}})
})

// newFinding returns one of a login that failed; n numbers it.
func newFinding(n int) *finding.Finding {
	when := time.Date(2026, 11, 20, 8, 0, n%60, 123e6, time.UTC)
	return &finding.Finding{ID: fmt.Sprintf("%032x", n), Action: finding.Error, Family: "easemob-web", Code: "206", Symbol: "WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE",
		Text: "the user is already logged on another device", Confidence: "high", Basis: []string{"symbol"}, Rule: "webim-object", Time: when, TimeBasis: "line", Created: when.Add(time.Second),
		Source: "chat-web", Service: "gateway", Path: "/var/log/chat/web.log", Offset: int64(n) * 200, Line: n + 1, Count: 1,
		Original: fmt.Sprintf(`2026-11-20 08:00:%02d,123 ERROR user=user%d onError {"type":206,"message":"the user is already logged on another device"}`, n%60, n),
		Fields:   finding.Fields{{Name: "app_key", Value: "org#app"}, {Name: "user_id", Value: fmt.Sprintf("user%d", n)}}, Labels: map[string]string{"env": "test"}}
}

// Events returns n events with the ids 1 to n, as 32 hex digits.
func Events(n int) (list []sink.Event) {
	for i := range n {
		list = append(list, sink.NewEvent(ann(), newFinding(i+1)))
	}
	return list
}

// At is an event whose line has another time than the moment it was read.
func At(n int, line, read time.Time) sink.Event {
	f := newFinding(n)
	f.Time, f.Created = line, read
	return sink.NewEvent(ann(), f)
}

// Largest is an event of the greatest length.
func Largest() sink.Event {
	f := newFinding(1)
	f.Text, f.Original = strings.Repeat("界", 170), strings.Repeat("界\t", 500)
	for i := range 200 {
		e := sink.NewEvent(ann(), f)
		if len(e.JSON) > annotator.MaxEvent-100 {
			return e
		}
		f.Labels[fmt.Sprintf("label%d", i)] = strings.Repeat("x", 24)
	}
	return sink.NewEvent(ann(), f)
}

// Invalid is an event of a line whose bytes are no UTF-8 and hold controls: what
// the resolver would have cleaned.
func Invalid() sink.Event {
	f := newFinding(1)
	f.Text, f.Original = "\xff\xfe text\x00", "\xc3\x28 \x1b[31m line\x00\xed\xa0\x80"
	e := sink.NewEvent(ann(), f)
	e.JSON = bytes.Clone(e.JSON)
	return e
}

// File writes a file into the test's own directory and returns its path.
func File(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Benchmark reports how many events a sink sends in a second, in batches of the
// default size.
func Benchmark(b *testing.B, x sink.Sink) {
	b.Helper()
	events := Events(500)
	bytes := 0
	for i := range events {
		bytes += len(events[i].JSON)
	}
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		if err := x.Send(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(events))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// Overwrite gives a file another content and a later time.
func Overwrite(t testing.TB, path, text string) {
	t.Helper()
	later := time.Now().Add(time.Second)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, later, later)); err != nil {
		t.Fatal(err)
	}
}
