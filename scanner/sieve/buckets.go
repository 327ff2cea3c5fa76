package sieve

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// The assembly has one bit for each of so many buckets.
const buckets = 8

// A bucket is some windows, of which the assembly knows only what nibbles their
// bytes have: it lets every text pass that can be put together of these. (AVX-512 knows
// more; buckets are chosen for AVX2.)
type bucket struct {
	nibbles [Window][2]uint16 // of each byte, the low and the high ones
	passes  float64           // guess of how often a text does
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
		v.nibbles[k][0][c&15] |= 1 << bucket
		v.nibbles[k][1][c>>4] |= 1 << bucket
		v.bytes[k][c&0x7f] |= 1 << bucket
	}
	for k := width; k < Window; k++ {
		for c := range v.bytes[k] {
			v.bytes[k][c] |= 1 << bucket
		}
		for n := range 16 {
			v.nibbles[k][0][n] |= 1 << bucket
			v.nibbles[k][1][n] |= 1 << bucket
		}
	}
}

// A place that passes and is no window costs so much less than a window.
const lookCost = 60

// So often windows are chosen again and buckets left: with more rounds hardly less
// passes.
const rounds = 3

// improve puts the windows into buckets. Then literals choose again, now that it is
// known what the buckets let pass anyhow, and windows look for a better bucket. It
// returns each window's.
func (s *Sieve) improve(at []int, users map[uint32]int) map[uint32]int {
	g := grouping{list: group(slices.Collect(maps.Keys(users)), s.width), width: s.width, in: map[uint32]int{}}
	g.users = make([]nibbleUsers, len(g.list))
	for b := range g.list {
		for _, w := range g.list[b].windows {
			g.users[b].add(w, s.width, 1)
			g.in[w] = b
		}
	}
	for range rounds {
		s.again(&g, at, users)
		g.relocate()
	}
	return g.in
}

// A grouping is buckets from which windows can be taken out.
type grouping struct {
	list  []bucket
	users []nibbleUsers  // of each
	in    map[uint32]int // which bucket a window is in
	width int
}

// remove takes a window out of its bucket.
func (g *grouping) remove(w uint32) {
	b := g.in[w]
	left := g.users[b].without(&g.list[b], w, g.width)
	left.windows = slices.DeleteFunc(g.list[b].windows, func(x uint32) bool { return x == w })
	g.list[b] = left
	g.users[b].add(w, g.width, -1)
	delete(g.in, w)
}

func (g *grouping) put(w uint32, into int) {
	one := bucketOf([]uint32{w}, g.width)
	more := joined(&g.list[into], &one, g.width)
	more.windows = append(g.list[into].windows, w)
	g.list[into] = more
	g.users[into].add(w, g.width, 1)
	g.in[w] = into
}

// relocate puts each window into the bucket where it costs the least.
func (g *grouping) relocate() {
	for b := range g.list {
		for _, w := range slices.Clone(g.list[b].windows) {
			one := bucketOf([]uint32{w}, g.width)
			without := g.users[b].without(&g.list[b], w, g.width)
			least, into := g.list[b].passes-without.passes, b
			for i := range g.list {
				if c := together(&g.list[i], &one, g.width) - g.list[i].passes; i != b && c < least {
					least, into = c, i
				}
			}
			if into != b {
				g.remove(w)
				g.put(w, into)
			}
		}
	}
}

// nibbleUsers counts the windows of a bucket that have a nibble at a place.
type nibbleUsers [Window][2][16]int

func (u *nibbleUsers) add(w uint32, width, n int) {
	for k := range width {
		c := byte(w >> (8 * k))
		u[k][0][c&15] += n
		u[k][1][c>>4] += n
	}
}

// without is a bucket without one of its windows, but for the list of them.
func (u *nibbleUsers) without(b *bucket, w uint32, width int) bucket {
	left := bucket{nibbles: b.nibbles}
	for k := range width {
		c := byte(w >> (8 * k))
		for half, n := range [2]byte{c & 15, c >> 4} {
			if u[k][half][n] == 1 {
				left.nibbles[k][half] &^= 1 << n
			}
		}
	}
	return joined(&left, &left, width)
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
			into, c := s.dearness(g.list, text[from:from+s.width], users)
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
func (s *Sieve) dearness(list []bucket, text string, users map[uint32]int) (into int, least float64) {
	w := s.read(text)
	if users[w] > 0 {
		return 0, 0
	}
	one := bucketOf([]uint32{w}, s.width)
	least = math.Inf(1)
	for i := range list {
		if c := together(&list[i], &one, s.width) - list[i].passes; c < least {
			into, least = i, c
		}
	}
	return into, least + lookCost*windowRarity(text)
}

func bucketOf(windows []uint32, width int) (b bucket) {
	for _, w := range windows {
		for k := range width {
			c := byte(w >> (8 * k))
			b.nibbles[k][0] |= 1 << (c & 15)
			b.nibbles[k][1] |= 1 << (c >> 4)
		}
	}
	b = joined(&b, &b, width)
	b.windows = windows
	return b
}

// group joins the two buckets that it costs the least to join, until they are
// few enough.
func group(windows []uint32, width int) []bucket {
	list := alike(windows, width)
	for i := range list {
		nearest(list, i, width)
	}
	for left := len(list); left > buckets; left-- {
		a := cheapest(list, width)
		b := list[a].near
		both := joined(&list[a], &list[b], width)
		both.windows = slices.Concat(list[a].windows, list[b].windows)
		list[a], list[b].gone = both, true
		nearest(list, a, width)
		for i := range list {
			switch x := &list[i]; {
			case x.gone || i == a:
			case x.near == a || x.near == b:
				x.stale = true
			default:
				if c := cost(x, &list[a], width); c < x.cost {
					x.near, x.cost = a, c
				}
			}
		}
	}
	return slices.DeleteFunc(list, func(b bucket) bool { return b.gone })
}

// alike makes a bucket of all windows that begin with the same two bytes.
func alike(windows []uint32, width int) (list []bucket) {
	start := func(w uint32) uint32 { return w & 0xffff }
	slices.SortFunc(windows, func(a, b uint32) int { return cmp.Or(cmp.Compare(start(a), start(b)), cmp.Compare(a, b)) })
	for len(windows) > 0 {
		n := 1
		for n < len(windows) && start(windows[n]) == start(windows[0]) {
			n++
		}
		list = append(list, bucketOf(slices.Clone(windows[:n]), width))
		windows = windows[n:]
	}
	return list
}

func joined(a, b *bucket, width int) (both bucket) {
	for k := range width {
		both.nibbles[k] = [2]uint16{a.nibbles[k][0] | b.nibbles[k][0], a.nibbles[k][1] | b.nibbles[k][1]}
	}
	both.passes = together(a, b, width)
	return both
}

// together guesses how often a text would pass both, joined.
func together(a, b *bucket, width int) float64 {
	p := 1.0
	for k := range width {
		p *= shareOf(a.nibbles[k][0]|b.nibbles[k][0], a.nibbles[k][1]|b.nibbles[k][1])
	}
	return p
}

func cost(a, b *bucket, width int) float64 {
	return together(a, b, width) - a.passes - b.passes
}

// nearest finds the bucket with which it costs the least to join list[i].
func nearest(list []bucket, i, width int) {
	x := &list[i]
	x.cost, x.stale = math.Inf(1), false
	for j := range list {
		if j == i || list[j].gone {
			continue
		}
		if c := cost(x, &list[j], width); c < x.cost {
			x.near, x.cost = j, c
		}
	}
}

// cheapest returns the bucket that it costs the least to join with its nearest.
func cheapest(list []bucket, width int) (best int) {
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
		nearest(list, best, width)
	}
}

// shareOf returns how often bytes with such nibbles stand in logs.
func shareOf(low, high uint16) (sum float64) {
	t := nibbleShares()
	for ; high != 0; high &= high - 1 {
		of := &t[bits.TrailingZeros16(high)]
		sum += of[0][low&0xff] + of[1][low>>8]
	}
	return sum
}

// nibbleShares are the shares of bytes by their high nibble and by which of the
// lower and of the upper eight low nibbles they can have.
var nibbleShares = sync.OnceValue(func() *[16][2][256]float64 {
	t := new([16][2][256]float64)
	for high := range t {
		for half := range t[high] {
			for set := range t[high][half] {
				for n := range 8 {
					if set&(1<<n) != 0 {
						t[high][half][set] += Share[high<<4|half<<3|n]
					}
				}
			}
		}
	}
	return t
})
