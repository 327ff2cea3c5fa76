package codes

import (
	"slices"
	"strings"
	"testing"
)

// TestDocuments holds the catalogue against every row of the vendors' documents
// and tables, and the entries' claims against the rows.
func TestDocuments(t *testing.T) {
	cat, _ := shipped()
	type listing struct{ document, code, symbol string }
	listed, perDocument := map[listing]bool{}, map[string]int{}
	for _, r := range DocumentRows() {
		perDocument[r.Document]++
		for _, name := range append(r.Names, "") {
			listed[listing{r.Document, r.Code, name}] = true
		}
		if lacks := cat.Covers(r); lacks != "" {
			t.Errorf("%s lists %s %v %d %s: the catalogue lacks %s", r.Document, r.Code, r.Names, r.HTTP, r.Message, lacks)
		}
	}
	for document, n := range map[string]int{
		"easemob-web-legacy": 87, "easemob-web-zh": 30, "agora-chat-web-en": 29, "agora-chat-web-zh": 70, "jmessage-web": 76,
		"easemob-native": 135, "easemob-rest": 88, "easemob-rest-messages": 262, "easemob-rest-errorcode": 29,
		"jmessage-server": 193, "jmessage-android": 54, "jmessage-ios": 62,
	} {
		if perDocument[document] != n {
			t.Errorf("%s has %d rows here, and %d as published", document, perDocument[document], n)
		}
	}
	for _, e := range cat.All() {
		for _, d := range e.Documents {
			names := append([]string{e.Symbol, ""}, e.Aliases...)
			if d == e.Family { // a table of a family: its own test is Covers
				continue
			}
			if !slices.ContainsFunc(names, func(s string) bool { return listed[listing{d, e.Code, s}] }) {
				t.Errorf("%s %s claims %s, which does not list it", e.Key(), e.Symbol, d)
			}
		}
	}
}

// TestWrongTranslations: where the English JMessage table says something else
// than the server means, the entry is right and says so.
func TestWrongTranslations(t *testing.T) {
	cat, _ := shipped()
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
	cat, _ := shipped()
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
