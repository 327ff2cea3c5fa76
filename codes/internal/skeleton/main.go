// Skeleton turns a table of codes into YAML that waits for its words:
//
//	go run ./codes/internal/skeleton TABLE.tsv codes/FAMILY/NEW.yaml
//
// The table's first line names its columns: family, code, symbol, meaning_en,
// meaning_zh (others are passed over). What the family's folder has already is
// left out, and a file that is there is never written again.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/imwatch/imwatch/codes"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run ./codes/internal/skeleton TABLE.tsv codes/FAMILY/NEW.yaml")
		os.Exit(64)
	}
	written, left, err := skeleton(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "skeleton:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d entries to write; %d rows left out, the folder has them already\n", os.Args[2], written, left)
}

// skeleton writes the rows of a table that a family's folder lacks.
func skeleton(table, to string) (written, left int, err error) {
	rows, err := read(table)
	if err != nil {
		return 0, 0, err
	}
	cat, _ := codes.Load(os.DirFS(filepath.Dir(to)))
	var b strings.Builder
	for _, r := range rows {
		if b.Len() == 0 {
			fmt.Fprintf(&b, "family: %s\n\ncodes:\n", r["family"])
		}
		names := strings.Split(r["symbol"], " / ")
		if e := cat.Entry(r["family"], r["code"], names[0]); e != nil && (names[0] == "" || e.Named(names[0])) {
			left++
			continue
		}
		written++
		entry(&b, r, names)
	}
	if written == 0 {
		return 0, left, nil
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return 0, 0, fmt.Errorf("%s is there already; name a new file, and move its entries where they belong when they are written", to)
	}
	if err != nil {
		return 0, 0, err
	}
	_, err = f.WriteString(b.String())
	return written, left, errors.Join(err, f.Close())
}

func entry(b *strings.Builder, r map[string]string, names []string) {
	fmt.Fprintf(b, "  - code: %s\n", quoted(r["code"]))
	if names[0] != "" {
		fmt.Fprintf(b, "    symbol: %s\n", quoted(names[0]))
	}
	if len(names) > 1 {
		fmt.Fprintf(b, "    aliases: [%s]\n", strings.Join(names[1:], ", "))
	}
	fmt.Fprintf(b, "    documents: [%s]\n    level:\n    category:\n    retryable:\n    scope:\n    owner:\n    links: []\n", r["family"])
	for _, lang := range []string{"en", "zh"} {
		fmt.Fprintf(b, "    %s:\n      # %s\n      title:\n      meaning:\n      user_sees:\n      causes:\n        - cause:\n          tell:\n      hints:\n        -\n      check:\n", lang, r["meaning_"+lang])
	}
	b.WriteString("\n")
}

// quoted quotes what YAML would read as something else than text.
func quoted(s string) string {
	if strings.ContainsAny(s, `:#{}[]&*!|>'"%@,`+"`") || strings.TrimSpace(s) != s {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

func read(path string) (rows []map[string]string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var names []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		cells := strings.Split(lines.Text(), "\t")
		if names == nil {
			names = cells
			continue
		}
		if len(cells) != len(names) {
			return nil, fmt.Errorf("%s:%d: %d columns, the first line names %d", path, n, len(cells), len(names))
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = cells[i]
		}
		if row["family"] == "" || row["code"] == "" {
			return nil, fmt.Errorf("%s:%d: no family or no code; the first line must name the columns family, code, symbol, meaning_en, meaning_zh", path, n)
		}
		rows = append(rows, row)
	}
	return rows, lines.Err()
}
