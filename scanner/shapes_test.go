package scanner

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/rules"
	"golang.org/x/text/encoding/simplifiedchinese"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// compiled is the scanner of the built-in rules, made once for all tests.
var compiled = sync.OnceValues(func() (*Scanner, []rules.Problem) {
	set, problems := rules.Embedded()
	s, more := New(set, codes.Embedded())
	return s, append(problems, more...)
})

func builtIn(t testing.TB) *Scanner {
	t.Helper()
	s, problems := compiled()
	for _, p := range problems {
		t.Fatal(p)
	}
	return s
}

// shapes are the ways in which a code is printed.
var shapes = []struct{ name, text string }{
	{"inspect", `{ type: 206, message: 'the user is already logged on another device', data: undefined }`},
	{"inspect, several lines", "e {\n  type: 206,\n  message: 'the user is already logged on another device',\n  data: undefined\n}"},
	{"class name", `ChatError {type: 16, message: 'websocket has been disconnected'}`},
	{"stringify", `{"type":28,"message":"token not assign error"}`},
	{"stringify, words before", `onError {"type":28,"message":"token not assign error"}`},
	{"code last", `{"message":"websocket has been disconnected","stack":"","type":16}`},
	{"single quotes", `{'type': 510, 'message': 'websocket disconnected'}`},
	{"escaped", `{"ctx":"{\"type\":16,\"message\":\"websocket has been disconnected\"}"}`},
	{"nested", `{"type":1,"message":"login failed","data":{"type":17,"data":"{\"error\":\"invalid_grant\",\"error_description\":\"invalid password\"}"}}`},
	{"nested, several lines", "{\n  type: 1,\n  message: 'login failed',\n  data: {\n    type: 17,\n    data: '{\"error\":\"invalid_grant\",\"error_description\":\"invalid password\"}'\n  },\n  xhr: undefined\n}"},
	{"numbers beside it", `e { type: 17, message: 'invalid password', data: '{"error":"invalid_grant"}', extraInfo: { elapse: 206, httpCode: 400, errDesc: 'invalid password' } }`},
	{"SDK's logger", `12:40:40:732 IM SDK [error]:  send message failed 39`},
	{"symbol", `closed by WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE`},
	{"status code", `recall: WebIM.statusCode.MESSAGE_RECALL_TIME_LIMIT`},
	{"comparison", `kicked since error.type === 206`},
	{"text alone", `chat closed: the user was kicked by changing password`},
	{"Chinese", `环信登录失败 错误码：206`},
	{"JMessage object", `{ code: 880103, message: 'user not exist', username: 'u1' }`},
	{"JMessage object, several lines", "{\n  code: 880103,\n  message: 'user not exist',\n  username: 'u1'\n}"},
	{"JMessage stringify", `error:{"code":880104,"message":"invalid password","username":"u1"}`},
	{"JMessage debug", `---<- event:login, data:{"rid":1803596441,"code":880103,"message":"user not exist","username":"u1"}`},
	{"JMessage number", `极光登录失败：880103（用户不存在）`},
	{"JMessage failed", `login failed 880104`},
	{"no text", `{ type: 16 }`},
}

func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}

// eachLine puts something around every line.
func eachLine(s string, f func(string) string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = f(lines[i])
	}
	return strings.Join(lines, "\n")
}

// What util.inspect prints in colour.
var (
	numbers = regexp.MustCompile(`([ :])(-?\d+)`)
	texts   = regexp.MustCompile(`'[^']*'`)
)

// wrappers are what stands around it in files. Each returns bytes as they are
// in the file.
var wrappers = []struct {
	name string
	wrap func(string) string
}{
	{"bare", func(s string) string { return s }},
	{"log4j", func(s string) string {
		return "2026-11-20 08:00:01,123 ERROR [http-nio-8080-exec-7] c.e.ChatBridge - " + s
	}},
	{"logback", func(s string) string { return "08:00:01.123 [main] WARN  c.example.Im -- " + s }},
	{"pino", func(s string) string {
		return `{"level":50,"time":1795161601123,"pid":4242,"hostname":"web1","msg":` + quoted(s) + `}`
	}},
	{"winston", func(s string) string {
		return `{"level":"error","message":` + quoted(s) + `,"timestamp":"2026-11-20T08:00:01.123Z"}`
	}},
	{"bunyan", func(s string) string {
		return `{"name":"web","hostname":"web1","pid":17,"level":50,"msg":` + quoted(s) + `,"time":"2026-11-20T08:00:01.123Z","v":0}`
	}},
	{"nginx", func(s string) string {
		return `2026/11/20 08:00:01 [error] 12#12: *34 FastCGI sent in stderr: "PHP message: ` + s + `" while reading response header from upstream, client: 203.0.113.7, server: chat.example.org`
	}},
	{"syslog", func(s string) string {
		return eachLine(s, func(l string) string { return "Nov 20 08:00:01 web1 node[812]: " + l })
	}},
	{"syslog 5424", func(s string) string {
		return eachLine(s, func(l string) string { return "<11>1 2026-11-20T08:00:01.123Z web1 node 812 - - " + l })
	}},
	{"logcat", func(s string) string {
		return eachLine(s, func(l string) string { return "11-20 08:00:01.123  1234  1250 E chromium: " + l })
	}},
	{"logcat, by time", func(s string) string {
		return eachLine(s, func(l string) string { return "11-20 08:00:01.123 I/chromium( 1234): " + l })
	}},
	{"compose", func(s string) string { return eachLine(s, func(l string) string { return "chat-web-1  | " + l }) }},
	{"pm2", func(s string) string {
		return eachLine(s, func(l string) string { return "0|chat | 2026-11-20T08:00:01: " + l })
	}},
	{"kubectl", func(s string) string {
		return eachLine(s, func(l string) string { return "[pod/chat-6d4f/web] 2026-11-20T08:00:01.123456789Z " + l })
	}},
	{"journal JSON", func(s string) string {
		return eachLine(s, func(l string) string {
			return `{"__REALTIME_TIMESTAMP":"1795161601123456","_PID":"812","SYSLOG_IDENTIFIER":"node","MESSAGE":` + quoted(l) + `}`
		})
	}},
	{"coloured", func(s string) string {
		s = numbers.ReplaceAllString(s, "$1\x1b[33m$2\x1b[39m")
		return "\x1b[31merror\x1b[39m: " + texts.ReplaceAllString(s, "\x1b[32m$0\x1b[39m")
	}},
	{"HTML", func(s string) string { return "<td>" + html.EscapeString(s) + "</td>" }},
	{"CSV", func(s string) string {
		return `2026-11-20 08:00:01,error,"` + strings.ReplaceAll(s, `"`, `""`) + `",bob`
	}},
	{"beacon, twice encoded", func(s string) string {
		return `203.0.113.7 - - [20/Nov/2026:08:00:01 +0000] "GET /b.gif?d=` + url.QueryEscape("msg="+url.QueryEscape(s)) + ` HTTP/1.1" 204 0 "-" "Mozilla/5.0"`
	}},
	{"CSV in JSON", func(s string) string {
		return `{"level":50,"msg":` + quoted(`08:00:01,error,"`+strings.ReplaceAll(s, `"`, `""`)+`",bob`) + `}`
	}},
	{"browser console", func(s string) string { return "app.4f2a.js:206 " + s }},
	{"docker", func(s string) string {
		return eachLine(s, func(l string) string {
			return `{"log":` + quoted(l+"\n") + `,"stream":"stdout","time":"2026-11-20T08:00:01.123456789Z"}`
		})
	}},
	{"docker, in two parts", func(s string) string {
		const tail = `,"stream":"stdout","time":"2026-11-20T08:00:01.123456789Z"}`
		cut := strings.LastIndexByte(s[:len(s)/2], ' ') + 1
		return `{"log":` + quoted(strings.Repeat("x ", 8<<10)+s[:cut]) + tail + "\n" +
			`{"log":"other stream\n","stream":"stderr","time":"2026-11-20T08:00:01.123456790Z"}` + "\n" +
			eachLine(s[cut:], func(l string) string { return `{"log":` + quoted(l+"\n") + tail })
	}},
	{"CRI", func(s string) string {
		return eachLine(s, func(l string) string { return "2026-11-20T08:00:01.123456789Z stdout F " + l })
	}},
	{"CRI, in two parts", func(s string) string {
		const head = "2026-11-20T08:00:01.123456789Z stdout "
		cut := strings.LastIndexByte(s[:len(s)/2], ' ') + 1
		return eachLine(s[:cut], func(l string) string { return head + "P " + l }) + "\n" + "2026-11-20T08:00:01.2Z stderr F other stream\n" +
			eachLine(s[cut:], func(l string) string { return head + "F " + l })
	}},
	{"beacon", func(s string) string {
		return `203.0.113.7 - - [20/Nov/2026:08:00:01 +0000] "GET /beacon.gif?level=error&msg=` + url.PathEscape(s) + ` HTTP/1.1" 204 0 "-" "Mozilla/5.0"`
	}},
	{"GB18030", func(s string) string {
		out, _ := simplifiedchinese.GB18030.NewEncoder().String("聊天出错 " + s)
		return out
	}},
}

// TestShapes scans every shape behind every wrapper. The golden file says what
// is found in each: code, cause, likeliest family, confidence.
func TestShapes(t *testing.T) {
	s := builtIn(t)
	var got strings.Builder
	for _, shape := range shapes {
		for _, w := range wrappers {
			data := "healthy line before\n" + w.wrap(shape.text) + "\nhealthy line behind\n"
			fmt.Fprintf(&got, "%s | %s |", shape.name, w.name)
			s.Scan([]byte(data), true, func(b *Block) {
				for i := range b.Matches {
					m := &b.Matches[i]
					code, sure := m.Code, m.Confidence()
					if m.Inner != nil {
						code += " caused by " + m.Inner.String()
					}
					if !m.Proven() {
						sure = "undecided"
					}
					fmt.Fprintf(&got, " %s %s %s", m.Families[0], code, sure)
				}
			})
			got.WriteString("\n")
		}
	}
	const golden = "testdata/shapes.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			t.Errorf("line %d of %s: got  %s", i+1, golden, g[i])
		}
	}
	if len(g) != len(w) {
		t.Errorf("%d lines, %s has %d", len(g), golden, len(w))
	}
}
