package scanner

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/workload"
	"github.com/imwatch/imwatch/rules"
)

// manyRules generates rules such as people write: a word of a component, a word
// for what went wrong, a number or a symbol.
func manyRules(t testing.TB, n int) *Scanner {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 9))
	syllables := strings.Fields("ka to mi re su no va li do pe gra sto che fin wex qua zor blu jen hyp")
	word := func() (w string) {
		for range 2 + r.IntN(3) {
			w += syllables[r.IntN(len(syllables))]
		}
		return w
	}
	var b strings.Builder
	b.WriteString("families: [easemob-web]\nabout: generated\nrules:\n")
	for i := range n {
		part, what := word(), []string{"failed", "refused", "error", "timeout", "超时", "失败"}[r.IntN(6)]
		re, line := "", ""
		switch i % 4 {
		case 0:
			re, line = fmt.Sprintf(`\b%s %s:? (?P<code>\d{1,3})\b`, part, what), fmt.Sprintf("%s %s: 206", part, what)
		case 1:
			re, line = fmt.Sprintf(`(?i)%s["']?\s*[:=]\s*["']?(?P<code>\d{1,3})\b`, part), fmt.Sprintf(`{"%s": "206"}`, strings.ToUpper(part))
		case 2:
			re, line = fmt.Sprintf(`(?:%s|%s)_code=(?P<code>\d{1,3})\b`, part, word()), part+"_code=206"
		case 3:
			re, line = fmt.Sprintf(`%s%s[^\w\n]{0,4}(?P<code>\d{1,3})(?:[^\w.]|$)`, what, part), fmt.Sprintf("%s%s：206", what, part)
		}
		fmt.Fprintf(&b, "  - id: many-%d\n    about: x\n    regex: '%s'\n    gives: sdk\n    match: |\n      206  %s\n    no_match: |\n      nothing\n", i, strings.ReplaceAll(re, "'", "''"), line)
	}
	file, problems := rules.Parse("many.yaml", []byte(b.String()))
	for _, p := range problems {
		t.Fatal(p)
	}
	file.BuiltIn = true // its examples are run below
	set, _ := rules.Embedded()
	s, problems := New(set.With(&rules.Set{Files: []*rules.File{file}}), codes.Embedded())
	for _, p := range problems {
		t.Fatal(p)
	}
	return s
}

// TestManyRules holds the prefilter against the loop over all lines with 1,000
// rules beside the built-in ones, on the rules' own lines in every wrapper.
func TestManyRules(t *testing.T) {
	s := manyRules(t, 1000)
	for _, p := range s.Check() {
		if strings.HasPrefix(p.File, "many") && strings.Contains(p.What, "does not find") {
			t.Error(p)
		}
	}
	r := rand.New(rand.NewPCG(4, 4))
	own := s.files[len(s.files)-1].src
	for i := range own.Rules {
		if testing.Short() && i%5 != 0 {
			continue
		}
		line := rules.Examples(own.Rules[i].Match)[0].Text
		w := wrappers[r.IntN(len(wrappers))]
		data := w.wrap(line) + "\nbehind\n"
		if !strings.HasPrefix(w.name, "docker") {
			data = "before\n" + data
		}
		agree(t, s, []byte(data), uint64(i))
	}
	log, err := os.ReadFile("../testdata/quiet/spring.log")
	if err != nil {
		t.Fatal(err)
	}
	agree(t, s, log, 1)
}

// BenchmarkRules is the cost against the number of rules, at 1 % hits. The numbers take turns,
// so that a machine that is slower for a while is so for all; an operation is a turn of each.
func BenchmarkRules(b *testing.B) {
	var log bytes.Buffer
	if _, _, err := workload.Write(&log, 16<<20, workload.Options{Hits: 10}); err != nil {
		b.Fatal(err)
	}
	few, numbers := manyRules(b, 10), []int{100, 1000}
	took := func(s *Scanner) float64 {
		began := time.Now()
		for at := 0; at < log.Len(); {
			end := min(at+1<<20, log.Len())
			at += s.Scan(log.Bytes()[at:end], end == log.Len(), func(*Block) {})
		}
		return float64(time.Since(began))
	}
	scanners, ratios, base := []*Scanner{}, make([][]float64, len(numbers)), []float64{}
	for _, n := range numbers {
		scanners = append(scanners, manyRules(b, n))
	}
	for b.Loop() {
		ten := took(few)
		base = append(base, float64(log.Len())/ten*1e3)
		for i, s := range scanners {
			ratios[i] = append(ratios[i], took(s)/ten)
		}
	}
	median := func(list []float64) float64 {
		slices.Sort(list)
		return list[len(list)/2]
	}
	b.ReportMetric(median(base), "MB/s-by-10")
	for i, n := range numbers {
		b.ReportMetric(median(ratios[i]), fmt.Sprintf("%d/10", n))
	}
}

// oneRule is a file of the user's with one rule that finds 206; more is what the rule says
// besides.
func oneRule(t *testing.T, id, regex, more, match, noMatch string) *rules.File {
	t.Helper()
	name, _, _ := strings.Cut(id, "-")
	file, problems := rules.Parse(name+".yaml", []byte("families: [easemob-web]\nabout: x\nrules:\n  - id: "+id+"\n    about: x\n    regex: '"+regex+"'\n    gives: sdk\n"+more+
		"    match: |\n      206  "+match+"\n    no_match: |\n      "+noMatch+"\n"))
	for _, p := range problems {
		t.Fatal(p)
	}
	return file
}

// TestLongLiteral: a rule whose literal is longer than the sieve searches.
func TestLongLiteral(t *testing.T) {
	long := strings.Repeat("na", 40_000)
	file := oneRule(t, "long-one", long+" (?P<code>206)", "", long+" 206", long+" 2")
	s, problems := New(&rules.Set{Files: []*rules.File{file}}, codes.Embedded())
	for _, p := range problems {
		t.Fatal(p)
	}
	n := 0
	s.Scan([]byte("x "+long+" 206\n"), true, func(*Block) { n++ })
	if n != 1 {
		t.Errorf("found %d times", n)
	}
}

// TestOddRules: rules that only a user would write, on lines that they match.
func TestOddRules(t *testing.T) {
	for _, r := range []struct{ regex, object, line string }{
		{`!\n  \(,\+\s?(?P<code>\d+)`, "", "{type:28!\n  (,+206\n}"}, // no word in it, and over two lines
		{`/\n  @\{\s?(?P<code>\d+)`, "", "{type:28/\n  @{206\n}"},
		{`\btype_(?P<code>\d{1,3})\b`, "    object: {keys: [type]}\n", "type_206"}, // a key without a colon
	} {
		file := oneRule(t, "odd-one", r.regex, r.object, "type 206", "type")
		set, _ := rules.Embedded()
		s, _ := New(set.With(&rules.Set{Files: []*rules.File{file}}), codes.Embedded()) // an example is one line: it does not find its own
		data := []byte(r.line + "\n")
		agree(t, s, data, 1)
		found := false
		s.Scan(data, true, func(b *Block) {
			found = found || slices.ContainsFunc(b.Matches, func(m Match) bool { return m.Rule.ID == "odd-one" })
		})
		if want := r.object == ""; found != want {
			t.Errorf("%s: found %v in %q", r.regex, found, data)
		}
	}
}
