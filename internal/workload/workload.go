// Package workload writes the logs that the benchmarks scan: the same bytes on
// every machine, healthy lines in the forms that app servers write and, among
// them, lines that carry a code.
package workload

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// Options say what a log looks like. The zero value is mixed forms in English
// with their natural lengths and no code at all.
type Options struct {
	Form    string // one of Forms; empty is mixed
	Hits    int    // lines of 1,000 that carry a code
	Length  int    // bytes of a line, filled up where the line is shorter; 0 as it comes
	Chinese bool   // texts and names in Chinese, as UTF-8
}

// Forms are the kinds of log. Mixed has a third each of access lines of nginx,
// request logs in JSON and lines of log4j.
var Forms = []string{"mixed", "plain", "json", "docker"}

// Write writes whole lines up to about size bytes and returns how many, and
// how many of them carry a code.
func Write(w io.Writer, size int64, o Options) (lines, hits int, err error) {
	if o.Form != "" && !slices.Contains(Forms, o.Form) {
		return 0, 0, fmt.Errorf("form %q is none of %s", o.Form, strings.Join(Forms, ", "))
	}
	g := generator{o: o, r: rand.New(rand.NewPCG(7, 1))}
	out := bufio.NewWriterSize(w, 1<<20)
	for n := int64(0); n < size; lines++ {
		hit := g.r.IntN(1000) < o.Hits
		if hit {
			hits++
		}
		g.line(lines, hit)
		n += int64(len(g.buf))
		if _, err := out.Write(g.buf); err != nil {
			return lines, hits, err
		}
	}
	return lines, hits, out.Flush()
}

type generator struct {
	o     Options
	r     *rand.Rand
	buf   []byte
	inner []byte
}

// line makes the n-th line, with its newline.
func (g *generator) line(n int, hit bool) {
	form := g.o.Form
	if form == "" || form == "mixed" {
		form = []string{"nginx", "json", "plain"}[g.r.IntN(3)]
	}
	g.buf = g.buf[:0]
	switch form {
	case "nginx":
		g.nginx(n, hit)
	case "json":
		g.json(n, hit)
	case "plain":
		g.plain(n, hit)
	case "docker":
		g.plain(n, hit)
		g.fill(g.o.Length - 90)
		g.inner = append(g.inner[:0], g.buf...)
		g.buf = fmt.Appendf(g.buf[:0], `{"log":"%s\n","stream":"stdout","time":"2026-11-20T08:%02d:%02d.%09dZ"}`, escaped(g.inner), n/60%60, n%60, g.r.IntN(1e9))
		g.buf = append(g.buf, '\n')
		return
	}
	g.fill(g.o.Length - 1)
	g.buf = append(g.buf, '\n')
}

func escaped(b []byte) string {
	return strings.ReplaceAll(strings.ReplaceAll(string(b), `\`, `\\`), `"`, `\"`)
}

// fill makes a line longer with words, at its end.
func (g *generator) fill(length int) {
	for len(g.buf) < length {
		g.buf = append(append(g.buf, ' '), g.word()...)
	}
}

var words = strings.Fields("request handled user session cache order payment page static upload queue worker started finished took retry loaded query rows sent message room member list token refresh device online heartbeat type status config reload pool connection closed open timeout none ok")

var chinese = strings.Fields("用户 登录成功 请求处理完成 订单 支付 缓存命中 加载配置 连接池 心跳正常 房间 成员列表 消息已发送 上传完成 重试 队列 任务开始 任务结束 耗时 页面 查询")

func (g *generator) word() string {
	if g.o.Chinese {
		return chinese[g.r.IntN(len(chinese))]
	}
	return words[g.r.IntN(len(words))]
}

var (
	paths  = []string{"/", "/api/rooms", "/api/users/me", "/static/app.3f9c.js", "/static/site.css", "/im/messages", "/upload/avatar", "/api/orders", "/healthz"}
	agents = []string{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15", "curl/8.5.0", "okhttp/4.12.0"}
	codes  = []struct{ number, text string }{{"206", "the user is already logged on another device"}, {"16", "websocket has been disconnected"}, {"28", "token not assign error"}, {"217", "the user was kicked by other device"}}
)

// object is an error as the SDKs print it.
func (g *generator) object() string {
	c := codes[g.r.IntN(len(codes))]
	return `{"type":` + c.number + `,"message":"` + c.text + `"}`
}

func (g *generator) nginx(n int, hit bool) {
	r := g.r
	path := paths[r.IntN(len(paths))]
	if hit {
		path = `/b?e=` + strings.NewReplacer(`{`, "%7B", `}`, "%7D", `"`, "%22", ` `, "%20", `:`, "%3A", `,`, "%2C").Replace(g.object())
	}
	g.buf = fmt.Appendf(g.buf, `203.0.113.%d - - [20/Nov/2026:08:%02d:%02d +0800] "GET %s?t=%d HTTP/1.1" %d %d "https://chat.example.com/" "%s"`,
		r.IntN(250), n/60%60, n%60, path, 1789800000+n, []int{200, 200, 200, 304, 404}[r.IntN(5)], r.IntN(90000), agents[r.IntN(len(agents))])
}

// json is a request log. "type" stands on every line of it, mostly as a word.
func (g *generator) json(n int, hit bool) {
	r := g.r
	if hit {
		g.buf = fmt.Appendf(g.buf, `{"time":"2026-11-20T08:%02d:%02d.%03dZ","level":"error","logger":"im.bridge","user":"u%d","msg":"onError","error":%s}`,
			n/60%60, n%60, r.IntN(1000), r.IntN(100000), g.object())
		return
	}
	kind := `"` + []string{"text", "image", "audio", "cmd", "custom"}[r.IntN(5)] + `"`
	if r.IntN(50) == 0 {
		kind = fmt.Sprint(r.IntN(10)) // somebody's own numbers
	}
	g.buf = fmt.Appendf(g.buf, `{"time":"2026-11-20T08:%02d:%02d.%03dZ","level":"info","logger":"http.request","type":%s,"method":"POST","path":"%s","status":%d,"bytes":%d,"user":"u%d","trace_id":"%016x","msg":"%s %s"}`,
		n/60%60, n%60, r.IntN(1000), kind, paths[r.IntN(len(paths))], []int{200, 200, 201, 404}[r.IntN(4)], r.IntN(90000), r.IntN(100000), r.Uint64(), g.word(), g.word())
}

func (g *generator) plain(n int, hit bool) {
	r := g.r
	if hit {
		g.buf = fmt.Appendf(g.buf, `2026-11-20 08:%02d:%02d,%03d ERROR [exec-%d] c.e.chat.Bridge - user=u%d onError %s`, n/60%60, n%60, r.IntN(1000), r.IntN(16), r.IntN(100000), g.object())
		return
	}
	g.buf = fmt.Appendf(g.buf, `2026-11-20 08:%02d:%02d,%03d %s [http-nio-8080-exec-%d] c.e.web.Access - %s %s id=%d took %dms user=u%d`,
		n/60%60, n%60, r.IntN(1000), []string{"INFO ", "INFO ", "DEBUG", "WARN "}[r.IntN(4)], r.IntN(16), g.word(), g.word(), r.IntN(1e9), r.IntN(500), r.IntN(100000))
}
