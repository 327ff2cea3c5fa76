package web

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Site is what there is to show.
type Site struct {
	Store   *store.Store
	Metrics *Metrics
	Status  func(context.Context) (*Status, error)
	Version string
	Host    annotator.Host
	Pprof   bool

	shown atomic.Pointer[shown]
	ready atomic.Bool
}

// shown is what a reload replaces.
type shown struct {
	cat   *codes.Catalogue
	red   *redact.Redactor
	brief *annotator.Annotator
	full  *annotator.Annotator
}

// Use begins with a catalogue and a redactor.
func (s *Site) Use(cat *codes.Catalogue, red *redact.Redactor) {
	s.shown.Store(&shown{cat: cat, red: red,
		brief: annotator.New(cat, annotator.Options{Language: "both", Brief: true, Host: s.Host}),
		full:  annotator.New(cat, annotator.Options{Language: "both", Host: s.Host})})
}

// Ready says that every source has been swept once.
func (s *Site) Ready() { s.ready.Store(true) }

// Serve answers on a listener until ctx ends. Over TCP the page and the API ask
// for the token; an empty one stands for a socket whose mode decides.
func (s *Site) Serve(ctx context.Context, l net.Listener, token string) error {
	base, stop := context.WithCancel(ctx)
	defer stop()
	srv := &http.Server{
		Handler:           s.handler(token, hosts(l)),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	after := context.AfterFunc(ctx, func() { srv.Close() })
	defer after()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer on %s: %w", l.Addr(), err)
	}
	return nil
}

// handler is the whole site.
func (s *Site) handler(token string, known func(host string) bool) http.Handler {
	open, closed := http.NewServeMux(), http.NewServeMux()
	open.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	open.HandleFunc("GET /-/ready", s.readiness)
	open.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics.reg, promhttp.HandlerOpts{Timeout: 10 * time.Second, MaxRequestsInFlight: 4}))
	static := report.Static()
	files := http.FileServerFS(static)
	open.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/" + r.PathValue("file")
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
	s.api(closed)
	if s.Pprof {
		closed.HandleFunc("GET /debug/pprof/", pprof.Index)
		closed.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		closed.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	open.Handle("/", guard(token, closed))
	open.Handle("GET /{$}", page(token, static))
	return headers(known, open)
}

// page is the status page. Without the token it is the same file, which holds
// nothing of the logs, and asks for it.
func page(token string, static fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := fs.ReadFile(static, "index.html")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if !allowed(token, r) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		w.Write(b)
	})
}

func guard(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(token, r) {
			http.Error(w, "the token is missing or wrong\nhint: it lies in the state directory, in the file "+TokenName+"; send it as Authorization: Bearer TOKEN", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allowed(token string, r *http.Request) bool {
	if token == "" {
		return true
	}
	got, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		got = r.URL.Query().Get("token")
	}
	return subtle.ConstantTimeCompare([]byte(got), []byte(token)) == 1
}

// Policy lets the page run its own files and nothing else; no text of a log can
// become code, a request or a frame.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// headers answers only to names that are ours, so that no page of another name
// that resolves to this machine can read from here, and sets what every answer
// has.
func headers(known func(host string) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		if !known(r.Host) {
			http.Error(w, "this host name is not known here\nhint: use the address that listen names, an IP address or localhost", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "nothing here can be changed", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hosts tells which names a listener goes by: IP addresses, which no foreign
// page's name can be, localhost, and for a listener that others reach this
// machine's own name.
func hosts(l net.Listener) func(string) bool {
	own := ""
	if !Loopback(l) {
		if name, err := os.Hostname(); err == nil {
			own = strings.ToLower(name)
		}
	}
	return func(host string) bool {
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		name = strings.ToLower(strings.Trim(name, "[]"))
		return net.ParseIP(name) != nil || name == "localhost" || own != "" && (name == own || strings.HasPrefix(name, own+"."))
	}
}

func (s *Site) readiness(w http.ResponseWriter, _ *http.Request) {
	switch {
	case !s.ready.Load():
		http.Error(w, "the sources have not been swept yet", http.StatusServiceUnavailable)
	case s.Store.State().Error != "":
		http.Error(w, "the store cannot be written", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ready")
	}
}
