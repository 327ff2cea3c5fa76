package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
)

const secret = "0123456789abcdef0123456789abcdef"

// newSite is a site over a store of its own.
func newSite(t *testing.T, window time.Duration) *Site {
	t.Helper()
	m := NewMetrics("v1", func(context.Context) Pulled {
		return Pulled{Files: []tailer.Status{{Source: "chat", Path: "/var/log/<b>", Mode: "live", Lag: 7}, {Source: "chat", Mode: "unreadable"}}, Store: store.State{Bytes: 4096, Backlog: map[string]uint64{"stdout": 3}},
			Sinks: map[string]sink.State{"stdout": {Sent: 2, Letters: 1, Late: 6, Error: "no answer", Class: sink.Timeout, Errors: map[string]int64{sink.Refused: 1, sink.Timeout: 1}}}}
	})
	st, err := store.Open(t.TempDir(), store.Options{Commit: m.Committed, Window: window})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	red, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &Site{Store: st, Metrics: m, Version: "v1", Status: func(context.Context) (*Status, error) { return &Status{Running: true, Store: st.State()}, nil }}
	s.Use(codes.Embedded(), red)
	return s
}

// tell keeps findings and waits until they are durable.
func tell(t *testing.T, s *Site, list ...finding.Finding) {
	t.Helper()
	for i := range list {
		f := &list[i]
		if f.Created.IsZero() {
			f.Created = time.Now().UTC()
		}
		if f.Count == 0 {
			f.Count = 1
		}
		if err := s.Store.Tell(*f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func kicked(id, user string, at time.Time) finding.Finding {
	return finding.Finding{ID: id, Action: finding.Error, Family: "easemob-web", Code: "206", Confidence: "high", Time: at.UTC(), TimeBasis: "line", Source: "chat",
		Path: "/var/log/chat/a.log", Line: 3, Original: "user=" + user + " type 206", Fields: finding.Fields{{Name: "user_id", Value: user}}}
}

func get(t *testing.T, h http.Handler, url string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, url, nil)
	r.Host = "127.0.0.1:9610"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func known(string) bool { return true }

// contract lists the metrics and their labels as the outside depends on them.
var contract = map[string]string{
	"build_info": "goversion,version", "lines_read_total": "source", "bytes_read_total": "source", "findings_total": "family,level,scope,source",
	"codes_total": "code,family,source", "code_last_seen_timestamp_seconds": "code,family", "undecided_total": "source", "folded_total": "source",
	"rule_matches_total": "rule", "files": "mode,source", "lag_bytes": "source", "rotations_total": "kind", "lost_bytes_total": "reason",
	"sink_sent_events_total": "sink", "sink_errors_total": "class,sink", "sink_backlog_events": "sink", "sink_dropped_events_total": "sink",
	"sink_failing": "class,error,sink", "sink_late_events_total": "sink",
	"store_bytes": "", "store_commit_seconds": "", "config_last_reload_successful": "",
}

func TestMetrics(t *testing.T) {
	s := newSite(t, time.Hour)
	m := s.Metrics
	m.Use(codes.Embedded(), []string{"chat", "empty"}, []string{"some-rule"})
	m.Keep(map[string]sink.State{"stdout": {Sent: 3, Errors: map[string]int64{sink.Refused: 1}}}) // of the run before a reload
	m.Committed(store.Commit{Dropped: map[string]uint64{"stdout": 4}})
	m.Read("chat", 10, 1000)
	m.Undecided("chat")
	m.Matched("some-rule")
	m.Rotated("renamed")
	m.Lost(&finding.Loss{Reason: "truncated before it was read", From: 10, To: 52})
	now := time.Unix(1_800_000_000, 0)
	for i := range 30 { // 20 go out in full, and the storm of the rest
		f := kicked(fmt.Sprint("id", i), fmt.Sprint("user", i), now)
		m.Seen(&f)
		m.Found(&f)
		tell(t, s, f)
	}
	hostile := kicked("x", "zoe", now.Add(-time.Hour))
	hostile.Code = "987654"
	m.Seen(&hostile)
	m.Found(&hostile)

	body := get(t, s.handler(secret, known), "/metrics").Body.String()
	for _, want := range []string{
		`imwatch_lines_read_total{source="chat"} 10`, `imwatch_bytes_read_total{source="chat"} 1000`, `imwatch_undecided_total{source="chat"} 1`,
		`imwatch_findings_total{family="easemob-web",level="warn",scope="user",source="chat"} 30`, `imwatch_findings_total{family="easemob-web",level="warn",scope="",source="chat"} 1`, `imwatch_codes_total{code="206",family="easemob-web",source="chat"} 30`,
		`imwatch_codes_total{code="_OTHER",family="easemob-web",source="chat"} 1`, `imwatch_code_last_seen_timestamp_seconds{code="206",family="easemob-web"} 1.8e+09`,
		`imwatch_folded_total{source="chat"} 10`, `imwatch_rule_matches_total{rule="some-rule"} 1`, `imwatch_files{mode="live",source="chat"} 1`, `imwatch_lag_bytes{source="chat"} 7`, `imwatch_files{mode="live",source="empty"} 0`,
		`imwatch_rotations_total{kind="renamed"} 1`, `imwatch_rotations_total{kind="deleted"} 0`, `imwatch_lost_bytes_total{reason="truncated"} 42`,
		`imwatch_sink_sent_events_total{sink="stdout"} 5`, `imwatch_sink_errors_total{class="rejected",sink="stdout"} 2`, `imwatch_sink_errors_total{class="timeout",sink="stdout"} 1`, `imwatch_sink_dropped_events_total{sink="stdout"} 5`, `imwatch_sink_backlog_events{sink="stdout"} 3`,
		`imwatch_sink_failing{class="timeout",error="no answer",sink="stdout"} 1`, `imwatch_sink_late_events_total{sink="stdout"} 6`,
		`imwatch_store_bytes 4096`, `imwatch_config_last_reload_successful 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
	if strings.Contains(body, "987654") || strings.Contains(body, "zoe") || strings.Contains(body, "a.log") {
		t.Error("a label comes from a line")
	}
	m.Refused()
	if !strings.Contains(get(t, s.handler("", known), "/metrics").Body.String(), "imwatch_config_last_reload_successful 0\n") {
		t.Error("a refused configuration is not told")
	}
	sameAsContract(t, body)
	promtool(t, body)
}

// sameAsContract: these names and labels, no other.
func sameAsContract(t *testing.T, body string) {
	t.Helper()
	found := map[string]string{}
	label := regexp.MustCompile(`([a-z_]+)="`)
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line[:strings.LastIndexByte(line, ' ')], "{")
		name = strings.TrimPrefix(name, "imwatch_")
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			if strings.HasPrefix(name, "store_commit") {
				name = strings.TrimSuffix(name, end)
			}
		}
		var labels []string
		for _, l := range label.FindAllStringSubmatch(rest, -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		if all := strings.Join(labels, ","); len(all) >= len(found[name]) {
			found[name] = all
		}
	}
	for name, labels := range contract {
		if got, ok := found[name]; !ok || got != labels {
			t.Errorf("imwatch_%s{%s} is {%s}, there %v", name, labels, got, ok)
		}
	}
	for name := range found {
		if _, ok := contract[name]; !ok {
			t.Errorf("imwatch_%s is not in the contract", name)
		}
	}
}

func promtool(t *testing.T, body string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("IMWATCH_REAL") != "" {
			t.Fatal("promtool is missing: apt-get install prometheus")
		}
		return
	}
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestAccess: what holds log lines wants the token, what does not is open, and
// nobody changes anything.
func TestAccess(t *testing.T) {
	s := newSite(t, 0)
	s.Pprof = true
	h := s.handler(secret, hosts(&addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9610}}))
	bearer := []string{"Authorization", "Bearer " + secret}
	for _, c := range []struct {
		url    string
		header []string
		want   int
	}{
		{"/metrics", nil, 200},
		{"/-/healthy", nil, 200},
		{"/-/ready", nil, 503},
		{"/", nil, 401},
		{"/?token=" + secret, nil, 200},
		{"/", bearer, 200},
		{"/?token=wrong", nil, 401},
		{"/api/status", nil, 401},
		{"/api/status", []string{"Authorization", "Bearer " + secret[1:]}, 401},
		{"/api/status", []string{"Authorization", "Basic " + secret}, 401},
		{"/api/status", bearer, 200},
		{"/api/status?token=" + secret, nil, 200},
		{"/api/list", nil, 401},
		{"/api/overview?range=1h", bearer, 200},
		{"/api/stream", nil, 401},
		{"/api/events", nil, 401},
		{"/debug/pprof/", nil, 401},
		{"/debug/pprof/", bearer, 200},
		{"/static/index.html", nil, 301}, // to /, which is the same
		{"/static/nothing.js", nil, 404},
		{"/nothing", bearer, 404},
		{"/static/..%2fserver.go", nil, 404},
		{"/metrics", []string{"Host", "evil.example"}, 421},
		{"/", []string{"Host", "evil.example:9610", "Authorization", "Bearer " + secret}, 421},
		{"/api/status", []string{"Host", "127.0.0.1.evil.example", "Authorization", "Bearer " + secret}, 421},
		{"/-/healthy", []string{"Host", "localhost:9610"}, 200},
		{"/-/healthy", []string{"Host", "[::1]:9610"}, 200},
		{"/-/healthy", []string{"Host", ""}, 421},
	} {
		w := get(t, h, c.url, c.header...)
		if w.Code != c.want {
			t.Errorf("%s with %q: %d, want %d", c.url, c.header, w.Code, c.want)
		}
		for k, v := range map[string]string{"Content-Security-Policy": Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if w.Header().Get(k) != v {
				t.Errorf("%s: %s is %q", c.url, k, w.Header().Get(k))
			}
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"} {
		r := httptest.NewRequest(method, "/api/status?token="+secret, nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	s.Ready()
	if w := get(t, h, "/-/ready"); w.Code != 200 {
		t.Errorf("ready: %d", w.Code)
	}
	s.Pprof = false
	if w := get(t, s.handler("", known), "/debug/pprof/"); w.Code != 404 {
		t.Errorf("pprof without its flag: %d", w.Code)
	}
}

type addr struct{ a net.Addr }

func (a *addr) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (a *addr) Close() error              { return nil }
func (a *addr) Addr() net.Addr            { return a.a }

// TestToken: made once, for the group to read, kept over restarts.
func TestToken(t *testing.T) {
	dir := t.TempDir()
	first, err := Token(dir)
	if err != nil || len(first) < 32 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := Token(dir); err != nil || again != first {
		t.Errorf("%q after %q: %v", again, first, err)
	}
	info, err := os.Stat(filepath.Join(dir, TokenName))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if other, err := Token(t.TempDir()); err != nil || other == first {
		t.Errorf("two directories share a token: %v", err)
	}
}

// TestList: filters, pages, and what a level means.
func TestList(t *testing.T) {
	s := newSite(t, 0)
	now := time.Now()
	var all []finding.Finding
	for i := range 12 {
		f := kicked(fmt.Sprintf("%032d", i), []string{"bob", "eve", "zoe"}[i%3], now.Add(-time.Duration(i)*time.Minute))
		if i%2 == 1 {
			f.Code = "28"
		}
		f.Original = fmt.Sprintf("%d <script>alert(1)</script>", i)
		all = append(all, f)
	}
	tell(t, s, all...)
	type page struct {
		Events []struct {
			Seq   uint64
			Event struct {
				User struct{ ID string }
				Log  struct{ Level string }
			}
		}
		Before, Last uint64
	}
	ask := func(q string) (p page) {
		t.Helper()
		w := get(t, s.handler("", known), "/api/list?"+q)
		if strings.Contains(w.Body.String(), "<script") {
			t.Error("the answer is not safe inside HTML")
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := ask("limit=5"); len(p.Events) != 5 || p.Events[0].Seq != 12 || p.Before != 8 || p.Last != 12 {
		t.Errorf("the first page %+v", p)
	}
	if p := ask("limit=5&before=8"); len(p.Events) != 5 || p.Events[0].Seq != 7 {
		t.Errorf("the second page %+v", p)
	}
	if p := ask("limit=5&before=3"); len(p.Events) != 2 || p.Before != 0 {
		t.Errorf("the last page %+v", p)
	}
	for q, want := range map[string]int{"": 12, "user=bob": 4, "user=nobody": 0, "code=206": 6, "code=easemob-web/28": 6, "code=webim_connction_user_login_another_device": 0,
		"family=jmessage-web": 0, "family=easemob-web": 12, "level=warn&code=206": 6, "level=critical": 0, "user=bob&code=206": 2, "q=7+%3CSCRIPT": 1, "q=a.log": 12} {
		if p := ask(q); len(p.Events) != want {
			t.Errorf("%s: %d events, want %d", q, len(p.Events), want)
		}
	}
}

// TestOverview counts what a storm stands for, and knows what it leaves out.
func TestOverview(t *testing.T) {
	s := newSite(t, 0)
	now := time.Now()
	storm := kicked("storm", "", now.Add(-5*time.Minute))
	storm.Action, storm.Count, storm.Fields = finding.Storm, 100, nil
	tell(t, s, kicked("1", "bob", now.Add(-90*time.Minute)), kicked("2", "bob", now.Add(-2*time.Minute)), kicked("3", "eve", now.Add(-time.Minute)), storm,
		finding.Finding{ID: "4", Action: finding.Lost, Time: now, Text: "bytes"})
	for name, want := range map[string][3]int{"1h": {102, 2, 60}, "15m": {102, 2, 15}, "6h": {103, 2, 72}, "all": {103, 2, 0}} {
		o, err := s.overview(name, now)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		if len(o.Codes) == 1 {
			for _, n := range o.Codes[0].Counts {
				sum += n
			}
		}
		if o.Total != want[0] || o.Users != want[1] || want[2] > 0 && o.Buckets != want[2] || sum != o.Total || o.Latest.IsZero() || o.Codes[0].TitleZH == "" || o.Codes[0].Hint == "" {
			t.Errorf("%s: total %d, users %d, buckets %d, sum %d: %+v", name, o.Total, o.Users, o.Buckets, sum, o)
		}
	}
}

// TestOverviewPieces: what is read in several pieces is counted once.
func TestOverviewPieces(t *testing.T) {
	s := newSite(t, 0)
	now := time.Now()
	const n = 2*piece + 7
	list := make([]finding.Finding, n)
	for i := range list {
		list[i] = kicked(fmt.Sprint("id", i), fmt.Sprint("user", i%10), now.Add(-time.Duration(i)*time.Second))
	}
	tell(t, s, list...)
	for name, want := range map[string]int{"1h": n, "all": n, "15m": 15 * 60} {
		o, err := s.overview(name, now)
		if err != nil {
			t.Fatal(err)
		}
		if o.Total < want-61 || o.Total > want || name != "15m" && o.Total != want || o.Users != 10 || o.Partial {
			t.Errorf("%s: total %d, want %d, users %d, partial %v", name, o.Total, want, o.Users, o.Partial)
		}
	}
}

// TestStream: an event reaches an open stream when it is durable, filtered.
func TestStream(t *testing.T) {
	s := newSite(t, 0)
	tell(t, s, kicked("old", "bob", time.Now()))
	srv := httptest.NewServer(s.handler(secret, known))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/api/stream?user=bob", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || line != ": ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	tell(t, s, kicked("eves", "eve", time.Now()), kicked("bobs", "bob", time.Now()))
	var got string
	for !strings.HasPrefix(got, "data: ") {
		if got, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(got, `"id":"bobs"`) {
		t.Errorf("got %s", got)
	}
}

// TestEvent: the lines around it, also after a rotation, and none when the file
// is another one now.
func TestEvent(t *testing.T) {
	s := newSite(t, 0)
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	const text = "one\ntwo password=hunter2\nthe event\x1b[31m\nthree\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := kicked("0123456789", "bob", time.Now())
	f.Path, f.Offset, f.Line, f.Original = path, int64(strings.Index(text, "the")), 3, `the event\u001b[31m`
	tell(t, s, f)
	type answer struct {
		Around *report.Around
		Why    string
	}
	ask := func(q string) (a answer, code int) {
		t.Helper()
		w := get(t, s.handler("", known), "/api/event?"+q)
		if w.Code == 200 {
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
				t.Fatal(err)
			}
		}
		return a, w.Code
	}
	a, _ := ask("id=0123&lines=1")
	if a.Around == nil || len(a.Around.Lines) != 3 || a.Around.Hit != 1 || a.Around.First != 2 || strings.Contains(a.Around.Lines[0], "hunter2") || strings.Contains(a.Around.Lines[1], "\x1b") {
		t.Errorf("around %+v, %s", a.Around, a.Why)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if a, _ = ask("seq=1&id=0123"); a.Around == nil || a.Around.Path != path+".1" || len(a.Around.Lines) != 4 {
		t.Errorf("after a rotation %+v, %s", a.Around, a.Why)
	}
	if err := os.WriteFile(path+".1", []byte("something else entirely, and long enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, _ = ask("seq=1"); a.Around != nil || !strings.Contains(a.Why, "hint") {
		t.Errorf("of another file %+v, %s", a.Around, a.Why)
	}
	if _, code := ask("id=9999"); code != 404 {
		t.Errorf("an unknown id: %d", code)
	}
}

// TestCode: what the page shows is what explain prints.
func TestCode(t *testing.T) {
	s := newSite(t, 0)
	h := s.handler("", known)
	if w := get(t, h, "/api/code?family=easemob-web&code=206"); w.Code != 200 || !strings.Contains(w.Body.String(), "WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE") || !strings.Contains(w.Body.String(), "怎么办") {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
	if w := get(t, h, "/api/code?family=easemob-web&code=1234567"); w.Code != 404 {
		t.Errorf("an unknown code: %d", w.Code)
	}
	for q, want := range map[string]string{"206": `"code":"206"`, "USER_LOGIN_ANOTHER": `"code":"206"`, "nothing-at-all": "[]", "": "[]"} {
		if w := get(t, h, "/api/find?q="+q); !strings.Contains(w.Body.String(), want) {
			t.Errorf("find %q: %.200s", q, w.Body)
		}
	}
}

// TestSocket: a file in the way is not deleted.
func TestSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenAt(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("listening over a file: %v", err)
	}
	s := newSite(t, 0)
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, l, "") }()
	var st Status
	if err := Ask(ctx, dir, "/api/status", nil, func(d *json.Decoder) error { return d.Decode(&st) }); err != nil || !st.Running {
		t.Errorf("%+v, %v", st, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := Ask(t.Context(), dir, "/api/status", nil, func(d *json.Decoder) error { _, err := d.Token(); return err }); err == nil || err == io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

// TestSocketOfService: a service's group may ask it, and clients find it by the
// state directory.
func TestSocketOfService(t *testing.T) {
	run, state := t.TempDir(), t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", run+":/elsewhere")
	l, err := Listen(state)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(filepath.Join(run, SocketName))
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("socket: %v, %v", info, err)
	}
	for range 2 {
		token, err := Token(state)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(run, TokenName)); err != nil || strings.TrimSpace(string(b)) != token {
			t.Errorf("the token beside the socket is %q, %v", b, err)
		}
	}
	if got := sockets("/var/lib/imwatch/"); !slices.Equal(got, []string{"/var/lib/imwatch/imwatch.sock", "/run/imwatch/imwatch.sock"}) {
		t.Errorf("sockets %q", got)
	}
	if got := sockets("/home/me/state"); len(got) != 1 {
		t.Errorf("sockets %q", got)
	}
}

// TestReadmeMetrics: the README's metrics exist, and its alerts are ones.
func TestReadmeMetrics(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`imwatch_([a-z_]+)`).FindAllStringSubmatch(string(data), -1)
	if len(names) < 5 {
		t.Errorf("the README names %d metrics", len(names))
	}
	for _, m := range names {
		if _, ok := contract[m[1]]; !ok {
			t.Errorf("there is no %s", m[0])
		}
	}
	_, rest, ok := strings.Cut(string(data), "\n    - alert:")
	if !ok {
		t.Fatal("no alert")
	}
	alerts, _, _ := strings.Cut(rest, "\n\n")
	path, err := exec.LookPath("promtool")
	if err != nil {
		return // promtool's absence fails above
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte("groups:\n  - name: imwatch\n    rules:\n    - alert:"+alerts+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}
