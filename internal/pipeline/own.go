package pipeline

import (
	"bytes"
	"slices"

	"github.com/imwatch/imwatch/scanner"
)

// withoutOwn takes out of a block what stands in lines that are events of ours,
// come back through a followed log; false when nothing is left. raw is the block
// as it stands in the file.
func withoutOwn(b *scanner.Block, raw []byte) bool {
	if !bytes.Contains(raw, ownAction) {
		return true
	}
	var rest []byte
	for l := range bytes.Lines(raw) {
		if !ownEvent(l) {
			rest = append(rest, l...)
		}
	}
	if len(rest) == len(raw) {
		return true
	}
	b.Matches = slices.DeleteFunc(b.Matches, func(m scanner.Match) bool {
		return m.Evidence == "" || !bytes.Contains(rest, []byte(m.Evidence))
	})
	return len(b.Matches) > 0
}

var ownAction = []byte(`im.`)

// ownEvent tells whether a line holds an event that this program wrote: the
// beginning of its event object, with our id and action, as JSON or as a JSON
// string in JSON, any number of times. A line that only speaks of such things is
// not one.
func ownEvent(line []byte) bool {
	for rest := line; ; {
		i := bytes.Index(rest, []byte(`event`))
		if i < 0 {
			return false
		}
		quote := quoteBefore(rest[:i])
		rest = rest[i+len(`event`):]
		if quote == nil {
			continue
		}
		x := matcher{rest, quote, true}
		x.lit(`":{"id":"`)
		x.hex(32)
		x.lit(`","kind":"`)
		x.soon(`","action":"im.`)
		if x.ok {
			return true
		}
	}
}

// quoteBefore returns the quotation mark that ends a text, with the backslashes
// before it.
func quoteBefore(b []byte) []byte {
	if len(b) == 0 || b[len(b)-1] != '"' {
		return nil
	}
	from := len(b) - 1
	for from > 0 && b[from-1] == '\\' {
		from--
	}
	return b[from:]
}

// matcher reads a text whose quotation marks are escaped.
type matcher struct {
	rest, quote []byte
	ok          bool
}

func (x *matcher) lit(s string) {
	rest, ok := bytes.CutPrefix(x.rest, bytes.ReplaceAll([]byte(s), []byte{'"'}, x.quote))
	x.rest, x.ok = rest, x.ok && ok
}

func (x *matcher) hex(n int) {
	if len(x.rest) < n || len(bytes.Trim(x.rest[:n], "0123456789abcdef")) > 0 {
		x.ok = false
		return
	}
	x.rest = x.rest[n:]
}

// soon looks for a text in what follows shortly.
func (x *matcher) soon(s string) {
	want := bytes.ReplaceAll([]byte(s), []byte{'"'}, x.quote)
	if bytes.Contains(x.rest[:min(len(x.rest), 100+2*len(want))], want) {
		return
	}
	x.ok = false
}
