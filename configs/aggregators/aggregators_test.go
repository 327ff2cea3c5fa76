// Package aggregators holds what the aggregators' side needs; here is its proof.
package aggregators

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// imwatch is the program, which build builds once for all tests.
var imwatch string

var build = sync.OnceValue(func() error {
	if out, err := exec.Command("go", "build", "-o", imwatch, "../../cmd/imwatch").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "aggregators")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	imwatch = filepath.Join(dir, "imwatch")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// panel is one of a Grafana dashboard's.
type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

func panels(t *testing.T, dashboard string) []panel {
	t.Helper()
	data, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board struct{ Panels []panel }
	if err := json.Unmarshal(data, &board); err != nil || len(board.Panels) < 10 {
		t.Fatalf("%d panels, %v", len(board.Panels), err)
	}
	return board.Panels
}

// TestPrometheusDashboard runs each panel's query in a real Prometheus that has
// read the metrics of a daemon over testdata/logs.
func TestPrometheusDashboard(t *testing.T) {
	t.Parallel()
	prometheus := startPrometheus(t, startDaemon(t, "", ""))
	wait(t, "two readings", func() bool { return len(query(t, prometheus, "rate(imwatch_lines_read_total[1m])")) > 0 })
	source, err := os.ReadFile("../../internal/web/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1m", "$job", ".*", "$instance", ".*")
	for _, p := range panels(t, "grafana-prometheus.json") {
		for _, x := range p.Targets {
			// What `or vector(0)` answers for has a name that exists.
			for _, m := range regexp.MustCompile(`imwatch_([a-z_]+)`).FindAllStringSubmatch(x.Expr, -1) {
				if name := strings.TrimSuffix(m[1], "_bucket"); !strings.Contains(string(source), name+`"`) {
					t.Errorf("%s: there is no metric %s", p.Title, m[0])
				}
			}
			if len(query(t, prometheus, replace.Replace(x.Expr))) == 0 {
				t.Errorf("%s: nothing comes of %s", p.Title, x.Expr)
			}
		}
	}
}

// startDaemon starts one over testdata/logs, with more sources and
// sinks, and returns where it listens.
func startDaemon(t *testing.T, sources, sinks string) string {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Abs("../../testdata/logs")
	if err != nil {
		t.Fatal(err)
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	address := sinktest.Free(t)
	conf := filepath.Join(dir, "imwatch.yaml")
	text := fmt.Sprintf("version: 1\nstate_dir: %s/state\nlisten: %s\nsinks: [{type: file, path: %s/events.ndjson}%s]\nsources:\n  - {name: chat, paths: [%q]}\n%s", dir, address, dir, sinks, logs+"/**/*.log", sources)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sinktest.Serve(t, exec.Command(imwatch, "run", "-c", conf), func() bool {
		resp, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		return strings.Contains(b.String(), "imwatch_sink_sent_events_total{") && strings.Contains(b.String(), "imwatch_codes_total{")
	})
	return address
}

// startPrometheus starts one that reads the daemon's metrics, and returns where
// it listens.
func startPrometheus(t *testing.T, daemon string) string {
	bin := sinktest.Real(t, "prometheus")
	dir := t.TempDir()
	conf := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("scrape_configs:\n  - job_name: imwatch\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    static_configs: [{targets: [%q]}]\n", daemon)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := sinktest.Free(t)
	prometheus := exec.Command(bin, "--config.file="+conf, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+address)
	sinktest.Serve(t, prometheus, func() bool {
		resp, err := http.Get("http://" + address + "/-/ready")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return address
}

func wait(t *testing.T, what string, until func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !until(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("does not come: %s", what)
		}
	}
}

func query(t *testing.T, prometheus, expr string) []any {
	t.Helper()
	resp, err := http.Get("http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Status != "success" {
		t.Fatalf("%s: %s %v", expr, a.Error, err)
	}
	return a.Data.Result
}
