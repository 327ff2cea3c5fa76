package scanner

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner/regex"
)

// others puts other digits in place of some of a text's: one, a few, or most.
func others(r *rand.Rand, text string) string {
	b := []byte(text)
	most := []int{1, 4, 90}[r.IntN(3)]
	for range most {
		i := r.IntN(len(b))
		for k := range len(b) { // the next digit
			if c := &b[(i+k)%len(b)]; isDigit(*c) {
				*c = byte('0' + r.IntN(10))
				break
			}
		}
	}
	return string(b)
}

// judged holds what precedents say of texts that are alike against what is found without
// them, and returns how many texts a precedent decided.
func judged(t *testing.T, s *Scanner, p *precedents, r *rand.Rand, text string, n int) (decided int) {
	t.Helper()
	if text == "" {
		return 0
	}
	for i := range n {
		like := text
		if i > 2 {
			like = others(r, text)
		}
		want := s.judge(&reading{text: like}, allFiles)
		if p.decides(s, like, allFiles) {
			decided++
		}
		if got := p.judge(s, &reading{text: like}, allFiles); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\nlike %q\nby a precedent:\n%+v\nwithout:\n%+v", like, text, got, want)
		}
	}
	return decided
}

// decides tells whether a precedent decides a text.
func (p *precedents) decides(s *Scanner, text string, files fileSet) bool {
	if p.of != s || len(text) > maxShape {
		return false
	}
	hash := p.look(text) ^ uint64(files)
	for _, q := range p.list {
		if q != nil && q.hash == hash && q.decides(text, p.shape) {
			return true
		}
	}
	return false
}

// TestPrecedents: over every rule's own lines, every shape in every wrapper and what real
// SDKs printed, with other digits.
func TestPrecedents(t *testing.T) {
	s := builtIn(t)
	var texts []string
	for _, f := range s.files {
		for _, r := range f.src.Rules {
			for _, e := range append(rules.Examples(r.Match), rules.Examples(r.NoMatch)...) {
				texts = append(texts, e.Text)
			}
		}
	}
	for _, shape := range shapes {
		for _, w := range wrappers {
			texts = append(texts, w.wrap(shape.text))
		}
	}
	texts = append(texts, labelled(t)...)
	logs, err := filepath.Glob("../testdata/sdk/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no testdata/sdk: %v", err)
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.Split(string(data), "\n")...)
	}
	r := rand.New(rand.NewPCG(7, 7))
	var p precedents
	decided := 0
	for _, text := range texts {
		line := "2026-11-20 08:39:57,592 ERROR [exec-8] c.e.chat.Bridge - user=u56628 " + text
		decided += judged(t, s, &p, r, text, 12) + judged(t, s, &p, r, line, 12)
	}
	if all := 24 * len(texts); decided < all/5 {
		t.Errorf("precedents decided %d of %d texts", decided, all)
	}
}

// TestPrecedentDigits: rules of a user's that tell digits apart, wherever rules can.
func TestPrecedentDigits(t *testing.T) {
	file, problems := rules.Parse("odd.yaml", []byte(`families: [easemob-web]
about: x
words:
  - {regex: 'imsdk/3\b', proof: sdk, about: x}
  - {regex: 'not ours [13579]', other: true, about: x}
  - {regex: '^1', proof: vendor, about: x}
shapes:
  - {regex: 'shape["'']?: ?[2-5]+;', about: x}
  - {regex: '^\{ ?[1-4]', about: x}
sentences:
  - {text: 'room 404 has gone', codes: ["206"], alone: true}
  - {text: '7 lines', codes: ["28"]}
fields:
  - {regex: 'user=(?P<user_id>[13]\w+)', about: x}
  - {regex: 'room=(?P<group_id>\d+)', about: x}
  - {regex: 'at=(?:[0-4]\d|é)*?(?P<trace_id>\d+)', about: x}
rules:
  - {id: odd-lit, about: x, regex: 'login 5xx (?P<code>206)', match: "206  login 5xx 206", no_match: x}
  - {id: odd-set, about: x, regex: '\blogout[2-5] (?P<code>[1-3]\d*)\b', match: "206  logout3 206", no_match: x}
  - {id: odd-loop, about: x, regex: '(?i)kick(?:[13579]+)\w* code (?P<code>\d+)', gives: sdk, match: "206  kick1 code 206", no_match: x}
  - {id: odd-key, about: x, regex: '\btype2["'']?: ?(?P<code>\d{1,3})\b', object: {keys: [type2, text2, shape], text: [text2]}, match: "206  {type2: 206}", no_match: x}
  - {id: odd-type, about: x, regex: '\btyp["'']?: ?(?P<code>\d{1,3})\b', needs: failure, object: {keys: [typ, text, inner], text: [text, inner.text], inner: [inner]}, match: "206  {typ: 206}", no_match: x}
`))
	for _, p := range problems {
		t.Fatal(p)
	}
	s, _ := New(&rules.Set{Files: []*rules.File{file}}, codes.Embedded()) // the rules' examples are not the point
	r := rand.New(rand.NewPCG(9, 9))
	parts := []string{"login 5xx 206", "logout3 206", "kick1 code 206", "KICK35x code 28", "{type2: 206, text2: 'room 404 has gone'}", `{"typ":206,"text":"7 lines","inner":{"typ":28,"text":"x 1"}}`,
		"{typ: 206, text: 'a', shape: 33;}", "{1typ: 206}", "typ: 206, text: 'a 1'", "imsdk/3", "not ours 4", "room 404 has gone", "code=28: 7 lines", "user=3x1", "room=17", "at=12é345", "%7B%22typ%22%3A206%7D",
		`{\"typ\":206,\"text\":\"7 lines\"}`, "q=%7B%22typ%22%3A28%2C%22text%22%3A%227%20lines%22%7D&x=1", "{&#34;typ&#34;:206}", `"{""type"":1,""typ"":206}"`, "12:31:05", "10.0.0.1", "é1", "\x00", " 7 lines"}
	var p precedents
	decided := 0
	for range 20_000 {
		text := ""
		for range 1 + r.IntN(4) {
			text += parts[r.IntN(len(parts))] + []string{" ", "", "\n", "1"}[r.IntN(4)]
		}
		decided += judged(t, s, &p, r, text, 8)
	}
	if decided < 20_000 {
		t.Errorf("precedents decided %d texts", decided)
	}
}

// FuzzPrecedents looks for texts that a precedent decides otherwise than the rules do.
func FuzzPrecedents(f *testing.F) {
	for _, shape := range shapes {
		for _, w := range wrappers {
			f.Add(w.wrap(shape.text), uint64(1))
		}
	}
	s := builtIn(f)
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		var p precedents
		judged(t, s, &p, rand.New(rand.NewPCG(seed, 1)), text, 12)
	})
}

// TestSameWord holds the eight bytes at once against one by one.
func TestSameWord(t *testing.T) {
	for c := range 256 {
		text := []byte{byte(c), '/', ':', '9', byte(c), '0', 0xB5, byte(c)}
		want := string(text)
		for d := '0'; d <= '9'; d++ {
			want = strings.ReplaceAll(want, string(d), "0")
		}
		if got := string(regex.Same(text)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
