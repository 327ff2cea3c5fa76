// Generate writes codes/catalogue.tsv and its fingerprint from the YAML files, and
// refuses when one of them has a problem.
package main

import (
	"fmt"
	"os"

	"github.com/imwatch/imwatch/codes"
)

func main() {
	cat, problems := codes.Load(os.DirFS("."))
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "codes/"+p.Error())
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	data, err := cat.Marshal()
	if err == nil {
		err = os.WriteFile("catalogue.tsv", data, 0o644)
	}
	if err == nil {
		err = os.WriteFile("catalogue.version", []byte(codes.Fingerprint(data)+"\n"), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate catalogue:", err)
		os.Exit(1)
	}
}
