package scanner

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp/syntax"
	"slices"
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

// judged holds what precedents say of a text and of some that are like it against what is
// found without them, and returns how many texts a precedent decided.
func judged(t *testing.T, s *Scanner, p *memory, text string, likes ...string) (decided int) {
	t.Helper()
	if text == "" || len(text) > maxShape {
		return 0
	}
	for _, like := range append([]string{text, text, text}, likes...) {
		want := s.judge(&reading{text: like}, allFiles)
		for i := range want {
			want[i].proven, want[i].grade = want[i].Proven(), want[i].Confidence()
		}
		if q, _ := p.find(s, like, allFiles); q != nil {
			decided++
		}
		b := &block{lines: []line{{text: like}}}
		got := p.judge(s, &reading{text: like}, b, allFiles)
		for i := range got {
			got[i].proven, got[i].grade = got[i].Proven(), got[i].Confidence()
		}
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\nlike %q\nby a precedent:\n%+v\nwithout:\n%+v", like, text, got, want)
		}
	}
	return decided
}

// some returns texts that are like a text, with other digits.
func some(r *rand.Rand, text string, n int) (list []string) {
	for range n {
		if text != "" {
			list = append(list, others(r, text))
		}
	}
	return list
}

// oneOther returns all texts that are like a text but for one digit.
func oneOther(text string) (list []string) {
	for i := range len(text) {
		for d := '0'; d <= '9' && isDigit(text[i]); d++ {
			list = append(list, text[:i]+string(d)+text[i+1:])
		}
	}
	return list
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
	var p memory
	decided := 0
	for _, text := range texts {
		line := "2026-11-20 08:39:57,592 ERROR [exec-8] c.e.chat.Bridge - user=u56628 " + text
		decided += judged(t, s, &p, text, some(r, text, 9)...) + judged(t, s, &p, line, some(r, line, 9)...)
	}
	if all := 24 * len(texts); decided < all/5 {
		t.Errorf("precedents decided %d of %d texts", decided, all)
	}
}

// TestPrecedentDigits: rules of a user's that tell digits apart, wherever rules can.
func TestPrecedentDigits(t *testing.T) {
	const odd = `families: [easemob-web]
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
  - {text: 'lines are down', codes: ["28"]}
  - {text: 'the lines that we have had for so long are gone, all but 2', codes: ["28"], alone: true}
fields:
  - {regex: 'user=(?P<user_id>[13]\w+)', about: x}
  - {regex: 'room=(?P<group_id>\d+)', about: x}
  - {regex: 'at=(?:[0-4]\d|é)*?(?P<trace_id>\d+)', about: x}
  - {regex: 'seat=(?P<operation>[a-z]+)(?:7(?P<target_id>[a-z]+))?', about: x}
  - {regex: 'slow=(?:(?:(?:a|aa)+)+b|a+[37](?P<session_id>x))', about: x}
rules:
  - {id: odd-start, about: x, regex: '^(?P<code>[12]\d*) went', gives: sdk, match: "206  206 went", no_match: x}
  - {id: odd-lit, about: x, regex: 'login 5xx (?P<code>206)', match: "206  login 5xx 206", no_match: x}
  - {id: odd-set, about: x, regex: '\blogout[2-5] (?P<code>[1-3]\d*)\b', match: "206  logout3 206", no_match: x}
  - {id: odd-loop, about: x, regex: '(?i)kick(?:[13579]+)\w* code (?P<code>\d+)', gives: sdk, match: "206  kick1 code 206", no_match: x}
  - {id: odd-far, about: x, regex: 'far"[a-z ]{0,20}(?P<code>\d+)', gives: sdk, match: '206  far"206', no_match: x}
  - {id: odd-kind, about: x, regex: '\bkind["'']?: ?(?P<code>\d{1,3})\b', object: {keys: [kind, say, shape], text: [say]}, gives: sdk, match: "206  {kind: 206}", no_match: x}
  - {id: odd-type, about: x, regex: '\btyp["'']?: ?(?P<code>\d{1,3})\b', needs: failure, object: {keys: [typ, text, inner], text: [text, inner.text], inner: [inner]}, match: "206  {typ: 206}", no_match: x}
`
	keys := strings.NewReplacer("kind, say", "kind2, say2", "[say]", "[say2]", "bkind", "bkind2", "kind: 2", "kind2: 2").Replace(odd)
	const other = `families: [jmessage-web]
about: x
fields:
  - {regex: 'team=(?P<target_id>\w+)', about: x}
rules:
  - {id: second-one, about: x, regex: 'second (?P<code>\d+)', gives: sdk, match: "880103  second 880103", no_match: x}
`
	r := rand.New(rand.NewPCG(9, 9))
	parts := []string{"login 5xx 206", "login 6xx 206", "logout3 206", "logout7 206", "logout3 406", "kick1 code 206", "KICK35x code 28", "KICK354x code 28",
		"{kind2: 206, say2: 'abc'}", "{kind2: 206, say3: 'abc'}", "{kind3: 206}", "{kind: 206, say: 'x 1'}", "{kind: 206, say: 'x', shape: 8;}", "{kind: 206, say: 'x', shape: 53;}", "{kind: 206, shape: 5;}", "{7kind: 206, say: 'a'}",
		`{"typ":206,"text":"x","inner":{"typ":28,"text":"x 1"}}`, `{"typ":28,"text":"8 lines"}`, "{typ: 28, text: 'x 1: lines are down'}", "{1typ: 206}", "{7typ: 206, text: 'a'}", "typ: 28, text: 'x 1: lines are down'",
		"imsdk/3", "imsdk/4", "not ours 4", "room 404 has gone", "room 405 has gone", "the lines that we have had for so long are gone, all but 2", "the lines that we have had for so long are gone, all but 3",
		"code=28: lines are down", "code=29: lines are down", "user=3x1", "user=4x1", "room=17", "at=12é345", "at=77é1",
		"%7B%22typ%22%3A206%7D", `{\"typ\":206,\"text\":\"7 lines\"}`, `{"m":"{far\"  aaaaaaaaaaa 28}"}`, `{far\"  aaaaaaaaaaa 28}`, "q=far%22aaaaaaaaaaa+28&x=1", "far%22aaaaaaaaaaa+28", "%7Btyp%3A%20206%7D logout7 206",
		"{far&#34;  aaaaaaaa 28}", `{""type"":1, far""  aaaaaaaa 28`, "q=28%20went", "q=88%20went", "second 880103 team=x1", "logout3 206 user=3x1", "q=28%20team=y&z=user=3x1+%22", "seat=ab7cd", "seat=ab8cd", "slow=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa7x", "12:31:05", "é1", "\\x00", " 7 lines"}
	for name, yaml := range map[string]string{"odd": odd, "keys with digits": keys} {
		set := &rules.Set{}
		for name, yaml := range map[string]string{"odd.yaml": yaml, "second.yaml": other} {
			file, problems := rules.Parse(name, []byte(yaml))
			for _, p := range problems {
				t.Fatal(p)
			}
			set.Files = append(set.Files, file)
		}
		s, _ := New(set, codes.Embedded()) // the rules' examples are not the point
		var p memory
		decided := 0
		for i, a := range parts {
			for k, b := range append(parts, "") {
				for _, text := range [][]string{{a + " " + b}, {b + a}}[(i+k)%2] {
					decided += judged(t, s, &p, text, append(oneOther(text), some(r, text, 2)...)...)
				}
			}
		}
		if decided < 10_000 {
			t.Errorf("%s: precedents decided %d texts", name, decided)
		}
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
		var p memory
		judged(t, s, &p, text, some(rand.New(rand.NewPCG(seed, 1)), text, 9)...)
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

// TestPrecedentEscapes: digits that belong to an escape, or to an escape of an escape, make
// another text of what stands behind them.
func TestPrecedentEscapes(t *testing.T) {
	s := builtIn(t)
	r := rand.New(rand.NewPCG(5, 5))
	texts := []string{`WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE \u002523 uid=77`, `WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE \u002522 uid=77`, `{%5Cu0027type%5Cu0027:206}`,
		`{%255Cx27type%255Cx27:206}`, `{type%252525252A206}`, `{type%252525253A206}`, `{type:\u005b38m206,\x22a}`, `{&%25252335;type&%25252335;:206}`, `{"type":206,"message":"login failed","msg":"\u005b38m x"}`}
	parts := []string{"type", "206", ":", "{", "}", `"`, `\"`, "%22", "%3A", "%253A", `\u0022`, `\u003a`, `\x22`, "%5Cu0022", "%255Cx22", "&#34;", "&%2334;", `""`, "[0m", "[39m", `\u005b39m`, "%5B0m", "\x1b[31m", "%1b[0m", "uid=77", "%2", "5", "+", " ",
		"the user is already logged on another device", "message", ",", "WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE"}
	for range 300 {
		text := ""
		for range 3 + r.IntN(9) {
			text += parts[r.IntN(len(parts))]
		}
		texts = append(texts, text)
	}
	var p memory
	for _, text := range texts {
		judged(t, s, &p, text, append(oneOther(text), some(r, text, 2)...)...)
		var data strings.Builder
		for range 4 {
			data.WriteString(text + "\n")
		}
		for _, like := range some(r, text, 4) {
			data.WriteString(like + "\n")
		}
		check(t, s, []byte(data.String()), r)
	}
}

// TestLineDigits: what takes off what stands around a line, and looks at what stands
// before a sentence and behind it, tells no digits apart. (A line that may have a tag, or
// is in the form of RFC 5424, is no precedent for lines.)
func TestLineDigits(t *testing.T) {
	var blind func(n *syntax.Regexp) bool
	blind = func(n *syntax.Regexp) bool {
		digits := 0
		switch n.Op {
		case syntax.OpLiteral:
			return !strings.ContainsAny(string(n.Rune), "0123456789")
		case syntax.OpCharClass:
			for i := 0; i < len(n.Rune); i += 2 {
				digits += int(max(0, min(n.Rune[i+1], '9')-max(n.Rune[i], '0')+1))
			}
		}
		return digits%10 == 0 && !slices.ContainsFunc(n.Sub, func(n *syntax.Regexp) bool { return !blind(n) })
	}
	for _, re := range append([]*regex.Regexp{criLine, syslogLine, logcatBrief, timed, sentenceNumber, leads, goesOn, goesOff}, logcatLines...) {
		if tree, err := syntax.Parse(re.String(), syntax.Perl); err != nil || !blind(tree) {
			t.Errorf("%s tells digits apart (%v)", re, err)
		}
	}
}
