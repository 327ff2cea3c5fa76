package annotator

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzAppendString holds it against the same rune by rune.
func FuzzAppendString(f *testing.F) {
	f.Add(`{"a":"12345678"}`, 0)
	f.Add("plain text of some length\\\"\n\t\x01\x7f", 3)
	f.Add("环信\u2028\u0085\xff \xe7\x8e 1234567环", 9)
	f.Fuzz(func(t *testing.T, s string, room int) {
		for from := range min(len(s)+1, 9) { // to stand differently in the words of eight
			s := s[from:]
			if got, want := string(AppendString(make([]byte, 0, room&63), s)), runeByRune(s); got != want {
				t.Errorf("%q became %s, want %s", s, got, want)
			}
		}
	})
}

func runeByRune(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD"), r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
