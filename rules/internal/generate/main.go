// Generate writes rules/builtin.json from the YAML files, and refuses when one
// of them has a problem.
package main

import (
	"fmt"
	"os"

	"github.com/imwatch/imwatch/rules"
)

func main() {
	set, problems := rules.Load(os.DirFS("."))
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "rules/"+p.Error())
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	data, err := set.Marshal()
	if err == nil {
		err = os.WriteFile("builtin.json", data, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate rules:", err)
		os.Exit(1)
	}
}
