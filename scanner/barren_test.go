package scanner

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestBarren: a number beside keys that no SDK has is left alone without more, but only
// where nothing in the line could prove it.
func TestBarren(t *testing.T) {
	s := builtIn(t)
	for _, x := range []struct {
		name, line string
		barren     bool
	}{
		{"a request", `{"time":"2026-11-20T08:00:00.123Z","level":"info","type":3,"method":"POST","path":"/api/users/me?a=1","status":200,"msg":"done"}`, true},
		{"in Chinese", `{"level":"info","type":3,"method":"POST","msg":"请求处理完成"}`, true},
		{"that failed", `{"level":"error","type":3,"method":"POST","msg":"it went wrong"}`, true},
		{"with a carriage return", `{"level":"info","type":3,"method":"POST"}` + "\r", true},
		{"empty values", `{"level":"","type":3,"method":"","ok":true,"size":-1.5e+7,"next":null}`, true},
		{"of the SDK's keys alone", `{"type":16,"message":"gone"}`, false},
		{"almost the SDK's tag", `{"level":"info","type":16,"method":"POST","message":"IM SDK (login) gone"}`, true},
		{"the SDK's tag", `{"level":"info","type":16,"method":"POST","message":"IM SDK [login"}`, false},
		{"the bundle", `{"level":"info","type":16,"method":"POST","message":"gone","at":"easemob-websdk.js"}`, false},
		{"the vendor", `{"level":"error","type":16,"method":"POST","message":"gone","host":"a1.easemob.com"}`, false},
		{"a sentence", `{"level":"info","type":16,"method":"POST","message":"websocket has been disconnected"}`, false},
		{"a sentence at the end", `{"level":"info","method":"POST","type":16,"message":"onError websocket has been disconnected"}`, false},
		{"a symbol", `{"level":"info","type":3,"method":"POST","message":"WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE"}`, false},
		{"a shape", `{"type":17,"data":"","message":"","method":"POST"}`, false},
		{"a range of its own", `{"level":"info","code":880103,"method":"POST","message":"x"}`, false},
		{"escaped", `{"level":"info","type":16,"method":"POST","message":"\"type\":16"}`, false},
		{"percent-encoded", `{"level":"info","type":16,"method":"POST","message":"%22type%22"}`, false},
		{"an entity", `{"level":"info","type":16,"method":"POST","message":"&quot;type&quot;"}`, false},
		{"coloured", `{"level":"[0minfo","type":16,"method":"POST"}`, false},
		{"coloured otherwise", "{\"level\":\"\x1b[1minfo\",\"type\":16,\"method\":\"POST\"}", false},
		{"a list", `{"level":"info","type":16,"method":"POST","ids":[1,2]}`, false},
		{"an object in it", `{"level":"info","method":"POST","error":{"type":16,"message":"gone"}}`, false},
		{"a brace in it", `{"level":"info","type":16,"method":"POST","msg":"}"}`, false},
		{"a line of a larger one", `{"level":"info","type":16,"method":"POST","msg":"  type: 16,"}`, false},
		{"the end of a larger one", `{"level":"info","type":16,"method":"POST","msg":"] done"}`, false},
		{"docker's", `{"log":"type: 16","stream":"stdout","time":"2026-11-20T08:00:00.123456789Z"}`, false},
		{"in GB18030", "{\"level\":\"info\",\"type\":16,\"method\":\"POST\",\"msg\":\"\xc7\xeb\xc7\xf3\"}", false},
		{"not JSON", `{level:"info","type":16,"method":"POST"}`, false},
		{"spaces", `{"level": "info", "type": 16, "method": "POST"}`, false},
		{"a comma too many", `{"level":"info","type":16,"method":"POST",}`, false},
		{"cut off", `{"level":"info","type":16,"method":"PO}`, false},
		{"quotes doubled", `{"level":"info","method":""type"":16}`, false},
		{"no name", `{"":"info","type":16,"method":"POST"}`, false},
	} {
		line := []byte(x.line + "\n")
		files := filesIn(s.candidates(line, nil, func(int) int { return len(line) }), len(line))
		if got := s.barren(line, files); got != x.barren || got && files == 0 {
			t.Errorf("%s: barren is %v, of files %b: %s", x.name, got, files, x.line)
		}
		for i, before := range []string{"", "x {\n", "e {\n  type: 16,\n", `{"msg":"e {"}` + "\n"} {
			agree(t, s, []byte(before+x.line+"\nbehind }\n"+x.line+"\n"), uint64(i))
		}
	}
}

// FuzzBarren puts records together out of parts that prove a number and parts that
// don't.
func FuzzBarren(f *testing.F) {
	s := builtIn(f)
	parts := []string{`"type":16`, `"type":"16"`, `"code":880103`, `"code":"871310"`, `"error_code":14007`, `"message":"websocket has been disconnected"`, `"message":"login failed"`, `"msg":"IM SDK [a"`, `"msg":"ok"`,
		`"msg":" type: 16"`, `"msg":"type: 16, message: 'x'"`, `"data":""`, `"url":"https://a1.easemob.com/o/a/users"`, `"errorType":"onerror"`, `"method":"POST"`, `"level":"error"`, `"reason":"you were muted"`,
		`"user":"bob"`, `"stack":""`, `"name":"webim"`, `"message":"声网"`, `"log":"x"`, `"resource":"webim_1"`, `"jsonrpc":"2.0"`, `"extraInfo":{"elapse":1}`, `"ids":[1]`, `"n":-1.5`, `"ok":true`, `"error":"auth_bad_access_token"`, `"message":"users [bob] are not members of this group!"`}
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 8))
		var log strings.Builder
		for range 1 + r.IntN(4) {
			var in []string
			for range 1 + r.IntN(6) {
				in = append(in, parts[r.IntN(len(parts))])
			}
			fmt.Fprintf(&log, "{%s}\n", strings.Join(in, ","))
		}
		agree(t, s, []byte(log.String()), seed)
	})
}
