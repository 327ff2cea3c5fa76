package rules

import (
	"regexp"
	"strings"
)

// An Example is a line, or a block of lines, that a rule must find or leave
// alone.
type Example struct {
	Code      string // the expected code; empty under no_match
	Inner     string // the expected cause of a nested error
	Undecided bool   // found, but without proof of a vendor: told, not emitted
	Text      string
}

// An expected code stands before its line: "206", "1/17" (1 caused by 17),
// "16?" (seen, but nothing proves whose it is).
var expected = regexp.MustCompile(`^(-?\w+)(?:/(-?\w+))?(\?)?(?:  +(.*)| <<)$`)

// Examples reads a match or no_match text: a line an example, raw, with no
// quoting. Lines that begin with "# " are comments. A block of several lines
// stands between << and >>.
func Examples(text string) (list []Example) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "# ") {
			continue
		}
		e := Example{Text: l}
		block := l == "<<"
		if m := expected.FindStringSubmatch(l); m != nil {
			e = Example{Code: m[1], Inner: m[2], Undecided: m[3] != "", Text: m[4]}
			block = strings.HasSuffix(l, " <<") && m[4] == ""
		}
		if block {
			var body []string
			for i++; i < len(lines) && lines[i] != ">>"; i++ {
				body = append(body, lines[i])
			}
			e.Text = strings.Join(body, "\n")
		}
		list = append(list, e)
	}
	return list
}
