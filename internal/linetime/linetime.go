// Package linetime finds the time that a log line gives of itself.
package linetime

import (
	"strings"
	"time"
)

// What a Result's time rests on.
const (
	Line    = "line"    // the line's own date, time and zone
	NoZone  = "no_zone" // its own date and time, in the zone the caller gave
	NoDate  = "no_date" // a time of day, or one without a year, dated by the read time
	Read    = "read"    // none on the line: the read time
	Clamped = "clamped" // the line's lies more than an hour after the read time, which is given instead
)

// A Result is a time and what it rests on.
type Result struct {
	Time  time.Time
	Basis string
}

// A clock that runs ahead by so much is believed.
const ahead = time.Hour

// Parse finds the time of a line near its start, or under the usual keys of a
// JSON line. A time without date or year is the nearest one not after read +
// 1 h. loc is the zone of times that name none.
func Parse(line string, read time.Time, loc *time.Location) Result {
	if c, ok := find(line); ok {
		if t, basis, ok := c.resolve(read, loc); ok {
			if t.After(read.Add(ahead)) {
				return Result{read, Clamped}
			}
			return Result{t, basis}
		}
	}
	return Result{read, Read}
}

// clock is what a line says: parts that it does not say are zero or false.
type clock struct {
	year, month, day     int
	hour, min, sec, nano int
	zone                 int // seconds east of UTC
	hasZone, hasTime     bool
	unix                 bool // sec and nano count from 1970
}

func (c *clock) resolve(read time.Time, loc *time.Location) (time.Time, string, bool) {
	if c.unix {
		return time.Unix(int64(c.sec), int64(c.nano)), Line, true
	}
	if !c.hasTime || c.hour > 23 || c.min > 59 || c.sec > 60 {
		return time.Time{}, "", false
	}
	if c.sec == 60 { // a leap second, which Go's clock does not have
		c.sec = 59
	}
	basis := NoZone
	if c.hasZone {
		if c.year > 0 { // as most do
			t, ok := c.date(c.year, c.month, c.day, time.UTC)
			return t.Add(-time.Duration(c.zone) * time.Second), Line, ok
		}
		loc, basis = time.FixedZone("", c.zone), Line
	}
	latest := read.Add(ahead)
	switch {
	case c.year > 0:
		t, ok := c.date(c.year, c.month, c.day, loc)
		return t, basis, ok
	case c.month > 0:
		for back := range 9 { // 29 February needs up to eight years
			if t, ok := c.date(latest.In(loc).Year()-back, c.month, c.day, loc); ok && !t.After(latest) {
				return t, NoDate, true
			}
		}
		return time.Time{}, "", false
	}
	y, m, d := latest.In(loc).Date()
	t := time.Date(y, m, d, c.hour, c.min, c.sec, c.nano, loc)
	if t.After(latest) {
		t = time.Date(y, m, d-1, c.hour, c.min, c.sec, c.nano, loc)
	}
	return t, NoDate, true
}

// date assembles a time and refuses days that no month has.
func (c *clock) date(y, m, d int, loc *time.Location) (time.Time, bool) {
	t := time.Date(y, time.Month(m), d, c.hour, c.min, c.sec, c.nano, loc)
	_, month, day := t.Date()
	return t, m >= 1 && m <= 12 && day == d && int(month) == m && y >= 1970
}

// A line's time stands within so many bytes of its start.
const near = 96

// jsonKeys are the names under which loggers write the time, quoted. The first
// is told by its @, which most lines lack.
var jsonKeys = []string{`"@timestamp"`, `"timestamp"`, `"time"`, `"ts"`, `"datetime"`, `"date"`, `"eventTime"`, `"t"`}

func find(line string) (clock, bool) {
	if strings.HasPrefix(line, "{") {
		return findJSON(line)
	}
	head := line[:min(len(line), near)]
	if first, _, cut := strings.Cut(head, "\n"); cut {
		head = first
	}
	if head != "" && isDigit(head[0]) {
		if c, ok := epochAt(head, 0, true); ok {
			return c, true
		}
	}
	for i := range len(head) {
		if c := head[i]; !isDigit(c) && (c < 'A' || c > 'Z') {
			continue
		}
		if i > 0 && isAlnum(head[i-1]) && !(head[i-1] == 'I' || head[i-1] == 'W' || head[i-1] == 'E' || head[i-1] == 'F') {
			continue
		}
		if c, ok := at(head, i); ok {
			return c, true
		}
	}
	return clock{}, false
}

func findJSON(line string) (clock, bool) {
	head := line[:min(len(line), 16<<10)]
	keys := jsonKeys
	if strings.IndexByte(head, '@') < 0 {
		keys = keys[1:]
	}
	for _, k := range keys {
		_, rest, ok := strings.Cut(head, k)
		if !ok {
			continue
		}
		for rest != "" && (rest[0] == ':' || rest[0] == ' ') {
			rest = rest[1:]
		}
		if c, ok := epochAt(rest, 0, false); ok {
			return c, true
		}
		for rest != "" && strings.IndexByte(`"{$date :`, rest[0]) >= 0 {
			rest = rest[1:]
		}
		if c, ok := epochAt(rest, 0, false); ok {
			return c, true
		}
		if c, ok := at(rest[:min(len(rest), near)], 0); ok {
			return c, true
		}
	}
	return clock{}, false
}

// at reads a time that begins at s[i] in any of the known forms, with a digit or
// a capital.
func at(s string, i int) (clock, bool) {
	if i >= len(s) {
		return clock{}, false
	}
	switch c := s[i]; {
	case isDigit(c):
		return numbered(s, i)
	case c >= 'A' && c <= 'Z':
		return named(s, i)
	}
	return clock{}, false
}

// numbered chooses the form by what stands behind the first one or two digits.
func numbered(s string, i int) (clock, bool) {
	j := i + 1
	if j < len(s) && isDigit(s[j]) {
		j++
	}
	if j >= len(s) {
		return clock{}, false
	}
	switch c := s[j]; {
	case c == ':':
		return timeOnly(s, i)
	case c == ' ':
		return accessLog(s, i)
	case c == '/':
		if t, ok := accessLog(s, i); ok {
			return t, true
		}
		return monthFirst(s, i)
	case c == '-':
		if t, ok := accessLog(s, i); ok {
			return t, true
		}
		return klogOrLogcat(s, i)
	case isDigit(c) && i+4 < len(s) && isDigit(s[i+3]):
		if c := s[i+4]; c == ' ' {
			return klogOrLogcat(s, i)
		} else if c == '-' || c == '/' || c == '.' {
			return yearFirst(s, i)
		}
	}
	return clock{}, false
}

// yearFirst reads 2026-11-20T10:11:12.345Z and its relatives: - or / or . in
// the date, T or a space, a colon, comma or dot before the fraction, and 下午
// for the afternoon.
func yearFirst(s string, i int) (c clock, ok bool) {
	j := i
	if c.year, j, ok = digits(s, j, 4, 4); !ok || j >= len(s) {
		return c, false
	}
	sep := s[j]
	if sep != '-' && sep != '/' && sep != '.' {
		return c, false
	}
	if c.month, j, ok = digits(s, j+1, 1, 2); !ok || j >= len(s) || s[j] != sep {
		return c, false
	}
	if c.day, j, ok = digits(s, j+1, 1, 2); !ok || j >= len(s) {
		return c, false
	}
	if s[j] == ',' {
		j++
	}
	if j >= len(s) || s[j] != 'T' && s[j] != ' ' && s[j] != '_' {
		return c, false
	}
	ok = c.timeOfDay(s, j+1)
	return c, ok
}

// accessLog reads 20/Nov/2026:10:11:12 +0800, also with a space before the time.
func accessLog(s string, i int) (c clock, ok bool) {
	j := i
	if c.day, j, ok = digits(s, j, 1, 2); !ok || j >= len(s) || s[j] != '/' && s[j] != '-' && s[j] != ' ' {
		return c, false
	}
	if c.month, j = monthAt(s, j+1); c.month == 0 || j >= len(s) {
		return c, false
	}
	if c.year, j, ok = digits(s, j+1, 4, 4); !ok || j >= len(s) || s[j] != ':' && s[j] != ' ' {
		return c, false
	}
	ok = c.timeOfDay(s, j+1)
	return c, ok
}

// monthFirst reads what a browser's toLocaleString writes: 11/23/2026, 1:14:03 AM.
func monthFirst(s string, i int) (c clock, ok bool) {
	j := i
	if c.month, j, ok = digits(s, j, 1, 2); !ok || j >= len(s) || s[j] != '/' {
		return c, false
	}
	if c.day, j, ok = digits(s, j+1, 1, 2); !ok || j >= len(s) || s[j] != '/' {
		return c, false
	}
	if c.year, j, ok = digits(s, j+1, 4, 4); !ok || j >= len(s) {
		return c, false
	}
	if s[j] == ',' {
		j++
	}
	if j >= len(s) || s[j] != ' ' {
		return c, false
	}
	ok = c.timeOfDay(s, j+1)
	return c, ok
}

// klogOrLogcat reads 11-20 10:11:12.345 (logcat) and 1120 10:11:12.345678 (klog).
func klogOrLogcat(s string, i int) (c clock, ok bool) {
	j := i
	if c.month, j, ok = digits(s, j, 2, 2); !ok {
		return c, false
	}
	if j < len(s) && s[j] == '-' {
		j++
	}
	if c.day, j, ok = digits(s, j, 2, 2); !ok || j >= len(s) || s[j] != ' ' {
		return c, false
	}
	if c.month < 1 || c.month > 12 {
		return c, false
	}
	ok = c.timeOfDay(s, j+1)
	return c, ok
}

// timeOnly reads 10:11:12 with a fraction behind a dot, a comma or, as the IM
// SDKs write it, a colon and milliseconds without leading zeros.
func timeOnly(s string, i int) (c clock, ok bool) {
	ok = c.timeOfDay(s, i)
	return c, ok
}

// named reads Nov 20 10:11:12, also after a weekday and with a year behind.
func named(s string, i int) (c clock, ok bool) {
	j := i
	if weekday(s, j) {
		j += 4
	}
	if c.month, j = monthAt(s, j); c.month == 0 {
		return c, false
	}
	j = blanks(s, j)
	if c.day, j, ok = digits(s, j, 1, 2); !ok || j >= len(s) || s[j] != ' ' {
		return c, false
	}
	if y, k, ok := digits(s, j+1, 4, 4); ok && k < len(s) && s[k] == ' ' { // Date.toString
		c.year = y
		ok = c.timeOfDay(s, k+1)
		return c, ok
	}
	if !c.timeOfDay(s, j+1) {
		return c, false
	}
	if _, rest, found := strings.Cut(s[j+1:], " "); found && !c.hasZone {
		if y, k, ok := digits(rest, 0, 4, 4); ok && (k == len(rest) || !isAlnum(rest[k])) {
			c.year = y
		}
	}
	return c, true
}
