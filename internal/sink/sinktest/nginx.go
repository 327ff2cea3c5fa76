package sinktest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
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

// A Proxy is a real nginx that speaks TLS in front of a test's server. It wants
// a certificate of ours, and takes bodies of at most 64 KiB.
type Proxy struct {
	URL, CA, Cert, Key string
	ServerName         string // in its certificate
}

const nginxConf = `daemon off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  keepalive_requests 5;
  server {
    listen %[2]s ssl;
    ssl_certificate %[3]s;
    ssl_certificate_key %[4]s;
    ssl_client_certificate %[5]s;
    ssl_verify_client on;
    client_max_body_size 64k;
    location / {
      proxy_pass %[6]s;
      proxy_http_version 1.1;
    }
  }
}
`

// NewProxy starts nginx in front of an address.
func NewProxy(t testing.TB, backend string) Proxy {
	t.Helper()
	nginx := Real(t, "nginx")
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ca := NewAuthority(t)
	const name = "logs.example.com"
	cert, key := ca.IssueFiles(t, name)
	conf := fmt.Sprintf(nginxConf, dir, address, cert, key, ca.File, backend)
	if os.Getuid() == 0 {
		conf = "user root;\n" + conf
	}
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(nginx, "-c", path, "-e", filepath.Join(dir, "error.log"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); <-ended })
	p := Proxy{URL: "https://" + address, CA: ca.File, ServerName: name}
	p.Cert, p.Key = ca.IssueFiles(t, "imwatch")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}); err == nil {
			c.Close()
			return p
		}
		select {
		case <-ended:
			t.Fatalf("nginx ended: %s", said.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("nginx does not listen: %s", said.String())
		}
	}
}

// RunBehindProxy delivers through a real nginx: batches that it finds too large
// arrive in smaller ones, and without our certificate none of them is given up.
func RunBehindProxy(t *testing.T, p Proxy, open func(p Proxy) sink.Sink, ids func() []string) {
	events := Events(300)
	stranger := p
	stranger.Cert, stranger.Key = "", ""
	x := open(stranger)
	defer x.Close()
	err := x.Send(t.Context(), events[:1])
	t.Logf("without a certificate: %v", err)
	if sink.Class(err) != sink.Trust {
		t.Errorf("without a certificate: %v, of class %s", err, sink.Class(err))
	}
	var mu sync.Mutex
	var told []string
	q := newQueue(events)
	d := &sink.Delivery{Name: "test", Sink: open(p), Queue: q, Encode: func(f *finding.Finding) (sink.Event, bool) { return sink.NewEvent(ann(), f), true },
		Notice: func(level, text string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, level+": "+text)
		}}
	defer d.Close()
	drain := make(chan struct{})
	close(drain)
	d.Run(t.Context(), drain)
	same(t, unique(ids()), events)
	if st := d.State(); st.Sent != int64(len(events)) || st.Letters != 0 || len(told) > 0 {
		t.Errorf("%+v: %s", st, strings.Join(told, "\n"))
	}
}
