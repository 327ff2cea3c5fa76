package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/workload"
)

// BenchmarkScan runs the whole of a scan, from the file to the event's JSON, over
// every kind of log of internal/workload:
//
//	go test ./internal/pipeline -run '^$' -bench Scan -cpu 1,2
//
// Whole processes against ripgrep and others: internal/workload/compare.
func BenchmarkScan(b *testing.B) {
	for _, hits := range []int{0, 1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("mixed/%g%%", float64(hits)/10), func(b *testing.B) { scanLog(b, workload.Options{Hits: hits}) })
	}
	for _, form := range []string{"plain", "json", "docker"} {
		for _, length := range []int{100, 200, 2048} {
			b.Run(fmt.Sprintf("%s/%dB/1%%", form, length), func(b *testing.B) {
				scanLog(b, workload.Options{Form: form, Length: length, Hits: 10})
			})
		}
		b.Run(form+"/Chinese/1%", func(b *testing.B) { scanLog(b, workload.Options{Form: form, Chinese: true, Hits: 10}) })
	}
}

// BenchmarkFinding is what a finding costs behind the scanner: to resolve its
// block and to write its event.
func BenchmarkFinding(b *testing.B) {
	var log bytes.Buffer
	if _, _, err := workload.Write(&log, 1<<20, workload.Options{Hits: 1000}); err != nil {
		b.Fatal(err)
	}
	so := options(b)
	var found batch
	found.scan(so.Scanner, log.Bytes(), true)
	ann := annotator.New(codes.Embedded(), annotator.Options{Language: "en"})
	var event []byte
	findings := 0
	s := oneFile{o: &so, source: &so.Default, report: &Report{}, emit: func(x *finding.Finding) error {
		event = ann.Append(event[:0], x)
		findings++
		return nil
	}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		if s.begin("app.log"); s.err != nil {
			b.Fatal(s.err)
		}
		for _, x := range found.blocks {
			s.found(x.block, x.at)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(findings), "ns/finding")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(findings), "allocs/finding")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(findings), "B/finding")
}

func scanLog(b *testing.B, o workload.Options) {
	size := int64(64 << 20)
	if o.Hits >= 100 {
		size = 8 << 20
	}
	path := filepath.Join(b.TempDir(), "app.log")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	lines, hits, err := workload.Write(f, size, o)
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	so := options(b)
	ann := annotator.New(codes.Embedded(), annotator.Options{Language: "en"})
	var event []byte
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.SetBytes(size)
	for b.Loop() {
		n := 0
		if _, err := Scan(context.Background(), []string{path}, so, func(x *finding.Finding) error {
			event = ann.Append(event[:0], x)
			n++
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		if n != hits {
			b.Fatalf("%d events of %d lines with a code", n, hits)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(lines*b.N), "allocs/line")
}
