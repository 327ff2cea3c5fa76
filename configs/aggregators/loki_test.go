package aggregators

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// pushed are the labels and metadata of what the loki sink sent, one map an event.
type pushed struct {
	mu      sync.Mutex
	entries []map[string]string
}

func (p *pushed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Streams []struct {
			Stream map[string]string
			Values [][]json.RawMessage
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range body.Streams {
		for _, v := range s.Values {
			e := map[string]string{}
			var line string
			var parsed struct{ Message string }
			json.Unmarshal(v[1], &line)
			json.Unmarshal([]byte(line), &parsed)
			json.Unmarshal(v[2], &e)
			for name, value := range s.Stream {
				e[name] = value
			}
			e["message"] = parsed.Message // as `| json message="message"` makes it
			p.entries = append(p.entries, e)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

var (
	matcher = regexp.MustCompile(`[{|,]\s*([a-z_]+)\s*(=~|!=|=)\s*"([^"]*)"`)
	named   = regexp.MustCompile(`(?:by \(|unwrap |\{\{\.)([a-z_]+)`)
)

// count is how many events a query is about: those that all its matchers take,
// and that have each field which it groups by, adds up or prints.
func (p *pushed) count(query string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, e := range p.entries {
		for _, m := range matcher.FindAllStringSubmatch(query, -1) {
			value, ok := e[m[1]], false
			switch m[2] {
			case "=":
				ok = value == m[3]
			case "!=":
				ok = value != m[3]
			case "=~":
				ok = regexp.MustCompile("^(?:" + m[3] + ")$").MatchString(value)
			}
			if !ok {
				continue next
			}
		}
		for _, m := range named.FindAllStringSubmatch(query, -1) {
			if e[m[1]] == "" {
				continue next
			}
		}
		n++
	}
	return n
}

// TestLokiDashboard: of what the loki sink of a daemon over testdata/logs really
// sends, each panel's query is about some events. Matchers and names are read
// here; that Loki takes the queries as they are written is not shown.
func TestLokiDashboard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var storm strings.Builder
	for i := range 60 {
		fmt.Fprintf(&storm, "user=user%d {\"type\":206,\"message\":\"the user is already logged on another device\"}\n", i)
	}
	storm.WriteString(`user=zoe easemob onError {"type":871,"message":"of a newer SDK"}` + "\n")
	path := filepath.Join(dir, "storm.log")
	if err := os.WriteFile(path, []byte(storm.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &pushed{}
	loki := httptest.NewServer(sinktest.Decompress(p))
	t.Cleanup(loki.Close)
	startDaemon(t, fmt.Sprintf("  - {name: storm, families: [easemob-web], paths: [%q]}\nstorm: {window: 1s}\n", path), fmt.Sprintf(", {type: loki, url: %s/loki/api/v1/push}", loki.URL))
	replace := strings.NewReplacer("$host", ".+", "$source", ".+", "$user", "user1")
	for _, panel := range panels(t, "grafana-loki.json") {
		for _, x := range panel.Targets {
			if !matcher.MatchString(x.Expr) {
				t.Errorf("%s: no matcher in %s", panel.Title, x.Expr)
			}
			if strings.Contains(x.Expr, `"`+finding.Lost+`"`) {
				continue // nothing was lost
			}
			wait(t, panel.Title+": an event for "+x.Expr, func() bool { return p.count(replace.Replace(x.Expr)) > 0 })
		}
	}
	if p.count(`{source="nobody"}`) != 0 || p.count(`{source=~".+"} | no_such_field = "x"`) != 0 {
		t.Error("what no event has is found")
	}
}
