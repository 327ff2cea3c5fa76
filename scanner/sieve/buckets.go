package sieve

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// The assembly has one bit for each of so many buckets.
const buckets = 8

// A grain is what a kernel knows of a byte, by where in a window it stands: a feature of it.
type grain uint8

const (
	fewBits   grain = iota // of avx2
	sevenBits              // of avx512: all but the highest
	grains
)

func (k kernel) grain() grain {
	if k == avx512 {
		return sevenBits
	}
	return fewBits
}

// Of fewBits, the first and the last byte of a window have bits 0 to 4 and 6: 7 is dropped, and
// 5, which tells capital letters from small ones. The second lacks 6 as well, which tells letters
// from digits and marks, and the third has only its low nibble. Each bit costs time in all
// blocks, and fewer marks save it; of the choices that were tried this one was the fastest
// (BenchmarkPrefilter and BenchmarkRules of scanner).
func (g grain) feature(c byte, k int) uint8 {
	if g == sevenBits {
		return c & 0x7f
	}
	switch k {
	case 1:
		return c & 0x1f
	case 2:
		return c & 0x0f
	}
	return c&0x1f | c>>1&0x20
}

// shares is how often bytes with a feature stand in logs, by their place in a window and the
// feature.
var shares = func() (s [grains][Window][1 << 7]float64) {
	for by := range grains {
		for k := range Window {
			for c, share := range Share {
				s[by][k][by.feature(byte(c), k)] += share
			}
		}
	}
	return s
}()

// A featureSet has a bit for each.
type featureSet [2]uint64

func (s *featureSet) add(n uint8)                 { s[n>>6] |= 1 << (n & 63) }
func (s *featureSet) remove(n uint8)              { s[n>>6] &^= 1 << (n & 63) }
func (s *featureSet) or(o *featureSet) featureSet { return featureSet{s[0] | o[0], s[1] | o[1]} }

// A bucket is some windows, of which the assembly knows only what features their
// bytes have: it lets every text pass that can be put together of these.
type bucket struct {
	have    [Window]featureSet // of each byte
	share   [Window]float64    // how often bytes with these stand in logs
	passes  float64            // guess of how often a text does
	windows []uint32
	gone    bool // joined with another one

	near  int     // the bucket with which it costs the least to be joined
	cost  float64 // of that
	stale bool    // that one has been joined with others since
}

// add puts a window into a bucket of the tables.
func (v *tables) add(window uint32, width int, bucket uint8) {
	for k := range width {
		c := byte(window >> (8 * k))
		f := fewBits.feature(c, k)
		v.rows[k][f>>4][f&15] |= 1 << bucket
		v.bytes[k][sevenBits.feature(c, k)] |= 1 << bucket
	}
	for k := width; k < Window; k++ {
		for c := range v.bytes[k] {
			v.bytes[k][c] |= 1 << bucket
		}
		for row := range v.rows[k] {
			for low := range v.rows[k][row] {
				v.rows[k][row][low] |= 1 << bucket
			}
		}
	}
}

// A place that passes and is no window costs so much less than a window.
const lookCost = 60

// So often windows are chosen again and buckets left: with more rounds hardly less
// passes.
var rounds = [grains]int{fewBits: 2, sevenBits: 1}

// improve puts the windows into buckets. Then literals choose again, now that it is
// known what the buckets let pass anyhow, and windows look for a better bucket. It
// returns each window's.
func (s *Sieve) improve(at []int, users map[uint32]int, by grain) map[uint32]int {
	g := grouping{scale: scale{by, s.width}, in: map[uint32]int{}, often: frequentBy[by]()}
	g.list = g.group(slices.Collect(maps.Keys(users)))
	g.users, g.words = make([]featureUsers, len(g.list)), make([]wordsIn, len(g.list))
	for b := range g.list {
		g.words[b] = g.wordsOf(&g.list[b])
		for _, w := range g.list[b].windows {
			g.count(b, w, 1)
			g.in[w] = b
		}
	}
	for range rounds[by] {
		s.again(&g, at, users)
		g.relocate()
	}
	return g.in
}

// A scale is what windows are weighed by: how many bytes they have and what is known of
// each.
type scale struct {
	by    grain
	width int
}

// A grouping is buckets from which windows can be taken out.
type grouping struct {
	scale
	list  []bucket
	users []featureUsers // of each
	words []wordsIn      // of each
	in    map[uint32]int // which bucket a window is in
	often *frequentParts
}

// featureUsers counts the windows of a bucket that have a feature at a place.
type featureUsers [Window][1 << 7]uint16

func (g *grouping) wordsOf(b *bucket) wordsIn { return g.often.in(b, g.width) }

func (g *grouping) count(b int, w uint32, n int) {
	for k := range g.width {
		g.users[b][k][g.by.feature(byte(w>>(8*k)), k)] += uint16(n)
	}
}

// without is a bucket without one of its windows, but for the list of them.
func (g *grouping) without(b int, w uint32) bucket {
	left := bucket{have: g.list[b].have}
	for k := range g.width {
		if f := g.by.feature(byte(w>>(8*k)), k); g.users[b][k][f] == 1 {
			left.have[k].remove(f)
		}
	}
	return g.joined(new(bucket), &left)
}

// remove takes a window out of its bucket.
func (g *grouping) remove(w uint32) {
	b := g.in[w]
	left := g.without(b, w)
	left.windows = slices.DeleteFunc(g.list[b].windows, func(x uint32) bool { return x == w })
	g.list[b], g.words[b] = left, g.wordsOf(&left)
	g.count(b, w, -1)
	delete(g.in, w)
}

func (g *grouping) put(w uint32, into int) {
	one := g.bucketOf([]uint32{w})
	more := g.joined(&g.list[into], &one)
	more.windows = append(g.list[into].windows, w)
	g.list[into], g.words[into] = more, g.wordsOf(&more)
	g.count(into, w, 1)
	g.in[w] = into
}

// cheapestFor returns the bucket, but for one, where one more window costs the least.
func (g *grouping) cheapestFor(w uint32, but int) (into int, least float64) {
	one, words := g.bucketOf([]uint32{w}), g.often.of(g.by, w)
	least = math.Inf(1)
	for i := range g.list {
		if i == but {
			continue
		}
		c := g.together(&g.list[i], &one) - g.list[i].passes
		if c < least {
			c += g.often.passing(&g.words[i], &words) - g.words[i].passes
		}
		if c < least {
			into, least = i, c
		}
	}
	return into, least
}

// relocate puts each window into the bucket where it costs the least.
func (g *grouping) relocate() {
	for b := range g.list {
		for _, w := range slices.Clone(g.list[b].windows) {
			without := g.without(b, w)
			here := g.list[b].passes - without.passes + g.words[b].passes - g.wordsOf(&without).passes
			if into, c := g.cheapestFor(w, b); c < here {
				g.remove(w)
				g.put(w, into)
			}
		}
	}
}

// again lets literals that have a window for themselves choose again.
func (s *Sieve) again(g *grouping, at []int, users map[uint32]int) {
	for i, text := range s.Literals {
		now := s.read(text[at[i]:])
		if len(text) == s.width || users[now] > 1 {
			continue
		}
		b := g.in[now]
		g.remove(now)
		delete(users, now)
		best, least := 0, math.Inf(1)
		for from := 0; from+s.width <= len(text) && least > 0; from++ {
			into, c := s.dearness(g, text[from:from+s.width], users)
			if c < least {
				best, least, b = from, c, into
			}
		}
		at[i] = best
		w := s.read(text[best:])
		if users[w]++; users[w] == 1 {
			g.put(w, b)
		}
	}
}

// dearness returns what one more window costs, and the bucket where it costs that.
func (s *Sieve) dearness(g *grouping, text string, users map[uint32]int) (into int, least float64) {
	w := s.read(text)
	if users[w] > 0 {
		return 0, 0
	}
	into, least = g.cheapestFor(w, -1)
	return into, least + lookCost*windowRarity(text)
}

func (x scale) bucketOf(windows []uint32) (b bucket) {
	for _, w := range windows {
		for k := range x.width {
			b.have[k].add(x.by.feature(byte(w>>(8*k)), k))
		}
	}
	b = x.joined(new(bucket), &b)
	b.windows = windows
	return b
}

// group joins the two buckets that it costs the least to join, until they are
// few enough.
func (x scale) group(windows []uint32) []bucket {
	list := x.alike(windows)
	for i := range list {
		x.nearest(list, i)
	}
	for left := len(list); left > buckets; left-- {
		a := x.cheapest(list)
		b := list[a].near
		both := x.joined(&list[a], &list[b])
		both.windows = slices.Concat(list[a].windows, list[b].windows)
		list[a], list[b].gone = both, true
		x.nearest(list, a)
		for i := range list {
			switch o := &list[i]; {
			case o.gone || i == a:
			case o.near == a || o.near == b:
				o.stale = true
			default:
				if c := x.cost(o, &list[a]); c < o.cost {
					o.near, o.cost = a, c
				}
			}
		}
	}
	return slices.DeleteFunc(list, func(b bucket) bool { return b.gone })
}

// alike makes a bucket of all windows that begin with the same two bytes.
func (x scale) alike(windows []uint32) (list []bucket) {
	start := func(w uint32) uint32 { return w & 0xffff }
	slices.SortFunc(windows, func(a, b uint32) int { return cmp.Or(cmp.Compare(start(a), start(b)), cmp.Compare(a, b)) })
	for len(windows) > 0 {
		n := 1
		for n < len(windows) && start(windows[n]) == start(windows[0]) {
			n++
		}
		list = append(list, x.bucketOf(slices.Clone(windows[:n])))
		windows = windows[n:]
	}
	return list
}

func (x scale) joined(a, b *bucket) (both bucket) {
	both.passes = 1
	for k := range x.width {
		both.have[k] = a.have[k].or(&b.have[k])
		both.share[k] = x.shareAt(a, b, k)
		both.passes *= both.share[k]
	}
	return both
}

// together guesses how often a text would pass both, joined.
func (x scale) together(a, b *bucket) float64 {
	p := 1.0
	for k := range x.width {
		p *= x.shareAt(a, b, k)
	}
	return p
}

// shareAt returns how often bytes stand in logs that both let pass at a place, joined.
func (x scale) shareAt(a, b *bucket, k int) (sum float64) {
	sum = a.share[k]
	share := &shares[x.by][k]
	for half := range a.have[k] {
		for more := b.have[k][half] &^ a.have[k][half]; more != 0; more &= more - 1 {
			sum += share[half<<6|bits.TrailingZeros64(more)]
		}
	}
	return sum
}

func (x scale) cost(a, b *bucket) float64 {
	return x.together(a, b) - a.passes - b.passes
}

// nearest finds the bucket with which it costs the least to join list[i].
func (x scale) nearest(list []bucket, i int) {
	b := &list[i]
	b.cost, b.stale = math.Inf(1), false
	for j := range list {
		if j == i || list[j].gone {
			continue
		}
		if c := x.cost(b, &list[j]); c < b.cost {
			b.near, b.cost = j, c
		}
	}
}

// cheapest returns the bucket that it costs the least to join with its nearest.
func (x scale) cheapest(list []bucket) (best int) {
	for {
		best = -1
		for i := range list {
			if !list[i].gone && (best < 0 || list[i].cost < list[best].cost) {
				best = i
			}
		}
		if !list[best].stale {
			return best
		}
		x.nearest(list, best)
	}
}
