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

// What a line is wrapped in escapes quotes, colons and blanks: a string once or several
// times, a URL once or again, a log of nginx, a page.
const (
	quotes  = "\"'`"
	percent = `%(?:25){0,3}`
	escaped = `\\{1,6}(?:x|u00)`
	entity  = `&(?:amp;)?`
	quote   = `(?:\\{0,6}[` + quotes + `]|` + percentQuote + `|` + escapedQuote + `|` + entityQuote + `)`
	blanks  = `[\s+]*(?:` + percent + `20[\s+]*)*`

	percentQuote = percent + `2[27]`
	escapedQuote = escaped + `2[27]`
	entityQuote  = entity + `(?:quot|apos|#3[49]|#x2[27]);`

	// border is what a word may stand behind; it is not replaced.
	border = `(?:\b|` + percent + `[0-9A-Fa-f]{2}|` + escaped + `[0-9A-Fa-f]{2}|\\[nrt])`

	plainColon   = `(?:[=-](?:>|` + percent + `3[Ee]|` + escaped + `3[Ee]|` + entity + `gt;)|[:=]|` + escaped + `3[AaDd])`
	percentColon = percent + `3[AaDd]`
	separator    = quote + `?` + blanks + `(?:` + plainColon + `|` + percentColon + `)` + blanks
)

// Behind a full-width colon, and a Chinese name, stands prose as well: of what does, a word
// with a digit may be a secret.
const (
	wideColon = `[：＝]`
	wideValue = blanks + quote + `?(?P<secret_c>[A-Za-z+/~_-]{0,64}\d[\w+/~-]{3,}={0,2})`
)

// A value in quotes ends at a quote that is escaped as the one that opened it; one without at
// what ends a word. Behind a plain = most of a URL's escapes are the value's, but for blanks,
// quotes, brackets, %26 and %3F; behind %3D they may be what follows it.
var (
	plainValue   = value("a", `%(?:[14689A-Fa-f][0-9A-Fa-f]|2[13-57-9A-Fa-f]|3[0-9A-Ea-e]|[57][0-9ACEFace-f])`)
	percentValue = value("b", `%(?:2[B-Fb-f]|(?:25){0,3}(?:2[BFbf]|3[Dd]))`)
)

func value(group, inside string) string {
	const rest = `[^\s` + quotes + `,;&{}()\[\]\\%]*`
	named := func(n, expr string) string { return `(?P<secret_` + group + n + `>` + expr + `)` }
	return `(?:` + strings.Join([]string{
		`\[?(?:\\{0,6}[` + quotes + `]|%2[27])` + named("1", `(?:[^`+quotes+`\\%]|\\+[^`+quotes+`\\]|%[^2]|%2[^27])*`),
		`%(?:25){1,3}2[27]` + named("2", `(?:[^`+quotes+`\\%]|`+percent+`(?:[013-9A-Fa-f][0-9A-Fa-f]|2[013-46-9A-Fa-f]))*`),
		escapedQuote + named("3", `(?:[^`+quotes+`\\]|\\+(?:[^xu`+quotes+`\\]|x(?:[^2]|2[^27])|u(?:[^0]|0(?:[^0]|0(?:[^2]|2[^27])))))*`),
		entityQuote + named("4", `(?:[^&`+quotes+`\\]|`+entity+`(?:amp|lt|gt);)*`),
		`\[` + named("5", `[A-Za-z_]`+rest),
		named("6", `(?:[^\s`+quotes+`,;&{}()\[\]\\%>]|%2[BFbf])`+rest+`(?:`+inside+rest+`)*`),
	}, "|") + `)`
}

// secretKeys are names whose values nobody else may see.
const secretKeys = `(?:[\w.-]*[_.-])?(?:(?-i:[A-Za-z0-9]*[a-z0-9](?:Token|Password|Passwd|Pwd|Secret|Signature))|access[_-]?token|refresh[_-]?token|id[_-]?token|agora[_-]?token|easemob[_-]?token|auth[_-]?token|user[_-]?token|app[_-]?token|x-[\w-]*token|` +
	`accessToken|refreshToken|idToken|agoraToken|authToken|userToken|appToken|rtcToken|chatToken|token|usersig|user_sig|` +
	`password|passwd|passphrase|pwd|passwordmd5|password_md5|pwdmd5|` +
	`client[_-]?secret|clientSecret|app[_-]?secret|appSecret|master[_-]?secret|masterSecret|secret|secret[_-]?key|secretKey|api[_-]?key|apiKey|access[_-]?key|accessKey|private[_-]?key|app[_-]?certificate|` +
	`signature|random_str|sign|session[_-]?secret)`

// keyWords are parts of the secretKeys, one of each.
var keyWords = []string{"token", "usersig", "user_sig", "passw", "pwd", "passphrase", "secret", "api_key", "apikey", "api-key", "access_key", "accesskey", "access-key", "private", "certificate", "sign", "random_str"}

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

// scheme may stand before what Authorization holds.
const scheme = `(?:bearer|basic|digest|token)?(?:[ +]|` + percent + `20)*`

var builtIn = []pattern{
	{[]string{"msg_body", "content"}, false, "--->-", lazily(`(?s)--->-[^\n]*?\\?"(?:msg_body|content)\\?"\s*:\s*(?P<secret>\{.*)`), nil},
	{[]string{"msg_body"}, false, "", lazily(`\\?"msg_body\\?"\s*:\s*(?P<secret>\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}?)`), nil},
	{[]string{"authorization"}, false, "", lazily(`(?i)` + border + `(?:proxy-)?authorization` + separator + `\[?(?:` + percentQuote + scheme + `(?P<secret_a>(?:[^\s"'` + "`" + `,;\\{}%]|%[^2]|%2[^27])+)|` + quote + `?` + scheme + `(?P<secret_b>[^\s"'` + "`" + `,;\\{}]+))`), nil},
	{[]string{"bearer"}, false, "", lazily(`(?i)` + border + `bearer(?:[ +:]|` + percent + `(?:20|2b|3a))+(?P<secret>(?:[\w\-.~+/]|%2[bf]){8,}(?:=|%3d)*)`), nil},
	{[]string{"cookie"}, false, "", lazily(`(?i)` + border + `(?:set-)?cookie` + separator + `\[?(?:` + percentQuote + `(?P<secret_a>(?:[^"'` + "`" + `\n\\%]|%[^2\n]|%2[^27])+)|` + quote + `?(?P<secret_b>[^"'` + "`" + `\n\\]+))`), nil},
	{keyWords, true, "",
		lazily(`(?i)(?:^|[^\w]|` + percent + `[0-9a-f]{2}|` + escaped + `[0-9a-f]{2}|\\[nrt])` + secretKeys + quote + `?` + blanks + `(?:` + plainColon + blanks + plainValue + `|` + percentColon + blanks + percentValue + `|` + wideColon + wideValue + `)`), nil},
	{[]string{"密码", "口令", "密钥"}, false, "", lazily(`(?:密码|口令|密钥)` + quote + `?` + blanks + `(?:` + plainColon + `|` + wideColon + `|为)` + wideValue), nil},
	{keyWords, true, "</", lazily(`(?i)<` + secretKeys + `>(?P<secret>[^<\s]+)</`), nil},
	{[]string{"eyj"}, false, "", lazily(border + `(?P<secret>eyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?)`), nil},
	{[]string{"ywmt"}, false, "", lazily(border + `(?P<secret>YWMt(?:[\w\-+/]|%2[BFbf]){8,}(?:=|%3[Dd]){0,2})`), nil},
	{[]string{"007ej", "006"}, false, "", lazily(border + `(?P<secret>(?:007eJ(?:[\w+/]|%2[BFbf]){24,}|006[0-9a-f]{32}(?:[\w+/]|%2[BFbf]){16,})(?:=|%3[Dd]){0,2})`),
		lazily(border + `\d{3}(?:eJ(?:[\w+/]|%2[BFbf]){24,}|[0-9a-f]{32}(?:[\w+/]|%2[BFbf]){16,})`)},
	{[]string{"://"}, false, "@", lazily(`://[^/\s:@"']*:(?P<secret>[^/\s@"']+)@`), nil},
}

// Text replaces the secrets of a text. It returns s itself when there is none.
func (r *Redactor) Text(s string) string {
	for open := r.gate.open(s); open != 0; open &= open - 1 {
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
// that differs from it in digits only, none of which is part of an escape. It may say no where
// they would not, never yes where they would.
func (r *Redactor) NoSecret(s string) bool {
	if strings.Contains(s, "&#") { // &#37;22 has a digit that is part of %22, and does not look so
		return false
	}
	for open := r.gate.open(s); open != 0; open &= open - 1 {
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
	case "", "undefined", "null", "nil", "none", "true", "false", "[redacted", mask, "redacted", "redacted]", "***", "invalid", "expired", "missing", "empty", "bearer":
		return true
	}
	return strings.HasPrefix(v, "[redacted")
}
