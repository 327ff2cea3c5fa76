package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/workload"
)

// hardLog has what lies across any border between parts: objects over several
// lines, records that a runtime split, codes without proof before the proof.
func hardLog(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		switch i % 40 {
		case 0:
			fmt.Fprintf(&b, "2026-11-20 08:00:01 failed {\n  type: 206,\n  message: 'the user is already logged on another device',\n%s  data: undefined\n}\n", strings.Repeat("  pad: 'x',\n", i%60))
		case 1:
			fmt.Fprintf(&b, "2026-11-20T08:00:01.1Z stdout P {\"type\":16,\"message\":\"websocket has \n2026-11-20T08:00:01.1Z stderr F other\n2026-11-20T08:00:01.2Z stdout F been disconnected\"}\n")
		case 2:
			b.WriteString("{ type: 39 }\n")
		default:
			fmt.Fprintf(&b, "2026-11-20 08:00:01 INFO %d %s\n", i, strings.Repeat("healthy ", i%90))
		}
	}
	return b.Bytes()
}

// TestParallel holds a scan by several workers against one by one worker: the
// same findings in the same order, and the same report.
func TestParallel(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hard := hardLog(6 << 20)
	write("a-hard.log", hard)
	long := bytes.Clone(hard)
	for _, at := range []int{1 << 20, 3<<20 + 77} { // lines of 1.5 MiB and 700 KiB
		copy(long[at:], bytes.Repeat([]byte("y"), 700<<10))
		copy(long[at/2:], bytes.Repeat([]byte("z"), 1500<<10))
	}
	write("b-long.log", long)
	write("c-one-line.log", bytes.Repeat([]byte("w"), 5<<20))
	write("d-no-newline.log", hard[:5<<20+12345])
	var mixed bytes.Buffer
	for i, o := range []workload.Options{{Hits: 50}, {Hits: 50, Form: "docker"}, {Hits: 1000}} {
		mixed.Reset()
		if _, _, err := workload.Write(&mixed, 5<<20, o); err != nil {
			t.Fatal(err)
		}
		if i == 2 { // small ones, too
			for n := range 20 {
				write(fmt.Sprintf("f-%02d.log", n), mixed.Bytes()[n*1000:n*1000+10_000])
			}
			continue
		}
		write(fmt.Sprintf("e-%d.log", i), mixed.Bytes())
	}
	mixed.Reset()
	for i := range 8 { // parts are of both sizes
		if _, _, err := workload.Write(&mixed, 1<<20, workload.Options{Hits: i % 2 * 500}); err != nil {
			t.Fatal(err)
		}
	}
	write("g-storms.log", mixed.Bytes())
	o := options(t)
	o.Workers = 1
	want, wantReport := scanAll(t, o, dir)
	if len(want) < 500 {
		t.Fatalf("%d findings", len(want))
	}
	for _, workers := range []int{2, 5} {
		o.Workers = workers
		got, report := scanAll(t, o, dir)
		if !reflect.DeepEqual(report, wantReport) {
			t.Errorf("%d workers: report %+v, want %+v", workers, report, wantReport)
		}
		for i := range want {
			if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("%d workers: finding %d is %+v, want %+v", workers, i, got[min(i, len(got)-1)], want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d workers: %d findings, want %d", workers, len(got), len(want))
		}
	}
}

// TestParallelEnds holds that an error of emit and the end of the context stop
// all workers.
func TestParallelEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, hardLog(6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Scanner, _ = newScanner() // what it makes when it is first needed, several workers ask for at once
	o.Workers = 3
	full := errors.New("disk full")
	if _, err := Scan(context.Background(), []string{path, path + "-gone"}, o, func(*finding.Finding) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := Scan(ctx, []string{path}, o, func(*finding.Finding) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// TestLateProof: of more blocks than may wait for their family, the oldest are told
// without it, and those that wait have it when it comes.
func TestLateProof(t *testing.T) {
	const line = `2026-11-20 08:00:01 failed {"type":206,"message":"the user is already logged on another device"}` + "\n"
	path := filepath.Join(t.TempDir(), "a.log")
	data := strings.Repeat(line, maxPending+1000) + "2026-11-20 08:00:02 agora-chat SDK 1.2 " + line
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	for workers := range 2 {
		o := options(t)
		o.Workers = workers + 1
		list, _ := scanAll(t, o, path)
		if len(list) != maxPending+1001 {
			t.Fatalf("%d findings", len(list))
		}
		late := 0
		for i, f := range list {
			if f.Line != i+1 {
				t.Fatalf("finding %d is of line %d", i, f.Line)
			}
			if f.Family == "agora-chat-web" {
				late++
			} else if late > 0 {
				t.Fatalf("finding %d is of %s behind one that waited", i, f.Family)
			}
		}
		if late < maxPending || late > maxPending+atOnce+1 {
			t.Errorf("%d waited", late)
		}
	}
}
