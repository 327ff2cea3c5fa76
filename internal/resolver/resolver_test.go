package resolver

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner"
)

// builtIn is the scanner of the built-in rules, made once for all tests: it
// keeps nothing from one scan to the next.
var builtIn = sync.OnceValues(func() (*scanner.Scanner, []codes.Problem) {
	set, problems := rules.Embedded()
	s, more := scanner.New(set, codes.Embedded())
	return s, append(problems, more...)
})

func resolve(t *testing.T, src Source, lines ...string) (list []finding.Finding, undecided int) {
	t.Helper()
	sc, problems := builtIn()
	red, err := redact.New(nil)
	if len(problems) > 0 || err != nil {
		t.Fatal(problems, err)
	}
	res := New(codes.Embedded(), red)
	src.Location = time.UTC
	proven := Proven{}
	at := Place{Path: "a.log", Read: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), Origin: "x"}
	for _, line := range lines {
		sc.Scan([]byte(line+"\n"), true, func(b *scanner.Block) {
			for i := range b.Matches {
				if src.Undecided(&b.Matches[i], proven) {
					undecided++
				}
				proven.Learn(&b.Matches[i])
			}
			list = append(list, res.Resolve(nil, &src, b, proven, at)...)
		})
		at.Offset += int64(len(line) + 1)
	}
	return list, undecided
}

const (
	proved = `{"type":206,"message":"the user is already logged on another device"}`
	bare   = `{ type: 16 }`
)

// TestFamily: who is taken for the writer, on what ground, and who else remains.
func TestFamily(t *testing.T) {
	for _, test := range []struct {
		name  string
		src   Source
		lines []string
		want  string // of the last finding: family confidence basis alternatives
	}{
		{"the group's first, where the line proves only the group", Source{}, []string{proved}, "easemob-web high [sentence] [agora-chat-web]"},
		{"the source's", Source{Families: []string{"agora-chat-web"}}, []string{proved}, "agora-chat-web high [sentence families] []"},
		{"the source's first of several", Source{Families: []string{"jmessage-web", "agora-chat-web", "easemob-web"}}, []string{proved}, "agora-chat-web high [sentence families] []"},
		{"named on the line, against the source", Source{Families: []string{"easemob-web"}}, []string{"agora-chat " + proved}, "agora-chat-web high [sentence vendor] []"},
		{"named earlier in the file", Source{}, []string{"agora-chat " + proved, proved}, "agora-chat-web high [sentence file] []"},
		{"the one that has the code", Source{}, []string{`{"type":410,"message":"no such voice","data":{"id":"530414050000","mid":"987650000"}}`}, "easemob-web medium [shape] []"},
		{"a range of its own", Source{}, []string{`{ code: 880103, message: 'user not exist' }`}, "jmessage-web high [range] []"},
		{"a bare object, the source told", Source{Families: []string{"easemob-web"}}, []string{bare}, "easemob-web medium [families] []"},
		{"a code that nobody knows", Source{}, []string{`{ code: 880999, message: 'news' }`}, "jmessage-web high [range] []"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, _ := resolve(t, test.src, test.lines...)
			if len(list) == 0 {
				t.Fatal("nothing found")
			}
			f := list[len(list)-1]
			if got := fmt.Sprint(f.Family, " ", f.Confidence, " ", f.Basis, " ", f.Alternatives); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestUndecided: a bare object counts for nobody, whatever the file proved.
func TestUndecided(t *testing.T) {
	list, undecided := resolve(t, Source{}, proved, bare)
	if len(list) != 1 || undecided != 1 {
		t.Errorf("%d findings, %d undecided", len(list), undecided)
	}
}

func TestAction(t *testing.T) {
	for line, want := range map[string]string{
		proved: finding.Error,
		`---<- event:login, data:{"rid":1,"code":0,"message":"success"}`: finding.Status,
		`{ code: 880999, message: 'news' }`:                              finding.Unknown,
		`{ type: 0, message: 'the user cannot be empty' }`:               finding.Error,
	} {
		list, _ := resolve(t, Source{}, line)
		if len(list) != 1 || list[0].Action != want {
			t.Errorf("%s: %+v, want %s", line, list, want)
		}
	}
}

func TestMinConfidence(t *testing.T) {
	const medium = "环信登录失败 错误码：206"
	for confidence, want := range map[string]int{"": 1, "low": 1, "medium": 1, "high": 0} {
		if list, _ := resolve(t, Source{MinConfidence: confidence}, medium); len(list) != want {
			t.Errorf("min_confidence %q: %d findings, want %d", confidence, len(list), want)
		}
	}
}

// TestIdentity: the id follows from the place, so it is the same on every
// reading, and another one for another place or file.
func TestIdentity(t *testing.T) {
	a, _ := resolve(t, Source{}, proved, proved)
	b, _ := resolve(t, Source{}, proved, proved)
	if len(a) != 2 || a[0].ID == a[1].ID || a[0].ID != b[0].ID || a[1].ID != b[1].ID || len(a[0].ID) != 32 {
		t.Errorf("ids %v and %v", a, b)
	}
}

// TestBlockStays: findings share a block's lists and maps, so what is different
// for a source is no longer the block's.
func TestBlockStays(t *testing.T) {
	sc, _ := builtIn()
	red, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	res := New(codes.Embedded(), red)
	blocks := 0
	sc.Scan([]byte("agora-chat user=bob token=x1 onError "+proved+"\nuser=bob op=\x01 onError "+proved+" onError "+proved+"\n"), true, func(b *scanner.Block) {
		blocks++
		for i := range b.Matches { // with room behind, into which nobody may write
			b.Matches[i].Basis = append(make([]string, 0, 8), b.Matches[i].Basis...)
		}
		before := fmt.Sprintf("%+v", b.Matches)
		for _, src := range []Source{{}, {Subjects: "hash"}, {Subjects: "drop"}, {Families: []string{"agora-chat-web"}}, {Families: []string{"easemob-web"}, MinConfidence: "low"}} {
			proven := Proven{}
			for i := range b.Matches {
				proven.Learn(&b.Matches[i])
			}
			one := res.Resolve(nil, &src, b, proven, Place{Origin: "x"})
			two := res.Resolve(one[:0:0], &src, b, proven, Place{Origin: "x"})
			if after := fmt.Sprintf("%+v", b.Matches); after != before {
				t.Errorf("%+v changes a block from\n%s to\n%s", src, before, after)
			}
			for _, m := range b.Matches {
				if room := m.Basis[len(m.Basis):cap(m.Basis)]; strings.Join(room, "") != "" {
					t.Errorf("%+v writes %q behind a block's basis", src, room)
				}
			}
			if len(one) == 0 || !reflect.DeepEqual(one, two) {
				t.Errorf("%+v: %+v, then %+v", src, one, two)
			}
		}
	})
	if blocks != 2 {
		t.Errorf("%d blocks", blocks)
	}
}

// TestAsItStands: lines of which something is noted are resolved as all others are, whatever
// digits they have and whoever has resolved one like them before.
func TestAsItStands(t *testing.T) {
	set, _ := rules.Embedded()
	sc, problems := scanner.New(set, codes.Embedded()) // nobody else fills its memory
	plain, err := redact.New(nil)
	own, e := redact.New([]string{`order=(?P<secret>\d+)`})
	if len(problems) > 0 || err != nil || e != nil {
		t.Fatal(problems, err, e)
	}
	res := New(codes.Embedded(), plain)
	for text, note := range map[string]uint32{
		"user=u1234 order=77 onError " + proved:                                                             stands,
		"user=u1234 token=abc12345 onError " + proved:                                                       changes,
		"user=u1234 \x01 onError " + proved:                                                                 changes,
		"user=u1234 t=0060123456789abcdef0123456789abcdefABCDEFGHIJKLMNOP onError " + proved:                changes,
		"user=u1234 t=007eJxTYBBbsMMnKq7p9HfHcIX5kce9b518kCiQgSr5Zrp onError " + proved:                     changes,
		"GET /chatgroups/123456 user=u1234 onError " + proved:                                               stands,
		"user=u1234 onError " + strings.Replace(proved, "device", "device"+strings.Repeat(" again", 90), 1): changes,
		"u1234 https://a1.easemob.com/" + strings.Repeat("a", 150) + "/app/users onError " + proved:         changes,
	} {
		notes, r := map[uint32]int{}, rand.New(rand.NewPCG(5, uint64(len(text))))
		for range 2000 { // the scanner forgets what it has learned now and then
			if notes[note] == 20 {
				break
			}
			head, tail, _ := strings.Cut(text, "onError")
			b := []byte(head)
			for i, c := range b {
				if c >= '0' && c <= '9' && r.IntN(4) > 0 {
					b[i] = byte('0' + r.IntN(10))
				}
			}
			line := string(b) + "onError" + tail + "\n"
			sc.Scan([]byte(line), true, func(b *scanner.Block) {
				if b.Note == nil {
					return
				}
				of := func(res *Resolver, b scanner.Block) []finding.Finding {
					return res.Resolve(nil, &Source{}, &b, Proven{}, Place{Origin: "x"})
				}
				unknown := *b
				unknown.Note = nil
				got := of(res, *b)
				if want := of(res, unknown); len(want) == 0 || !reflect.DeepEqual(got, want) {
					t.Errorf("%q: %+v, and without a note %+v", line, got, want)
				}
				notes[b.Note.Load()]++
				for _, f := range of(New(codes.Embedded(), own), *b) {
					if strings.Contains(line, "order=") && !strings.Contains(f.Original, "order=[redacted]") {
						t.Errorf("a redactor of the configuration leaves %q", f.Original)
					}
				}
			})
		}
		if len(notes) != 1 || notes[note] != 20 {
			t.Errorf("%q: the notes of lines like it are %v", text, notes)
		}
	}
}

// TestSubjects: the user as the source says.
func TestSubjects(t *testing.T) {
	for kept, want := range map[string]string{"": "bob", "keep": "bob", "drop": "", "hash": "81b637d8fcd2c6da"} {
		list, _ := resolve(t, Source{Subjects: kept}, "user=bob onError "+proved)
		if len(list) != 1 || list[0].Fields.Get("user_id") != want {
			t.Errorf("%q: %+v, want %q", kept, list, want)
		}
		if there := list[0].Fields != nil; there != (want != "") {
			t.Errorf("%q: there %v", kept, there)
		}
	}
}

// TestExcerpt: of a long block the part around the code is kept.
func TestExcerpt(t *testing.T) {
	list, _ := resolve(t, Source{}, strings.Repeat("x ", 4000)+proved)
	if len(list) != 1 || len(list[0].Original) > MaxOriginal || !strings.Contains(list[0].Original, "type") {
		t.Errorf("original of %d bytes: %.80s", len(list[0].Original), list[0].Original)
	}
}
