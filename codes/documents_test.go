package codes

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// familyOf says whose codes each document lists.
var familyOf = map[string]string{
	"easemob-web-legacy": "easemob-web", "easemob-web-zh": "easemob-web", "easemob-websdk": "easemob-web",
	"agora-chat-web-en": "agora-chat-web", "agora-chat-web-zh": "agora-chat-web", "agora-chat": "agora-chat-web",
	"jmessage-web": "jmessage-web", "jmessage-sdk-web": "jmessage-web", "jchat-web": "jmessage-web",
}

type listing struct{ document, code, symbol string }

// TestDocuments holds the catalogue against the rows of the documents: each
// row has its entry, which claims the document, and no entry claims more.
func TestDocuments(t *testing.T) {
	text, err := os.ReadFile("testdata/documents.tsv")
	if err != nil {
		t.Fatal(err)
	}
	cat, _ := Load(os.DirFS("."))
	listed, perDocument := map[listing]bool{}, map[string]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		r := listing{f[0], f[1], f[2]}
		listed[r] = true
		perDocument[r.document]++
		e := cat.Entry(familyOf[r.document], r.code, r.symbol)
		switch {
		case e == nil || r.symbol != "" && !e.Named(r.symbol):
			t.Errorf("%s lists %s %s: no entry", r.document, r.code, r.symbol)
		case !slices.Contains(e.Documents, r.document):
			t.Errorf("%s lists %s %s: the entry does not claim it", r.document, r.code, r.symbol)
		}
	}
	for document, n := range DocumentRows {
		if perDocument[document] != n {
			t.Errorf("%s: the fixture has %d rows, DocumentRows says %d", document, perDocument[document], n)
		}
	}
	for _, e := range cat.All() {
		for _, d := range e.Documents {
			if perDocument[d] == 0 {
				continue // seen in the package's output only; it publishes no table
			}
			names := append([]string{e.Symbol, ""}, e.Aliases...)
			if !slices.ContainsFunc(names, func(s string) bool { return listed[listing{d, e.Code, s}] }) {
				t.Errorf("%s %s claims %s, which does not list it", e.Key(), e.Symbol, d)
			}
		}
	}
}
