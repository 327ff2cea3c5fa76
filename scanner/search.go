package scanner

import (
	"slices"
	"strings"
)

// A searcher finds any of many literals in one pass: an Aho-Corasick automaton
// over byte classes. It reports ends of hits, not which literal it was; the
// rules find that out for themselves on the few lines that are hit.
type searcher struct {
	class  [256]uint8
	width  int      // number of classes
	next   []uint16 // state*width + class → state
	accept []uint64 // bit set of states in which a literal ends
}

// newSearcher builds the automaton. Literals that contain another one are
// dropped: the shorter one finds every line of the longer.
func newSearcher(lits []string) *searcher {
	lits = minimal(lits)
	s := &searcher{}
	s.classes(lits)
	type node struct {
		next map[uint8]int
		fail int
		end  bool
	}
	nodes := []node{{next: map[uint8]int{}}}
	for _, l := range lits {
		at := 0
		for i := 0; i < len(l); i++ {
			c := s.class[l[i]]
			to, ok := nodes[at].next[c]
			if !ok {
				to = len(nodes)
				nodes = append(nodes, node{next: map[uint8]int{}})
				nodes[at].next[c] = to
			}
			at = to
		}
		nodes[at].end = true
	}
	s.next = make([]uint16, len(nodes)*s.width)
	s.accept = make([]uint64, (len(nodes)+63)/64)
	queue := []int{0}
	for q := 0; q < len(queue); q++ {
		at := queue[q]
		fail := nodes[at].fail
		if nodes[at].end || (at != 0 && s.accepts(fail)) {
			s.accept[at/64] |= 1 << (at % 64)
		}
		for c := range s.width {
			to, ok := nodes[at].next[uint8(c)]
			switch {
			case ok && at == 0:
				queue = append(queue, to)
			case ok:
				nodes[to].fail = int(s.next[fail*s.width+c])
				queue = append(queue, to)
			case at != 0:
				to = int(s.next[fail*s.width+c])
			}
			s.next[at*s.width+c] = uint16(to)
		}
	}
	return s
}

func (s *searcher) accepts(state int) bool { return s.accept[state/64]&(1<<(state%64)) != 0 }

// classes gives every byte that stands in a literal a class of its own and all
// the others class 0.
func (s *searcher) classes(lits []string) {
	n := uint8(1)
	for _, l := range lits {
		for i := 0; i < len(l); i++ {
			if s.class[l[i]] == 0 {
				s.class[l[i]] = n
				n++
			}
		}
	}
	s.width = int(n)
}

// find returns the end of the first hit in data at or after from, or -1.
func (s *searcher) find(data []byte, from int) int {
	state, width, next := 0, s.width, s.next
	for i := from; i < len(data); i++ {
		state = int(next[state*width+int(s.class[data[i]])])
		if state != 0 && s.accept[state>>6]&(1<<(state&63)) != 0 {
			return i + 1
		}
	}
	return -1
}

// minimal drops duplicates and literals that contain another literal.
func minimal(lits []string) []string {
	slices.SortFunc(lits, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var out []string
	for _, l := range lits {
		if !slices.ContainsFunc(out, func(k string) bool { return strings.Contains(l, k) }) {
			out = append(out, l)
		}
	}
	return out
}
