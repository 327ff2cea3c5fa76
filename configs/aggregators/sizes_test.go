package aggregators

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var pending = regexp.MustCompile(`(?m)^imwatch_(lag_bytes|sink_backlog_events)\{.*\} ([1-9].*)$`)

// TestSizes: the page's sizes of an event are, within a tenth, those of the
// events of a daemon over testdata.
func TestSizes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(full|brief)` \\| ([0-9,]+) bytes \\| ([0-9,]+) bytes \\| ([0-9,]+) bytes \\|$").FindAllStringSubmatch(string(page), -1)
	number := regexp.MustCompile(`Measured over the (\d+) events`).FindStringSubmatch(string(page))
	if len(rows) != 2 || number == nil {
		t.Fatalf("%d rows of sizes, the number of events %v", len(rows), number)
	}
	logs, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	address := startDaemon(t, fmt.Sprintf("  - {name: rest, paths: [%q]}\nstorm: {window: 0s}\n", logs+"/**/*.log"),
		fmt.Sprintf(", {type: file, name: full, path: %[1]s/full}, {type: file, name: brief, detail: brief, path: %[1]s/brief}", dir))
	wait(t, "all events", func() bool {
		resp, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		metrics, err := io.ReadAll(resp.Body)
		data, _ := os.ReadFile(filepath.Join(dir, "full"))
		want, _ := strconv.Atoi(number[1])
		return err == nil && bytes.Count(data, []byte("\n")) >= want*9/10 && !pending.Match(metrics)
	})
	for _, row := range rows {
		data, err := os.ReadFile(filepath.Join(dir, row[1]))
		if err != nil {
			t.Fatal(err)
		}
		n := bytes.Count(data, []byte("\n"))
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		z.Write(data)
		z.Close()
		e, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := []int{len(data) / n, packed.Len() / n, len(e.EncodeAll(data, nil)) / n}
		t.Logf("%s: %d events; an event: %d bytes, gzip -1 %d, zstd %d", row[1], n, got[0], got[1], got[2])
		near(t, row[1]+": events", number[1], n)
		for i, what := range []string{"raw", "gzip", "zstd"} {
			near(t, row[1]+": "+what, row[2+i], got[i])
		}
	}
}

func near(t *testing.T, what, says string, is int) {
	t.Helper()
	n, err := strconv.Atoi(strings.ReplaceAll(says, ",", ""))
	if err != nil || n*10 < is*9 || n*10 > is*11 {
		t.Errorf("%s: the page says %s, it is %d", what, says, is)
	}
}
