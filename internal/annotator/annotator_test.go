package annotator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner"
)

var read = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

var builtIn = sync.OnceValue(func() *scanner.Scanner {
	set, _ := rules.Embedded() // checked by their own tests
	s, _ := scanner.New(set, codes.Embedded())
	return s
})

// findings scans a text as one file.
func findings(t testing.TB, text string) (list []finding.Finding) {
	t.Helper()
	sc := builtIn()
	red, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	res := resolver.New(codes.Embedded(), red)
	src := resolver.Source{Name: "chat", Service: "gateway", Location: time.UTC, Statuses: true, Labels: map[string]string{"env": "test"}}
	proven := resolver.Proven{}
	sc.Scan([]byte(text+"\n"), true, func(b *scanner.Block) {
		for i := range b.Matches {
			proven.Learn(&b.Matches[i])
		}
		list = append(list, res.Resolve(nil, &src, b, proven, resolver.Place{Path: "/var/log/im.log", Offset: int64(b.Start), Line: 1, Read: read, Origin: "test"})...)
	})
	return list
}

func TestEvent(t *testing.T) {
	list := findings(t, `2026-11-20 08:00:01,123 ERROR user=bob client_ip=203.0.113.7 onError {"type":1,"message":"login failed","data":{"type":17,"data":"{\"error\":\"invalid_grant\",\"error_description\":\"invalid password\"}"}}`)
	if len(list) != 1 {
		t.Fatalf("%d findings", len(list))
	}
	a := annotator.New(codes.Embedded(), annotator.Options{Language: "both", Host: annotator.Host{Name: "web1", ID: "h1"}})
	var event map[string]any
	if err := json.Unmarshal(a.Append(nil, &list[0]), &event); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"@timestamp": "2026-11-20T08:00:01.123Z", "log.level": "error", "log.file.path": "/var/log/im.log", "log.offset": "0",
		"event.kind": "event", "event.action": "im.error", "event.code": "easemob-web/1", "event.created": "2026-11-20T09:00:00.000Z",
		"error.code": "1", "error.type": "WEBIM_CONNCTION_OPEN_ERROR", "error.message": "login failed",
		"im.family": "easemob-web", "im.group": "webim", "im.vendor": "easemob", "im.platform": "web", "im.title": "Login failed: User name or password is wrong", "im.title_zh": "登录失败：用户名或密码错误",
		"im.confidence": "high", "im.inner.code": "17", "im.inner.type": "WEBIM_CONNCTION_AJAX_ERROR", "im.count": "1", "im.category": "auth", "im.owner": "backend",
		"im.time_basis": "no_zone", "user.id": "bob", "client.address": "203.0.113.7", "rule.id": "webim-object", "service.name": "gateway", "host.name": "web1", "host.id": "h1", "labels.env": "test",
		"message":               "easemob-web 1 WEBIM_CONNCTION_OPEN_ERROR: Login failed: User name or password is wrong",
		"im.inner.inner.family": "easemob-rest", "im.inner.inner.code": "invalid_grant", "im.inner.inner.message": "invalid password",
	} {
		if got := at(event, path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"im.hints", "im.hints_zh", "im.causes", "im.description", "im.basis", "event.id", "event.original", "im.catalogue_version"} {
		if at(event, path) == "<nil>" {
			t.Errorf("%s is missing", path)
		}
	}
}

func at(v any, path string) string {
	for _, key := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return "<nil>"
		}
		v = m[key]
	}
	return fmt.Sprint(v)
}

// TestEveryEntry encodes an event of every code in every language: each fits.
func TestEveryEntry(t *testing.T) {
	for _, lang := range []string{"en", "zh", "both"} {
		a := annotator.New(codes.Embedded(), annotator.Options{Language: lang})
		for _, e := range codes.Embedded().All() {
			f := finding.Finding{ID: "x", Action: finding.Error, Family: e.Family, Code: e.Code, Symbol: e.Symbol, Confidence: "high", Time: read, Created: read, Path: "a.log", Original: strings.Repeat("界", 680), Text: strings.Repeat("y", 512), Count: 1}
			event := a.Append(nil, &f)
			whole(t, event)
			if !bytes.Contains(event, []byte(`"title`)) || len(e.EN.Hints) > 0 && !bytes.Contains(event, []byte(`"hints`)) {
				t.Errorf("%s in %s: the event of %d bytes lost its title or hints", e.Key(), lang, len(event))
			}
		}
	}
}

// whole holds an event against what no line may change: one line of JSON, at
// most 8 KiB, each key once, nothing empty, no character that a terminal or a
// log reader could take for its own.
func whole(t testing.TB, event []byte) {
	t.Helper()
	if len(event) > annotator.MaxEvent || bytes.IndexByte(event, '\n') != len(event)-1 || !utf8.Valid(event) {
		t.Fatalf("%d bytes, newline at %d, valid %v: %.300q", len(event), bytes.IndexByte(event, '\n'), utf8.Valid(event), event)
	}
	harmless(t, string(event[:len(event)-1]))
	d := json.NewDecoder(bytes.NewReader(event))
	if err := once(d, ""); err != nil {
		t.Fatalf("%v in %s", err, event)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one value: %s", event)
	}
	var m map[string]any
	if err := json.Unmarshal(event, &m); err != nil {
		t.Fatal(err)
	}
	harmlessValues(t, m)
}

// once reads one value and refuses keys that stand twice, nulls and empty texts.
func once(d *json.Decoder, path string) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			k := key.(string)
			if seen[k] {
				return fmt.Errorf("%s.%s stands twice", path, k)
			}
			seen[k] = true
			if err := once(d, path+"."+k); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	case json.Delim('['):
		for d.More() {
			if err := once(d, path+"[]"); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	case nil, "":
		return fmt.Errorf("%s is empty", path)
	}
	return nil
}

var breaks = strings.NewReplacer("\n", "", "\t", "")

func harmlessValues(t testing.TB, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			harmless(t, k)
			harmlessValues(t, x)
		}
	case []any:
		for _, x := range v {
			harmlessValues(t, x)
		}
	case string:
		harmless(t, breaks.Replace(v)) // escaped in the JSON
	}
}

func harmless(t testing.TB, s string) {
	t.Helper()
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x61c || r == 0xfeff {
			t.Fatalf("%U in %q", r, s)
		}
	}
}

// FuzzEvent: whatever a line contains, its event is one harmless line of JSON
// and its text for people holds no control character but its own newlines.
func FuzzEvent(f *testing.F) {
	for _, s := range []string{
		`{"type":206,"message":"the user is already logged on another device"}`,
		"{ type: 206, message: 'the user is already logged on another device\",\"event\":{\"id\":\"forged\"' }",
		"\x1b[2J\x07 WEBIM_CONNCTION_DISCONNECTED \u202e user=\u2028bob\x00 \xff\xfe",
		`{"log":"{\"type\":16,\"message\":\"websocket has been disconnected\\u001b[31m\"}\n","stream":"stdout","time":"2026-11-20T08:00:00Z"}`,
		"{ code: 880103, message: 'user not exist', username: '\u0007u1' }",
	} {
		f.Add(s, uint8(0))
	}
	f.Fuzz(func(t *testing.T, line string, mode uint8) {
		a := annotator.New(codes.Embedded(), annotator.Options{Language: []string{"en", "zh", "both"}[mode%3], Brief: mode%2 == 1})
		list := findings(t, line)
		for i := range list {
			whole(t, a.Append(nil, &list[i]))
			for _, l := range strings.Split(a.Text(&list[i], terminal.Style{Width: 80}), "\n") {
				harmless(t, l)
				if w := terminal.Width(l); w > 80 {
					t.Fatalf("a line of %d columns: %q", w, l)
				}
			}
		}
	})
}

// TestAppendAllocatesOnce: an event of a usual line is written where it is to stay.
func TestAppendAllocatesOnce(t *testing.T) {
	list := findings(t, `2026-11-20 08:00:01,123 ERROR user=bob onError {"type":206,"message":"the user is already logged on another device"}`)
	a := annotator.New(codes.Embedded(), annotator.Options{Language: "both"})
	// The race detector's slices.Grow takes two.
	if n := testing.AllocsPerRun(100, func() { a.Append(nil, &list[0]) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
	buf := make([]byte, 0, annotator.MaxEvent)
	if n := testing.AllocsPerRun(100, func() { a.Append(buf, &list[0]) }); n != 0 {
		t.Errorf("%v allocations into a buffer", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	list := findings(b, `2026-11-20 08:00:01,123 ERROR user=bob onError {"type":206,"message":"the user is already logged on another device"}`)
	a := annotator.New(codes.Embedded(), annotator.Options{Language: "en"})
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = a.Append(buf[:0], &list[0])
	}
	b.SetBytes(int64(len(buf)))
}
