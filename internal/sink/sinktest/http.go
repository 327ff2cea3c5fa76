package sinktest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// HTTP is the other side of a protocol over HTTP.
type HTTP struct {
	Handler http.Handler    // answers as the real one does; the body is decompressed
	IDs     func() []string // of the events it has taken, in order
	Refuse  func(id string) // from now on it refuses this event
	Path    string          // of the address
	HTTP2   bool            // also without TLS
}

// shortTimeout is that of sinks in front of peers that stall.
const shortTimeout = 300 * time.Millisecond

// Start puts a behaviour in front of the handler.
func (h HTTP) Start(t *testing.T, b Behaviour) *Peer {
	t.Helper()
	p := &Peer{Timeout: 10 * time.Second, IDs: h.IDs}
	bad := &atomic.Bool{}
	bad.Store(true)
	p.Heal = func() { bad.Store(false) }
	ends := make(chan struct{})
	other := &atomic.Int64{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { other.Add(1) }))
	t.Cleanup(elsewhere.Close)
	p.Elsewhere = func() int { return int(other.Load()) }
	plain := Decompress(h.Handler)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !bad.Load() {
			plain.ServeHTTP(w, r)
			return
		}
		misbehave(b, w, r, plain, elsewhere.URL, ends)
	}))
	t.Cleanup(func() { close(ends); s.Close() })
	if h.HTTP2 {
		s.EnableHTTP2 = true
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Config.Protocols.SetHTTP2(true)
		s.Config.Protocols.SetHTTP1(true)
	}
	switch b {
	case Stalls:
		p.Timeout = shortTimeout
	case RefusesOne:
		h.Refuse(Poison)
	}
	if b != Expired && b != WrongCA {
		s.Start()
		p.Address = s.URL + h.Path
		return p
	}
	ca := NewAuthority(t)
	from := time.Now().Add(-48 * time.Hour)
	to := time.Now().Add(time.Hour)
	if b == Expired {
		to = time.Now().Add(-24 * time.Hour)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1", from, to)}}
	s.Config.ErrorLog = quiet
	s.StartTLS()
	p.Address, p.CA = s.URL+h.Path, ca.File
	if b == WrongCA {
		p.CA = NewAuthority(t).File
	}
	return p
}

func misbehave(b Behaviour, w http.ResponseWriter, r *http.Request, plain http.Handler, elsewhere string, ends <-chan struct{}) {
	status := func(code int, text string) {
		w.WriteHeader(code)
		fmt.Fprintln(w, text)
	}
	switch b {
	case Slow:
		t := time.NewTimer(200 * time.Millisecond)
		defer t.Stop()
		<-t.C
		plain.ServeHTTP(w, r)
	case Stalls:
		<-ends
	case Fault:
		status(500, "internal fault")
	case Unavailable:
		status(503, "shutting down")
	case Throttles:
		w.Header().Set("Retry-After", strconv.Itoa(int(RetryAfter/time.Second)))
		status(429, "too many requests")
	case Unwelcome:
		status(401, "who are you?")
	case Redirects:
		http.Redirect(w, r, elsewhere+"/", http.StatusTemporaryRedirect)
	case Resets, HalfCloses, CutsAnswer, Garbage:
		raw(b, w, r, plain)
	default:
		plain.ServeHTTP(w, r)
	}
}

// raw misbehaves below HTTP.
func raw(b Behaviour, w http.ResponseWriter, r *http.Request, plain http.Handler) {
	if b == Resets {
		io.ReadFull(r.Body, make([]byte, 16))
	} else if b == CutsAnswer {
		plain.ServeHTTP(httptest.NewRecorder(), r)
	} else {
		io.Copy(io.Discard, r.Body)
	}
	if r.ProtoMajor == 2 {
		stream(b, w)
		return
	}
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	switch b {
	case Resets:
		c.(*net.TCPConn).SetLinger(0)
	case HalfCloses:
		c.(*net.TCPConn).CloseWrite()
		bufio.NewReader(rw).ReadByte() // until the client closes too
	case CutsAnswer:
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: application/json\r\n\r\n{\"took\":")
	case Garbage:
		io.WriteString(c, "\x00\x16\x03 220 mail.example.com ESMTP\r\n\r\n")
	}
}

// stream misbehaves as a stream of HTTP/2 can.
func stream(b Behaviour, w http.ResponseWriter) {
	switch b {
	case CutsAnswer:
		w.Header().Set("Content-Type", "application/grpc+proto")
		io.WriteString(w, "\x00\x00\x00")
		w.(http.Flusher).Flush()
	case Garbage:
		io.WriteString(w, "\x00\x16\x03 220 mail.example.com ESMTP\r\n\r\n")
		return
	}
	panic(http.ErrAbortHandler) // resets the stream
}

// Decompress gives a handler the body as it was before compression; what is not
// compressed as the header says is answered with 400.
func Decompress(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		var err error
		switch e := r.Header.Get("Content-Encoding"); e {
		case "":
		case "gzip":
			body, err = gzip.NewReader(r.Body)
		case "zstd":
			var d *zstd.Decoder
			if d, err = zstd.NewReader(r.Body); err == nil {
				defer d.Close()
				body = d
			}
		default:
			err = fmt.Errorf("unknown content encoding %q", e)
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(data))
		r.Header.Del("Content-Encoding")
		h.ServeHTTP(w, r)
	})
}

// A Book is what a server of a test has taken, and the event that it refuses.
// Mu guards it, and what else its owner keeps.
type Book struct {
	Mu     sync.Mutex
	IDs    []string // in the order in which they came
	Poison string
}

// Taken are the ids of the events that it took.
func (b *Book) Taken() []string {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	return slices.Clone(b.IDs)
}

// Refuse makes it refuse an event from now on.
func (b *Book) Refuse(id string) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	b.Poison = id
}
