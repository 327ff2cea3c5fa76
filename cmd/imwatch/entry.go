package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/terminal"
)

// labels are the words between an entry's parts.
var labels = map[string]map[string]string{
	"en": {"meaning": "What happened", "sees": "What the user sees", "causes": "Likely causes", "tell": "Tell it by", "hints": "What to do", "check": "How to check",
		"versions": "SDK versions", "readings": "What the documents say", "after": "Usually follows", "level": "level", "category": "category", "retryable": "retry", "scope": "hits", "owner": "move", "links": "Read more", "runbook": "Runbook", "retired": "No longer emitted", "also": "The same in", "status": "This is a status, not an error."},
	"zh": {"meaning": "发生了什么", "sees": "用户看到什么", "causes": "可能的原因", "tell": "怎么判断", "hints": "怎么办", "check": "怎么核实",
		"versions": "SDK 版本差异", "readings": "各文档的说法", "after": "通常跟在这些之后", "level": "级别", "category": "类别", "retryable": "重试", "scope": "影响", "owner": "由谁处理", "links": "参考", "runbook": "处理手册", "retired": "已不再出现", "also": "同样适用于", "status": "这是状态，不是错误。"},
}

// words are the closed lists of the catalogue, for people.
var words = map[string]map[string]string{
	"zh": {"info": "提示", "warn": "警告", "error": "错误", "critical": "严重",
		"auth": "登录鉴权", "network": "网络", "permission": "权限", "quota": "配额", "moderation": "内容审核", "group": "群组", "chatroom": "聊天室", "message": "消息", "file": "文件", "contact": "好友", "server": "服务端", "usage": "用法", "status": "状态",
		"no": "不要重试", "yes": "可以重试", "backoff": "稍后再试", "after-fix": "修好再试", "sdk": "SDK 会自动重试",
		"user": "单个用户", "platform": "厂商平台", "app": "整个应用", "backend": "自己的后台", "console": "控制台配置", "vendor": "厂商", "end-user": "用户本人"},
	"en": {"no": "no", "yes": "yes, at once", "backoff": "later", "after-fix": "after the fix", "sdk": "the SDK does", "user": "one user", "app": "the whole app", "platform": "the vendor's platform"},
}

func word(lang, kind, v string) string {
	switch {
	case kind == "owner" && v == "app" && lang == "zh":
		return "客户端代码"
	case kind == "owner" && lang == "en":
		return map[string]string{"app": "your client code", "backend": "your backend", "console": "console settings", "vendor": "the vendor", "end-user": "the user"}[v]
	case words[lang][v] != "":
		return words[lang][v]
	}
	return v
}

// colon is the one of the language.
func colon(lang string) string {
	if lang == "zh" {
		return "："
	}
	return ": "
}

// several prints the entries of one query. Entries that share one text are
// printed once, under the names of all their families; when several remain, it
// is said first what tells them apart.
func (x *explainer) several(query string, list []*codes.Entry) {
	var distinct []*codes.Entry
	names := map[*codes.Entry][]string{}
	lang := x.langs[0]
	for _, e := range list {
		i := slices.IndexFunc(distinct, func(o *codes.Entry) bool { return shared(o, e) })
		if i < 0 {
			i, distinct = len(distinct), append(distinct, e)
		}
		names[distinct[i]] = append(names[distinct[i]], x.cat.Family(e.Family).Name.In(lang))
	}
	if len(distinct) > 1 {
		x.apart(query, distinct)
	}
	for i, e := range distinct {
		if i > 0 {
			fmt.Fprintln(x.w)
		}
		x.entry(e)
		if also := names[e][1:]; len(also) > 0 {
			x.part(labels[lang]["also"], strings.Join(also, ", "))
		}
	}
}

// shared tells whether b has its text from a.
func shared(a, b *codes.Entry) bool { return b.SameAs == a.Key() && b.Symbol == a.Symbol }

// apart says what each meaning of a code is, and what marks each family.
func (x *explainer) apart(query string, list []*codes.Entry) {
	lang := x.langs[0]
	head := fmt.Sprintf("%s has %d meanings:", query, len(list))
	if lang == "zh" {
		head = fmt.Sprintf("%s 有 %d 种含义：", query, len(list))
	}
	fmt.Fprintln(x.w, x.style.Paint(terminal.Bold, head))
	for i, e := range list {
		f := x.cat.Family(e.Family)
		fmt.Fprintln(x.w, terminal.Indent("  - ", f.Name.In(lang)+colon(lang)+e.In(lang).Title, x.style.Width))
		if i == 0 || list[i-1].Family != e.Family {
			fmt.Fprintln(x.w, x.style.Paint(terminal.Dim, terminal.Indent("    ", f.About.In(lang), x.style.Width)))
		}
	}
	fmt.Fprintln(x.w)
}

// entry prints one entry in every language asked for.
func (x *explainer) entry(e *codes.Entry) {
	for i, lang := range x.langs {
		if i > 0 {
			fmt.Fprintln(x.w)
		}
		x.entryIn(e, lang)
	}
}

func (x *explainer) entryIn(e *codes.Entry, lang string) {
	t, l, f := e.In(lang), labels[lang], x.cat.Family(e.Family)
	fmt.Fprintln(x.w, x.style.Paint(terminal.Bold, terminal.Cut(strings.TrimSpace(e.Code+"  "+e.Symbol), x.style.Width)))
	fmt.Fprintln(x.w, x.style.Paint(terminal.Bold, terminal.Indent("", t.Title, x.style.Width)))
	facts := []string{f.Name.In(lang), x.style.Level(word(lang, "level", e.Level)), word(lang, "category", e.Category)}
	if !e.Status {
		facts = append(facts, l["retryable"]+colon(lang)+word(lang, "retryable", e.Retryable), l["scope"]+colon(lang)+word(lang, "scope", e.Scope), l["owner"]+colon(lang)+word(lang, "owner", e.Owner))
	}
	fmt.Fprintln(x.w, terminal.Indent("", strings.Join(facts, " · "), x.style.Width+extra(x.style)))
	if e.Status {
		fmt.Fprintln(x.w, l["status"])
	}
	x.part(l["retired"], e.Retired)
	x.part(l["meaning"], t.Meaning)
	x.part(l["sees"], t.UserSees)
	x.causes(lang, t.Causes)
	x.list(l["hints"], t.Hints, true)
	x.part(l["check"], t.Check)
	x.part(l["after"], x.after(e, lang))
	x.part(l["versions"], t.Versions)
	x.part(l["readings"], t.Readings)
	x.part(l["runbook"], e.Runbook)
	x.part(l["links"], strings.Join(e.Links, " "))
}

// extra is the room that colour codes take but no eye sees.
func extra(s terminal.Style) int {
	if s.Color {
		return len("\x1b[31m\x1b[0m")
	}
	return 0
}

func (x *explainer) head(label string) {
	fmt.Fprintln(x.w, "\n"+x.style.Paint(terminal.Cyan, label))
}

func (x *explainer) part(label, text string) {
	if text != "" {
		x.head(label)
		fmt.Fprintln(x.w, terminal.Indent("  ", text, x.style.Width))
	}
}

func (x *explainer) list(label string, items []string, numbered bool) {
	if len(items) == 0 {
		return
	}
	x.head(label)
	for i, item := range items {
		bullet := "  - "
		if numbered {
			bullet = fmt.Sprintf("  %d. ", i+1)
		}
		fmt.Fprintln(x.w, terminal.Indent(bullet, item, x.style.Width))
	}
}

func (x *explainer) causes(lang string, causes []codes.Cause) {
	l := labels[lang]
	if len(causes) == 0 {
		return
	}
	x.head(l["causes"])
	for i, c := range causes {
		fmt.Fprintln(x.w, terminal.Indent(fmt.Sprintf("  %d. ", i+1), c.Cause, x.style.Width))
		if c.Tell != "" {
			fmt.Fprintln(x.w, x.style.Paint(terminal.Dim, terminal.Indent("     ", l["tell"]+colon(lang)+c.Tell, x.style.Width)))
		}
	}
}

// after names the codes that this one usually follows, with their titles.
func (x *explainer) after(e *codes.Entry, lang string) string {
	var list []string
	for _, c := range e.Consequence {
		family, code := e.Family, c
		if f, k, ok := strings.Cut(c, "/"); ok {
			family, code = f, k
		}
		if o := x.cat.Entry(family, code, ""); o != nil {
			list = append(list, code+" ("+o.In(lang).Title+")")
		}
	}
	if lang == "zh" {
		return strings.Join(list, "、")
	}
	return strings.Join(list, ", ")
}
