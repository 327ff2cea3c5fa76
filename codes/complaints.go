package codes

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// A complaint is what is wrong with an entry, and at which of its keys.
type complaint struct{ at, what, hint string }

// complaints holds one entry against what every entry must have.
func (b *builder) complaints(e *Entry) (list []complaint) {
	say := func(at, hint, format string, args ...any) {
		list = append(list, complaint{at, fmt.Sprintf(format, args...), hint})
	}
	oneOf := func(key, v string, allowed []string) {
		switch {
		case v == "":
			say(key, "one of: "+strings.Join(allowed, ", "), "%s is missing", key)
		case !slices.Contains(allowed, v):
			say(key, "one of: "+strings.Join(allowed, ", "), "%s is %q", key, v)
		}
	}
	oneOf("level", e.Level, Levels)
	oneOf("category", e.Category, Categories)
	oneOf("retryable", e.Retryable, Retryables)
	oneOf("scope", e.Scope, Scopes)
	oneOf("owner", e.Owner, Owners)
	for i, d := range e.Documents {
		if !slices.Contains(Documents, d) {
			say(part("documents", i), "one of: "+strings.Join(Documents, ", "), "document is %q", d)
		}
	}
	if e.Status && e.Level != "info" {
		say("level", "a status is no error: level: info, or drop status: true", "a status has level %s", e.Level)
	}
	if e.Status != (e.Category == "status") {
		say("category", "status: true and category: status go together", "status is %v, category is %s", e.Status, e.Category)
	}
	if e.HTTP != 0 && (e.HTTP < 100 || e.HTTP > 599) {
		say("http_status", "the three digits of the REST answer, such as 401", "http_status is %d", e.HTTP)
	}
	for i, x := range e.Texts {
		if len(x) < 4 || strings.ContainsAny(x, "|\t\n") {
			say(part("texts", i), "at least four characters of the server's message, without | and tabs", "text %q tells nothing apart", x)
		}
	}
	if (e.Retired.EN == "") != (e.Retired.ZH == "") {
		say("retired", "say in en and in zh why no SDK emits it any more", "retired is given in one language only")
	}
	for i, l := range e.Links {
		if !isURL(l) {
			say(part("links", i), "an address that begins with https://", "link %q is not a URL", l)
		}
	}
	for i, c := range e.Consequence {
		key := c
		if !strings.Contains(key, "/") {
			key = e.Family + "/" + c
		}
		if len(b.byKey[key]) == 0 {
			say(part("consequence_of", i), "name a code of this family, or family/code", "consequence_of names %q, which is no entry", c)
		}
	}
	for _, lang := range []string{"en", "zh"} {
		if e.In(lang).empty() {
			say("code", "write the texts in this language too, not by translating the other", "%s is missing", lang)
			continue
		}
		for _, c := range textComplaints(e, e.In(lang), lang) {
			say(lang+"."+c.at, c.hint, "%s: %s", lang, c.what)
		}
	}
	if e.EN.empty() || e.ZH.empty() {
		return list
	}
	if len(e.EN.Causes) != len(e.ZH.Causes) || len(e.EN.Hints) != len(e.ZH.Hints) {
		say("code", "say the same things in both languages", "%d causes and %d hints in English, %d and %d in Chinese", len(e.EN.Causes), len(e.EN.Hints), len(e.ZH.Causes), len(e.ZH.Hints))
	}
	if (e.EN.Versions == "") != (e.ZH.Versions == "") || (e.EN.Readings == "") != (e.ZH.Readings == "") {
		say("code", "give versions and readings in both languages or in none", "versions or readings in one language only")
	}
	return list
}

// part is a key of a list's i-th item, as a YAML path has it.
func part(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

var han = regexp.MustCompile(`\p{Han}`)

// emptyHints are advice that names nothing to look at or change.
var emptyHints = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(check the (error )?code|try again( later)?|retry( later)?|contact (the )?(vendor|support|administrator)|请?(稍后)?重试|联系(客服|技术支持|管理员)|检查错误码)[.。!！]?$`)
})

func textComplaints(e *Entry, t *Text, lang string) (list []complaint) {
	say := func(at, what, hint string) { list = append(list, complaint{at, what, hint}) }
	need := func(at, key, v string) {
		if strings.TrimSpace(v) == "" {
			say(at, key+" is missing", "write it; codes/README.md says what belongs there")
		} else if lang == "zh" && !han.MatchString(v) {
			say(at, key+" has no Chinese in it", "write it in Chinese")
		}
	}
	need("title", "title", t.Title)
	need("meaning", "meaning", t.Meaning)
	need("user_sees", "user_sees", t.UserSees)
	if utf8.RuneCountInString(t.Title) > 72 {
		say("title", "title is longer than 72 characters", "say what happened in a few words; the rest goes into meaning")
	}
	if !e.Status {
		need("check", "check", t.Check)
		if len(t.Causes) == 0 {
			say("causes", "no causes", "list them, most likely first, each with how to tell it")
		}
		if len(t.Hints) == 0 {
			say("hints", "no hints", "name something to look at or change: a console page, an SDK option, a REST call, a log field")
		}
	}
	for i, c := range t.Causes {
		need(part("causes", i)+".cause", fmt.Sprintf("cause %d", i+1), c.Cause)
		if len(t.Causes) > 1 {
			need(part("causes", i)+".tell", fmt.Sprintf("tell of cause %d", i+1), c.Tell)
		}
	}
	for i, h := range t.Hints {
		need(part("hints", i), fmt.Sprintf("hint %d", i+1), h)
		if emptyHints().MatchString(strings.TrimSpace(h)) {
			say(part("hints", i), fmt.Sprintf("hint %d tells nothing: %q", i+1, h), "name something to look at or change: a console page, an SDK option, a REST call, a log field")
		}
	}
	if t.In("{{") {
		say("title", "a double brace", "words of the family are written {console}")
	}
	return list
}

// empty tells whether nothing is written at all.
func (t *Text) empty() bool {
	return t.Title+t.Meaning+t.UserSees+t.Check == "" && t.Causes == nil && t.Hints == nil
}

// In tells whether any text of t contains s.
func (t *Text) In(s string) bool {
	all := append([]string{t.Title, t.Meaning, t.UserSees, t.Check, t.Versions, t.Readings}, t.Hints...)
	for _, c := range t.Causes {
		all = append(all, c.Cause, c.Tell)
	}
	return slices.ContainsFunc(all, func(x string) bool { return strings.Contains(x, s) })
}

// A hint may stand in this many entries; more says that it fits none of them.
const maxSharedHint = 3

// sharedHints refuses a hint that stands in too many entries. What an entry
// has by same_as is not counted: there it is one text.
func (b *builder) sharedHints() (problems []Problem) {
	type use struct {
		e    *Entry
		part string
	}
	users := map[string][]use{}
	for _, e := range b.entries {
		if _, own := b.where[e]; !own {
			continue
		}
		for _, lang := range []string{"en", "zh"} {
			for i, h := range e.In(lang).Hints {
				if from := b.named(e.SameAs, e.Symbol); from != nil && slices.Contains(from.In(lang).Hints, h) {
					continue
				}
				users[h] = append(users[h], use{e, part(lang+".hints", i)})
			}
		}
	}
	for _, h := range slices.Sorted(maps.Keys(users)) {
		if list := users[h]; len(list) > maxSharedHint {
			last := list[maxSharedHint]
			at := b.where[last.e]
			problems = append(problems, at.file.problem(at.i, last.part, fmt.Sprintf("%s: a hint stands in %d entries: %q", last.e.Key(), len(list), h), "say what to do about this code; at most three entries may share a hint"))
		}
	}
	return problems
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.Contains(u.Host, ".")
}
