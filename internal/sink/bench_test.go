package sink_test

import (
	"path/filepath"
	"testing"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

func BenchmarkFile(b *testing.B) {
	x, err := sink.OpenFile(filepath.Join(b.TempDir(), "events.ndjson"), 64<<20, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	sinktest.Benchmark(b, x)
}
