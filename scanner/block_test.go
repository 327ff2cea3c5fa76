package scanner

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// everyLine is unfinished without its shortcuts.
func (c *blocks) everyLine() int {
	type state struct{ depth, since int }
	start := len(c.data)
	for n := 0; start > 0 && n < maxBlockLines; n++ {
		before := bytes.LastIndexByte(c.data[:start-1], '\n') + 1
		if len(c.data)-before > maxBlockBytes {
			break
		}
		start = before
	}
	streams := map[string]*state{}
	for at := start; at < len(c.data); {
		l := lineAt(c.data, at)
		at = l.end
		st := streams[l.stream]
		if st == nil {
			st = &state{}
			streams[l.stream] = st
		}
		if c.done.has(l.start) {
			st.depth = 0
			continue
		}
		if st.depth == 0 || l.fresh() && st.depth < partialDepth {
			st.depth, st.since = 0, l.start
		}
		st.depth = deeper(st.depth%partialDepth, l)
		if l.partial {
			st.depth += partialDepth
		}
	}
	hold := len(c.data)
	for _, st := range streams {
		if st.depth > 0 {
			hold = min(hold, st.since)
		}
	}
	return hold
}

// FuzzUnfinished holds the shortcuts against a look at every line.
func FuzzUnfinished(f *testing.F) {
	object := "onError {\n  type: 28,\n  message: 'x'\n"
	for _, s := range []string{
		object, object + "}\n", object + "2026-11-20 08:00:00,123 INFO next\n", "a\n\n\n" + object + "\r\n",
		`{"a":"{"}` + "\n", `{"a":1` + "\n", `{"message":"  type: 28 }"}` + "\n", `{"message":"x \u007b"}` + "\n", "\x1b[0m{\n", "[39m{}\n",
		`{"log":"a","stream":"stdout","time":"t"}` + "\n", `{"log":"a\n","stream":"stdout","time":"t"}` + "\n",
		"2026-11-20T08:00:00.1Z stdout P half\n", "2026-11-20T08:00:00.1Z stdout F whole {\n", "2026-11-20T08:00:00.1Z stderr P half\n2026-11-20T08:00:00.1Z stderr F rest\n",
		"Nov 20 08:00:00 host app[1]: {\nNov 20 08:00:01 host other[2]: }\n", "<13>Nov 20 08:00:00 host app[1]: a#012{\n",
		strings.Repeat("x\n", 99) + "{\n", "{\n" + strings.Repeat(" x\n", 99), "{\n" + strings.Repeat(" x\n", 100), "{\n" + strings.Repeat(" x\n", 101),
		"{\n" + strings.Repeat(strings.Repeat(" x", 2000)+"\n", 64), "{\n " + strings.Repeat("x", maxBlockBytes-4) + "\n", "{\n" + strings.Repeat("x", maxBlockBytes) + "\n",
		"{\n " + strings.Repeat("x", maxBlockBytes-3) + "\n", "\n", "{", "",
		"\xc4\xe3{\xba\xc3\n", "10.1.2.3 - - [20/Nov/2026] \"GET /\" 200\n{a\n10.1.2.3 - - [20/Nov/2026] \"GET /\" 200\n",
	} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s+s), uint8(1))
		f.Add([]byte("an end }\n"+s), uint8(2))
	}
	f.Fuzz(func(t *testing.T, data []byte, done uint8) {
		c := blocks{data: data}
		at := 0
		for i := range bytes.Split(data, newline) {
			if i == int(done) && done > 0 {
				c.done.add(at)
			}
			at += bytes.IndexByte(data[at:], '\n') + 1
		}
		if got, want := c.unfinished(), c.everyLine(); got != want {
			t.Errorf("%q: %d, not %d", data, got, want)
		}
	})
}

// FuzzQuickLooks holds what is decided by a look at a text's braces against the whole
// reading.
func FuzzQuickLooks(f *testing.F) {
	for _, s := range []string{
		`{"a":"b"}`, `{"msg":" type: 28"}`, `{"msg":"}"}`, `{"msg":"\u007b"}`, `{"msg" : "\t}"}`, `{"msg":"^[[0m } x"}`, `{"msg":"[39m]"}`, `{"a":"x\"}`, `{a:'}'}`, `{"log":"␛[0m ]"}`,
		`{"MESSAGE":1,"textPayload":"message","line":"log","msg":""`,
		`{}`, `{`, `}`, "", "a } b", `{"a":{}}`, `{"line":"\u001b[0m }"}`, `{"msg":"a"}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, opens := balance(text); opensNothing(text) && opens > 0 {
			t.Errorf("%q leaves %d open", text, opens)
		}
		for k, at := range findKeys(text) {
			if want := strings.Index(text, recordKeys[k]); at != want {
				t.Errorf("%s stands in %q at %d, not at %d", recordKeys[k], text, want, at)
			}
		}
		if l := (line{text: text}); !mayHaveFragment(text) {
			if l.record(text); l.text != text || l.stream != "" {
				t.Errorf("%q is a record with %q", text, l.text)
			}
		}
	})
}

// BenchmarkUnfinished is what the end of every chunk costs.
func BenchmarkUnfinished(b *testing.B) {
	for _, form := range []struct{ name, line string }{
		{"access", "203.0.113.211 - - [20/Nov/2026:08:20:54 +0800] \"GET /api/rooms/%d HTTP/1.1\" 200 75429 \"https://chat.example.com/\" \"curl/8.5.0\"\n"},
		{"log4j", "2026-11-20 08:20:56,558 INFO  [exec-12] c.e.web.Access - GET /api/rooms/%d status=200 took 12ms user=u84268\n"},
		{"json", "{\"level\":30,\"time\":1790168454000,\"msg\":\"request %d done\",\"status\":200,\"took\":12,\"user\":\"u84268\"}\n"},
		{"nested", "{\"level\":30,\"time\":1790168454000,\"msg\":\"request %d done\",\"req\":{\"status\":200,\"took\":12},\"user\":\"u84268\"}\n"},
		{"syslog", "Nov 20 08:00:00 host app[1]: GET /api/rooms/%d status=200 took 12ms user=u84268\n"},
	} {
		var data bytes.Buffer
		for i := range 400 {
			fmt.Fprintf(&data, form.line, i)
		}
		c := blocks{data: data.Bytes()}
		b.Run(form.name, func(b *testing.B) {
			for b.Loop() {
				c.unfinished()
			}
		})
	}
}

// TestLineStart: a line begins where it does for who looks byte by byte.
func TestLineStart(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 10000 {
		data := make([]byte, r.IntN(40))
		for i := range data {
			data[i] = "\n\n\x0b\x09\x8a\x00\xffx"[r.IntN(8)]
			if r.IntN(3) > 0 {
				data[i] = 'x'
			}
		}
		for i := range len(data) + 1 {
			if got, want := lineStart(data, i), bytes.LastIndexByte(data[:i], '\n')+1; got != want {
				t.Fatalf("%q at %d: %d, not %d", data, i, got, want)
			}
		}
	}
}
