// Generate writes a log for benchmarks to standard output:
//
//	go run ./internal/workload/generate -size 568 -hits 10 >/tmp/mixed.log
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/imwatch/imwatch/internal/workload"
)

func main() {
	var o workload.Options
	size := flag.Int64("size", 568, "in millions of bytes")
	flag.StringVar(&o.Form, "form", "mixed", "mixed, plain, json or docker")
	flag.IntVar(&o.Hits, "hits", 10, "lines of 1,000 that carry a code")
	flag.IntVar(&o.Length, "length", 0, "bytes of a line; 0 as it comes")
	flag.BoolVar(&o.Chinese, "chinese", false, "texts in Chinese")
	flag.Parse()
	lines, hits, err := workload.Write(os.Stdout, *size*1e6, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "%d lines, %d with a code\n", lines, hits)
}
