package sink_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// idsIn returns the ids of a file's events, in order.
func idsIn(t *testing.T, paths ...string) (ids []string) {
	t.Helper()
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var e struct{ Event struct{ ID string } }
			if err := json.Unmarshal(line, &e); err != nil || line[len(line)-1] != '\n' {
				t.Errorf("%s: %q: %v", path, line, err)
			}
			ids = append(ids, e.Event.ID)
		}
	}
	return ids
}

func TestFileConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Suite{
		Open: func(t *testing.T, p *sinktest.Peer) sink.Sink {
			f, err := sink.OpenFile(p.Address, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
		Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer {
			path := filepath.Join(t.TempDir(), "events.ndjson")
			if b != sinktest.Accepts {
				return nil // a file does not answer
			}
			return &sinktest.Peer{Address: path, IDs: func() []string { return idsIn(t, path) }}
		},
	})
}

// TestFileTorn: what a crash left of a line is cut off, not continued.
func TestFileTorn(t *testing.T) {
	path := sinktest.File(t, "events.ndjson", []byte(`{"event":{"id":"whole"}}`+"\n"+`{"event":{"id":"to`))
	f, err := sink.OpenFile(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Send(t.Context(), sinktest.Events(1)); err != nil {
		t.Fatal(err)
	}
	if ids := idsIn(t, path); len(ids) != 2 || ids[0] != "whole" || ids[1] != sinktest.Events(1)[0].ID {
		t.Errorf("ids %v", ids)
	}
}

// TestFileRotates: at its size a file is begun anew, between batches.
func TestFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.ndjson")
	f, err := sink.OpenFile(path, 20_000, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events := sinktest.Events(10)
	for i := range events {
		if err := f.Send(t.Context(), events[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	ids := idsIn(t, path+".1", path)
	if info, err := os.Stat(path + ".1"); err != nil || info.Size() > 20_000 || len(ids) < 5 || ids[len(ids)-1] != events[9].ID {
		t.Errorf("%v, %v: ids %v", info, err, ids)
	}
}

// TestFileFails: a file that takes nothing is an error, and nothing counts.
func TestFileFails(t *testing.T) {
	f, err := sink.OpenFile("/dev/full", 0, nil)
	if err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	defer f.Close()
	if err := f.Send(t.Context(), sinktest.Events(1)); err == nil {
		t.Error("success")
	}
}

// TestFileOpenedEarly: a reload opens the file while the sink of the
// configuration before still writes; nothing of that is cut off.
func TestFileOpenedEarly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.ndjson")
	events := sinktest.Events(3)
	old, err := sink.OpenFile(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"event":{"id":"half`), 0o640); err != nil { // of a write that goes on
		t.Fatal(err)
	}
	next, err := sink.OpenFile(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if err := old.Send(t.Context(), events[:2]); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if err := next.Send(t.Context(), events[2:]); err != nil {
		t.Fatal(err)
	}
	if ids := idsIn(t, path); len(ids) != 3 || ids[2] != events[2].ID {
		t.Errorf("ids %v", ids)
	}
}
