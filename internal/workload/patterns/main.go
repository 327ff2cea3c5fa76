// Patterns prints the built-in rules as a pattern file for ripgrep or grep -E,
// one a line: the rules' regexes without the names of their groups, and the
// SDKs' own sentences. It is what a one-line search for the same codes is.
package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/imwatch/imwatch/rules"
)

func main() {
	set, problems := rules.Embedded()
	if len(problems) > 0 {
		fmt.Fprintln(os.Stderr, "patterns:", problems[0])
		os.Exit(1)
	}
	named := regexp.MustCompile(`\(\?P<\w+>`)
	for _, f := range set.Files {
		for _, r := range f.Rules {
			fmt.Println(named.ReplaceAllString(r.Regex, "(?:"))
		}
		for _, s := range f.Sentences {
			fmt.Println(strings.TrimSpace(regexp.QuoteMeta(s.Text)))
		}
	}
}
