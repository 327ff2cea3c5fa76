package sieve

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// frequentParts are the texts of a window's length that frequent words are made of: how
// often they stand in logs, the shares of bytes do not tell.
type frequentParts struct {
	often []float64               // of each
	have  [Window][1 << 7]textSet // by feature: those that have it there
	used  int                     // how many of a set
}

// A textSet has a bit for each; those that there is no room for are not looked at.
type textSet [16]uint64

// wordsIn is what a bucket lets pass of them.
type wordsIn struct {
	have   [Window]textSet // those that have one of its features there
	passes float64         // guess of how often one does
}

var frequentBy = [grains]func() *frequentParts{
	fewBits:   sync.OnceValue(func() *frequentParts { return newFrequentParts(fewBits) }),
	sevenBits: sync.OnceValue(func() *frequentParts { return newFrequentParts(sevenBits) }),
}

func newFrequentParts(by grain) *frequentParts {
	f := &frequentParts{}
	for _, text := range slices.Sorted(maps.Keys(parts())) {
		n := len(f.often)
		if len(text) < Window || n == 64*len(textSet{}) {
			continue
		}
		f.often = append(f.often, parts()[text])
		for k := range Window {
			f.have[k][by.feature(text[k], k)][n>>6] |= 1 << (n & 63)
		}
	}
	f.used = (len(f.often) + 63) / 64
	return f
}

// of returns the texts that have the features of a window.
func (f *frequentParts) of(by grain, window uint32) (have [Window]*textSet) {
	for k := range have {
		have[k] = &f.have[k][by.feature(byte(window>>(8*k)), k)]
	}
	return have
}

// in returns what a bucket lets pass. Of windows that are shorter, anything passes behind
// their width.
func (f *frequentParts) in(b *bucket, width int) (w wordsIn) {
	for k := range Window {
		for half, left := range b.have[k] {
			if k >= width {
				left = math.MaxUint64
			}
			for ; left != 0; left &= left - 1 {
				of := &f.have[k][half<<6|bits.TrailingZeros64(left)]
				for i := range f.used {
					w.have[k][i] |= of[i]
				}
			}
		}
	}
	w.passes = f.passing(&w, new([Window]*textSet))
	return w
}

// passing guesses how often one of the texts passes a bucket with one more window's
// features.
func (f *frequentParts) passing(w *wordsIn, more *[Window]*textSet) (sum float64) {
	for i := range f.used {
		all := ^uint64(0)
		for k := range w.have {
			have := w.have[k][i]
			if more[k] != nil {
				have |= more[k][i]
			}
			all &= have
		}
		for ; all != 0; all &= all - 1 {
			sum += f.often[i<<6|bits.TrailingZeros64(all)]
		}
	}
	return sum
}
