package scanner

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/sieve"
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
	longer := map[uint32]bool{} // windows with a literal that is longer than what is remembered
	var long []string
	s.Windows(func(w uint32, lit, _ int) {
		if text := s.Literals[lit]; len(text) > refusal && s.refusable[w] {
			longer[w], long = true, append(long, text)
		}
	})
	r := rand.New(rand.NewPCG(8, 8))
	parts := strings.Split(`" " : = 2 28 -1 % \ \" %22 %3A , } text cmd u0022 x3a é`, " ")
	lines := []string{"\x00\x00\x00\x00\x00\x00\x00\x00"}
	for range 5000 {
		line := []string{`{"a":"b","`, `type`, `{\"type`, `Type`, `%22type`, `jiguang`, `desc`, `Auth`}[r.IntN(8)]
		for range 1 + r.IntN(4) {
			line += parts[r.IntN(len(parts))]
		}
		switch lit := s.Literals[r.IntN(len(s.Literals))]; r.IntN(3) {
		case 0:
			line += lit[:1+r.IntN(len(lit))]
		case 1:
			lit = long[r.IntN(len(long))]
			line += lit[:min(len(lit), sieve.Window+r.IntN(refusal))] + "........"
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
	known, without, begun := 0, 0, 0
	for _, line := range lines {
		for at := range line {
			if !s.refused.refuse([]byte(line), at) {
				continue
			}
			known++
			w := s.Window([]byte(line), at)
			if w == 0 {
				without++
			}
			if longer[w] {
				begun++
			}
		}
	}
	if known < 100 || without < 10 || begun < 10 {
		t.Errorf("%d places are remembered, %d of no window, %d of one of long literals", known, without, begun)
	}
}

// TestEscapedColours: a code behind a colour's end is found where only some of the colour's
// sequence is escaped.
func TestEscapedColours(t *testing.T) {
	for _, colour := range []string{`\u001b\u005b1;31m`, `\u001b[1;31m`, `\u001b\u005b38:5:9m`} {
		line := `{"level":"error","msg":"JMessage send error ` + colour + `865004"}` + "\n"
		blocks := 0
		builtIn(t).Scan([]byte(line), true, func(*Block) { blocks++ })
		if blocks != 1 {
			t.Errorf("%d blocks in %s", blocks, line)
		}
	}
}
