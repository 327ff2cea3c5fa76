// Generate writes a log for benchmarks to standard output:
//
//	go run ./internal/workload/generate -size 568 -hits 10 >/tmp/mixed.log
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/imwatch/imwatch/internal/workload"
)

func main() {
	var o workload.Options
	size := flag.Int64("size", 568, "in millions of bytes")
	flag.StringVar(&o.Form, "form", "mixed", "mixed, plain, json or docker")
	flag.IntVar(&o.Hits, "hits", 10, "lines of 1,000 that carry a code")
	flag.IntVar(&o.Length, "length", 0, "bytes of a line; 0 as it comes")
	rate := flag.Int("rate", 0, "lines a second; 0 as fast as can be")
	flag.BoolVar(&o.Chinese, "chinese", false, "texts in Chinese")
	flag.Parse()
	var out io.Writer = os.Stdout
	if *rate > 0 {
		out = &paced{w: out, rate: float64(*rate), start: time.Now()}
	}
	lines, hits, err := workload.Write(out, *size*1e6, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "%d lines, %d with a code\n", lines, hits)
}

// paced writes some lines at a time, as many in a second as it is told.
type paced struct {
	w     io.Writer
	rate  float64
	lines int
	start time.Time
}

func (p *paced) Write(data []byte) (n int, err error) {
	for len(data) > 0 {
		piece := data[:min(len(data), 32<<10)]
		time.Sleep(time.Until(p.start.Add(time.Duration(float64(p.lines) / p.rate * float64(time.Second)))))
		m, err := p.w.Write(piece)
		n += m
		if err != nil {
			return n, err
		}
		p.lines += bytes.Count(piece, []byte("\n"))
		data = data[m:]
	}
	return n, nil
}
