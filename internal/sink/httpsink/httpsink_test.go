package httpsink_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/httpsink"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// server takes lines of JSON, and refuses a batch for one bad event.
type server struct {
	sinktest.Book
	single bool
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "application/x-ndjson"
	if s.single {
		want = "application/json"
	}
	if ct := r.Header.Get("Content-Type"); ct != want {
		http.Error(w, "content type "+ct, http.StatusUnsupportedMediaType)
		return
	}
	var body bytes.Buffer
	body.ReadFrom(r.Body)
	var ids []string
	for line := range bytes.Lines(body.Bytes()) {
		var e struct{ Event struct{ ID string } }
		if err := json.Unmarshal(line, &e); err != nil || e.Event.ID == "" || line[len(line)-1] != '\n' {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		ids = append(ids, e.Event.ID)
	}
	s.Mu.Lock()
	defer s.Mu.Unlock()
	for _, id := range ids {
		if id == s.Poison || s.single && len(ids) > 1 {
			http.Error(w, "cannot take "+id, http.StatusBadRequest)
			return
		}
	}
	s.IDs = append(s.IDs, ids...)
}

func TestConformance(t *testing.T) {
	for _, form := range []struct {
		name, compression string
		single            bool
	}{{"gzip", "gzip", false}, {"zstd", "zstd", false}, {"single", "none", true}} {
		t.Run(form.name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Suite{
				Open: func(t *testing.T, p *sinktest.Peer) sink.Sink {
					s, err := httpsink.New(httpsink.Options{Single: form.single, HTTP: httpclient.Options{URL: p.Address, Timeout: p.Timeout, Compression: form.compression, TLS: secure.TLS{CAFile: p.CA}}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				},
				Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer {
					s := &server{single: form.single}
					return sinktest.HTTP{Handler: s, IDs: s.Taken, Refuse: s.Refuse, Path: "/insert/jsonline"}.Start(t, b)
				},
			})
		})
	}
}

func BenchmarkSend(b *testing.B) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer h.Close()
	for _, compression := range []string{"none", "gzip", "zstd"} {
		b.Run(compression, func(b *testing.B) {
			x, err := httpsink.New(httpsink.Options{HTTP: httpclient.Options{URL: h.URL, Compression: compression}})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			sinktest.Benchmark(b, x)
		})
	}
}

func TestNginx(t *testing.T) {
	s := &server{}
	h := httptest.NewServer(s)
	defer h.Close()
	sinktest.RunBehindProxy(t, sinktest.NewProxy(t, h.URL), func(p sinktest.Proxy) sink.Sink {
		x, err := httpsink.New(httpsink.Options{HTTP: httpclient.Options{URL: p.URL, TLS: secure.TLS{CAFile: p.CA, CertFile: p.Cert, KeyFile: p.Key, ServerName: p.ServerName}}})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}, s.Taken)
}
