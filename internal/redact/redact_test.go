package redact

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func redactor(t testing.TB, extra ...string) *Redactor {
	r, err := New(extra)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// secretText stands for every secret below; no output may have it.
const secretText = "s3cr3tS3CR3Tvalue99"

func TestSecretsGo(t *testing.T) {
	r := redactor(t)
	for _, in := range []string{
		`{"token":"s3cr3tS3CR3Tvalue99","user":"alice"}`,                                                                 // JSON
		`{\"access_token\":\"s3cr3tS3CR3Tvalue99\",\"user\":\"alice\"}`,                                                  // inside a string
		`{\\\"accessToken\\\":\\\"s3cr3tS3CR3Tvalue99\\\",\\\"user\\\":\\\"alice\\\"}`,                                   // twice
		`{ pwd: 's3cr3tS3CR3Tvalue99', user: 'alice' }`,                                                                  // util.inspect
		`login user=alice password=s3cr3tS3CR3Tvalue99`,                                                                  // key=value
		`GET /im?user=alice&agoraToken=s3cr3tS3CR3Tvalue99&x=1 HTTP/1.1`,                                                 // a query
		`GET /b?e=%7B%22token%22%3A%22s3cr3tS3CR3Tvalue99%22%2C%22user%22%3A%22alice%22%7D`,                              // percent-encoded
		`/b?u=https%3A%2F%2Fx%2F%3Fuser%3Dalice%26token%3Ds3cr3tS3CR3Tvalue99`,                                           // twice nested
		`alice Authorization: Bearer s3cr3tS3CR3Tvalue99`,                                                                // header
		`alice "authorization":"Basic s3cr3tS3CR3Tvalue99=="`,                                                            // header in JSON
		`alice sent bearer s3cr3tS3CR3Tvalue99 again`,                                                                    // header's value alone
		`alice Set-Cookie: sid=s3cr3tS3CR3Tvalue99; Path=/`,                                                              // cookies
		`wss://alice:s3cr3tS3CR3Tvalue99@im.example.org/ws`,                                                              // URL with a password
		`--->- event:login, data:{"username":"alice","password":"s3cr3tS3CR3Tvalue99"}`,                                  // JMessage, md5
		`alice {"random_str":"s3cr3tS3CR3Tvalue99","signature":"s3cr3tS3CR3Tvalue99"}`,                                   // JMessage init
		`--->- event:s_single_text, data:{"from":"alice","content":{"msg_body":{"text":"s3cr3tS3CR3Tvalue99"}},"rid":1}`, // a message
		`alice "msg_body":{"text":"s3cr3tS3CR3Tvalue99","extras":{}}`,                                                    // a message
		`alice appSecret: "s3cr3tS3CR3Tvalue99`,                                                                          // cut off
		`alice client_secret => s3cr3tS3CR3Tvalue99`,                                                                     // Ruby, PHP
		`alice "token" -> "s3cr3tS3CR3Tvalue99"`,                                                                         // an arrow behind a quote
		`{"user":"alice","masterSecret" : "s3cr3tS3CR3Tvalue99"}`,                                                        // camel case
		"alice {\n  token: 's3cr3tS3CR3Tvalue99',\n  type: 28\n}",                                                        // over lines
		`alice x-auth-token=s3cr3tS3CR3Tvalue99`,                                                                         // own headers
		`{\x22token\x22:\x22s3cr3tS3CR3Tvalue99\x22,\x22user\x22:\x22alice\x22}`,                                         // nginx
		`{\u0022token\u0022:\u0022s3cr3tS3CR3Tvalue99\u0022,\u0022user\u0022:\u0022alice\u0022}`,
		`{&quot;token&quot;:&quot;s3cr3tS3CR3Tvalue99&quot;,&quot;user&quot;:&quot;alice&quot;}`,
		`token\u003ds3cr3tS3CR3Tvalue99, alice, secret =\u003e s3cr3tS3CR3Tvalue99`,     // Gson, Go
		`e=%7B%22token%22%3A+%22s3cr3tS3CR3Tvalue99%22%2C+%22user%22%3A+%22alice%22%7D`, // Python
		`e=%7B%22token%22%20%3A%20%22s3cr3tS3CR3Tvalue99%22%2C%20%22user%22%3A%20%22alice%22%7D`,
		`e=%257B%2522token%2522%253A%2522s3cr3tS3CR3Tvalue99%2522%252C%2522user%2522%253A%2522alice%2522%257D`,
		`e=%7B%22token%22-%3E%22s3cr3tS3CR3Tvalue99%22%2C%22user%22-%3E%22alice%22%7D`,
		`user=alice&token=%2Fab%2Bs3cr3tS3CR3Tvalue99&password=p%40%E7%8E%AFs3cr3tS3CR3Tvalue99&x=1`, // what a URL escapes is the value's
		`u=%2Falice%26token%3Dab%252Bs3cr3tS3CR3Tvalue99%2526x`,
		`alice Cookie: sensors=%7B%22id%22%3A%2218f0%22%7D; SESSION=s3cr3tS3CR3Tvalue99; uid=1`,
		`alice Authorization: Bearer abc%22s3cr3tS3CR3Tvalue99`,
		`alice map[Authorization:[Bearer s3cr3tS3CR3Tvalue99] X-Token:[s3cr3tS3CR3Tvalue99] Cookie:[a=s3cr3tS3CR3Tvalue99]]`, // Go
		`{"user":"alice","headers":{"Authorization":["Basic s3cr3tS3CR3Tvalue99"],"token":["s3cr3tS3CR3Tvalue99"]}}`,
		`alice imToken=s3cr3tS3CR3Tvalue99 userPassword: s3cr3tS3CR3Tvalue99 "loginPwd":"s3cr3tS3CR3Tvalue99"`,
		`<user>alice</user><password>s3cr3tS3CR3Tvalue99</password>`,
		`alice 密码：s3cr3tS3CR3Tvalue99 密钥: s3cr3tS3CR3Tvalue99，口令为s3cr3tS3CR3Tvalue99`,
		`e=%7B%22user%22%3A%22alice%22%2C%22Authorization%22%3A%22Bearer%20s3cr3tS3CR3Tvalue99%22%2C%22Cookie%22%3A%22sid%3Ds3cr3tS3CR3Tvalue99%22%7D`,
		`e=%22alice%22&b=%22Bearer%20s3cr3tS3CR3Tvalue99%22&c=%22Bearer+s3cr3tS3CR3Tvalue99%22`,
		`alice token：s3cr3tS3CR3Tvalue99 密码 password＝s3cr3tS3CR3Tvalue99`,
	} {
		got := r.Text(in)
		if strings.Contains(got, secretText) {
			t.Errorf("a secret is left: %s", got)
		}
		if !strings.Contains(got, "alice") {
			t.Errorf("the user is gone: %s", got)
		}
		if again := r.Text(got); again != got {
			t.Errorf("redacting twice changes %q to %q", got, again)
		}
	}
}

func TestTokensGoByTheirForm(t *testing.T) {
	r := redactor(t)
	for _, in := range []string{
		"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end",
		"easemob YWMtc3VwZXJzZWNyZXQtdG9rZW4tMTIzNDU2 end",
		"agora 007eJxTYBBbsMMnKq7p9Hf/HcIX5kce9b518kCiQgSr5Zrp4X1Tu6UUGN end",
		"q=%22eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl%22 end",
		"q=%22YWMtc3VwZXJzZWNyZXQtdG9rZW4tMTIzNDU2%22 end",
		"q=%22007eJxTYBBbsMMnKq7p9Hf%2FHcIX5kce9b518kCiQgSr5Zrp4X1Tu6UUGN%22 end",
		`a\n0060123456789abcdef0123456789abcdefABCDEFGHIJKLMNOP= end`,
		"rtc%3D0060123456789abcdef0123456789abcdefABCDEFGHIJKLMNOP%3D end",
	} {
		if got := r.Text(in); !strings.Contains(got, mask) || !strings.HasSuffix(got, " end") || len(got) > 30 {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// What a support engineer needs must stay as it is.
func TestHarmlessStays(t *testing.T) {
	r := redactor(t)
	for _, in := range []string{
		"invalid password", "token not assign error", "Sorry, token expired", "INVALID_TOKEN", "the accessToken or pwd is illegal",
		"password error", "WEBIM_CONNCTION_TOKEN_NOT_ASSIGN_ERROR", "appkey or token error", "AccessToken cannot be empty",
		"{ type: 28, message: 'INVALID_TOKEN', data: undefined }",
		`{"code":880104,"message":"invalid password","username":"u1"}`,
		`{"type":1,"message":"login failed","data":{"type":17,"data":"{\"error\":\"invalid_grant\",\"error_description\":\"invalid password\"}"}}`,
		"01:14:03:263 IM SDK [error]:  get token failed { type: 17 }",
		"user_id=880103 group 1001 phone 13800138000", "token: undefined", "design: new, assign: bob",
		"https://a1.easemob.com/demo-org/demoapp/token", "signed in as alice", "/var/log/token.log: line 3",
		"GET /b?e=%7B%22type%22%3A28%2C%22message%22%3A%22token%20not%20assign%20error%22%7D HTTP/1.1", "message=token%20expired%2C+sign+in+again%3F",
		"the token - or the password - is wrong", "token &amp; secret", "未传 token：调用 API 时没有携带 token", "用户 token：如未登录就上传文件。", "token + secret", `{\x22message\x22:\x22invalid password\x22}`,
		"Authorization：鉴权失败，请检查应用配置 code=401", "Cookie：未设置，请重新登录 code=401 user=5", "校验token：userId=123 code=401", "密码: 不能为空", "密码为空 code=880103",
		"login%20failed%20token=null%20error=401%20appid=5", "Authorization: Bearer\nHost: a1.easemob.com\n", "List<Token>entries = a</b",
	} {
		if got := r.Text(in); got != in {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestExtra(t *testing.T) {
	r := redactor(t, `card (?P<secret>\d{4})`, `plate-\w+`)
	if got := r.Text("card 1234 plate-AB1"); got != "card [redacted] [redacted]" {
		t.Error(got)
	}
	for _, bad := range []string{"(", "x*"} {
		if _, err := New([]string{bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNothingToDoAllocatesNothing(t *testing.T) {
	r := redactor(t)
	line := strings.Repeat("GET /index.html 200 12ms ", 20)
	if n := testing.AllocsPerRun(100, func() { r.Text(line); Clean(line, 4096) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct {
		in, want string
		max      int
	}{
		{"plain 环信\n\t", "plain 环信\n\t", 100},       // stays
		{"a\x1b[31mb", `a\u001b[31mb`, 100},         // terminal control
		{"a\u2028b\u202ec", `a\u2028b\u202ec`, 100}, // line separator, right-to-left
		{"a\u0085b\u009bc", `a\u0085b\u009bc`, 100}, // C1
		{"a\xffb", `a\xffb`, 100},                   // no UTF-8
		{"a\U000e0041b", `a\u{e0041}b`, 100},        // tag characters
		{"环信环信", "环信…", 9},                          // cut between runes
		{"abc", "ab", 2},                            // no room for the sign
		{"\r\n", "\\u000d\n", 100},                  // carriage return
	} {
		if got := Clean(c.in, c.max); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	if got := Terminal("a\nb\tc\x1b"); got != `a⏎b c\u001b` {
		t.Errorf("%q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\u202e\x1b[2J\xff环\n", 16)
	f.Fuzz(func(t *testing.T, s string, max int) {
		if max < 0 || max > 1<<16 {
			return
		}
		for _, got := range []string{Clean(s, max), Terminal(s)} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, dangerous) {
				t.Errorf("%q became %q", s, got)
			}
		}
		if got := Clean(s, max); len(got) > max {
			t.Errorf("%d bytes, at most %d allowed: %q", len(got), max, got)
		}
		if strings.ContainsAny(Terminal(s), "\n\t\r") {
			t.Errorf("Terminal leaves a line break in %q", s)
		}
	})
}

// TestGateOpens: where the gate keeps a pattern shut, it replaces nothing.
func TestGateOpens(t *testing.T) {
	r := redactor(t)
	rnd := rand.New(rand.NewPCG(5, 5))
	parts := []string{"token", "x_Token", "password", "pwd-", "SIGN", "secret_key", "api-key", "authorization", "Set-Cookie", "bearer", "content", "msg_body", "--->-", "://",
		`"`, "'", "`", `\`, `\\`, "%22", "%27", "%3A", "%3d", "%20", "%2522", "%253A", "%3E", `\x22`, `\\u0022`, `\u003d`, "&quot;", "&amp;#39;", "&gt;", "=", "：", " ", "\t", "\n", "\v", ":", "=", "=>", "->", "-", "@", "+", "{", "}", ",", ";",
		"密码", "为", "<", "</", ">", "[", "s3cr3t99", "eyJhbGciOiJI.eyJzdWIi.c2ln", "YWMts3cr3t99", "0060123456789abcdef0123456789abcdefABCDEFGHIJKLMNOP", "a", "9", "环", "\xff"}
	for range 200000 {
		in := ""
		for range 1 + rnd.IntN(9) {
			in += parts[rnd.IntN(len(parts))]
		}
		open := r.gate.open(in)
		for i := range builtIn {
			if p := &builtIn[i]; open&(1<<i) == 0 && p.replace(in) != in {
				t.Fatalf("pattern %d is shut for %q, of which it makes %q", i, in, p.replace(in))
			}
		}
	}
}

// FuzzLooks holds what is looked at several bytes at a time against the same
// byte by byte.
func FuzzLooks(f *testing.F) {
	f.Add("GET /a HTTP/1.1\x7f 12345678\n环\x80")
	f.Add("a TOKEN : x, seCret_key=1; bearer")
	f.Add("wss://u:p@x 006 007eJ content --->- design: sig")
	r := redactor(f)
	f.Fuzz(func(t *testing.T, s string) {
		for i := 0; i+8 <= len(s); i++ {
			want := true
			for _, c := range []byte(s[i : i+8]) {
				want = want && c >= ' ' && c < 0x7f
			}
			if got := plain(s[i : i+8]); got != want {
				t.Errorf("%q is plain: %v", s[i:i+8], got)
			}
		}
		for _, oneLine := range []bool{false, true} {
			want := strings.IndexFunc(strings.ToValidUTF8(s, "\x00"), func(r rune) bool { return dangerous(r) || oneLine && (r == '\n' || r == '\t') })
			if want < 0 {
				want = len(s)
			}
			if got := ok(s, oneLine); got != want {
				t.Errorf("%q may stay for %d bytes, not %d", s, want, got)
			}
		}
		var want uint64
		for i := range builtIn {
			for _, w := range builtIn[i].gate {
				for at := 0; at+len(w) <= len(s); at++ {
					if strings.EqualFold(s[at:at+len(w)], w) && (!builtIn[i].keys || separated(s[nameEnd(s, at+len(w)):])) {
						want |= 1 << i
					}
				}
			}
		}
		if got := r.gate.open(s); got != want {
			t.Errorf("%q opens %b, not %b", s, got, want)
		}
		for i := range builtIn {
			if p := &builtIn[i]; !strings.Contains(s, p.needs) {
				if got := p.replace(s); got != s {
					t.Errorf("pattern %d, which needs %q, makes %q of %q", i, p.needs, got, s)
				}
			}
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("token", ":", `"`, "{", "}")
	f.Add("password", "=", "'", "a", "b")
	r, err := New(nil)
	if err != nil {
		f.Fatal(err)
	}
	keys := []string{"token", "password", "accessToken", "client_secret", "pwd", "signature", "agoraToken", "refresh_token"}
	f.Fuzz(func(t *testing.T, key, sep, q, before, after string) {
		r.Text(before + key + sep + q + after) // must not panic
		k := keys[len(key)%len(keys)]
		s := []string{":", "=", ": ", " = ", "%3A", "%3D"}[len(sep)%6]
		quote := []string{`"`, `'`, `\"`, "", "%22", `\\\"`}[len(q)%6]
		line := "x " + k + quote + s + quote + secretText + quote
		if quote != "" {
			line = "x " + quote + k + quote + s + quote + secretText + quote
		}
		if got := r.Text(line); strings.Contains(got, secretText) {
			t.Errorf("%q became %q", line, got)
		}
	})
}

// TestNoSecret: what is said to have no secret stays as it is, whatever digits it has, and
// much is said to have none.
func TestNoSecret(t *testing.T) {
	r := redactor(t)
	rnd := rand.New(rand.NewPCG(3, 3))
	// As precedents have it: the digits of what may be an escape stay.
	digits := func(s, of string) string {
		b := []byte(s)
		escape := false
		for i, c := range b {
			escape = strings.IndexByte(`%\#[`, c) >= 0 || escape && (isNameByte(c) && c != '-' && c != '.' && c < 0x80)
			if isDigit(c) && !escape {
				b[i] = of[rnd.IntN(len(of))]
			}
		}
		return string(b)
	}
	hidden := []string{
		"agora 007eJxTYBBbsMMnKq7p9Hf/HcIX5kce9b518kCiQgSr5Zrp4X1Tu6UUGN end",
		"0060123456789abcdef0123456789abcdefABCDEFGHIJKLMNOP",
		"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end",
		"x token=s3cr3t99", "q=%7B%22token%22%3A%22s3cr3t%22", "token%3Ds3cr3t99", "token%22 = s3cr3t99", "http://a:b1@example.org/",
	}
	for _, in := range hidden {
		if r.Text(in) == in {
			t.Errorf("%q stays", in)
		}
		for range 100 {
			if like := digits(in, "0123456789"); r.NoSecret(like) {
				t.Errorf("%q has no secret, and %q has one", like, in)
			}
		}
	}
	for _, in := range []string{"", "2026-11-20 08:39:57,592 ERROR user=u56628 from 10.1.2.3", "GET http://example.org/1 HTTP/1.1 200",
		"token expired at 12", "GET /b?e=%7B%22type%22%3A28%2C%22message%22%3A%22token%20not%20assign%20error%22%7D", "trace=0060123456789abcdef0123456789abcde"} {
		if !r.NoSecret(in) {
			t.Errorf("%q has a secret", in)
		}
		for range 100 {
			if like := digits(in, "0123456789"); r.Text(like) != like {
				t.Errorf("%q has no secret, and %q becomes %q", in, like, r.Text(like))
			}
		}
	}
	if r.NoSecret("token&#37;22 or so") {
		t.Error("a digit of an escape is taken for one that may be any other")
	}
	none := 0
	parts := []string{"token", "pwd", "x", "%22", "%27", "%20", "%3A", "%3d", "%2F", "%", "%3", "4", " ", "\"", "\\", ":", "=", "->", "s3cr3t99"}
	for range 20000 {
		in := ""
		for range rnd.IntN(8) {
			in += parts[rnd.IntN(len(parts))]
		}
		if !r.NoSecret(in) {
			continue
		}
		none++
		for range 20 {
			if like := digits(in, "0237"); r.Text(like) != like {
				t.Fatalf("%q has no secret, and %q becomes %q", in, like, r.Text(like))
			}
		}
	}
	if none < 2000 {
		t.Errorf("only %d have no secret", none)
	}
	for i := range builtIn {
		if p := &builtIn[i]; (p.anyDigits != nil) != strings.ContainsAny(strings.Join(p.gate, "")+p.needs, "0123456789") {
			t.Errorf("the words of pattern %d: %q", i, p.gate)
		}
	}
}

func BenchmarkText(b *testing.B) {
	r := redactor(b)
	line := strings.Repeat("2026-11-20 GET /index.html 200 12ms ", 6)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		r.Text(line)
	}
}

// TestEveryWordOpens: a gate has room for the beginnings of all its words.
func TestEveryWordOpens(t *testing.T) {
	g := newGate(builtIn)
	for i, p := range builtIn {
		for _, w := range p.gate {
			if g.open(w+":")&(1<<i) == 0 {
				t.Errorf("%s does not open pattern %d", w, i)
			}
		}
	}
}
