package regex

import (
	"encoding/binary"
	"slices"
	"strings"
)

// MostDigits is how long a text may be for Digits, in bytes.
const MostDigits = 1024

// Digits are places in a text where it matters which digit stands there. Places where no
// digit stands may be among them.
type Digits [MostDigits / 64]uint64

// Add adds the places from one to before another; what is outside of a text is left out.
func (d *Digits) Add(from, to int) {
	for i := max(0, from); i < min(to, MostDigits); i++ {
		d[i/64] |= 1 << (i % 64)
	}
}

// Has tells whether a place is among them.
func (d *Digits) Has(i int) bool { return d[i/64]>>(i%64)&1 != 0 }

// Join adds those of another text that is the same.
func (d *Digits) Join(o *Digits) {
	for i := range d {
		d[i] |= o[i]
	}
}

// Any tells whether there are any.
func (d *Digits) Any() bool { return *d != Digits{} }

// Tell adds to told, until Forget, which of the text's digits are told apart from other
// digits by whatever is asked of the marks, Mark included, which was called before: with
// other digits in all other places, every answer would be the same.
func (m *Marks) Tell(told *Digits) {
	m.run.told = told
	lower := string(Same(m.lower[:len(m.text)]))
	for _, lit := range m.set.digits() {
		for from := 0; ; {
			i := strings.Index(lower[from:], lit)
			if i < 0 {
				break
			}
			told.Add(from+i, from+i+len(lit))
			from += i + 1
		}
	}
}

// withDigits returns the set's literals that have digits, as Same makes them.
func (s *Set) withDigits() (list []string) {
	for i := range s.sifted {
		for _, t := range s.sifted[i].texts {
			if same := string(Same([]byte(t))); strings.ContainsAny(t, "0123456789") && !slices.Contains(list, same) {
				list = append(list, same)
			}
		}
	}
	return list
}

// Same returns a text with the same digit in place of each.
func Same(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for ; len(text) >= 8; text = text[8:] {
		out = binary.LittleEndian.AppendUint64(out, SameWord(binary.LittleEndian.Uint64(text)))
	}
	for _, c := range text {
		if isDigit(c) {
			c = '0'
		}
		out = append(out, c)
	}
	return out
}

const each = 0x0101010101010101 // byte of a word

// ZeroWord is what SameWord makes of eight digits.
const ZeroWord = '0' * each

// SameWord is Same for eight bytes.
func SameWord(w uint64) uint64 {
	d := w ^ ZeroWord                               // a digit is 0 to 9
	other := ((d &^ (0x80 * each)) + 0x76*each) | d // bit 7 says: no digit
	digit := ^other & (0x80 * each)
	return w &^ (digit>>3 - digit>>7) // the lower four bits
}

// tell adds the digits in the machine's text from one place to before another.
func (m *machine) tell(from, to int) {
	if m.told == nil {
		return
	}
	for i := from; i < min(to, len(m.text)); i++ {
		if isDigit(m.text[i]) {
			m.told.Add(m.base+i, m.base+i+1)
		}
	}
}
