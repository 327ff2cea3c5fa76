package sieve

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// The assembly has one bit for each of so many buckets.
const buckets = 8

// A bucket is some windows, of which the assembly knows only what nibbles their
// bytes have: it lets every text pass that can be put together of these.
type bucket struct {
	nibbles [Window][2]uint16 // of each byte, the low and the high ones
	passes  float64           // guess of how often a text does
	gone    bool              // joined with another one

	near  int     // the bucket with which it costs the least to be joined
	cost  float64 // of that
	stale bool    // that one has been joined with others since
}

// fill puts the windows into buckets that let as little pass as can be.
func (v *tables) fill(windows []uint32, width int, mask uint32) {
	v.mask = mask
	for i, b := range group(windows, width) {
		for k := range Window {
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
		list[a] = joined(&list[a], &list[b], width)
		list[b].gone = true
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
	slices.SortFunc(windows, func(a, b uint32) int { return cmp.Compare(a&0xffff, b&0xffff) })
	for i, w := range windows {
		var one bucket
		for k := range width {
			c := byte(w >> (8 * k))
			one.nibbles[k] = [2]uint16{1 << (c & 15), 1 << (c >> 4)}
		}
		if i == 0 || w&0xffff != windows[i-1]&0xffff {
			list = append(list, joined(&one, &one, width))
			continue
		}
		last := &list[len(list)-1]
		*last = joined(last, &one, width)
	}
	return list
}

func joined(a, b *bucket, width int) (both bucket) {
	both.passes = 1
	for k := range width {
		n := [2]uint16{a.nibbles[k][0] | b.nibbles[k][0], a.nibbles[k][1] | b.nibbles[k][1]}
		both.nibbles[k] = n
		both.passes *= shareOf(n)
	}
	return both
}

func cost(a, b *bucket, width int) float64 {
	both := joined(a, b, width)
	return both.passes - a.passes - b.passes
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
func shareOf(n [2]uint16) (sum float64) {
	t := nibbleShares()
	for left := n[1]; left != 0; left &= left - 1 {
		high := bits.TrailingZeros16(left)
		sum += t[high][0][n[0]&0xff] + t[high][1][n[0]>>8]
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
