package elasticsearch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/pipeline"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/elasticsearch"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Suite{
		Open: func(t *testing.T, p *sinktest.Peer) sink.Sink {
			s, err := elasticsearch.New(elasticsearch.Options{HTTP: httpclient.Options{URL: p.Address, Timeout: p.Timeout, Compression: "gzip", TLS: secure.TLS{CAFile: p.CA}}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer {
			s := newServer(t)
			return sinktest.HTTP{Handler: s, IDs: s.Taken, Refuse: s.Refuse}.Start(t, b)
		},
	})
}

// start runs a handler and a sink in front of it.
func start(t *testing.T, h http.Handler) *elasticsearch.Sink {
	t.Helper()
	srv := httptest.NewServer(sinktest.Decompress(h))
	t.Cleanup(srv.Close)
	x, err := elasticsearch.New(elasticsearch.Options{HTTP: httpclient.Options{URL: srv.URL + "/"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// golden are the events of every sample log, and one with every field there is
// of each action.
func golden(t *testing.T) (list []sink.Event) {
	t.Helper()
	set, _ := rules.Embedded() // checked by their own tests
	sc, _ := scanner.New(set, codes.Embedded())
	red, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	ann := annotator.New(codes.Embedded(), annotator.Options{Language: "both", Host: annotator.Host{Name: "web1", ID: "5f1e"}})
	o := pipeline.ScanOptions{Scanner: sc, Resolver: resolver.New(codes.Embedded(), red), Now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
	o.Default = resolver.Source{Statuses: true, MinConfidence: "low", Labels: map[string]string{"env": "test", "team.name": "chat"}}
	n := 0
	take := func(f *finding.Finding) error {
		n++
		own := *f
		own.ID = fmt.Sprintf("%032x", n) // a scan's findings of like lines have like ids
		list = append(list, sink.NewEvent(ann, &own))
		return nil
	}
	if _, err := pipeline.Scan(context.Background(), []string{"../../../testdata/logs", "../../../testdata/sdk"}, o, take); err != nil {
		t.Fatal(err)
	}
	full := finding.Finding{Family: "easemob-web", Code: "1", Symbol: "WEBIM_CONNCTION_OPEN_ERROR", Text: "x", Confidence: "low", Basis: []string{"symbol", "file"}, Alternatives: []string{"agora-chat-web"},
		Inner: &finding.Inner{Family: "easemob-web", Code: "17", Text: "y"}, Rule: "r", Time: o.Now, TimeBasis: "line", Created: o.Now, Source: "s", Service: "g", Path: "/a.log", Offset: 1 << 40, Line: 1, Original: "z",
		Flags: []string{"late"}, Labels: map[string]string{"a": "b"}, Count: 12, Start: o.Now, End: o.Now, Subjects: 1001, Samples: []string{"s1", "s2"}, Files: []string{"/a.log"},
		Fields: finding.Fields{{Name: "app_key", Value: "o#a"}, {Name: "chatroom_id", Value: "2"}, {Name: "client_address", Value: "203.0.113.7"}, {Name: "client_port", Value: "443"}, {Name: "group_id", Value: "1"}, {Name: "http_status", Value: "400"}, {Name: "message_id", Value: "3"}, {Name: "operation", Value: "login"}, {Name: "sdk_version", Value: "4.1"}, {Name: "session_id", Value: "5"}, {Name: "target_id", Value: "4"}, {Name: "trace_id", Value: "t"}, {Name: "user_id", Value: "u"}}}
	for _, action := range []string{finding.Error, finding.Status, finding.Unknown, finding.Storm, finding.Lost} {
		f := full
		f.Action = action
		if err := take(&f); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestTemplate: All golden events validate under the shipped Elasticsearch
// template with dynamic: strict.
func TestTemplate(t *testing.T) {
	s := newServer(t)
	x := start(t, s)
	events := golden(t)
	if len(events) < 100 {
		t.Fatalf("only %d golden events", len(events))
	}
	for i := range events {
		if err := x.Send(t.Context(), events[i:i+1]); err != nil {
			t.Errorf("%v: %s", reasons(err), events[i].JSON)
		}
	}
	if len(s.docs) != len(events) {
		t.Errorf("%d documents of %d events", len(s.docs), len(events))
	}
	off := false
	for _, path := range []string{"event.original", "im.hints", "im.hints_zh", "im.samples"} {
		p := s.mapping
		for _, k := range strings.Split(path, ".") {
			p = p.Properties[k]
		}
		if p.Index == nil || *p.Index != off || p.DocValues == nil || *p.DocValues != off {
			t.Errorf("%s is indexed", path)
		}
	}
}

func reasons(err error) string {
	var p *sink.Partial
	if errors.As(err, &p) {
		return fmt.Sprint(p.Rejected, p.Err)
	}
	return fmt.Sprint(err)
}

// TestStrict: the server refuses what it should, so that the tests above mean
// something.
func TestStrict(t *testing.T) {
	s := newServer(t)
	for _, test := range []struct{ doc, want string }{
		{`{"@timestamp":"2026-11-20T08:00:00.000Z","message":"x"}`, ""},
		{`{"message":"x"}`, "document_parsing_exception"},
		{`{"@timestamp":"2026-11-20T08:00:00Z","news":1}`, "strict_dynamic_mapping_exception"},
		{`{"@timestamp":"2026-11-20T08:00:00Z","im":{"colour":"red"}}`, "strict_dynamic_mapping_exception"},
		{`{"@timestamp":"2026-11-20T08:00:00Z","im":{"count":"many"}}`, "document_parsing_exception"},
		{`{"@timestamp":"2026-11-20T08:00:00Z","im":{"count":1.5}}`, "document_parsing_exception"},
		{`{"@timestamp":"yesterday"}`, "document_parsing_exception"},
		{`{"@timestamp":"2026-11-20T08:00:00Z","error":{"code":{"a":"b"}}}`, "document_parsing_exception"},
		{`{"@timestamp":"2026-11-20T08:00:00Z","user":"bob"}`, "document_parsing_exception"},
		{`{"@timestamp":"2026-11-20T08:00:00Z","labels":{"any":"thing"}}`, ""},
	} {
		if _, typ, reason := s.create(test.doc, []byte(test.doc)); typ != test.want {
			t.Errorf("%s: %s (%s), want %s", test.doc, typ, reason, test.want)
		}
	}
}

// TestItems: each document has its own answer. What is there already is
// success, what has no room now is sent again, alone.
func TestItems(t *testing.T) {
	s := newServer(t)
	x := start(t, s)
	events := sinktest.Events(4)
	if err := x.Send(t.Context(), events[:1]); err != nil {
		t.Fatal(err)
	}
	s.Poison, s.busy[events[2].ID] = events[1].ID, true
	var p *sink.Partial
	err := x.Send(t.Context(), events)
	if !errors.As(err, &p) || len(p.Rejected) != 1 || !strings.Contains(p.Rejected[1], "400 document_parsing_exception") || fmt.Sprint(p.Again) != "[2]" || sink.Class(p.Err) != sink.Throttled {
		t.Fatalf("%#v", err)
	}
	if err := x.Send(t.Context(), []sink.Event{events[2]}); err != nil {
		t.Fatal(err)
	}
	if got := s.Taken(); len(got) != 3 {
		t.Errorf("taken %v", got)
	}
	if err := x.Send(t.Context(), events[2:]); err != nil {
		t.Errorf("a repeat is told as %v", err)
	}
	for offence, class := range map[string]string{"403 cluster_block_exception": sink.Auth, "404 index_not_found_exception": sink.Address, "503 unavailable_shards_exception": sink.Server} {
		s.offends = offence
		if err := x.Send(t.Context(), events); !errors.As(err, &p) || len(p.Again) != 4 || len(p.Rejected) != 0 || sink.Class(p.Err) != class {
			t.Errorf("%s: %v", offence, err)
		}
	}
}

// TestAnswers: HTTP 200 without a bulk answer is a proxy's, not success.
func TestAnswers(t *testing.T) {
	for _, body := range []string{"", "<html>please log in</html>", "{}", `{"took":1}`, `{"errors":false,"items":[]}`, `{"errors":false,"items":[{"create":{"status":201}}]}`} {
		x := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(body)) }))
		if err := x.Send(t.Context(), sinktest.Events(2)); sink.Class(err) != sink.Answer {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	answer := []byte(`{"errors":false,"items":[` + strings.TrimSuffix(strings.Repeat(`{"create":{"status":201}},`, 500), ",") + `]}`)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(answer)
	}))
	defer h.Close()
	for _, compression := range []string{"none", "gzip"} {
		b.Run(compression, func(b *testing.B) {
			x, err := elasticsearch.New(elasticsearch.Options{HTTP: httpclient.Options{URL: h.URL, Compression: compression}})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			sinktest.Benchmark(b, x)
		})
	}
}

func TestNginx(t *testing.T) {
	s := newServer(t)
	h := httptest.NewServer(s)
	defer h.Close()
	sinktest.RunBehindProxy(t, sinktest.NewProxy(t, h.URL), func(p sinktest.Proxy) sink.Sink {
		x, err := elasticsearch.New(elasticsearch.Options{HTTP: httpclient.Options{URL: p.URL, TLS: secure.TLS{CAFile: p.CA, CertFile: p.Cert, KeyFile: p.Key, ServerName: p.ServerName}}})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}, s.Taken)
}
