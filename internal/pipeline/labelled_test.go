package pipeline

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/rules"
)

// A sample is a line, or a block of lines, that somebody labelled: one JSON
// object a line. Without Expect nothing may be found in it. The first of Expect
// is the code, a second one its cause.
type sample struct {
	Line   string `json:"line"`
	Expect []struct {
		Family string  `json:"family"`
		Code   *string `json:"code"` // null: the line does not have it
	} `json:"expect"`
	Accept []string `json:"accept_families"` // that are right, too
	Bare   bool     `json:"bare"`            // no text at all: scanned with the family said
	Note   string   `json:"note"`
}

func samples(t *testing.T, path string) (list []sample) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s:%d: %v", path, len(list)+1, err)
		}
		list = append(list, s)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return list
}

// A tally holds what a set of samples should give against what it gave.
type tally struct{ want, found, reported, right, family int }

// TestLabelled measures recall, precision and right family over labelled lines:
// testdata/labelled, or the files that IMWATCH_LABELLED names, one JSON object
// a line. Samples of families that have no rules yet are counted as lines that
// nothing of another family may be found in.
func TestLabelled(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/labelled/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if given := os.Getenv("IMWATCH_LABELLED"); given != "" {
		paths = filepath.SplitList(given)
	}
	if len(paths) == 0 {
		t.Fatal("no labelled lines")
	}
	var all tally
	for _, path := range paths {
		var n tally
		for i, s := range samples(t, path) {
			n.add(t, &s, path, i+1)
		}
		t.Logf("%s: recall %d/%d, precision %d/%d, right family or group %d/%d", path, n.found, n.want, n.right, n.reported, n.family, n.reported)
		all.want, all.found, all.reported, all.right, all.family = all.want+n.want, all.found+n.found, all.reported+n.reported, all.right+n.right, all.family+n.family
	}
	bar := func(what string, n, of int, percent float64) {
		if float64(n)*100 < percent*float64(of) {
			t.Errorf("%s %d of %d, want at least %v %%", what, n, of, percent)
		}
	}
	bar("recall", all.found, all.want, 95)
	bar("precision", all.right, all.reported, 99)
	bar("right family or group", all.family, all.reported, 97)
}

// add scans one sample, as a file of its own, and counts.
func (n *tally) add(t *testing.T, s *sample, path string, line int) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.log")
	if err := os.WriteFile(file, []byte(s.Line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := measured(t)
	known := len(s.Expect) > 0 && slices.Contains(o.families, s.Expect[0].Family)
	o.Default.Families = nil
	if s.Bare {
		o.Default.Families = []string{s.Expect[0].Family}
	}
	got, _ := scanAll(t, o.ScanOptions, file)
	accept := s.Accept
	for _, e := range s.Expect {
		accept = append(accept, e.Family)
	}
	if known {
		n.want++
	}
	hit := false
	for i := range got {
		f := &got[i]
		n.reported++
		right := slices.ContainsFunc(accept, func(id string) bool { return f.Family == id || strings.HasPrefix(id, "other:") })
		if right {
			n.family++
		}
		if s.expects(f) && (known || right) {
			n.right++
			hit = true
		} else {
			t.Logf("%s:%d: found %s/%s %v, want %s: %q", path, line, f.Family, f.Code, f.Basis, s.wanted(), s.Line)
		}
	}
	if hit {
		n.found++
	} else if known {
		t.Logf("%s:%d: missed %s: %q", path, line, s.wanted(), s.Line)
	}
}

// measuring is built once for all samples.
var measuring struct {
	ScanOptions
	families []string // that have rules
}

func measured(t *testing.T) *struct {
	ScanOptions
	families []string
} {
	if measuring.Scanner == nil {
		measuring.ScanOptions = options(t)
		set, _ := rules.Embedded()
		for _, f := range set.Files {
			measuring.families = append(measuring.families, f.Families...)
		}
	}
	return &measuring
}

// expects tells whether a finding is one of those that the sample is labelled
// with; a cause that is labelled beside it must be told with it.
func (s *sample) expects(f *finding.Finding) bool {
	return slices.ContainsFunc(s.Expect, func(e struct {
		Family string  `json:"family"`
		Code   *string `json:"code"`
	}) bool {
		return e.Code == nil || *e.Code == f.Code
	})
}

func (s *sample) wanted() string {
	var list []string
	for _, e := range s.Expect {
		code := "?"
		if e.Code != nil {
			code = *e.Code
		}
		list = append(list, e.Family+"/"+code)
	}
	if list == nil {
		return "nothing"
	}
	return strings.Join(list, " ")
}
