package linetime

import (
	"strings"
	"unicode/utf8"
)

// timeOfDay reads the time of day at s[i], its fraction, AM or PM, and a zone.
func (c *clock) timeOfDay(s string, i int) (ok bool) {
	half := 0
	if i < len(s) && s[i] >= utf8.RuneSelf {
		for h, word := range [...]string{"上午", "下午"} {
			if strings.HasPrefix(s[i:], word) {
				i, half = i+len(word), h+1
			}
		}
	}
	if c.hour, i, ok = digits(s, i, 1, 2); !ok || i >= len(s) || s[i] != ':' {
		return false
	}
	if c.min, i, ok = digits(s, i+1, 2, 2); !ok || i >= len(s) || s[i] != ':' {
		return false
	}
	if c.sec, i, ok = digits(s, i+1, 2, 2); !ok {
		return false
	}
	c.hasTime = true
	c.nano, i = fraction(s, i)
	i = blanks(s, i)
	switch {
	case strings.HasPrefix(s[i:], "AM") || half == 1:
		if c.hour == 12 {
			c.hour = 0
		}
	case strings.HasPrefix(s[i:], "PM") || half == 2:
		if c.hour < 12 {
			c.hour += 12
		}
	default:
		c.zone, c.hasZone = zoneAt(s, i)
	}
	return true
}

// fraction reads what stands behind the seconds, as nanoseconds. Behind a colon
// stand milliseconds as a plain number: :81 is 81 ms.
func fraction(s string, i int) (nano, next int) {
	if i+1 >= len(s) || s[i] != '.' && s[i] != ',' && s[i] != ':' || !isDigit(s[i+1]) {
		return 0, i
	}
	j := i + 1
	n, count := 0, 0
	for j < len(s) && isDigit(s[j]) {
		if count < 9 {
			n = n*10 + int(s[j]-'0')
			count++
		}
		j++
	}
	if s[i] == ':' {
		if count > 3 {
			return 0, i
		}
		return n * 1e6, j
	}
	for ; count < 9; count++ {
		n *= 10
	}
	return n, j
}

// zoneAt reads Z, UTC, GMT, +08:00, +0800 or +08.
func zoneAt(s string, i int) (seconds int, ok bool) {
	rest := s[i:]
	if rest != "" && rest[0] >= 'A' {
		for _, name := range [...]string{"Z", "UTC", "GMT"} {
			if strings.HasPrefix(rest, name) {
				rest = rest[len(name):]
				ok = true
				break
			}
		}
	}
	if rest == "" || rest[0] != '+' && rest[0] != '-' {
		return 0, ok
	}
	h, j, good := digits(rest, 1, 2, 2)
	if !good || h > 14 {
		return 0, ok
	}
	if j < len(rest) && rest[j] == ':' {
		j++
	}
	m, _, good := digits(rest, j, 2, 2)
	if !good || m > 59 {
		m = 0
	}
	seconds = (h*60 + m) * 60
	if rest[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// epochAt reads seconds, milliseconds, microseconds or nanoseconds since 1970.
// A bare one must be all there is before a space and have 10 or 13 digits.
func epochAt(s string, i int, bare bool) (c clock, ok bool) {
	j := i
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	n := j - i
	if n != 10 && n != 13 && (bare || n != 16 && n != 19) {
		return c, false
	}
	if bare && j < len(s) && strings.IndexByte(" .\t|,", s[j]) < 0 {
		return c, false
	}
	sec, _, _ := digits(s, i, 10, 10)
	if sec < 1e9 {
		return c, false
	}
	nano, scale := 0, int(1e9)
	for k := i + 10; k < j; k++ {
		scale /= 10
		nano += int(s[k]-'0') * scale
	}
	if n == 10 && j+1 < len(s) && s[j] == '.' && isDigit(s[j+1]) {
		nano, _ = fraction(s, j)
	}
	return clock{sec: sec, nano: nano, unix: true}, true
}

// digits reads a number of at least least and at most most digits, no more
// following.
func digits(s string, i, least, most int) (n, next int, ok bool) {
	j := i
	for j < len(s) && j-i < most && isDigit(s[j]) {
		n = n*10 + int(s[j]-'0')
		j++
	}
	return n, j, j-i >= least
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

func monthAt(s string, i int) (month, next int) {
	if i+3 > len(s) || s[i] < 'A' || s[i] > 'S' {
		return 0, i
	}
	if k := strings.Index(months, s[i:i+3]); k >= 0 && k%3 == 0 {
		return k/3 + 1, i + 3
	}
	return 0, i
}

func weekday(s string, i int) bool {
	if i+4 > len(s) || s[i+3] != ' ' {
		return false
	}
	k := strings.Index("MonTueWedThuFriSatSun", s[i:i+3])
	return k >= 0 && k%3 == 0
}

func blanks(s string, i int) int {
	for i < len(s) && s[i] == ' ' {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.'
}
