package pipeline

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/finding"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestSamples scans testdata/logs. The golden file says what is found where.
func TestSamples(t *testing.T) {
	list, report := scanAll(t, options(t), "../../testdata/logs")
	if len(report.Problems) > 0 || report.Findings != len(list) {
		t.Errorf("problems %v, %d findings told, %d emitted", report.Problems, report.Findings, len(list))
	}
	var got strings.Builder
	for i := range list {
		f := &list[i]
		fmt.Fprintf(&got, "%s @%d %s/%s", strings.TrimPrefix(Where(f), "../../testdata/logs/"), f.Offset, f.Family, f.Code)
		if f.Inner != nil {
			got.WriteString(" caused by " + f.Inner.Code)
		}
		fmt.Fprintf(&got, " %s %v %s %s %v %v\n", f.Confidence, f.Basis, f.Time.Format("2006-01-02T15:04:05.000Z"), f.TimeBasis, f.Flags, f.Fields)
	}
	const golden = "testdata/samples.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("testdata/logs is read otherwise than %s says; look at the difference and run go test ./internal/pipeline -update:\n%s", golden, got.String())
	}
	shapes := map[string]map[string]bool{} // by family: rule and file, or line
	add := func(family string, f *finding.Finding) {
		if shapes[family] == nil {
			shapes[family] = map[string]bool{}
		}
		shapes[family][fmt.Sprint(f.Rule, " ", f.Path, f.Line)] = true
	}
	for i := range list {
		add(list[i].Family, &list[i])
		for in := list[i].Inner; in != nil; in = in.Cause {
			add(in.Family, &list[i])
		}
	}
	for _, f := range codes.Embedded().Families() {
		if len(shapes[f.ID]) < 5 {
			t.Errorf("%s is in the sample logs %d times, want five shapes of it", f.ID, len(shapes[f.ID]))
		}
	}
}

// TestQuiet scans healthy logs: no rule may fire.
func TestQuiet(t *testing.T) {
	list, report := scanAll(t, options(t), "../../testdata/quiet")
	for i := range list {
		t.Errorf("%s: false alarm %s/%s, because of %v: %s", Where(&list[i]), list[i].Family, list[i].Code, list[i].Basis, list[i].Original)
	}
	if report.Lines < 2000 || len(report.Problems) > 0 {
		t.Errorf("%d lines read, want at least 2000; problems %v", report.Lines, report.Problems)
	}
}
