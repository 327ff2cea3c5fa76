//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/web"
	"github.com/klauspost/compress/gzip"
)

// hostile is an HTTP endpoint that fails at random in every way, until it is
// healed. It notes what it has taken.
type hostile struct {
	t *testing.T

	mu       sync.Mutex
	r        *rand.Rand
	healed   bool
	counts   map[string]int // im.count by event id
	took     int            // events, with repeats
	unsaid   int            // events taken whose sender was not told
	requests map[string]int // by what was done to them
}

var ways = []string{"takes", "takes", "takes", "takes", "is slow", "stalls", "500", "503", "429", "401", "redirects", "resets", "half closes", "cuts the answer", "garbage"}

// poisoned events are always refused.
func poisoned(id string) bool { return strings.HasPrefix(id, "0f") }

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	way := ways[h.r.IntN(len(ways))]
	if h.healed {
		way = "takes"
	}
	h.requests[way]++
	some := h.r.IntN(4096)
	h.mu.Unlock()
	switch way {
	case "stalls":
		select {
		case <-r.Context().Done():
		case <-time.After(2 * time.Second):
		}
	case "500", "503":
		http.Error(w, "a fault", map[string]int{"500": 500, "503": 503}[way])
	case "429":
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many", http.StatusTooManyRequests)
	case "401":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case "redirects":
		http.Redirect(w, r, "http://localhost:1/", http.StatusTemporaryRedirect)
	case "resets", "half closes", "garbage":
		h.raw(w, r, way, some)
	default:
		h.take(w, r, way)
	}
}

func (h *hostile) raw(w http.ResponseWriter, r *http.Request, way string, some int) {
	io.ReadFull(r.Body, make([]byte, some))
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		h.t.Error(err)
		return
	}
	defer c.Close()
	switch way {
	case "resets":
		c.(*net.TCPConn).SetLinger(0)
	case "half closes":
		c.(*net.TCPConn).CloseWrite()
	case "garbage":
		io.WriteString(c, "\x00\x01 what?\r\n\r\n")
	}
}

// take takes a whole batch, or refuses it for one event.
func (h *hostile) take(w http.ResponseWriter, r *http.Request, way string) {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	body, err := io.ReadAll(z)
	if err != nil {
		return // the sender was killed
	}
	type event struct {
		Event struct{ ID string }
		IM    struct{ Count int }
	}
	var list []event
	for line := range bytes.Lines(body) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil || e.Event.ID == "" {
			h.t.Errorf("no event: %.200s", line)
		}
		if poisoned(e.Event.ID) {
			http.Error(w, "cannot take "+e.Event.ID, 400)
			return
		}
		list = append(list, e)
	}
	h.mu.Lock()
	for _, e := range list {
		h.counts[e.Event.ID] = e.IM.Count
	}
	h.took += len(list)
	if way == "cuts the answer" {
		h.unsaid += len(list)
	}
	h.mu.Unlock()
	switch way {
	case "is slow":
		time.Sleep(50 * time.Millisecond)
	case "cuts the answer":
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of")
			c.Close()
		}
	}
}

// faults counts the requests that were not simply taken.
func (h *hostile) faults() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for way, k := range h.requests {
		if way != "takes" {
			n += k
		}
	}
	return n
}

// sum adds up im.count over distinct ids, those of the dead letters included.
func (h *hostile) sum(letters map[string]int) (sum, ids int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.counts {
		sum += n
	}
	for id, n := range letters {
		if _, there := h.counts[id]; there {
			h.t.Errorf("%s is a dead letter and was taken", id)
		}
		sum += n
	}
	return sum, len(h.counts) + len(letters)
}

// deadLetters are the counts of the events in the dead letters, by id.
func deadLetters(t *testing.T, path string) map[string]int {
	t.Helper()
	got := map[string]int{}
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var l struct {
			ID, Answer string
			Event      struct{ IM struct{ Count int } }
		}
		if line[len(line)-1] != '\n' {
			continue // torn, and written again
		}
		if err := json.Unmarshal(line, &l); err != nil || !strings.Contains(l.Answer, "cannot take "+l.ID) {
			t.Errorf("dead letter %s: %v", line, err)
		}
		got[l.ID] = l.Event.IM.Count
	}
	return got
}

// TestSinkSoak: the other side fails at random in every way, and the daemon is
// killed every second. After the dust settles every event of the store is at
// the receiver or, refused, in the dead letters; the counts over distinct ids
// add up to the lines, exactly; and what came twice was in flight.
func TestSinkSoak(t *testing.T) {
	t.Parallel()
	const inBatch = 200
	h := &hostile{t: t, r: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3)), counts: map[string]int{}, requests: map[string]int{}}
	srv := httptest.NewServer(h)
	defer srv.Close()
	f := newFollower(t, "app.log")
	conf, err := os.ReadFile(f.conf)
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(string(conf), "sinks:")
	base = strings.Replace(base, "window: 0s", "window: 1s, first: 1000", 1) + fmt.Sprintf(`sinks:
  - {type: http, url: %s, compression: gzip, timeout: 500ms, detail: brief, batch: {events: %d, wait: 20ms}, retry: {first: 10ms, last: 100ms}}
`, srv.URL, inBatch)
	if err := os.WriteFile(f.conf, []byte(base), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(f.dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	total := int(100_000 * min(1, soakTime.Seconds()/60))
	w := bufio.NewWriter(log)
	f.start()
	begin, lines := time.Now(), 0
	var up time.Time // when the daemon was seen to be ready; the kill comes a second later
	for lines < total || f.kills == 0 && time.Since(begin) < time.Minute {
		for due := int(float64(total) * time.Since(begin).Seconds() / soakTime.Seconds()); lines < min(due, total); lines++ {
			fmt.Fprintf(w, "soak %d user=u%d %s\n", lines, lines%50_000, kicked)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		switch {
		case up.IsZero() && strings.Count(f.log.String(), `"ready"`) > f.seen:
			up = time.Now()
		case !up.IsZero() && time.Since(up) > time.Second:
			f.kill()
			up = time.Time{}
		}
		time.Sleep(10 * time.Millisecond)
	}
	for end := time.Now().Add(30 * time.Second); h.faults() < 10 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if n := h.faults(); n < 10 || f.kills == 0 {
		t.Errorf("only %d faults and %d kills: this proves little", n, f.kills)
	}
	h.mu.Lock()
	h.healed = true
	h.mu.Unlock()
	letters := map[string]int{}
	path := filepath.Join(f.dir, "state", "dead-letters", "http.ndjson")
	sum, ids := 0, 0
	for end := time.Now().Add(90 * time.Second); sum != total && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		letters = deadLetters(t, path)
		sum, ids = h.sum(letters)
	}
	f.term()
	if sum != total {
		t.Errorf("the counts of %d ids add up to %d of %d lines\n%s", ids, sum, total, tailOf(f.log.String(), 3000))
	}
	missing := 0
	for _, id := range storedIDs(t, f) {
		if _, there := h.counts[id]; !there {
			if _, letter := letters[id]; !letter {
				missing++
			}
		}
	}
	if missing > 0 {
		t.Errorf("%d events of the store never arrived", missing)
	}
	repeats := h.took - len(h.counts)
	if bound := h.unsaid + 2*inBatch*f.kills; repeats > bound {
		t.Errorf("%d repeats, more than the %d in flight", repeats, bound)
	}
	t.Logf("%d lines, %d ids, %d of them dead letters, %d kills, %d repeats (%d taken without an answer); requests: %v", lines, ids, len(letters), f.kills, repeats, h.unsaid, h.requests)
	if strings.Count(f.log.String(), "trying again") > 3*(f.kills+1)+h.requests["takes"] {
		t.Error("outages are told too often")
	}
}

// storedIDs are those of every event in the store.
func storedIDs(t *testing.T, f *follower) (ids []string) {
	t.Helper()
	c := imwatch(t, f.dir, "events", "--state-dir", filepath.Join(f.dir, "state"), "-o", "ndjson", "--since", "24h")
	if code := c.end(0); code != 0 {
		t.Fatalf("events: exit %d: %s", code, c.err.String())
	}
	for line := range strings.Lines(c.out.String()) {
		var e struct{ Event struct{ ID string } }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.Event.ID)
	}
	if len(ids) == 0 {
		t.Fatal("the store has no events")
	}
	return ids
}

// TestDeadAndHealthy: a sink that is down, also one whose share of the store is
// full, does not hold up the others; what it loses is in the ledger.
func TestDeadAndHealthy(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	arrived := map[int]time.Time{}
	healthy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		s := bufio.NewScanner(r.Body)
		s.Buffer(nil, 1<<20)
		mu.Lock()
		defer mu.Unlock()
		for s.Scan() {
			var e struct{ Event struct{ Original string } }
			var n int
			if err := json.Unmarshal(s.Bytes(), &e); err != nil {
				t.Error(err)
			} else if _, err := fmt.Sscanf(e.Event.Original, "soak %d ", &n); err == nil {
				arrived[n] = now
			}
		}
	}))
	defer healthy.Close()
	ends := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-ends }))
	defer dead.Close()
	defer close(ends)
	f := newFollower(t, "app.log")
	conf, err := os.ReadFile(f.conf)
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(string(conf), "sinks:")
	base += fmt.Sprintf(`store: {max_bytes: 16MiB}
sinks:
  - {type: http, name: dead, url: %s, timeout: 500ms, retry: {first: 100ms, last: 500ms}, auth: {scheme: bearer, file: %s}}
  - {type: http, name: healthy, url: %s, detail: brief, batch: {wait: 20ms}}
`, dead.URL, filepath.Join(f.dir, "token"), healthy.URL)
	put(t, filepath.Join(f.dir, "token"), "s3cr3t-token\n")
	if err := os.WriteFile(f.conf, []byte(base), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(f.dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	f.start()
	lines := 0
	write := func(n int) {
		t.Helper()
		var b bytes.Buffer
		for range n {
			b.WriteString(longLine(lines))
			lines++
		}
		if _, err := b.WriteTo(log); err != nil {
			t.Fatal(err)
		}
	}
	has := func(n int) (at time.Time, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		at, ok = arrived[n]
		return at, ok
	}
	// delays writes a line, waits until it has come, and so on.
	delays := func(when string) {
		t.Helper()
		var list []time.Duration
		for range 20 {
			begin := time.Now()
			write(1)
			for end := begin.Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
				if at, ok := has(lines - 1); ok {
					list = append(list, at.Sub(begin))
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%s: line %d did not come within 20 s\n%s", when, lines-1, tailOf(f.log.String(), 2000))
				}
			}
		}
		slices.Sort(list)
		t.Logf("%s: the healthy sink's delay: median %v, longest %v", when, list[len(list)/2], list[len(list)-1])
		if list[len(list)/2] > time.Second {
			t.Errorf("%s: the healthy sink waits for the dead one", when)
		}
	}
	delays("one sink is dead")
	for range 8 { // more than the store holds, but not more than the healthy sink takes
		write(1000)
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, ok := has(lines - 1); ok {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the lines did not come\n%s", tailOf(f.log.String(), 2000))
			}
		}
	}
	delays("and its share is full")
	mu.Lock()
	if len(arrived) != lines {
		t.Errorf("%d of %d lines arrived", len(arrived), lines)
	}
	mu.Unlock()
	var s *child
	var st web.Status
	for end := time.Now().Add(20 * time.Second); st.Sinks["dead"].Attempts < 3 && time.Now().Before(end); {
		s = imwatch(t, f.dir, "status", "-o", "json", "--state-dir", filepath.Join(f.dir, "state"))
		if code := s.end(0); code != 0 {
			t.Fatalf("status: exit %d: %s", code, s.err.String())
		}
		st = web.Status{}
		if err := json.Unmarshal([]byte(s.out.String()), &st); err != nil {
			t.Fatal(err)
		}
	}
	lost := int64(0)
	for _, l := range st.Losses {
		if l.Sink == "dead" && l.Reason == "the store was full" {
			lost += l.To - l.From + 1
		} else {
			t.Errorf("also lost: %+v", l)
		}
	}
	if x := st.Sinks["dead"]; lost == 0 || x.Sent != 0 || x.Class != sink.Timeout || int64(x.Backlog)+lost != int64(lines) {
		t.Errorf("of %d lines the dead sink lost %d: %+v", lines, lost, x)
	}
	t.Logf("of %d lines the dead sink lost %d", lines, lost)
	if n := strings.Count(f.log.String(), "sink dead: "); n != 1 {
		t.Errorf("the outage is told %d times", n)
	}
	if x := st.Sinks["dead"]; !strings.Contains(x.Error, "timeout") || x.Attempts < 3 || !strings.Contains(f.log.String(), x.Error) {
		t.Errorf("the status is %+v, the log has %s", x, f.log.String())
	}
	if strings.Contains(s.out.String()+f.log.String()+strings.Join(f.cmd.Args, " "), "s3cr3t") {
		t.Error("the secret is told")
	}
	f.end(syscall.SIGKILL)
}

// BenchmarkFileToHTTP: 100,000 lines with a code each, from a file through the
// store to an HTTP endpoint on this machine.
func BenchmarkFileToHTTP(b *testing.B) {
	const lines = 100_000
	for b.Loop() {
		var got atomic.Int64
		all := make(chan struct{})
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil && got.Add(int64(bytes.Count(body, []byte("\n")))) == lines {
				close(all)
			}
		}))
		dir := b.TempDir()
		var log bytes.Buffer
		for n := range lines {
			fmt.Fprintf(&log, "soak %d user=u%d %s\n", n, n, kicked)
		}
		conf := fmt.Sprintf("version: 1\nstate_dir: %[1]s/state\nstorm: {window: 0s}\nsources: [{name: chat, paths: [%[1]s/app.log]}]\nsinks: [{type: http, url: %[2]s, batch: {events: 2000, bytes: 8MiB}}]\n", dir, srv.URL)
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "app.log"), log.Bytes(), 0o644), os.WriteFile(filepath.Join(dir, "imwatch.yaml"), []byte(conf), 0o644)); err != nil {
			b.Fatal(err)
		}
		self, err := os.Executable()
		if err == nil {
			err = os.Symlink(self, filepath.Join(dir, "imwatch"))
		}
		if err != nil {
			b.Fatal(err)
		}
		var said bytes.Buffer
		cmd := exec.Command(filepath.Join(dir, "imwatch"), "run", "-c", filepath.Join(dir, "imwatch.yaml"))
		cmd.Stderr = &said
		began := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		select {
		case <-all:
		case <-time.After(2 * time.Minute):
			b.Errorf("%d of %d arrived\n%s", got.Load(), lines, said.String())
		}
		took := time.Since(began)
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			b.Error(err)
		}
		srv.Close()
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		b.ReportMetric(lines/took.Seconds(), "events/s")
		b.ReportMetric(lines/cpu.Seconds(), "events/cpu-s")
		b.ReportMetric(0, "ns/op")
	}
}
