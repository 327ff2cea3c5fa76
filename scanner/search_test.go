package scanner

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
)

// TestRefusals: what is remembered not to fit changes nothing that is found.
func TestRefusals(t *testing.T) {
	set, _ := rules.Embedded()
	own, problems := New(set, codes.Embedded()) // nobody else fills its memory
	for _, p := range problems {
		t.Fatal(p)
	}
	s := own.search
	if s.refused.refuse(make([]byte, refusal), 0) {
		t.Error("eight NULs are refused though nobody has looked")
	}
	search := func(line string) (fits []fit) {
		return s.each([]byte(line), nil, func(int) int { return len(line) })
	}
	forget := func() {
		for i := range s.refused {
			s.refused[i].Store(1)
		}
	}
	r := rand.New(rand.NewPCG(8, 8))
	parts := strings.Split(`" " : = 2 28 -1 % \ \" %22 %3A , } text cmd u0022 x3a é`, " ")
	lines := []string{"\x00\x00\x00\x00\x00\x00\x00\x00"}
	for range 5000 {
		line := []string{`{"a":"b","`, `type`, `{\"type`, `Type`, `%22type`, `jiguang`, `desc`, `Auth`}[r.IntN(8)]
		for range 1 + r.IntN(4) {
			line += parts[r.IntN(len(parts))]
		}
		if lit := s.Literals[r.IntN(len(s.Literals))]; r.IntN(2) == 0 { // which may be longer than what is remembered
			line += lit[:1+r.IntN(len(lit))]
		}
		lines = append(lines, line+strings.Repeat(".", r.IntN(9)))
	}
	var cold [][]fit
	for _, line := range lines {
		forget()
		cold = append(cold, search(line))
	}
	forget()
	for range 2 {
		for i, line := range lines {
			if got := search(line); !slices.Equal(got, cold[i]) {
				t.Fatalf("%q: %v, and %v by who remembers nothing", line, got, cold[i])
			}
		}
	}
	known := 0
	for _, line := range lines {
		for at := range line {
			if s.refused.refuse([]byte(line), at) {
				known++
			}
		}
	}
	if known < 100 {
		t.Errorf("%d places are remembered", known)
	}
}
