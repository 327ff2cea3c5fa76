package pipeline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/imwatch/imwatch/internal/finding"
)

// BenchmarkScan scans 500 MB of log lines, of which one in a hundred holds a
// code: go test ./internal/pipeline -run '^$' -bench Scan -cpu 1
func BenchmarkScan(b *testing.B) {
	const size = 500 << 20
	path := filepath.Join(b.TempDir(), "app.log")
	lines := writeLog(b, path, size)
	o := options(b)
	b.SetBytes(size)
	for b.Loop() {
		n := 0
		if _, err := Scan(context.Background(), []string{path}, o, func(*finding.Finding) error { n++; return nil }); err != nil {
			b.Fatal(err)
		}
		if n < lines/101 || n > lines/99 {
			b.Fatalf("%d findings in %d lines", n, lines)
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// writeLog writes log lines up to a size and returns how many.
func writeLog(b *testing.B, path string, size int) (lines int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for n := 0; n < size; lines++ {
		line := fmt.Sprintf("2026-11-20 08:00:01,%03d INFO  [http-nio-8080-exec-%d] c.e.web.Access - GET /api/rooms/%d status=200 took %dms user=u%d\n", lines%1000, lines%16, lines%977, lines%411, lines)
		if lines%100 == 50 {
			line = fmt.Sprintf("2026-11-20 08:00:01,%03d ERROR [exec-7] c.e.ChatBridge - user=u%d onError {\"type\":206,\"message\":\"the user is already logged on another device\"}\n", lines%1000, lines)
		}
		n += len(line)
		if _, err := w.WriteString(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	return lines
}
