package scanner

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/workload"
)

// portable makes a searcher do without the assembly.
func portable(s *searcher) *searcher {
	p := *s
	p.fast = false
	var windows []uint32
	for _, e := range s.entries {
		windows = append(windows, e.window)
	}
	p.pairs = pairs(windows, s.width)
	return &p
}

func linesHit(s *searcher, data []byte) (starts []int) {
	s.each(data, func(hit int) int {
		starts = append(starts, bytes.LastIndexByte(data[:hit], '\n')+1)
		if n := bytes.IndexByte(data[hit:], '\n'); n >= 0 {
			return hit + n + 1
		}
		return len(data)
	})
	return starts
}

// linesNaive looks for every literal in every line.
func linesNaive(lits []string, data []byte) (starts []int) {
	at := 0
	for line := range bytes.Lines(data) {
		if slices.ContainsFunc(lits, func(l string) bool { return bytes.Contains(line, []byte(l)) }) {
			starts = append(starts, at)
		}
		at += len(line)
	}
	return starts
}

func searchers(lits []string) []*searcher {
	var anchors []anchor
	for _, l := range lits {
		anchors = append(anchors, anchor{lit: l})
	}
	s := newSearcher(anchors)
	return []*searcher{s, portable(s)}
}

func sieves(t *testing.T, list []*searcher, lits []string, data []byte) {
	t.Helper()
	want := linesNaive(lits, data)
	for _, s := range list {
		if got := linesHit(s, data); !slices.Equal(got, want) {
			t.Fatalf("lines at %v, want %v; assembly %v, literals %q in %q", got, want, s.fast, lits, data)
		}
	}
}

// TestSieve puts literals at every place of a block and at every end of the
// data, in windows of every width.
func TestSieve(t *testing.T) {
	for _, lits := range [][]string{
		{"needle"}, {"need", "le\xe7\x8e\xaf"}, {"abc", "needle"}, {"ab", "needle"}, {"x"},
		{"\x00\x00\x00\x00"}, {"\xff\xfe\xfd\xfc\xfb", "Zz9_"},
	} {
		list := searchers(lits)
		for length := range 140 {
			data := bytes.Repeat([]byte{'.'}, length)
			for at := 0; at+len(lits[len(lits)-1]) <= length; at++ {
				d := slices.Clone(data)
				copy(d[at:], lits[len(lits)-1])
				sieves(t, list, lits, d)
			}
		}
	}
}

// FuzzSieve holds the assembly, the portable code and a loop over all literals
// against each other.
func FuzzSieve(f *testing.F) {
	f.Add("type code 8801", []byte("a type\nno\ncode=88012\n"), uint64(1))
	f.Add("ab abc \xe7\x8e\xaf", []byte("xxabxx\n\xe7\x8e\xaf"), uint64(2))
	f.Fuzz(func(t *testing.T, words string, data []byte, seed uint64) {
		lits := strings.Fields(words)
		if len(lits) == 0 || len(lits) > 64 || strings.Contains(words, "\n") {
			return
		}
		r := rand.New(rand.NewPCG(seed, 3))
		for range 20 { // what no mutation would hit: the literals, whole and cut
			l := lits[r.IntN(len(lits))]
			l = l[:len(l)-r.IntN(2)*r.IntN(len(l))]
			at := r.IntN(len(data) + 1)
			data = slices.Concat(data[:at], []byte(l), bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(40)), data[at:])
		}
		sieves(t, searchers(lits), lits, data)
	})
}

// TestSieveManyLiterals has more literals than buckets can tell apart.
func TestSieveManyLiterals(t *testing.T) {
	var log bytes.Buffer
	if _, _, err := workload.Write(&log, 1<<18, workload.Options{Hits: 100}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	var lits []string
	for range 1000 { // half of them from the log itself
		at := r.IntN(log.Len() - 40)
		l := string(log.Bytes()[at : at+4+r.IntN(20)])
		if r.IntN(2) == 0 {
			l = strings.ToUpper(l) + "~"
		}
		if !strings.Contains(l, "\n") {
			lits = append(lits, l)
		}
	}
	sieves(t, searchers(lits), lits, log.Bytes()[:1<<16])
}

// BenchmarkPrefilter runs the prefilter alone over healthy lines, with and
// without the assembly.
func BenchmarkPrefilter(b *testing.B) {
	var log bytes.Buffer
	if _, _, err := workload.Write(&log, 1<<20, workload.Options{}); err != nil {
		b.Fatal(err)
	}
	s := builtIn(b).search
	for name, s := range map[string]*searcher{"assembly": s, "portable": portable(s)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(log.Len()))
			for b.Loop() {
				linesHit(s, log.Bytes())
			}
		})
	}
}
