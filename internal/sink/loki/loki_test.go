package loki_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/loki"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// day is the one of sinktest's events.
var day = time.Date(2026, 11, 20, 8, 5, 0, 0, time.UTC)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Suite{
		Open: func(t *testing.T, p *sinktest.Peer) sink.Sink {
			s, err := loki.New(loki.Options{HTTP: httpclient.Options{URL: p.Address, Timeout: p.Timeout, Compression: "gzip", TLS: secure.TLS{CAFile: p.CA}}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer {
			s := newServer()
			s.now = func() time.Time { return day }
			return sinktest.HTTP{Handler: s, IDs: s.Taken, Refuse: s.Refuse, Path: "/loki/api/v1/push"}.Start(t, b)
		},
	})
}

// start runs a strict server and a sink in front of it.
func start(t *testing.T, fields ...string) (*server, *loki.Sink) {
	t.Helper()
	s := newServer()
	h := httptest.NewServer(sinktest.Decompress(s))
	t.Cleanup(h.Close)
	x, err := loki.New(loki.Options{LabelFields: fields, HTTP: httpclient.Options{URL: h.URL + "/loki/api/v1/push", Compression: "gzip"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return s, x
}

// TestForm: few labels, the rest as metadata, no hints in it; the line is the
// event.
func TestForm(t *testing.T) {
	s, x := start(t, "log.level", "im.family")
	s.now = func() time.Time { return day }
	if err := x.Send(t.Context(), append(sinktest.Events(2), sinktest.Largest())); err != nil {
		t.Fatal(err)
	}
	const labels = `{host="web1", im_family="easemob-web", log_level="warn", service_name="gateway", source="chat-web"}`
	if len(s.streams) != 1 || len(s.streams[labels]) != 3 {
		t.Fatalf("streams %v", s.streams)
	}
	e := s.streams[labels][0]
	for name, want := range map[string]string{"event_id": sinktest.Events(1)[0].ID, "event_code": "easemob-web/206", "user_id": "user1", "im_count": "1", "labels_env": "test", "log_file_path": "/var/log/chat/web.log"} {
		if e.metadata[name] != want {
			t.Errorf("metadata %s is %q, want %q", name, e.metadata[name], want)
		}
	}
	for name, v := range e.metadata {
		if strings.Contains(name, "hint") || len(v) > 200 || name == "host_name" || name == "log_level" {
			t.Errorf("metadata %s: %s", name, v)
		}
	}
	var event map[string]any
	if err := json.Unmarshal([]byte(e.line), &event); err != nil || event["@timestamp"] == nil {
		t.Errorf("the line %s: %v", e.line, err)
	}
}

// TestLate: A 3-hour-late event is accepted by the strict Loki server, carries
// its original time, and is counted.
func TestLate(t *testing.T) {
	s, x := start(t)
	now := time.Now().Truncate(time.Millisecond)
	if err := x.Send(t.Context(), []sink.Event{sinktest.At(1, now, now)}); err != nil {
		t.Fatal(err)
	}
	late := now.Add(-3 * time.Hour)
	batch := []sink.Event{sinktest.At(2, now, now), sinktest.At(3, late, now), sinktest.At(4, now.Add(-8*24*time.Hour), now), sinktest.At(5, now.Add(40*time.Minute), now), sinktest.At(6, now.Add(-30*time.Minute), now)}
	if err := x.Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if x.Late() != 3 {
		t.Errorf("%d late, want 3", x.Late())
	}
	if len(s.streams) != 1 {
		t.Fatalf("streams %v", s.streams)
	}
	for _, list := range s.streams {
		got := map[string]string{}
		for _, e := range list {
			got[e.metadata["event_id"][30:]] = e.at.UTC().Format(time.RFC3339Nano) + " " + e.metadata["original_time"]
		}
		stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
		want := map[string]string{"01": stamp(now) + " ", "02": stamp(now) + " ", "06": stamp(now.Add(-30*time.Minute)) + " ",
			"03": stamp(now) + " " + stamp(late), "04": stamp(now) + " " + stamp(now.Add(-8*24*time.Hour)), "05": stamp(now) + " " + stamp(now.Add(40*time.Minute))}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(list) != 6 {
			t.Errorf("kept %v\nwant %v", got, want)
		}
	}
}

// TestLateStreams: what is late in one stream is not in another, whose events
// keep their time.
func TestLateStreams(t *testing.T) {
	s, x := start(t)
	now := time.Now().Truncate(time.Millisecond)
	old := now.Add(-2 * time.Hour)
	batch := []sink.Event{sinktest.At(1, now, now), sinktest.At(2, old, now), sinktest.At(3, old, now), sinktest.At(4, old.Add(time.Second), now)}
	batch[2].Finding.Source, batch[3].Finding.Source = "another", "another"
	if err := x.Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if ids := s.Taken(); len(ids) != 4 || x.Late() != 1 {
		t.Errorf("taken %v, late %d", ids, x.Late())
	}
	for labels, list := range s.streams {
		for _, e := range list {
			if strings.Contains(labels, "another") && e.metadata["original_time"] != "" {
				t.Errorf("%s: %v", labels, e)
			}
		}
	}
}

// TestLateReading: events whose reading is long ago too, after an outage of a
// week, go under the time at which they are sent.
func TestLateReading(t *testing.T) {
	s, x := start(t)
	long := time.Now().Add(-9 * 24 * time.Hour)
	if err := x.Send(t.Context(), []sink.Event{sinktest.At(1, long, long.Add(time.Second)), sinktest.At(2, time.Now(), time.Now())}); err != nil {
		t.Fatal(err)
	}
	if ids := s.Taken(); len(ids) != 2 || !slices.Contains(ids, sinktest.At(1, long, long).ID) || x.Late() != 1 {
		t.Errorf("taken %v, late %d", ids, x.Late())
	}
}

// TestOldLoki: a Loki that is set up without structured metadata is the
// operator's to mend; the events wait.
func TestOldLoki(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "stream '{host=\"web1\"}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata`", http.StatusBadRequest)
	}))
	defer h.Close()
	x, err := loki.New(loki.Options{HTTP: httpclient.Options{URL: h.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Send(t.Context(), sinktest.Events(2)); sink.Class(err) != sink.Address || errors.Is(err, sink.ErrRejected) {
		t.Errorf("%v", err)
	}
}

func BenchmarkSend(b *testing.B) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer h.Close()
	x, err := loki.New(loki.Options{HTTP: httpclient.Options{URL: h.URL, Compression: "gzip"}})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	sinktest.Benchmark(b, x)
}

func TestNginx(t *testing.T) {
	s := newServer()
	s.now = func() time.Time { return day }
	h := httptest.NewServer(sinktest.Decompress(s))
	defer h.Close()
	sinktest.RunBehindProxy(t, sinktest.NewProxy(t, h.URL), func(p sinktest.Proxy) sink.Sink {
		x, err := loki.New(loki.Options{HTTP: httpclient.Options{URL: p.URL + "/loki/api/v1/push", TLS: secure.TLS{CAFile: p.CA, CertFile: p.Cert, KeyFile: p.Key, ServerName: p.ServerName}}})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}, s.Taken)
}
