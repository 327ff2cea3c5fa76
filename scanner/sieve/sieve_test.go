package sieve

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/workload"
	"github.com/imwatch/imwatch/scanner/plan"
)

// everyWay returns the sieve with each of the kernels that can run here.
func everyWay(s *Sieve, known *plan.Table) (list []*Sieve) {
	for _, k := range kernels {
		way := *s
		way.use(k, known)
		list = append(list, &way)
	}
	return list
}

// found returns where the literals stand.
func found(s *Sieve, data []byte) (hits [][2]int) {
	var places [MaxPlaces]uint32
	for from := 0; from+s.width <= len(data); {
		n, next := s.Sift(data[from:], &places)
		for _, p := range places[:n] {
			place := from + int(p)
			for lit, at, e := s.First(data, place); lit >= 0; lit, at, e = s.Next(data, place, e) {
				hits = append(hits, [2]int{at, lit})
			}
		}
		from += next
	}
	slices.SortFunc(hits, compare)
	return hits
}

func compare(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) }

// naive looks for every literal at every place.
func naive(lits []string, data []byte) (hits [][2]int) {
	for lit, l := range lits {
		for at := range data {
			if bytes.HasPrefix(data[at:], []byte(l)) {
				hits = append(hits, [2]int{at, lit})
			}
		}
	}
	slices.SortFunc(hits, compare)
	return hits
}

func agree(t *testing.T, s *Sieve, data []byte) {
	t.Helper()
	agreeKnown(t, s, new(plan.Table), data)
}

func agreeKnown(t *testing.T, s *Sieve, known *plan.Table, data []byte) {
	t.Helper()
	want := naive(s.Literals, data)
	for _, way := range everyWay(s, known) {
		if got := found(way, data); !slices.Equal(got, want) {
			t.Fatalf("hits %v, want %v; kernel %d, literals %q in %q", got, want, way.kernel, s.Literals, data)
		}
	}
}

// TestSieve puts each list's literals at the places of a block and at every end of the
// data, in windows of every width.
func TestSieve(t *testing.T) {
	t.Logf("kernels here, by number: %d (%d is AVX-512, %d AVX2, %d none)", kernels, avx512, avx2, portable)
	for _, c := range []struct {
		lits   []string
		frames int
	}{
		{[]string{"needle"}, 0}, {[]string{"need", "le\xe7\x8e\xaf"}, 0}, {[]string{"abc", "needle"}, 0}, {[]string{"ab", "needle"}, 0},
		{[]string{"x"}, 0}, {[]string{"\x00\x00\x00\x00"}, 0}, {[]string{"\xff\xfe\xfd\xfc\xfb", "Zz9_"}, 0},
		{[]string{"zqxja", "zqxje", "zqxji", "zqxjo", "zqxju1"}, 1},
		{[]string{"zqxjka", "zqxjto", "zqxjmi", "zqxjre", "zqxjsu", "zqxjno", "zqxj"}, 1}, // one has no frame
		{[]string{"azqxj", "ezqxj", "izqxj", "ozqxj", "1uzqxj", "zqxja", "zqxje", "zqxji", "zqxjo", "zqxju1"}, 2},
	} {
		s := New(c.lits)
		if len(s.frames) != c.frames || s.marks.many != 0 {
			t.Errorf("%d frames of %q, not %d; many %d", len(s.frames), c.lits, c.frames, s.marks.many)
		}
		for length := range 140 {
			data := bytes.Repeat([]byte{'.'}, length)
			for at := range length {
				if l := c.lits[at%len(c.lits)]; at+len(l) <= length {
					d := slices.Clone(data)
					copy(d[at:], l)
					agree(t, s, d)
				}
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
		slices.Sort(lits)
		lits = slices.Compact(lits)
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
		agree(t, New(lits), data)
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
	slices.Sort(lits)
	s := New(slices.Compact(lits))
	for _, way := range everyWay(s, new(plan.Table)) {
		if way.kernel == avx2 && way.marks.many == 0 {
			t.Error("the kernel writes few places of a block at once")
		}
	}
	agree(t, s, log.Bytes()[:1<<14])
}

// TestKnown: whatever the windows, the same is found; windows that cannot be the
// literals' are not taken.
func TestKnown(t *testing.T) {
	lits := []string{"needle", "need", "环信服务", "timeout"}
	r := rand.New(rand.NewPCG(6, 6))
	data := []byte(strings.Repeat("a needle, no need; 环信服务 timeouts\n", 9))
	for range 50 {
		chosen := make([]plan.Window, len(lits))
		for i, l := range lits {
			chosen[i] = plan.Window{At: uint16(r.IntN(len(l) - Window + 1)), Bucket: uint8(r.IntN(buckets))}
		}
		s := Known(lits, known(lits, chosen))
		for i, c := range chosen {
			if w := s.Window([]byte(lits[i][c.At:]), 0); w == 0 {
				t.Fatalf("the window of %q is not that at %d", lits[i], c.At)
			}
		}
		agreeKnown(t, s, known(lits, chosen), data)
	}
	for _, wrong := range [][]plan.Window{nil, {{}, {}, {}}, {{}, {}, {}, {}, {}}, {{}, {At: 1}, {}, {}}, {{}, {}, {}, {Bucket: buckets}}} {
		agreeKnown(t, Known(lits, known(lits, wrong)), known(lits, wrong), data)
	}
}

func known(lits []string, chosen []plan.Window) *plan.Table {
	t := new(plan.Table)
	for by := range grains {
		t.Sieves = append(t.Sieves, plan.Entry[[]plan.Window]{Of: name(lits, by), Is: chosen})
	}
	return t
}

// TestVeryManyLiterals has more literals than 16 bits count.
func TestVeryManyLiterals(t *testing.T) {
	var lits []string
	var chosen []plan.Window
	for i := range 70_000 {
		lits, chosen = append(lits, fmt.Sprintf("%06d", i)), append(chosen, plan.Window{At: 2, Bucket: uint8(i % buckets)})
	}
	data := []byte("000007 065543 069999 070000\n")
	if got, want := found(Known(lits, known(lits, chosen)), data), [][2]int{{0, 7}, {7, 65543}, {14, 69999}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
