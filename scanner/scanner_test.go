package scanner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/workload"
	"github.com/imwatch/imwatch/rules"
)

// TestExamples runs what every built-in rule says that it finds and leaves alone.
func TestExamples(t *testing.T) {
	for _, p := range builtIn(t).Check() {
		t.Error(p)
	}
}

// everything is the loop that the prefilter saves: all rules on every line.
var everything = filter{
	candidates: func(data []byte, fits []fit, visit func(int) int) []fit {
		for at := 0; at < len(data); {
			at = visit(at)
		}
		return nil
	},
	files:  func([]fit, int) fileSet { return allFiles },
	barren: func([]byte, fileSet) bool { return false },
	anew:   true,
}

// found prints what a scan finds, offering the data in pieces of the given sizes.
func found(s *Scanner, data []byte, need filter, sizes func() int) string {
	var out strings.Builder
	base := 0
	emit := func(b *Block) {
		fmt.Fprintf(&out, "%d-%d %q %s %v %v", base+b.Start, base+b.End, b.Text, b.When, b.Decoded, b.Partial)
		for _, m := range b.Matches {
			fmt.Fprintf(&out, " [%s %s %s %q %v %v %v %v %q %v %v %v %v]", m.Rule.ID, m.Code, m.Symbol, m.Text, m.Inner, m.Basis, m.Families, m.Fields, m.Evidence, m.Bare, m.Having, m.Known, m.Status)
		}
		out.WriteByte('\n')
	}
	for base < len(data) {
		end := base
		for end < len(data) && end-base < sizes() {
			end += bytes.IndexByte(data[end:], '\n') + 1
		}
		for {
			n := s.scan(data[base:end], end == len(data), need, emit)
			if n > 0 || end == len(data) {
				base += n
				break
			}
			end += bytes.IndexByte(data[end:], '\n') + 1
		}
	}
	return out.String()
}

func agree(t *testing.T, s *Scanner, data []byte, seed uint64) {
	t.Helper()
	if len(data) == 0 || data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	r := rand.New(rand.NewPCG(seed, 1))
	check(t, s, data, r)
	if len(data) < maxShape { // so that precedents decide
		like := slices.Concat(data, data)
		for range 2 {
			like = append(like, others(r, string(data))...)
		}
		check(t, s, like, r)
	}
}

// check holds a scan of data, whole and in pieces, against all rules on every line.
func check(t *testing.T, s *Scanner, data []byte, r *rand.Rand) {
	t.Helper()
	prefilter := filter{candidates: s.candidates, files: filesIn, barren: s.barren}
	whole := func() int { return len(data) }
	want := found(s, data, everything, whole)
	if got := found(s, data, prefilter, whole); got != want {
		t.Fatalf("the prefilter changes what is found:\n%s\nwithout it:\n%s\ndata %q", got, want, data)
	}
	if got := found(s, data, prefilter, func() int { return r.IntN(200) }); got != want {
		t.Fatalf("pieces change what is found:\n%s\nwhole:\n%s\ndata %q", got, want, data)
	}
}

// labelled returns the lines of testdata/labelled.
func labelled(t testing.TB) (list []string) {
	t.Helper()
	for _, path := range []string{"../testdata/labelled/positive.jsonl", "../testdata/labelled/negative.jsonl"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.Lines(data) {
			var s struct{ Line string }
			if err := json.Unmarshal(l, &s); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			list = append(list, s.Line)
		}
	}
	return list
}

// TestPrefilter holds the prefilter and any cutting of the data against the
// naive loop, over every shape behind every wrapper, the rules' own lines, the
// labelled ones and what real SDKs printed.
func TestPrefilter(t *testing.T) {
	s := builtIn(t)
	for _, shape := range shapes {
		for i, w := range wrappers {
			data := w.wrap(shape.text) + "\nbehind\n"
			if !strings.HasPrefix(w.name, "docker") { // whose files hold nothing else
				data = "before\n" + data
			}
			agree(t, s, []byte(data), uint64(i))
		}
	}
	for _, f := range s.files { // every rule's own lines
		for _, r := range f.src.Rules {
			for i, e := range rules.Examples(r.Match) {
				w := wrappers[(i+len(e.Text))%len(wrappers)]
				if data := w.wrap(e.Text) + "\nbehind\n"; strings.HasPrefix(w.name, "docker") {
					agree(t, s, []byte(data), uint64(i))
				} else {
					agree(t, s, []byte("before\n"+data), uint64(i))
				}
				agree(t, s, []byte("before\n"+e.Text+"\nbehind\n"), uint64(i))
			}
		}
	}
	for i, line := range labelled(t) {
		agree(t, s, []byte("before\n"+line+"\nbehind\n"), uint64(i))
	}
	logs, err := filepath.Glob("../testdata/sdk/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no testdata/sdk: %v", err)
	}
	for i, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, s, data, uint64(i))
	}
}

// FuzzScan looks for bytes on which the prefilter or the cutting of the data
// changes what is found, and for texts that are not in the data.
func FuzzScan(f *testing.F) {
	for _, shape := range shapes {
		for i, w := range wrappers {
			if w.name != "docker, in two parts" {
				f.Add([]byte(w.wrap(shape.text)+"\nnext\n"), uint64(i))
			}
		}
	}
	s := builtIn(f)
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		agree(t, s, data, seed)
		s.Scan(data, true, func(b *Block) {
			if b.Start < 0 || b.End > len(data) || b.Start >= b.End || len(b.Matches) == 0 {
				t.Fatalf("block %d-%d of %d bytes with %d matches", b.Start, b.End, len(data), len(b.Matches))
			}
			for _, m := range b.Matches {
				if m.Code == "" || len(m.Families) == 0 || m.Rule == nil {
					t.Fatalf("a match without code, family or rule: %+v", m)
				}
			}
		})
	})
}

// TestNew holds the complaints about rules that would not work.
func TestNew(t *testing.T) {
	const good = "families: [easemob-web]\nabout: x\nrules:\n  - id: mine-x\n    about: x\n    regex: 'chatfail (?P<code>\\d+)'\n    gives: sdk\n"
	for _, test := range []struct{ name, yaml, want string }{
		{"good", good + "    match: |\n      16  chatfail 16\n    no_match: |\n      chatfail x\n", ""},
		{"no literal", strings.Replace(good, "chatfail ", `\w+ `, 1) + "    match: |\n      16  a 16\n    no_match: |\n      a\n", "rule mine-x has no literal that every match must contain"},
		{"misses its example", good + "    match: |\n      16  chat fail 16\n    no_match: |\n      x\n", "rule mine-x does not find code 16 in its own example"},
		{"finds another code", good + "    match: |\n      16  chatfail 17\n    no_match: |\n      x\n", "rule mine-x finds 17 where its example says 16"},
		{"finds what it must not", good + "    match: |\n      16  chatfail 16\n    no_match: |\n      chatfail 17 of 20\n", "rule mine-x should leave this alone, but mine-x finds 17 in it"},
		{"unknown code", good + "    match: |\n      9999  chatfail 9999\n    no_match: |\n      x\n", "rule mine-x finds code 9999, which the catalogue does not have"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, problems := rules.Parse("mine.yaml", []byte(test.yaml))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			_, problems = New(&rules.Set{Files: []*rules.File{file}}, codes.Embedded())
			var got []string
			for _, p := range problems {
				got = append(got, p.What)
				if p.Line == 0 || p.Hint == "" {
					t.Errorf("no line or no hint: %v", p)
				}
			}
			if strings.Join(got, "; ") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// BenchmarkScan scans lines of which one in a hundred holds a code.
func BenchmarkScan(b *testing.B) {
	s := builtIn(b)
	var data bytes.Buffer
	for i := range 200_000 {
		if i%100 == 50 {
			fmt.Fprintf(&data, "2026-11-20 08:00:01,%03d ERROR [exec-7] c.e.ChatBridge - onError {\"type\":206,\"message\":\"the user is already logged on another device\"}\n", i%1000)
			continue
		}
		fmt.Fprintf(&data, "2026-11-20 08:00:01,%03d INFO  [http-nio-8080-exec-%d] c.e.web.Access - GET /api/rooms/%d status=200 took %dms user=u%d\n", i%1000, i%16, i%977, i%411, i)
	}
	b.SetBytes(int64(data.Len()))
	for b.Loop() {
		n := 0
		s.Scan(data.Bytes(), true, func(*Block) { n++ })
		if n != 2000 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkPrefilter runs the prefilter alone over healthy lines.
func BenchmarkPrefilter(b *testing.B) {
	for name, o := range map[string]workload.Options{"ASCII": {}, "Chinese": {Chinese: true}} {
		b.Run(name, func(b *testing.B) {
			var log bytes.Buffer
			if _, _, err := workload.Write(&log, 1<<20, o); err != nil {
				b.Fatal(err)
			}
			s := builtIn(b)
			b.SetBytes(int64(log.Len()))
			for b.Loop() {
				s.candidates(log.Bytes(), nil, func(hit int) int { return hit + bytes.IndexByte(log.Bytes()[hit:], '\n') + 1 })
			}
		})
	}
}
