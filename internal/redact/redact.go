// Package redact keeps secrets and control characters of log lines inside the
// program: everything that is taken from a line passes through it.
package redact

import (
	"fmt"
	"math/bits"
	"strings"
	"sync"

	"github.com/imwatch/imwatch/scanner/regex"
)

// A Redactor replaces secrets in text. It is safe for concurrent use.
type Redactor struct {
	gate  *gate     // of builtIn
	extra []pattern // of the configuration; they have no gate
}

// A pattern is a regex and the words without which it cannot match, in lower
// case; a text with none of them costs one look. The group named secret is
// what is replaced, or else the whole match.
type pattern struct {
	gate  []string
	keys  bool   // the words are parts of names, behind which a separator stands
	needs string // what every match has too, in this case, or ""
	re    func() *regex.Regexp

	anyDigits func() *regex.Regexp // where the words have digits: re with any digits in their place
}

// lazily compiles a regex when a text is the first to need it.
func lazily(expr string) func() *regex.Regexp {
	return sync.OnceValue(func() *regex.Regexp { return regex.MustCompile(expr) })
}

const mask = "[redacted]"

// A value in quotes ends at the quote that opened it, which may be escaped,
// once or twice, or percent-encoded; one without at what ends a word.
const (
	quotes    = "\"'`"
	quote     = `(?:\\{0,6}[` + quotes + `]|%22|%27)`
	separator = `(?:` + quote + `)?\s*(?:[=-]>|[:=]|%3[AaDd])\s*`
	inQuotes  = quote + `(?P<secret>(?:[^` + quotes + `\\%]|\\+[^` + quotes + `\\]|%[^2]|%2[^27])*)`
	bare      = `(?P<secret2>[^\s` + quotes + `,;&{}()\[\]\\%>][^\s` + quotes + `,;&{}()\[\]\\%]*(?:%(?:2[B-Fb-f]|3[Dd])[^\s` + quotes + `,;&{}()\[\]\\%]*)*)`
	value     = `(?:` + inQuotes + `|` + bare + `)`
)

// secretKeys are names whose values nobody else may see.
const secretKeys = `(?:[\w.-]*[_.-])?(?:access[_-]?token|refresh[_-]?token|id[_-]?token|agora[_-]?token|easemob[_-]?token|auth[_-]?token|user[_-]?token|app[_-]?token|x-[\w-]*token|` +
	`accessToken|refreshToken|idToken|agoraToken|authToken|userToken|appToken|rtcToken|chatToken|token|usersig|user_sig|` +
	`password|passwd|passphrase|pwd|passwordmd5|password_md5|pwdmd5|` +
	`client[_-]?secret|clientSecret|app[_-]?secret|appSecret|master[_-]?secret|masterSecret|secret|secret[_-]?key|secretKey|api[_-]?key|apiKey|access[_-]?key|accessKey|private[_-]?key|app[_-]?certificate|` +
	`signature|random_str|sign|session[_-]?secret)`

// New returns the built-in redactors and those of the configuration: regexes,
// of which a group named secret, or else the whole match, is replaced.
func New(extra []string) (*Redactor, error) {
	r := &Redactor{gate: newGate(builtIn)}
	for _, e := range extra {
		re, err := regex.Compile(e)
		if err != nil {
			return r, fmt.Errorf("pattern %q: %w", e, err)
		}
		if re.MatchString("") {
			return r, fmt.Errorf("pattern %q matches an empty text, so it would redact everywhere", e)
		}
		r.extra = append(r.extra, pattern{re: func() *regex.Regexp { return re }})
	}
	return r, nil
}

var builtIn = []pattern{
	{[]string{"msg_body", "content"}, false, "--->-", lazily(`(?s)--->-[^\n]*?\\?"(?:msg_body|content)\\?"\s*:\s*(?P<secret>\{.*)`), nil},
	{[]string{"msg_body"}, false, "", lazily(`\\?"msg_body\\?"\s*:\s*(?P<secret>\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}?)`), nil},
	{[]string{"authorization"}, false, "", lazily(`(?i)\b(?:proxy-)?authorization` + separator + `(?:` + quote + `)?(?:bearer|basic|digest|token)?[ +]?(?P<secret>[^\s"'` + "`" + `,;\\{}]+)`), nil},
	{[]string{"bearer"}, false, "", lazily(`(?i)\bbearer[ +:]+(?P<secret>[\w\-.~+/]{8,}=*)`), nil},
	{[]string{"cookie"}, false, "", lazily(`(?i)\b(?:set-)?cookie` + separator + `(?:` + quote + `)?(?P<secret>[^"'` + "`" + `\n\\]+)`), nil},
	{[]string{"token", "usersig", "user_sig", "passw", "pwd", "passphrase", "secret", "api_key", "apikey", "api-key", "access_key", "accesskey", "access-key", "private", "certificate", "sign", "random_str"}, true, "",
		lazily(`(?i)(?:^|[^\w]|%[0-9a-f]{2}|\\[nrt])` + secretKeys + separator + value), nil},
	{[]string{"eyj"}, false, "", lazily(`\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?`), nil},
	{[]string{"ywmt"}, false, "", lazily(`\bYWMt[\w\-+/]{8,}={0,2}`), nil},
	{[]string{"007ej", "006"}, false, "", lazily(`\b(?:007eJ[\w+/]{24,}|006[0-9a-f]{32}[\w+/]{16,})={0,2}`),
		lazily(`\b\d{3}(?:eJ[\w+/]{24,}|[0-9a-f]{32}[\w+/]{16,})`)},
	{[]string{"://"}, false, "@", lazily(`://[^/\s:@"']*:(?P<secret>[^/\s@"']+)@`), nil},
}

// Text replaces the secrets of a text. It returns s itself when there is none.
func (r *Redactor) Text(s string) string {
	for open := r.gate.open(s, false); open != 0; open &= open - 1 {
		if p := &builtIn[bits.TrailingZeros64(open)]; strings.Contains(s, p.needs) {
			s = p.replace(s)
		}
	}
	for i := range r.extra {
		s = r.extra[i].replace(s)
	}
	return s
}

// OnlyBuiltIn tells whether only the built-in redactors run.
func (r *Redactor) OnlyBuiltIn() bool { return len(r.extra) == 0 }

// NoSecret tells whether the built-in redactors replace nothing of a text, nor of any other
// that differs from it in digits only. It may say no where they would not, never yes where they
// would.
func (r *Redactor) NoSecret(s string) bool {
	for open := r.gate.open(s, true); open != 0; open &= open - 1 {
		if p := &builtIn[bits.TrailingZeros64(open)]; p.anyDigits == nil && strings.Contains(s, p.needs) {
			return false
		}
	}
	for i := range builtIn {
		if any := builtIn[i].anyDigits; any != nil && any().MatchString(s) {
			return false
		}
	}
	return true
}

func (p *pattern) replace(s string) string {
	re := p.re()
	var b strings.Builder
	last := 0
	var caps []int
	for at := 0; at <= len(s); {
		m := re.Find(s, at, len(s)+1, caps)
		if m == nil {
			break
		}
		caps, at = m, max(m[1], at+1)
		from, to := m[0], m[1]
		for i, name := range re.SubexpNames() {
			if strings.HasPrefix(name, "secret") {
				from, to = 0, 0
				if m[2*i] >= 0 {
					from, to = m[2*i], m[2*i+1]
					break
				}
			}
		}
		if to <= from || from < last || harmless(s[from:to]) {
			continue
		}
		b.WriteString(s[last:from])
		b.WriteString(mask)
		last = to
	}
	if last == 0 {
		return s
	}
	b.WriteString(s[last:])
	return b.String()
}

// harmless values say that there is no secret, or are one already masked.
func harmless(v string) bool {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "", "undefined", "null", "nil", "none", "true", "false", "[redacted", mask, "***", "invalid", "expired", "missing", "empty", "bearer":
		return true
	}
	return strings.HasPrefix(v, "[redacted")
}
