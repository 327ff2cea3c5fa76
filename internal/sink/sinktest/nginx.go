package sinktest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
)

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
	address := Free(t)
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
	Serve(t, exec.Command(nginx, "-c", path, "-e", filepath.Join(dir, "error.log")), Listens(address))
	p := Proxy{URL: "https://" + address, CA: ca.File, ServerName: name}
	p.Cert, p.Key = ca.IssueFiles(t, "imwatch")
	return p
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
	q := queueOf(events)
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
