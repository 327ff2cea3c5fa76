package httpclient_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

func post(t *testing.T, o httpclient.Options) (*httpclient.Answer, error) {
	t.Helper()
	c, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Post(t.Context(), "text/plain", []byte("x"), nil)
}

// TestStatuses: only an answer that blames the content is a rejection.
func TestStatuses(t *testing.T) {
	for status, class := range map[int]string{200: "", 204: "", 301: sink.Address, 302: sink.Address, 308: sink.Address, 400: sink.Refused, 401: sink.Auth, 403: sink.Auth, 404: sink.Address, 405: sink.Address,
		407: sink.Auth, 408: sink.Timeout, 410: sink.Address, 413: sink.Refused, 415: sink.Address, 422: sink.Refused, 429: sink.Throttled, 500: sink.Server, 502: sink.Server, 503: sink.Server, 504: sink.Server, 507: sink.Server} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://user:pw@elsewhere.example/x?token=1")
			w.WriteHeader(status)
		}))
		_, err := post(t, httpclient.Options{URL: h.URL})
		if class == "" && err != nil || class != "" && (err == nil || sink.Class(err) != class) {
			t.Errorf("%d: %v, want class %q", status, err, class)
		}
		if err != nil && (!strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "token")) {
			t.Errorf("%d: %v", status, err)
		}
		h.Close()
	}
}

func TestAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "soon": 0, "999999999": 24 * time.Hour,
		"Fri, 20 Nov 2026 08:01:30 GMT": 90 * time.Second, "Fri, 20 Nov 2026 07:00:00 GMT": 0} {
		if got := httpclient.After(v, now); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}

// TestAuth: each scheme as its protocol writes it.
func TestAuth(t *testing.T) {
	t.Setenv("SINK_SECRET", "s3cret\n")
	for scheme, want := range map[string]string{"bearer": "Authorization: Bearer s3cret", "apikey": "Authorization: ApiKey s3cret", "basic": "Authorization: Basic bWU6czNjcmV0", "header": "X-Key: s3cret"} {
		var got string
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, k := range []string{"Authorization", "X-Key"} {
				if v := r.Header.Get(k); v != "" {
					got += k + ": " + v
				}
			}
			http.Error(w, "your s3cret is wrong", http.StatusUnauthorized)
		}))
		_, err := post(t, httpclient.Options{URL: h.URL, Auth: httpclient.Auth{Scheme: scheme, Header: "X-Key", Username: "me", Secret: &secure.Secret{Env: "SINK_SECRET"}}})
		if got != want || err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: sent %q, want %q; error %v", scheme, got, want, err)
		}
		h.Close()
	}
	t.Setenv("SINK_SECRET", "")
	if _, err := post(t, httpclient.Options{URL: "http://127.0.0.1:1/", Auth: httpclient.Auth{Scheme: "bearer", Secret: &secure.Secret{Env: "SINK_SECRET"}}}); sink.Class(err) != sink.Auth || !strings.Contains(err.Error(), "SINK_SECRET is empty") {
		t.Errorf("an empty secret: %v", err)
	}
	s := &secure.Secret{File: "/etc/x"}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, httpclient.Auth{Secret: s}.Secret); strings.Contains(text, "/etc/x") {
		t.Errorf("printed: %s", text)
	}
}

// TestProxy: the environment's proxy is used.
func TestProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = r.RequestURI }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	if _, err := post(t, httpclient.Options{URL: "http://logs.invalid/push"}); err != nil || asked != "http://logs.invalid/push" {
		t.Errorf("the proxy was asked for %q: %v", asked, err)
	}
	t.Setenv("NO_PROXY", ".invalid")
	t.Setenv("no_proxy", ".invalid")
	asked = ""
	if _, err := post(t, httpclient.Options{URL: "http://logs.invalid/push"}); err == nil || asked != "" {
		t.Errorf("NO_PROXY: the proxy was asked for %q: %v", asked, err)
	}
}

// TestWrongOptions are told before anything is sent.
func TestWrongOptions(t *testing.T) {
	empty := sinktest.File(t, "empty.pem", nil)
	for _, test := range []struct {
		o    httpclient.Options
		want string
	}{
		{httpclient.Options{URL: "logs:3100"}, "the url is none"},
		{httpclient.Options{URL: "ftp://x/"}, "the url is none"},
		{httpclient.Options{URL: "https://x/", TLS: secure.TLS{CAFile: "/nowhere"}}, "ca_file"},
		{httpclient.Options{URL: "https://x/", TLS: secure.TLS{CAFile: empty}}, "holds no PEM certificate"},
		{httpclient.Options{URL: "https://x/", TLS: secure.TLS{CertFile: empty, KeyFile: empty}}, "cert_file"},
	} {
		if _, err := httpclient.New(test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s", test.o.TLS, err, test.want)
		}
	}
	_, err := post(t, httpclient.Options{URLSecret: &secure.Secret{File: sinktest.File(t, "url", []byte("not-an-address-but-a-secret"))}})
	var f *sink.Failure
	if !errors.As(err, &f) || strings.Contains(err.Error(), "not-an-address") {
		t.Errorf("a bad secret url: %v", err)
	}
}

// TestPhases: a side that takes the connection, and then neither reads nor
// answers, holds nobody up for ever.
func TestPhases(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := httpclient.New(httpclient.Options{URL: "http://" + l.Addr().String(), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Post(t.Context(), "text/plain", make([]byte, 64<<20), nil); sink.Class(err) != sink.Timeout { // more than the kernel keeps
		t.Errorf("%v", err)
	}
	s, err := httpclient.New(httpclient.Options{URL: "https://" + l.Addr().String(), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Post(t.Context(), "text/plain", []byte("x"), nil); sink.Class(err) != sink.Timeout {
		t.Errorf("handshake: %v", err)
	}
}

// TestKeepAlive: one connection serves many requests.
func TestKeepAlive(t *testing.T) {
	connections := 0
	h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	h.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections++
		}
	}
	h.Start()
	defer h.Close()
	c, err := httpclient.New(httpclient.Options{URL: h.URL, Compression: "gzip"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 10 {
		if _, err := c.Post(t.Context(), "text/plain", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if connections != 1 {
		t.Errorf("%d connections", connections)
	}
}

// TestRenewedCertificate: our certificate is read again for each connection.
func TestRenewedCertificate(t *testing.T) {
	ca := sinktest.NewAuthority(t)
	var names []string
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(ca.File)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names = append(names, r.TLS.PeerCertificates[0].Subject.CommonName)
		w.Header().Set("Connection", "close")
	}))
	h.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, NextProtos: []string{"http/1.1"}}
	h.StartTLS()
	defer h.Close()
	cert, key := ca.IssueFiles(t, "first")
	c, err := httpclient.New(httpclient.Options{URL: h.URL, TLS: secure.TLS{CAFile: ca.File, CertFile: cert, KeyFile: key}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range []string{"first", "second"} {
		newCert, newKey := ca.IssueFiles(t, name)
		if err := errors.Join(os.Rename(newCert, cert), os.Rename(newKey, key)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Post(t.Context(), "text/plain", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(names) != "[first second]" {
		t.Errorf("we were %v", names)
	}
}
