// Package web answers questions about a running daemon over its unix socket:
// status and events, as JSON.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// SocketName is the socket's in the state directory.
const SocketName = "imwatch.sock"

// Listen opens the daemon's socket in its state directory; only its user can
// connect. The caller has the store, so whatever socket is there is a dead one's.
func Listen(stateDir string) (net.Listener, error) {
	path := filepath.Join(stateDir, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("protect %s: %w", path, err)
	}
	return l, nil
}

// Serve answers until ctx ends. Each handler writes its answer as lines of JSON.
func Serve(ctx context.Context, l net.Listener, handlers map[string]func(url.Values, *json.Encoder) error) error {
	mux := http.NewServeMux()
	for path, h := range handlers {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			if err := h(r.URL.Query(), enc); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ErrNoDaemon says that none runs on a state directory.
var ErrNoDaemon = errors.New("no daemon runs on this state directory")

// Ask asks the daemon of a state directory and gives take its answer.
func Ask(ctx context.Context, stateDir, path string, q url.Values, take func(*json.Decoder) error) error {
	d := net.Dialer{}
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", filepath.Join(stateDir, SocketName))
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://imwatch"+path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoDaemon, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the daemon answers %s", resp.Status)
	}
	return take(json.NewDecoder(resp.Body))
}
