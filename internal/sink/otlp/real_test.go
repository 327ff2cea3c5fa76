package otlp

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// A collector is a real OpenTelemetry Collector with the configuration that we
// ship; its debug exporter tells what it has understood.
type collector struct {
	http, grpc string
	out        *sinktest.Output
}

func newCollector(t *testing.T, args ...string) *collector {
	t.Helper()
	bin := sinktest.Real(t, "otelcol")
	c := &collector{http: sinktest.Free(t), grpc: sinktest.Free(t)}
	cmd := exec.Command(bin, append([]string{"--config", "../../../configs/aggregators/otelcol.yaml"}, args...)...)
	cmd.Env = append(os.Environ(), "OTLP_HTTP="+c.http, "OTLP_GRPC="+c.grpc)
	c.out = sinktest.Serve(t, cmd, sinktest.Listens(c.http, c.grpc))
	return c
}

var uid = regexp.MustCompile(`log\.record\.uid: Str\(([0-9a-f]{32})\)`)

func (c *collector) ids(t *testing.T, want int) (list []string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); len(list) < want && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		list = nil
		for _, m := range uid.FindAllStringSubmatch(c.out.String(), -1) {
			list = append(list, m[1])
		}
	}
	return list
}

func (c *collector) open(t *testing.T, grpc, secured bool, compression string, trust secure.TLS) sink.Sink {
	t.Helper()
	u := "http://" + c.http
	if grpc {
		u = "http://" + c.grpc
	}
	if secured {
		u = strings.Replace(u, "http", "https", 1)
	}
	s, err := New(Options{GRPC: grpc, HTTP: httpclient.Options{URL: u, Compression: compression, TLS: trust}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestCollector(t *testing.T) {
	c := newCollector(t)
	var want []string
	n := 0
	for _, form := range []struct {
		grpc        bool
		compression string
	}{{false, "none"}, {false, "gzip"}, {false, "zstd"}, {true, "none"}, {true, "gzip"}} {
		events := sinktest.Events(100 + n)[n:]
		n += 100
		if err := c.open(t, form.grpc, false, form.compression, secure.TLS{}).Send(t.Context(), events); err != nil {
			t.Errorf("%+v: %v", form, err)
		}
		for i := range events {
			want = append(want, events[i].ID)
		}
	}
	if got := c.ids(t, len(want)); !slices.Equal(got, want) {
		t.Fatalf("the collector has %d events, want %d: %s", len(got), len(want), c.out.String()[:min(4000, len(c.out.String()))])
	}
	text := c.out.String()
	for _, part := range []string{"EventName: im.error", "SeverityNumber: Warn(13)", "SeverityText: warn", "-> service.name: Str(gateway)", "-> host.name: Str(web1)", "-> host.id: Str(5f1e)", "Timestamp: 2026-11-20 08:00:01.123 +0000 UTC", "ObservedTimestamp: 2026-11-20 08:00:02.123 +0000 UTC", "-> event.code: Str(easemob-web/206)", "-> im.count: Int(1)", "-> user.id: Str(user41)"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q: %s", part, text[:min(4000, len(text))])
		}
	}
	more := []sink.Event{sinktest.Largest(), sinktest.Invalid()}
	for _, grpc := range []bool{false, true} {
		if err := c.open(t, grpc, false, "none", secure.TLS{}).Send(t.Context(), more); err != nil {
			t.Error(err)
		}
	}
	if got := c.ids(t, len(want)+4); len(got) != len(want)+4 {
		t.Errorf("of the large and the invalid ones it has %d", len(got)-len(want))
	}
}

// TestCollectorTLS: with certificates of both sides; a stranger's events are
// neither taken nor given up.
func TestCollectorTLS(t *testing.T) {
	ca := sinktest.NewAuthority(t)
	cert, key := ca.IssueFiles(t, "127.0.0.1")
	var conf strings.Builder
	conf.WriteString("receivers:\n  otlp:\n    protocols:\n")
	for _, p := range []string{"http", "grpc"} {
		fmt.Fprintf(&conf, "      %s:\n        tls: {cert_file: %s, key_file: %s, client_ca_file: %s}\n", p, cert, key, ca.File)
	}
	path := filepath.Join(t.TempDir(), "tls.yaml")
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCollector(t, "--config", path)
	trust := secure.TLS{CAFile: ca.File}
	for _, grpc := range []bool{false, true} {
		err := c.open(t, grpc, true, "gzip", trust).Send(t.Context(), sinktest.Events(1))
		t.Logf("without a certificate: %v, of class %s", err, sink.Class(err))
		// With TLS 1.3 the refusal races with what we write.
		if c := sink.Class(err); err == nil || c != sink.Trust && c != sink.Connection {
			t.Errorf("grpc %v, without a certificate: %v, of class %s", grpc, err, sink.Class(err))
		}
	}
	trust.CertFile, trust.KeyFile = ca.IssueFiles(t, "imwatch")
	for _, grpc := range []bool{false, true} {
		if err := c.open(t, grpc, true, "gzip", trust).Send(t.Context(), sinktest.Events(10)); err != nil {
			t.Errorf("grpc %v: %v", grpc, err)
		}
	}
	if got := c.ids(t, 20); len(got) != 20 {
		t.Errorf("it has %d events", len(got))
	}
}
