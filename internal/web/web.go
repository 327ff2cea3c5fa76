// Package web shows what a daemon does: metrics, health, the status page and the
// answers that imwatch status and events ask for. Nothing here changes anything.
package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Names in the state directory.
const (
	SocketName = "imwatch.sock"
	TokenName  = "token"
)

// Listen opens the daemon's socket. In its state directory only its user can
// connect; in the directory below /run that systemd makes for a service, its
// group too. The caller has the store, so whatever socket is there is a dead one's.
func Listen(stateDir string) (net.Listener, error) {
	if dir := runtimeDir(); dir != "" {
		return listenUnix(filepath.Join(dir, SocketName), 0o660)
	}
	return listenUnix(filepath.Join(stateDir, SocketName), 0o600)
}

// runtimeDir is what systemd's RuntimeDirectory= has made for us, or "".
func runtimeDir() string {
	dir, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":")
	return dir
}

// sockets are where a state directory's daemon may listen: a service that keeps
// its state in /var/lib/NAME has its socket in /run/NAME.
func sockets(stateDir string) []string {
	list := []string{filepath.Join(stateDir, SocketName)}
	if dir := filepath.Clean(stateDir); filepath.Dir(dir) == "/var/lib" {
		list = append(list, filepath.Join("/run", filepath.Base(dir), SocketName))
	}
	return list
}

func listenUnix(path string, mode os.FileMode) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("listen on %s: it is there and is no socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("protect %s: %w", path, err), l.Close())
	}
	return l, nil
}

// ListenAt opens what the configuration's listen says: host:port, or the path
// of a unix socket, which its group may use.
func ListenAt(where string) (net.Listener, error) {
	if strings.HasPrefix(where, "/") {
		return listenUnix(where, 0o660)
	}
	l, err := net.Listen("tcp", where)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", where, err)
	}
	return l, nil
}

// Loopback tells whether only this machine reaches a listener.
func Loopback(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return !ok || a.IP.IsLoopback()
}

// Token returns the state directory's token, and makes one at the first start.
// It stays the same, so that an open page and a bookmark outlive a restart. A
// service has a link to it beside its socket.
func Token(stateDir string) (string, error) {
	path := filepath.Join(stateDir, TokenName)
	if dir := runtimeDir(); dir != "" {
		link := filepath.Join(dir, TokenName)
		if err := os.Symlink(path, link); err != nil && !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("link to the token of the status page: %w", err)
		}
	}
	if b, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(b))) >= 32 {
		return strings.TrimSpace(string(b)), nil
	}
	var secret [24]byte
	rand.Read(secret[:]) // never fails
	token := hex.EncodeToString(secret[:])
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("make the token of the status page: %w", err)
	}
	err := os.WriteFile(tmp, []byte(token+"\n"), 0o640)
	if err == nil {
		err = os.Chmod(tmp, 0o640) // whatever the umask
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return "", fmt.Errorf("make the token of the status page: %w", err)
	}
	return token, nil
}

// ErrNoDaemon says that none runs on a state directory.
var ErrNoDaemon = errors.New("no daemon runs on this state directory")

// Ask asks the daemon of a state directory and gives take its answer.
func Ask(ctx context.Context, stateDir, path string, q url.Values, take func(*json.Decoder) error) error {
	d := net.Dialer{}
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (c net.Conn, err error) {
		for _, path := range sockets(stateDir) {
			if c, err = d.DialContext(ctx, "unix", path); err == nil {
				return c, nil
			}
		}
		return nil, err
	}}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoDaemon, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the daemon answers %s", resp.Status)
	}
	return take(json.NewDecoder(resp.Body))
}
