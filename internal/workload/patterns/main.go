// Patterns prints the built-in rules as a pattern file for ripgrep or grep -E,
// one a line: the rules' regexes without the names of their groups, and the
// SDKs' own sentences. It is what a one-line search for the same codes is. With
// -fixed it prints the symbols of the catalogue and the sentences, for grep -F.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
)

func main() {
	fixed := flag.Bool("fixed", false, "symbols and sentences, as they are")
	flag.Parse()
	set, problems := rules.Embedded()
	if len(problems) > 0 {
		fmt.Fprintln(os.Stderr, "patterns:", problems[0])
		os.Exit(1)
	}
	named := regexp.MustCompile(`\(\?P<\w+>`)
	if *fixed {
		printFixed(set)
		return
	}
	for _, f := range set.Files {
		for _, r := range f.Rules {
			fmt.Println(named.ReplaceAllString(r.Regex, "(?:"))
		}
		for _, s := range f.Sentences {
			fmt.Println(strings.TrimSpace(regexp.QuoteMeta(s.Text)))
		}
	}
}

func printFixed(set *rules.Set) {
	for _, f := range set.Files {
		for _, s := range f.Sentences {
			fmt.Println(s.Text)
		}
		for _, id := range f.Families {
			for _, s := range codes.Embedded().Symbols(id) {
				fmt.Println(s)
			}
		}
	}
}
