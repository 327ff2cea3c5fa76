package codes

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

const testFamily = `family: acme-web
vendor: acme
platform: web
name: {en: Acme Web SDK, zh: Acme Web SDK}
about: {en: For tests., zh: 测试用。}
see: https://docs.example.org/errors
words:
  console: {en: Acme Console, zh: Acme 控制台}
`

const testEntry = `  - code: 7
    symbol: SEVEN
    level: error
    category: auth
    retryable: after-fix
    scope: user
    owner: app
    links: [https://docs.example.org/errors/7]
    en:
      title: The seventh fault
      meaning: It happened.
      user_sees: Nothing opens.
      causes: [{cause: One., tell: By this.}, {cause: Two., tell: By that.}]
      hints: ["Open the page Keys in {console}."]
      check: The page shows a key.
    zh:
      title: 第七种错误
      meaning: 发生了。
      user_sees: 打不开。
      causes: [{cause: 第一种, tell: 看这里}, {cause: 第二种, tell: 看那里}]
      hints: ["打开{console}的密钥页。"]
      check: 页面上有密钥。
`

func load(entries string) (*Catalogue, []Problem) {
	return Load(fstest.MapFS{
		"acme-web/family.yaml": {Data: []byte(testFamily)},
		"acme-web/codes.yaml":  {Data: []byte("family: acme-web\ncodes:\n" + entries)},
	})
}

// TestComplaints: what the loader refuses, each with its place, what is wrong
// and what to do.
func TestComplaints(t *testing.T) {
	again := strings.Replace(testEntry, "code: 7", "code: 8", 1)
	for _, test := range []struct{ name, entries, want string }{
		{"good", testEntry, ""},
		{"unknown key", strings.Replace(testEntry, "owner:", "ower:", 1), `codes.yaml:9:5: unknown key "ower"`},
		{"missing field", strings.Replace(testEntry, "      meaning: It happened.\n", "", 1), "codes.yaml:3: acme-web/7: en: meaning is missing"},
		{"missing language", testEntry[:strings.Index(testEntry, "    zh:")], "acme-web/7: zh is missing"},
		{"English for Chinese", strings.Replace(testEntry, "title: 第七种错误", "title: The seventh", 1), "acme-web/7: zh: title has no Chinese in it"},
		{"duplicate", testEntry + testEntry, "acme-web/7 stands here and in acme-web/codes.yaml:3"},
		{"status above info", strings.Replace(strings.Replace(testEntry, "    level", "    status: true\n    level", 1), "category: auth", "category: status", 1), "acme-web/7: a status has level error"},
		{"category of a status", strings.Replace(testEntry, "category: auth", "category: status", 1), "acme-web/7: status is false, category is status"},
		{"level", strings.Replace(testEntry, "level: error", "level: bad", 1), `acme-web/7: level is "bad"`},
		{"owner", strings.Replace(testEntry, "owner: app", "owner: nobody", 1), `acme-web/7: owner is "nobody"`},
		{"no tell", strings.Replace(testEntry, ", tell: By this.", "", 1), "acme-web/7: en: tell of cause 1 is missing"},
		{"no hint", strings.Replace(testEntry, `      hints: ["Open the page Keys in {console}."]`+"\n", "", 1), "acme-web/7: en: no hints"},
		{"hint without a hold", strings.Replace(testEntry, "Open the page Keys in {console}.", "Try again later.", 1), `acme-web/7: en: hint 1 tells nothing: "Try again later."`},
		{"fewer in one language", strings.Replace(testEntry, ", {cause: 第二种, tell: 看那里}", "", 1), "acme-web/7: 2 causes and 1 hints in English, 1 and 1 in Chinese"},
		{"no URL", strings.Replace(testEntry, "https://docs.example.org/errors/7", "docs/7", 1), `acme-web/7: link "docs/7" is not a URL`},
		{"consequence of nothing", strings.Replace(testEntry, "    links", "    consequence_of: [\"99\"]\n    links", 1), `acme-web/7: consequence_of names "99", which is no entry`},
		{"same as nothing", "  - {code: 9, same_as: acme-web/99}\n", "codes.yaml:3: acme-web/9 is the same as \"acme-web/99\", which is no entry\n    - {code: 9, same_as: acme-web/99}\n    hint: write family/code of an entry"},
		{"retired in one language", strings.Replace(testEntry, "    links", "    retired: {en: "+"Only version 1 has it."+"}\n    links", 1), "acme-web/7: retired is given in one language only"},
		{"long title", strings.Replace(testEntry, "The seventh fault", strings.Repeat("long ", 20), 1), "acme-web/7: en: title is longer than 72 characters"},
		{"a hint in four entries", testEntry + again + strings.Replace(again, "code: 8", "code: 9", 1) + strings.Replace(again, "code: 8", "code: 10", 1), `a hint stands in 4 entries: "Open the page Keys in {console}."`},
		{"unknown family", strings.Replace(testEntry, "x", "x", 1) + "  - {code: 1, level: info}\n", "acme-web/1: category is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := load(test.entries)
			var said []string
			for _, p := range problems {
				said = append(said, p.Error())
				if p.Hint == "" || p.File == "" {
					t.Errorf("no hint or no file: %v", p)
				}
			}
			all := strings.Join(said, "\n")
			if test.name == "same as nothing" && len(problems) != 1 {
				t.Errorf("%d complaints about one missing entry: %s", len(problems), all)
			}
			if test.want == "" && all != "" || !strings.Contains(all, test.want) {
				t.Errorf("got  %s\nwant %s", all, test.want)
			}
		})
	}
}

// TestRefused holds the loader against testdata/refused.txtar, word for word.
func TestRefused(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/refused.txtar")
	if err != nil {
		t.Fatal(err)
	}
	family, pairs := archive.Files[0], archive.Files[1:]
	if family.Name != "family.yaml" || len(pairs) < 2 {
		t.Fatalf("%s is first of %d files", family.Name, len(archive.Files))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		t.Run(pairs[i].Name, func(t *testing.T) {
			_, problems := Load(fstest.MapFS{family.Name: {Data: family.Data}, pairs[i].Name: {Data: pairs[i].Data}})
			got := ""
			for _, p := range problems {
				got += p.Error() + "\n"
			}
			if want := string(pairs[i+1].Data); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestShare: an entry that is the same as another takes its texts with the
// family's own words, and keeps what it says itself.
func TestShare(t *testing.T) {
	cat, problems := Load(fstest.MapFS{
		"acme-web/family.yaml":  {Data: []byte(testFamily)},
		"acme-web/codes.yaml":   {Data: []byte("family: acme-web\ncodes:\n" + testEntry)},
		"other-web/family.yaml": {Data: []byte(strings.NewReplacer("acme-web", "other-web", "Acme", "Other").Replace(testFamily))},
		"other-web/codes.yaml":  {Data: []byte("family: other-web\ncodes:\n  - {code: 7, same_as: acme-web/7, level: warn}\n  - {code: 70, same_as: acme-web/7}\n")},
	})
	for _, p := range problems {
		t.Error(p)
	}
	if e := cat.Entry("other-web", "70", ""); e.Symbol != "" || e.EN.Title != "The seventh fault" {
		t.Errorf("another code took the symbol: %+v", e)
	}
	e := cat.Entry("other-web", "7", "")
	if e.Symbol != "SEVEN" || e.Level != "warn" || e.EN.Hints[0] != "Open the page Keys in Other Console." || e.ZH.Hints[0] != "打开Other 控制台的密钥页。" {
		t.Errorf("got %+v", e)
	}
	// A line break in folded Chinese is no space.
	if unfold("自动重连， 次数 上限 OK 吗") != "自动重连，次数上限 OK 吗" {
		t.Errorf("folded Chinese: %q", unfold("自动重连， 次数 上限 OK 吗"))
	}
	if ids := []string{cat.Families()[0].ID, cat.Families()[1].ID}; ids[0] != "acme-web" {
		t.Errorf("families in the order %v: the one whose words they are comes first", ids)
	}
}

// TestWith: an overlay changes level, owner, runbook and adds hints; it cannot
// change more without override: true; new codes must be whole.
func TestWith(t *testing.T) {
	base, problems := load(testEntry)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	over := func(text string) (*Catalogue, string) {
		cat, problems := base.With(fstest.MapFS{"mine.yaml": {Data: []byte("family: acme-web\n" + text)}})
		var said []string
		for _, p := range problems {
			said = append(said, p.Error())
		}
		return cat, strings.Join(said, "\n")
	}
	cat, said := over("codes:\n  - {code: 7, level: critical, owner: vendor, runbook: https://wiki.example.org/7, en: {hints: [Page Bob.]}, zh: {hints: [找小王。]}}\n")
	e := cat.Entry("acme-web", "7", "")
	if said != "" || e.Level != "critical" || e.Owner != "vendor" || e.Runbook == "" || len(e.EN.Hints) != 2 || len(e.ZH.Hints) != 2 || e.EN.Title != "The seventh fault" {
		t.Errorf("overlay: %s, %+v", said, e)
	}
	if o := base.Entry("acme-web", "7", ""); o.Level != "error" || len(o.EN.Hints) != 1 {
		t.Errorf("the overlay changed the base: %+v", o)
	}
	if cat.Version() == base.Version() {
		t.Error("the version did not change with the content")
	}
	if _, said = over("codes:\n  - {code: 7, en: {title: Mine}}\n"); !strings.Contains(said, "override: true") {
		t.Errorf("a changed title without override: %q", said)
	}
	if _, said = over("codes:\n  - {code: 8, level: warn}\n"); said == "" {
		t.Error("a new code that is not whole was taken")
	}
	cat, said = over("override: true\ncodes:\n" + strings.Replace(testEntry, "The seventh fault", "My own fault", 1))
	if e := cat.Entry("acme-web", "7", ""); said != "" || e.EN.Title != "My own fault" || cat.Len() != 1 {
		t.Errorf("override: %s, %d entries, %+v", said, cat.Len(), e)
	}
}

// TestShares: a family that shares another's table has all of its codes, in its
// own words, and what it describes itself.
func TestShares(t *testing.T) {
	own := strings.Replace(testEntry, "The seventh fault", "Another seventh", 1)
	cat, problems := Load(fstest.MapFS{
		"acme-web/family.yaml":  {Data: []byte(testFamily)},
		"acme-web/codes.yaml":   {Data: []byte("family: acme-web\ncodes:\n" + testEntry + strings.Replace(strings.Replace(testEntry, "code: 7", "code: 8", 1), "    links", "    consequence_of: [acme-web/7]\n    links", 1))},
		"other-web/family.yaml": {Data: []byte("shares: acme-web\n" + strings.NewReplacer("acme-web", "other-web", "Acme", "Other").Replace(testFamily))},
		"other-web/codes.yaml":  {Data: []byte("family: other-web\ncodes:\n" + own)},
	})
	for _, p := range problems {
		t.Error(p)
	}
	seven, eight := cat.Entry("other-web", "7", ""), cat.Entry("other-web", "8", "")
	if seven == nil || eight == nil || seven.EN.Title != "Another seventh" || eight.EN.Title != "The seventh fault" || eight.SameAs != "acme-web/8" || eight.Consequence[0] != "7" || cat.Len() != 4 {
		t.Errorf("%d entries, 7 %+v, 8 %+v", cat.Len(), seven, eight)
	}
	_, problems = Load(fstest.MapFS{"f.yaml": {Data: []byte("shares: nobody\n" + testFamily)}})
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), `family acme-web shares "nobody", which is no family with a table of its own`) {
		t.Errorf("a share of nothing: %v", problems)
	}
}

// TestFind: the entry of a REST word is chosen by status and message.
func TestFind(t *testing.T) {
	rest := func(title, more string) string {
		return strings.NewReplacer("code: 7\n    symbol: SEVEN\n", "code: group_error\n"+more, "The seventh fault", title, "Keys", title).Replace(testEntry)
	}
	cat, problems := load(rest("Bad request", "    http_status: 400\n") + rest("Nested", "    http_status: 400\n    texts: [thread not nested]\n") +
		rest("Forbidden", "    http_status: 403\n") + rest("Not found", "    http_status: 404\n"))
	for _, p := range problems {
		if !strings.Contains(p.What, "a hint stands in") {
			t.Error(p)
		}
	}
	data, err := cat.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := unmarshal(string(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Catalogue{cat, embedded} {
		for _, test := range []struct {
			p    Printed
			want string
		}{
			{Printed{HTTP: 403}, "Forbidden"},
			{Printed{HTTP: 404, Text: "whatever"}, "Not found"},
			{Printed{HTTP: 400, Text: "thread not nested!"}, "Nested"},
			{Printed{HTTP: 400, Text: "something else"}, "Bad request"},
			{Printed{Text: "thread not nested"}, "Nested"},
		} {
			if e := c.Find("acme-web", "group_error", test.p); e == nil || e.EN.Title != test.want {
				t.Errorf("%+v: got %+v, want %s", test.p, e, test.want)
			}
		}
	}
	if cat.Find("acme-web", "nothing", Printed{}) != nil {
		t.Error("an entry for a code that is not there")
	}
	_, problems = load(rest("One", "    http_status: 400\n") + rest("Two", "    http_status: 400\n"))
	if len(problems) == 0 || !strings.Contains(problems[0].Hint, "another http_status or other texts") {
		t.Errorf("two entries that nothing tells apart: %v", problems)
	}
}
