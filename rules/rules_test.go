package rules

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

const good = `families: [easemob-web]
about: a test
rules:
  - id: mine-x
    about: what our page prints
    regex: 'chatfail (?P<code>\d+)'
    match: |
      16  chatfail 16
    no_match: |
      chatfail none
`

// TestEmbedded: the built-in files have no problems and are what the program
// embeds, and every rule has its proof.
func TestEmbedded(t *testing.T) {
	set, problems := Load(os.DirFS("."))
	for _, p := range problems {
		t.Error(p)
	}
	data, err := set.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, builtIn) {
		t.Error("builtin.json is stale: run go generate ./rules")
	}
	set, problems = Embedded()
	for _, p := range problems {
		t.Error(p)
	}
	for _, f := range set.Files {
		for i := range f.Rules {
			if r := &f.Rules[i]; r.File != f || f.LineOf("id: "+r.ID) == 0 {
				t.Errorf("rule %s does not know where it stands", r.ID)
			}
		}
	}
	n := 0
	for _, f := range set.Files {
		for _, r := range f.Rules {
			n++
			if len(Examples(r.Match)) < 1 || len(Examples(r.NoMatch)) < 1 {
				t.Errorf("rule %s lacks examples", r.ID)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d rules", n)
	}
}

// TestComplaints: each names the line, the problem and what to do.
func TestComplaints(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"good", "", "", ""},
		{"unknown key", "about: a test", "abut: a test", `mine.yaml:2: unknown key "abut"`},
		{"no families", "families: [easemob-web]\n", "", "mine.yaml: no families"},
		{"foreign id", "id: mine-x", "id: yours-x", `mine.yaml:4: rule id "yours-x" does not begin with the file's name`},
		{"no about", "    about: what our page prints\n", "", "mine.yaml:4: rule mine-x has no about"},
		{"bad regex", `(?P<code>\d+)`, `(?P<code>\d+`, "mine.yaml:6: rule mine-x does not compile: missing closing )"},
		{"look-around", `chatfail (`, `(?<=x)(`, "mine.yaml:6: rule mine-x does not compile"},
		{"unnamed group", `chatfail `, `(chat)fail `, "mine.yaml:6: rule mine-x has an unnamed group"},
		{"no code", `(?P<code>\d+)`, `\d+`, "mine.yaml:6: rule mine-x captures no code"},
		{"unknown field", `(?P<code>\d+)`, `(?P<code>\d+) (?P<person>\w+)`, `mine.yaml:6: rule mine-x captures "person", which is no field`},
		{"leading .*", `chatfail `, `.*chatfail `, "mine.yaml:6: rule mine-x begins with .*"},
		{"needs", "    match: |", "    needs: luck\n    match: |", `mine.yaml:7: needs is "luck"`},
		{"gives", "    match: |", "    gives: luck\n    match: |", `mine.yaml:7: gives is "luck"`},
		{"foreign family", "rules:\n", "words:\n  - {regex: chat wbe, proof: vendor, family: easemob-wbe}\nrules:\n", `family is "easemob-wbe", which is none of the file's`},
		{"no match", "    match: |\n      16  chatfail 16\n", "", "mine.yaml:4: rule mine-x has no line that it finds"},
		{"no no_match", "    no_match: |\n      chatfail none\n", "", "mine.yaml:4: rule mine-x has no line that it leaves alone"},
		{"match without code", "16  chatfail 16", "chatfail 16", "mine.yaml:8: rule mine-x: a match line without its code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := Parse("mine.yaml", []byte(strings.Replace(good, test.old, test.new, 1)))
			var said []string
			for _, p := range problems {
				said = append(said, strings.Replace(p.Error(), ":1:", ":", 1))
				if p.Hint == "" {
					t.Errorf("no hint: %v", p)
				}
			}
			all := strings.ReplaceAll(strings.Join(said, "\n"), "mine.yaml:2:1:", "mine.yaml:2:")
			if test.want == "" && len(problems) > 0 || !strings.Contains(all, test.want) {
				t.Errorf("got %s\nwant %s", all, test.want)
			}
		})
	}
}

func TestDuplicate(t *testing.T) {
	_, problems := Load(fstest.MapFS{"mine.yaml": {Data: []byte(good)}, "mine-x.yaml": {Data: []byte(good)}})
	if len(problems) == 0 || !strings.Contains(fmt.Sprint(problems), "rule mine-x stands here and in") {
		t.Errorf("got %v", problems)
	}
}

func TestExamples(t *testing.T) {
	got := Examples("# why\n206  one {line}\n1/17 <<\n{\n  two\n}\n>>\n16?  unproven\n\nplain\n")
	want := []Example{{Code: "206", Text: "one {line}"}, {Code: "1", Inner: "17", Text: "{\n  two\n}"}, {Code: "16", Undecided: true, Text: "unproven"}, {Text: "plain"}}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
