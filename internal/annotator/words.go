package annotator

// labels are the words between an entry's parts.
var labels = map[string]map[string]string{
	"en": {"meaning": "What happened", "sees": "What the user sees", "causes": "Likely causes", "tell": "Tell it by", "hints": "What to do", "check": "How to check",
		"versions": "SDK versions", "readings": "What the documents say", "after": "Usually follows; where the log has one, look there first", "level": "level", "category": "category", "retryable": "retry", "scope": "hits", "owner": "up to", "links": "Read more", "runbook": "Runbook", "retired": "No longer emitted", "also": "The same in", "status": "This is a status, not an error."},
	"zh": {"meaning": "发生了什么", "sees": "用户看到什么", "causes": "可能的原因", "tell": "怎么判断", "hints": "怎么办", "check": "怎么核实",
		"versions": "SDK 版本差异", "readings": "各文档的说法", "after": "通常由这些引起，日志里有就先看它们", "level": "级别", "category": "类别", "retryable": "重试", "scope": "影响", "owner": "由谁处理", "links": "参考", "runbook": "处理手册", "retired": "已不再出现", "also": "同样适用于", "status": "这是状态，不是错误。"},
}

// Label is the word between an entry's parts.
func Label(lang, kind string) string { return labels[lang][kind] }

// words are the closed lists of the catalogue, for people.
var words = map[string]map[string]string{
	"zh": {"info": "提示", "warn": "警告", "error": "错误", "critical": "严重",
		"auth": "登录鉴权", "network": "网络", "permission": "权限", "quota": "配额", "moderation": "内容审核", "group": "群组", "chatroom": "聊天室", "message": "消息", "file": "文件", "contact": "好友", "server": "服务端", "usage": "用法", "status": "状态",
		"no": "不要重试", "yes": "可以重试", "backoff": "稍后再试", "after-fix": "修好再试", "sdk": "SDK 会自动重试",
		"user": "通常是单个用户", "platform": "通常是整个厂商平台", "app": "通常是整个应用", "backend": "自己的后台", "console": "控制台配置", "vendor": "厂商", "end-user": "用户本人"},
	"en": {"no": "no", "yes": "yes, at once", "backoff": "later", "after-fix": "after the fix", "sdk": "the SDK does", "user": "usually one user", "app": "usually the whole app", "platform": "usually the vendor's whole platform"},
}

// Word is one of the catalogue's closed lists' words, for people.
func Word(lang, kind, v string) string {
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

// Colon is the one of the language.
func Colon(lang string) string {
	if lang == "zh" {
		return "："
	}
	return ": "
}
