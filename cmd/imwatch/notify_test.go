//go:build linux

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serviceManager is systemd's end of the notify socket.
type serviceManager struct {
	t    *testing.T
	conn *net.UnixConn
	said []string
}

func newServiceManager(t *testing.T) (m *serviceManager, address string) {
	t.Helper()
	address = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &serviceManager{t: t, conn: conn}, address
}

// hears waits for a message that has all the texts, and returns it.
func (m *serviceManager) hears(texts ...string) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	buf := make([]byte, 4096)
next:
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			m.t.Fatalf("%q was not told: %v; it was told\n%s", texts, err, strings.Join(m.said, "\n--\n"))
		}
		msg := string(buf[:n])
		m.said = append(m.said, msg)
		for _, text := range texts {
			if !strings.Contains("\n"+msg, "\n"+text) {
				continue next
			}
		}
		return msg
	}
}

// TestServiceManager: what systemd is told from the start to the end.
func TestServiceManager(t *testing.T) {
	m, address := newServiceManager(t)
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("WATCHDOG_USEC", "200000")
	dir := t.TempDir()
	put(t, filepath.Join(dir, "logs", "a.log"), "user=bob "+kicked+"\n")
	conf := filepath.Join(dir, "imwatch.yaml")
	good := "version: 1\nstate_dir: " + filepath.Join(dir, "state") + "\nsources: [{name: s, paths: [" + filepath.Join(dir, "logs", "*.log") + "]}]\n"
	put(t, conf, good)
	c := imwatch(t, dir, "run", "-c", conf)
	m.hears("READY=1", "STATUS=")
	m.hears("STATUS=1 file, 0 B to read, 1 event kept", "WATCHDOG=1")

	put(t, conf, "sorces: []\n")
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.hears("RELOADING=1", "MONOTONIC_USEC=")
	m.hears("READY=1", "STATUS=the new configuration is not used")
	m.hears("STATUS=1 file, 0 B to read, 1 event kept; the last new configuration was refused", "WATCHDOG=1")

	if err := os.WriteFile(conf, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.hears("RELOADING=1", "MONOTONIC_USEC=")
	m.hears("READY=1", "STATUS=every source was swept once")
	if msg := m.hears("STATUS=1 file", "WATCHDOG=1"); strings.Contains(msg, "refused") {
		t.Errorf("after a good reload it says %q", msg)
	}

	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1", "EXTEND_TIMEOUT_USEC=")
	if code := c.end(0); code != 0 {
		t.Errorf("exit %d: %s", code, c.err.String())
	}
}
