// Catalogue writes what journalctl -x prints beside an event: imwatch.catalog
// and imwatch.zh_CN.catalog, with an entry for every code.
//
//	go run ./systemd/catalogue DIRECTORY
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/terminal"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./systemd/catalogue DIRECTORY")
		os.Exit(64)
	}
	for name, lang := range map[string]string{"imwatch.catalog": "en", "imwatch.zh_CN.catalog": "zh"} {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), []byte(messages(codes.Embedded(), lang)), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "write message catalogue:", err)
			os.Exit(1)
		}
	}
}

// messages is a whole catalogue in one language. Entries with the same code
// share a message.
func messages(c *codes.Catalogue, lang string) string {
	var b strings.Builder
	b.WriteString("# Made of imwatch's catalogue " + c.Version() + ". journalctl --update-catalog takes it in.\n")
	entries := c.All()
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].Key() == entries[0].Key() {
			n++
		}
		message(&b, c.Family(entries[0].Family), entries[:n], lang)
		entries = entries[n:]
	}
	return b.String()
}

// message is what is known about one code.
func message(b *strings.Builder, f *codes.Family, entries []*codes.Entry, lang string) {
	first := entries[0]
	fmt.Fprintf(b, "\n-- %s\nSubject: %s %s: %s\nDefined-By: imwatch\nSupport: man:imwatch(7)\n", codes.MessageID(first.Family, first.Code),
		f.Name.In(lang), first.Code, oneLine(first.In(lang).Title))
	for _, l := range first.Links {
		fmt.Fprintf(b, "Documentation: %s\n", l)
	}
	for i, e := range entries {
		t := e.In(lang)
		b.WriteByte('\n')
		if len(entries) > 1 {
			b.WriteString(safe(terminal.Indent(fmt.Sprintf("(%d) ", i+1), strings.TrimSpace(e.Symbol+" "+t.Title), width)))
		}
		b.WriteString(safe(terminal.Indent("", t.Meaning, width)))
		list(b, word(lang, "What to do:", "怎么办："), t.Hints)
		var causes []string
		for _, c := range t.Causes {
			causes = append(causes, c.Cause)
		}
		list(b, word(lang, "Likely causes:", "可能的原因："), causes)
	}
	fmt.Fprintf(b, "\n%s imwatch explain %s --family %s\n", word(lang, "All that is known:", "全部内容："), first.Code, first.Family)
}

func word(lang, en, zh string) string { return codes.Words{EN: en, ZH: zh}.In(lang) }

func list(b *strings.Builder, head string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", head)
	for i, s := range items {
		b.WriteString(safe(terminal.Indent(fmt.Sprintf("%d. ", i+1), s, width)))
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

const width = 76

// safe keeps a line from beginning with what a message catalogue takes for a
// comment or a border.
func safe(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "#") || strings.HasPrefix(l, ";") || strings.HasPrefix(l, "--") {
			lines[i] = " " + l
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
