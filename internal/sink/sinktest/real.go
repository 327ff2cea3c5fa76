package sinktest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Real finds a real component. Where IMWATCH_REAL is set, as in .ci/run, it must
// be there.
func Real(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("IMWATCH_REAL") != "" {
		t.Fatalf("%s is not installed, and IMWATCH_REAL is set", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// Serve starts a real server, waits until it is ready, and ends it with the
// test. What it says is told where the test fails.
func Serve(t testing.TB, cmd *exec.Cmd, ready func() bool) *Output {
	t.Helper()
	said := &Output{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("%s says: %s", cmd.Path, said)
		}
	})
	for end := time.Now().Add(30 * time.Second); !ready(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("%s ended", cmd.Path)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not ready", cmd.Path)
		}
	}
	return said
}

// Listens is ready when something listens on all of these TCP addresses.
func Listens(addresses ...string) (ready func() bool) {
	return func() bool {
		for _, a := range addresses {
			c, err := net.Dial("tcp", a)
			if err != nil {
				return false
			}
			c.Close()
		}
		return true
	}
}

// Free is an address of this machine that nothing listens on.
func Free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Output is what a program says, to read while it runs.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
