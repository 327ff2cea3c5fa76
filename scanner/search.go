package scanner

import (
	"encoding/binary"
	"slices"
)

// A searcher finds the anchors of all rules in one pass, at a cost that hardly
// depends on how many there are. Of each anchor it searches only a window of at
// most four bytes, the rarest that the anchor has:
//
//  1. a sieve marks the places where a window may begin: on amd64 32 bytes at a
//     time (after "Teddy", of Hyperscan), else two bytes at a time with skips;
//  2. a bit map of the windows' hashes drops nearly all that is none;
//  3. a table gives the anchors of a window, and they look around them.
type searcher struct {
	width   int    // of a window: 4, or less where an anchor is shorter
	mask    uint32 // of a window read as four bytes
	lits    []searched
	heads   [1 << 12]uint16 // by hash: 1 + index of the first entry
	entries []windowEntry
	sieve   sieve
	fast    bool             // the assembly sifts
	pairs   *[1 << 10]uint64 // the pairs of bytes that windows have, where there is no assembly
}

// A searched literal and the looks around it, of which one must fit.
type searched struct {
	text  string
	looks []anchor
}

type windowEntry struct {
	window uint32
	lit    uint16
	at     uint16 // of the window in the literal
	next   uint16
}

// A sieve is what the assembly reads: for each of four bytes two tables by low
// and high nibble, whose bits are buckets of windows, and the bit map.
type sieve struct {
	nibbles [window][2][16]uint8
	mask    uint32
	_       [12]byte
	bits    [1 << 13]uint8
}

const (
	window  = 4
	buckets = 8
)

func windowHash(w uint32) uint32 { return w * 0x9E3779B1 >> 16 }

func newSearcher(anchors []anchor) *searcher {
	s := &searcher{width: window}
	index := map[string]int{}
	for _, a := range anchors {
		i, ok := index[a.lit]
		if !ok {
			i = len(s.lits)
			index[a.lit] = i
			s.lits = append(s.lits, searched{text: a.lit})
		}
		s.lits[i].looks = append(s.lits[i].looks, a)
		s.width = min(s.width, len(a.lit))
	}
	s.mask = 1<<(8*s.width) - 1
	if s.width == window {
		s.mask = 1<<32 - 1
	}
	s.windows()
	return s
}

// windows chooses each literal's window and fills the tables. Short literals
// choose first: longer ones share their windows where they can.
func (s *searcher) windows() {
	order := make([]int, len(s.lits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(s.lits[a].text) - len(s.lits[b].text) })
	chosen := map[uint32]bool{}
	var list []uint32
	for _, i := range order {
		text := s.lits[i].text
		at := s.rarest(text, chosen)
		w := s.read(text[at:])
		if !chosen[w] {
			chosen[w] = true
			list = append(list, w)
		}
		h := windowHash(w)
		s.sieve.bits[h>>3] |= 1 << (h & 7)
		s.entries = append(s.entries, windowEntry{w, uint16(i), uint16(at), s.heads[h>>4]})
		s.heads[h>>4] = uint16(len(s.entries))
	}
	s.sieve.fill(list, s.width, s.mask)
	if s.fast = fastSieve; !s.fast {
		s.pairs = pairs(list, s.width)
	}
}

// read returns the window at the start of text.
func (s *searcher) read(text string) (w uint32) {
	for i := range s.width {
		w |= uint32(text[i]) << (8 * i)
	}
	return w
}

// rarest returns where the window of a literal is that costs the least.
func (s *searcher) rarest(text string, chosen map[uint32]bool) (best int) {
	least := 2.0
	for at := 0; at+s.width <= len(text); at++ {
		if chosen[s.read(text[at:])] {
			return at
		}
		p := 1.0
		for _, c := range []byte(text[at : at+s.width]) {
			p *= byteShare[c]
		}
		if common(text[at : at+s.width]) {
			p *= 100
		}
		if p < least {
			best, least = at, p
		}
	}
	return best
}

// fill puts the windows into buckets, so that the nibbles of one bucket let as
// little pass as can be.
func (v *sieve) fill(windows []uint32, width int, mask uint32) {
	v.mask = mask
	type bucket struct{ nibbles [window][2]uint16 }
	var all [buckets]bucket
	add := func(b bucket, w uint32) bucket {
		for k := range width {
			c := byte(w >> (8 * k))
			b.nibbles[k][0] |= 1 << (c & 15)
			b.nibbles[k][1] |= 1 << (c >> 4)
		}
		return b
	}
	passes := func(b bucket) float64 {
		p := 1.0
		for k := range width {
			sum := 0.0
			for c := range byteShare {
				if b.nibbles[k][0]&(1<<(c&15)) != 0 && b.nibbles[k][1]&(1<<(c>>4)) != 0 {
					sum += byteShare[c]
				}
			}
			p *= sum
		}
		return p
	}
	slices.Sort(windows)
	var cost [buckets]float64
	for _, w := range windows {
		into, least, then := 0, 1e9, 0.0
		for i := range all {
			if p := passes(add(all[i], w)); p-cost[i] < least {
				into, least, then = i, p-cost[i], p
			}
		}
		all[into], cost[into] = add(all[into], w), then
	}
	for i, b := range all {
		for k := range window {
			for n := range 16 {
				if k >= width || b.nibbles[k][0]&(1<<n) != 0 {
					v.nibbles[k][0][n] |= 1 << i
				}
				if k >= width || b.nibbles[k][1]&(1<<n) != 0 {
					v.nibbles[k][1][n] |= 1 << i
				}
			}
		}
	}
}

// pairs are all that windows have of two bytes.
func pairs(windows []uint32, width int) *[1 << 10]uint64 {
	t := new([1 << 10]uint64)
	for _, w := range windows {
		for at := 0; at+2 <= width; at++ {
			pair := uint16(w >> (8 * at))
			t[pair>>6] |= 1 << (pair & 63)
		}
	}
	return t
}

// places are where windows may begin, found some at a time.
const maxPlaces = 1024

// each calls visit with a place in every line that an anchor fits in, in order;
// visit returns where to go on.
func (s *searcher) each(data []byte, visit func(int) int) {
	var places [maxPlaces]uint32
	resume := 0
	for from := 0; from+s.width <= len(data); {
		n, next := s.sift(data[from:], &places)
		for _, p := range places[:n] {
			at := from + int(p)
			if at < resume {
				continue
			}
			if hit := s.hit(data, at); hit >= resume {
				resume = visit(hit)
			}
		}
		from += next
		if resume > from {
			from = resume
		}
	}
}

// hit returns where an anchor begins that has its window at data[at] and fits
// there, or -1.
func (s *searcher) hit(data []byte, at int) int {
	w := s.at(data, at)
	for e := s.heads[windowHash(w)>>4]; e != 0; e = s.entries[e-1].next {
		x := &s.entries[e-1]
		lit := &s.lits[x.lit]
		start := at - int(x.at)
		if x.window != w || start < 0 || start+len(lit.text) > len(data) || string(data[start:start+len(lit.text)]) != lit.text {
			continue
		}
		for i := range lit.looks {
			if lit.looks[i].fits(data, start, len(lit.text)) {
				return start
			}
		}
	}
	return -1
}

// sift fills places with where windows may begin, and returns how many and
// where to go on.
func (s *searcher) sift(data []byte, places *[maxPlaces]uint32) (n, next int) {
	if s.fast && len(data) >= sieveBlock {
		return fastSift(&s.sieve, data, places)
	}
	if s.pairs == nil || s.width < 3 {
		return s.slowSift(data, places)
	}
	// Of the pairs at every place, every window has one at each second place, or
	// at each third if it has four bytes.
	step := s.width - 1
	pairs, last := s.pairs, len(data)-s.width
	at := step - 1 // of the pair
	for ; at < last && n <= maxPlaces-window; at += step {
		pair := binary.LittleEndian.Uint16(data[at:])
		if pairs[pair>>6]&(1<<(pair&63)) == 0 {
			continue
		}
		for p := at - step + 1; p <= at; p++ {
			n += s.place(data, p, &places[n])
		}
	}
	return s.sifted(data, at-step+1, n, places)
}

// sifted looks at the last places of data one by one.
func (s *searcher) sifted(data []byte, at, n int, places *[maxPlaces]uint32) (found, next int) {
	if n > maxPlaces-window {
		return n, at
	}
	for ; at+s.width <= len(data) && n < maxPlaces; at++ {
		n += s.place(data, at, &places[n])
	}
	return n, at
}

// slowSift is for the few bytes that are less than a block.
func (s *searcher) slowSift(data []byte, places *[maxPlaces]uint32) (n, next int) {
	return s.sifted(data, 0, 0, places)
}

// place notes at if the bit map has the window there, and returns 1 then.
func (s *searcher) place(data []byte, at int, into *uint32) int {
	h := windowHash(s.at(data, at))
	*into = uint32(at)
	return int(s.sieve.bits[h>>3] >> (h & 7) & 1)
}

// at returns the window at data[at].
func (s *searcher) at(data []byte, at int) (w uint32) {
	if at+window <= len(data) {
		return binary.LittleEndian.Uint32(data[at:]) & s.mask
	}
	for i, c := range data[at : at+s.width] {
		w |= uint32(c) << (8 * i)
	}
	return w
}
