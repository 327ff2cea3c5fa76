package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner"
)

// newScanner makes a scanner of the built-in rules. builtIn is one for all tests:
// it keeps nothing from one scan to the next.
func newScanner() (*scanner.Scanner, []codes.Problem) {
	set, problems := rules.Embedded()
	s, more := scanner.New(set, codes.Embedded())
	return s, append(problems, more...)
}

var builtIn = sync.OnceValues(newScanner)

// options are those of a scan without configuration.
func options(t testing.TB, families ...string) ScanOptions {
	t.Helper()
	sc, problems := builtIn()
	for _, p := range problems {
		t.Fatal(p)
	}
	red, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := ScanOptions{Scanner: sc, Resolver: resolver.New(codes.Embedded(), red), Now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
	o.Default = resolver.Source{Families: families, Location: time.UTC}
	return o
}

func scanAll(t testing.TB, o ScanOptions, paths ...string) ([]finding.Finding, *Report) {
	t.Helper()
	var list []finding.Finding
	report, err := Scan(context.Background(), paths, o, func(f *finding.Finding) error {
		list = append(list, *f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, report
}

type labelled struct {
	line        int
	code, cause string
	scenario    string
}

func labels(t *testing.T, path string) (list []labelled) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if n, err := strconv.Atoi(f[0]); err == nil {
			list = append(list, labelled{n, f[1], f[2], f[3]})
		}
	}
	return list
}

var typeValue = regexp.MustCompile(`(?:type|code)"?: ?(-?\d+)`)

// shown returns every value of a key "type" or "code" in a log: beside the objects that
// the page was given, the SDK prints some of its own.
func shown(t *testing.T, path string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range typeValue.FindAllSubmatch(data, -1) {
		known[string(m[1])] = true
	}
	return known
}

// TestSDK scans what real SDKs printed (testdata/sdk) and holds recall,
// precision and family against the project's bars.
func TestSDK(t *testing.T) {
	logs, err := filepath.Glob("../../testdata/sdk/*.log")
	if err != nil || len(logs) < 6 {
		t.Fatalf("testdata/sdk has %d logs, want at least 6: %v", len(logs), err)
	}
	var total, found, undecided, reported, right, family int
	for _, path := range logs {
		want := labels(t, strings.TrimSuffix(path, ".log")+".tsv")
		got, report := scanAll(t, options(t), path)
		at := map[int]*finding.Finding{}
		known := shown(t, path)
		for i := range got {
			at[got[i].Line] = &got[i]
		}
		for _, w := range want {
			total++
			f := at[w.line]
			switch {
			case f != nil && f.Code == w.code && (w.cause == "" || f.Inner != nil && f.Inner.Code == w.cause):
				found++
			case f != nil:
				t.Errorf("%s:%d %s: found %s %v, want %s %s", path, w.line, w.scenario, f.Code, f.Inner, w.code, w.cause)
			default:
				t.Logf("%s:%d %s: code %s not found", path, w.line, w.scenario, w.code)
			}
		}
		for _, u := range report.Undecided {
			undecided += u.Count
		}
		vendor := "easemob-web"
		switch {
		case strings.Contains(path, "agora"):
			vendor = "agora-chat-web"
		case strings.Contains(path, "jmessage"):
			vendor = "jmessage-web"
		}
		for i := range got {
			f := &got[i]
			reported++
			if known[f.Code] {
				right++
			} else {
				t.Logf("%s:%d: found %s, which stands nowhere in the log: %.200s", path, f.Line, f.Code, f.Original)
			}
			if f.Family == vendor || strings.Contains(strings.Join(f.Alternatives, " "), vendor) {
				family++
			}
		}
	}
	t.Logf("recall %d/%d, precision %d/%d, family or group %d/%d, undecided %d", found, total, right, reported, family, reported, undecided)
	bar := func(what string, n, of int, percent float64) {
		if float64(n)*100 < percent*float64(of) {
			t.Errorf("%s %d of %d, want at least %v %%", what, n, of, percent)
		}
	}
	bar("recall", found, total, 95)
	bar("precision", right, reported, 99)
	bar("right family or group", family, reported, 97)
}
