package codes

import (
	"os"
	"slices"
	"strconv"
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
	for document, n := range perDocument {
		if DocumentRows[document] != n && DocumentRows[document] != 0 {
			t.Errorf("%s: the fixture has %d rows, DocumentRows says %d", document, n, DocumentRows[document])
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

// TestWrongTranslations: where the English JMessage table says something else
// than the server means, the entry is right and says so.
func TestWrongTranslations(t *testing.T) {
	cat, _ := Load(os.DirFS("."))
	for code, right := range map[string]Words{
		"880212": {"muted", "禁言"},                // not banned
		"880606": {"may not be added", "不允许被加入"}, // not: has not been added
		"881508": {"room is full", "人数已满"},       // not: the number of rooms
	} {
		e := cat.Entry("jmessage-web", code, "")
		if !strings.Contains(e.EN.Title, right.EN) || !strings.Contains(e.ZH.Title, right.ZH) || !strings.Contains(e.EN.Readings, "English table") || !strings.Contains(e.ZH.Readings, "英文表") {
			t.Errorf("%s: %q, %q, %q", code, e.EN.Title, e.ZH.Title, e.EN.Readings)
		}
	}
}

// TestNewer: the codes that today's SDKs and the vendor's application have and
// no published table lists.
func TestNewer(t *testing.T) {
	cat, _ := Load(os.DirFS("."))
	for family, list := range map[string]string{
		"easemob-web":    "54 56 57 203 214 220 222 223 407 408 409 410 411 513 514 608 1303 1400",
		"agora-chat-web": "54 56 57 203 222 223 608 1303 1400",
		"jmessage-web":   "880502 880603 880703 880803 880804 881002 881103 881104 881201 881202 881301 898000 898003",
	} {
		for code := range strings.FieldsSeq(list) {
			e := cat.Entry(family, code, "")
			switch {
			case e == nil:
				t.Errorf("%s/%s: no entry", family, code)
			case len(e.Documents) == 0 || slices.ContainsFunc(e.Documents, func(d string) bool { return slices.Contains(WebDocuments, d) }):
				t.Errorf("%s: documents are %v", e.Key(), e.Documents)
			}
		}
	}
}

// TestTables holds the catalogue against the tables of native, REST and server
// codes: each row has its entry under every name it gives, and each message of
// the REST servers picks an entry that says it.
func TestTables(t *testing.T) {
	text, err := os.ReadFile("testdata/tables.tsv")
	if err != nil {
		t.Fatal(err)
	}
	cat, _ := Load(os.DirFS("."))
	rows := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		table, code, names, message := f[0], f[1], strings.Split(f[2], " / "), f[4]
		family := strings.TrimSuffix(table, "-messages")
		status, _ := strconv.Atoi(f[3])
		rows[table]++
		if written[family] == false {
			continue
		}
		for _, name := range names {
			e := cat.Find(family, code, Printed{Symbol: name, HTTP: status, Text: message})
			switch {
			case e == nil || name != "" && !e.Named(name) || e.HTTP != 0 && e.HTTP != status:
				t.Errorf("%s lists %s %s %s: no entry", table, code, name, f[3])
			case !slices.Contains(e.Documents, family):
				t.Errorf("%s lists %s %s %s: the entry does not claim it", table, code, name, f[3])
			case message != "" && !slices.ContainsFunc(e.Texts, func(x string) bool { return strings.Contains(message, x) }):
				t.Errorf("%s answers %s %s with %q: no entry has a text that stands in it", table, f[3], code, message)
			}
		}
	}
	for table, n := range rows {
		if DocumentRows[table] != n {
			t.Errorf("%s: the fixture has %d rows, DocumentRows says %d", table, n, DocumentRows[table])
		}
	}
}

// written are the families whose tables are in the catalogue.
var written = map[string]bool{"easemob-native": true, "easemob-rest": true, "easemob-rest-errorcode": true, "jmessage-android": true, "jmessage-server": true, "jmessage-ios": true}
