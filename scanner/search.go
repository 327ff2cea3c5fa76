package scanner

import "github.com/imwatch/imwatch/scanner/sieve"

// A searcher finds the anchors of all rules in one pass.
type searcher struct {
	*sieve.Sieve
	looks [][]anchor // of each literal; one must fit
}

func newSearcher(anchors []anchor) *searcher {
	s := &searcher{}
	var lits []string
	index := map[string]int{}
	for _, a := range anchors {
		i, ok := index[a.lit]
		if !ok {
			i = len(lits)
			index[a.lit] = i
			lits = append(lits, a.lit)
			s.looks = append(s.looks, nil)
		}
		s.looks[i] = append(s.looks[i], a)
	}
	s.Sieve = sieve.New(lits)
	return s
}

// each calls visit with a place in every line that an anchor fits in, in order;
// visit returns where to go on.
func (s *searcher) each(data []byte, visit func(int) int) {
	var places [sieve.MaxPlaces]uint32
	resume := 0
	for from := 0; from < len(data); {
		n, next := s.Sift(data[from:], &places)
		for _, p := range places[:n] {
			at := from + int(p)
			if at < resume {
				continue
			}
			if hit := s.hit(data, at); hit >= resume {
				resume = visit(hit)
			}
		}
		from = max(from+next, resume)
	}
}

// hit returns where an anchor begins that has its window at data[at] and fits
// there, or -1.
func (s *searcher) hit(data []byte, at int) int {
	for h := s.First(data, at); h.OK(); h = s.Next(data, h) {
		for i := range s.looks[h.Literal] {
			if s.looks[h.Literal][i].fits(data, h.At, len(s.Literals[h.Literal])) {
				return h.At
			}
		}
	}
	return -1
}
