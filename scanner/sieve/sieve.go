// Package sieve finds where any of many literals stands, in one pass at a cost
// that hardly depends on how many there are. Of each literal it searches only a
// window of at most four bytes, the rarest that the literal has:
//
//  1. the sieve marks the places where a window may begin: on amd64 64 bytes at a
//     time (after "Teddy", of Hyperscan), else by pairs of bytes;
//  2. a bit map of the windows' hashes drops nearly all that is none;
//  3. a table gives the literals of a window, and they are compared; if they are many, after
//     two bytes near the window that each of them has.
package sieve

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/bits"
	"slices"

	"github.com/imwatch/imwatch/scanner/plan"
)

// A Sieve searches its literals. It is safe for concurrent use.
type Sieve struct {
	Literals []string

	width   int      // of a window: 4, or less where a literal is shorter
	mask    uint32   // of a window read as four bytes
	windows []window // where the upper bits of the hash say, or in the next free place
	shift   uint8    // of a hash, to these bits
	entries []entry
	frames  []frame
	marks   tables
	kernel  kernel
	pairs   *[1 << 10]uint64 // the pairs of bytes that windows have, where there is no assembly
}

type window struct {
	bytes uint32
	first uint32 // 1 + index of its first entry; 0: the place is free
}

// An entry is a literal of a window.
type entry struct {
	lit    uint32
	at     uint16 // of the window in the literal
	length uint16 // of the literal
	last   byte   // of its bytes, by which numbers that begin alike differ
	more   bool   // the next entry has the same window
	frame  uint16 // 1 + index of the frame that begins with this entry; 0: none does
}

// A frame refuses many literals of one window at once: at one place near the window, each of
// them has one of some pairs of bytes.
type frame struct {
	from   int     // where the pair is, counted from the window's beginning
	hashes byteSet // of the pairs
	next   uint32  // 1 + index of the first entry behind those of the frame; 0: the window has no other
}

func pairHash(a, b byte) byte { return a*31 + b }

// A byteSet has a bit for each.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]>>(c&63)&1 != 0 }

func (s *byteSet) len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Tables are what the assembly reads. Bits of rows and bytes are buckets of windows.
type tables struct {
	rows    [Window][4][16]uint8  // of avx2: for each of four bytes, by its feature of fewBits, sixteen a row
	bytes   [Window][1 << 7]uint8 // of avx512: for each of four bytes, by its lower seven bits
	ignored uint32                // bits of a window, by the bit map
	many    uint32                // not 0: to avx2, more than four places of a block are often marked
	bits    [1 << 14]uint8
}

// A kernel is a way to sift. Those in assembly take 64 bytes at a time, and leave what
// stands behind the last whole block.
type kernel uint8

const (
	portable kernel = iota // pairs of bytes, without assembly
	avx2
	avx512
)

const block = 64 + Window - 1 // its last windows reach behind the 64 bytes

const (
	Window  = 4       // bytes
	Longest = 1 << 12 // bytes of a literal: an entry counts them in 16 bits

	// Beyond is how many bytes that no literal has should stand behind a short
	// text, for all of it to be sifted fast.
	Beyond = block
)

func windowHash(w uint32) uint32 { return w * 0x9E3779B1 }

// The bit map ignores the bit that tells capital letters from small ones, in all bytes but
// the first: many rules for words in any case set fewer bits (BenchmarkRules of scanner). The
// first keeps it so that Request does not let every request pass.
const caseBits = 0x20202000

// bit returns which one is a window's in the bit map.
func (v *tables) bit(w uint32) uint32 { return windowHash(w&^v.ignored) >> 15 }

// New returns a sieve over literals, none of which is empty, longer than Longest, or
// stands twice.
func New(literals []string) *Sieve {
	return Known(literals, new(plan.Table))
}

// Known is New with what is known of the literals: any choice of windows finds the
// same.
func Known(literals []string, known *plan.Table) *Sieve {
	s := &Sieve{Literals: literals, width: Window}
	for _, l := range literals {
		s.width = min(s.width, len(l))
	}
	s.mask = 1<<(8*s.width) - 1
	if known.Open { // one table serves every machine
		for by := range grains {
			s.plan(known, by)
		}
	}
	s.use(kernels[0], known)
	return s
}

// use makes the sieve run a kernel.
func (s *Sieve) use(k kernel, known *plan.Table) {
	s.kernel = k
	s.fill(s.plan(known, k.grain()))
}

// plan returns each literal's window.
func (s *Sieve) plan(known *plan.Table, by grain) []plan.Window {
	chosen, _ := plan.Of(known, &known.Sieves, name(s.Literals, by), func() ([]plan.Window, error) { return s.choose(by), nil })
	if !s.fit(chosen) {
		return s.choose(by)
	}
	return chosen
}

// name names a list of literals, for a grain.
func name(literals []string, by grain) string {
	h := fnv.New64a()
	for _, l := range literals {
		h.Write([]byte(l))
		h.Write([]byte{0})
	}
	return fmt.Sprintf("%016x %d", h.Sum64(), by)
}

// order is that of the literals' lengths.
func (s *Sieve) order() []int {
	order := make([]int, len(s.Literals))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(s.Literals[a]) - len(s.Literals[b]) })
	return order
}

// choose chooses each literal's window. Short literals choose first: longer ones
// share their windows where they can.
func (s *Sieve) choose(by grain) []plan.Window {
	at, users := make([]int, len(s.Literals)), map[uint32]int{}
	for _, i := range s.order() {
		at[i] = s.rarest(s.Literals[i], users)
		users[s.read(s.Literals[i][at[i]:])]++
	}
	in := s.improve(at, users, by)
	chosen := make([]plan.Window, len(at))
	for i, from := range at {
		chosen[i] = plan.Window{At: uint16(from), Bucket: uint8(in[s.read(s.Literals[i][from:])])}
	}
	return chosen
}

// fit tells whether windows can be those of the literals: sums can be the same by
// chance.
func (s *Sieve) fit(chosen []plan.Window) bool {
	for i, w := range chosen {
		if i >= len(s.Literals) || int(w.At)+s.width > len(s.Literals[i]) || w.Bucket >= buckets {
			return false
		}
	}
	return len(chosen) == len(s.Literals)
}

// fill fills the tables.
func (s *Sieve) fill(chosen []plan.Window) {
	s.marks = tables{ignored: ^s.mask | caseBits}
	for i, c := range chosen {
		w := s.read(s.Literals[i][c.At:])
		h := s.marks.bit(w)
		s.marks.bits[h>>3] |= 1 << (h & 7)
		s.marks.add(w, s.width, c.Bucket)
	}
	if s.kernel == avx2 && s.passing(chosen) > manyPass {
		s.marks.many = 1
	}
	s.table(s.order(), chosen)
	if s.pairs = nil; s.kernel == portable {
		s.pairs = pairs(s.windows, s.width)
	}
}

// moreBefore is a bit of a key: the literal has more before its window than behind it.
const moreBefore = 1 << 31

// table makes the table: the literals of one window stand side by side, those with more
// before the window behind the others, of each kind the longest first.
func (s *Sieve) table(order []int, chosen []plan.Window) {
	keys := make([]uint64, len(order))
	for i, lit := range order {
		text, at := s.Literals[lit], int(chosen[lit].At)
		keys[i] = uint64(s.read(text[at:]))<<32 | uint64(len(order)-1-i)
		if len(text)-at-s.width < at {
			keys[i] |= moreBefore
		}
	}
	slices.Sort(keys)
	s.entries = make([]entry, len(keys))
	var windows []window
	for i, k := range keys {
		lit := order[len(order)-1-int(uint32(k&^moreBefore))]
		text := s.Literals[lit]
		s.entries[i] = entry{lit: uint32(lit), at: chosen[lit].At, length: uint16(len(text)), last: text[len(text)-1]}
		if w := uint32(k >> 32); len(windows) == 0 || windows[len(windows)-1].bytes != w {
			windows = append(windows, window{w, uint32(i + 1)})
		} else {
			s.entries[i-1].more = true
		}
	}
	s.frames = nil
	for from, to := 0, 0; from < len(keys); from = to {
		for to < len(keys) && keys[to]>>31 == keys[from]>>31 {
			to++
		}
		s.frame(from, to)
	}
	size := bits.Len(uint(4*len(windows) + 1)) // most texts that pass by chance find a free place
	s.windows, s.shift = make([]window, 1<<size), uint8(32-size)
	for _, w := range windows {
		i := windowHash(w.bytes) >> s.shift
		for s.windows[i].first != 0 {
			i = (i + 1) & uint32(len(s.windows)-1)
		}
		s.windows[i] = w
	}
}

// From so much on the kernel writes ten places of a block without asking. The guess is 3.9/64 for
// the built-in rules, 12.4/64 with the first 100 of BenchmarkRules of scanner, and 22.1/64 with
// 1,000; healthy logs have 1.3, 4.0 and 5.8 marks a block, and more than four in one block of 300,
// of 2.7 and of 1.5. Six writes cost about as much as a third of a wrong guess.
const manyPass = 10.0 / 64

// passing guesses how often a text passes one of the buckets.
func (s *Sieve) passing(chosen []plan.Window) (sum float64) {
	var in [buckets][]uint32
	for i, c := range chosen {
		in[c.Bucket] = append(in[c.Bucket], s.read(s.Literals[i][c.At:]))
	}
	x := scale{s.kernel.grain(), s.width}
	for _, windows := range in {
		sum += x.bucketOf(windows).passes
	}
	return sum
}

const (
	oneByOne = 4  // literals of a window are compared one by one
	near     = 32 // bytes before and behind its beginning a frame's pair can stand
)

// frame gives entries of one window a frame, if they are many: one by which the fewest are
// compared. The last ones, which are the shortest, may be without: what "timeout" has in common
// with many that begin so is only what they all have.
func (s *Sieve) frame(from, to int) {
	var best frame
	least, end := float64(to-from), from
	for n := to; n > from+oneByOne && n >= to-oneByOne; n-- {
		f, passes := s.frameOf(s.entries[from:n])
		if compared := passes*float64(n-from) + float64(to-n); compared < least {
			best, least, end = f, compared, n
		}
	}
	if end == from || len(s.frames) == math.MaxUint16 {
		return
	}
	if s.entries[end-1].more {
		best.next = uint32(end + 1)
	}
	s.frames = append(s.frames, best)
	s.entries[from].frame = uint16(len(s.frames))
}

// frameOf returns the frame of entries by those two bytes that say most, and how often it lets
// a text pass that has their window. Bytes in which they do not differ say nothing: with the
// window they are often a frequent word.
func (s *Sieve) frameOf(list []entry) (best frame, least float64) {
	from, to := -near, near
	for i := range list {
		from, to = max(from, -int(list[i].at)), min(to, int(list[i].length)-int(list[i].at))
	}
	least = 1
	for ; from+1 < to; from++ {
		f, first, second := frame{from: from}, byteSet{}, byteSet{}
		for i := range list {
			text := s.Literals[list[i].lit][int(list[i].at)+from:]
			f.hashes.add(pairHash(text[0], text[1]))
			first.add(text[0])
			second.add(text[1])
		}
		if passes := f.passes(&first, &second); passes < least {
			best, least = f, passes
		}
	}
	return best, least
}

// passes guesses how often a frame lets a text pass that has its window, by the bytes that stand
// first and second in its pairs.
func (f *frame) passes(first, second *byteSet) float64 {
	a, b := shareOf(first), shareOf(second)
	if a == 1 || b == 1 {
		return min(a, b)
	}
	return float64(f.hashes.len()) / 256
}

// shareOf returns how often one of some bytes stands in logs; 1 if there is only one, which says
// nothing.
func shareOf(set *byteSet) (sum float64) {
	if set.len() == 1 {
		return 1
	}
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			sum += Share[i<<6|bits.TrailingZeros64(word)]
		}
	}
	return sum
}

// read returns the window at the start of text.
func (s *Sieve) read(text string) (w uint32) {
	for i := range s.width {
		w |= uint32(text[i]) << (8 * i)
	}
	return w
}

// rarest returns where the rarest window of a literal is, or one that others have.
func (s *Sieve) rarest(text string, users map[uint32]int) (best int) {
	least := 2.0
	for at := 0; at+s.width <= len(text); at++ {
		if users[s.read(text[at:])] > 0 {
			return at
		}
		if p := windowRarity(text[at : at+s.width]); p < least {
			best, least = at, p
		}
	}
	return best
}

func windowRarity(text string) float64 {
	p := 1.0
	for _, c := range []byte(text) {
		p *= Share[c]
	}
	return max(p, parts()[text])
}

// pairs are all that windows have of two bytes.
func pairs(windows []window, width int) *[1 << 10]uint64 {
	t := new([1 << 10]uint64)
	for _, w := range windows {
		for at := 0; w.first != 0 && at+2 <= width; at++ {
			pair := uint16(w.bytes >> (8 * at))
			t[pair>>6] |= 1 << (pair & 63)
		}
	}
	return t
}

// MaxPlaces is how many places are found at a time.
const MaxPlaces = 1024

// First returns the first literal whose window stands at data[place], where it
// begins and how to ask for the next one; -1 when there is none.
func (s *Sieve) First(data []byte, place int) (lit, at int, next uint32) {
	return s.Next(data, place, s.Window(data, place))
}

// Window returns how to ask Next for the literals whose window stands at data[place]: a
// number of the window's own, at most that of the literals, or 0 when there is none.
func (s *Sieve) Window(data []byte, place int) (first uint32) {
	w := s.at(data, place)
	i := windowHash(w) >> (s.shift & 31)
	for s.windows[i].bytes != w && s.windows[i].first != 0 {
		i = (i + 1) & uint32(len(s.windows)-1)
	}
	if s.windows[i].bytes != w {
		return 0
	}
	return s.windows[i].first
}

// Windows gives visit all windows, by their numbers, with the literals of each and where
// it stands in them.
func (s *Sieve) Windows(visit func(first uint32, lit, at int)) {
	for _, w := range s.windows {
		for e := w.first; e != 0; e++ {
			x := &s.entries[e-1]
			visit(w.first, int(x.lit), int(x.at))
			if !x.more {
				break
			}
		}
	}
}

// Next returns the next one.
func (s *Sieve) Next(data []byte, place int, from uint32) (lit, at int, next uint32) {
	for e := from; e != 0; {
		x := &s.entries[e-1]
		if x.frame != 0 {
			f := &s.frames[x.frame-1]
			if at := place + f.from; at < 0 || at+1 >= len(data) || !f.hashes.has(pairHash(data[at], data[at+1])) {
				e = f.next
				continue
			}
		}
		if e++; !x.more {
			e = 0
		}
		start, end := place-int(x.at), place-int(x.at)+int(x.length)
		if start < 0 || end > len(data) || data[end-1] != x.last {
			continue
		}
		if int(x.length) == s.width || string(data[start:end]) == s.Literals[x.lit] {
			return int(x.lit), start, e
		}
	}
	return -1, 0, 0
}

// Begins tells whether text is the beginning of a longer literal that begins with a window,
// as all of the window's do.
func (s *Sieve) Begins(text []byte, first uint32) bool {
	for e := first; e != 0; e++ {
		x := &s.entries[e-1]
		if int(x.length) > len(text) && s.Literals[x.lit][:len(text)] == string(text) {
			return true
		}
		if !x.more {
			break
		}
	}
	return false
}

// Sift fills places with where windows may begin, and returns how many and
// where to go on.
func (s *Sieve) Sift(data []byte, places *[MaxPlaces]uint32) (n, next int) {
	if s.kernel != portable && len(data) >= block {
		return s.kernel.sift(&s.marks, data, places)
	}
	if s.pairs == nil || s.width < 3 {
		return s.sifted(data, 0, 0, places)
	}
	// Of the pairs at every place, every window has one at each second place, or
	// at each third if it has four bytes.
	step := s.width - 1
	pairs, last := s.pairs, len(data)-s.width
	at := step - 1 // of the pair
	for ; at < last && n <= MaxPlaces-Window; at += step {
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
func (s *Sieve) sifted(data []byte, at, n int, places *[MaxPlaces]uint32) (found, next int) {
	if n > MaxPlaces-Window {
		return n, at
	}
	for ; at+s.width <= len(data) && n < MaxPlaces; at++ {
		n += s.place(data, at, &places[n])
	}
	return n, max(at, 1)
}

// place notes at if the bit map has the window there, and returns 1 then.
func (s *Sieve) place(data []byte, at int, into *uint32) int {
	h := s.marks.bit(s.at(data, at))
	*into = uint32(at)
	return int(s.marks.bits[h>>3] >> (h & 7) & 1)
}

// at returns the window at data[at].
func (s *Sieve) at(data []byte, at int) (w uint32) {
	if at+Window <= len(data) {
		return binary.LittleEndian.Uint32(data[at:]) & s.mask
	}
	for i, c := range data[at : at+s.width] {
		w |= uint32(c) << (8 * i)
	}
	return w
}
