// Package codes is the catalogue: what the error codes of instant-messaging
// SDKs mean, for whom, and what to do about them, in English and Chinese.
//
// The texts are YAML, one folder a family (README.md says how to add one).
// What the program embeds is catalogue.tsv, generated from them by
// go generate ./codes, so that a start parses no YAML and decodes only the
// entries it shows.
package codes

import (
	"slices"
	"strings"
	"sync"
)

// A Family is an SDK or server that defines codes of its own: the same number
// means other things in other families. Families of one lineage share a Group.
type Family struct {
	ID       string           `yaml:"family" json:"family"`
	Group    string           `yaml:"group" json:"group,omitempty"`
	Vendor   string           `yaml:"vendor" json:"vendor"`
	Platform string           `yaml:"platform" json:"platform"`
	Name     Words            `yaml:"name" json:"name"`
	About    Words            `yaml:"about" json:"about"` // how to tell it from the other families
	See      string           `yaml:"see" json:"see"`
	Shares   string           `yaml:"shares" json:"shares,omitempty"` // the family whose whole table this one has under another name
	Words    map[string]Words `yaml:"words" json:"words,omitempty"`   // {console} in a text becomes the family's own word
}

// Words is one short text in both languages.
type Words struct {
	EN string `yaml:"en" json:"en"`
	ZH string `yaml:"zh" json:"zh"`
}

// In returns the text in a language: "zh", or anything else for English.
func (w Words) In(lang string) string {
	if lang == "zh" {
		return w.ZH
	}
	return w.EN
}

// A Cause says why a code appears, and how to tell this cause from the others.
type Cause struct {
	Cause string `yaml:"cause" json:"cause"`
	Tell  string `yaml:"tell" json:"tell,omitempty"`
}

// Text is an entry's prose in one language.
type Text struct {
	Title    string   `yaml:"title" json:"title,omitempty"`
	Meaning  string   `yaml:"meaning" json:"meaning,omitempty"`     // what happened
	UserSees string   `yaml:"user_sees" json:"user_sees,omitempty"` // what the person in front of the app sees
	Causes   []Cause  `yaml:"causes" json:"causes,omitempty"`       // most likely first
	Hints    []string `yaml:"hints" json:"hints,omitempty"`         // one thing to do next each, the best first
	Check    string   `yaml:"check" json:"check,omitempty"`         // where to look, and what a healthy answer looks like
	Versions string   `yaml:"versions" json:"versions,omitempty"`   // how SDK versions differ
	Readings string   `yaml:"readings" json:"readings,omitempty"`   // what each document says where they disagree, and which reading applies when
}

// An Entry is what is known about one code of one family. Entries are shared:
// don't change one you got from a Catalogue.
type Entry struct {
	Family      string   `yaml:"-" json:"family"`
	Code        string   `yaml:"code" json:"code"`                         // as printed: "206", "-1"
	Symbol      string   `yaml:"symbol" json:"symbol,omitempty"`           // the name or fixed text the SDK gives the code
	Aliases     []string `yaml:"aliases" json:"aliases,omitempty"`         // other symbols for the same thing
	Documents   []string `yaml:"documents" json:"documents,omitempty"`     // the vendor documents and SDK packages that list it
	HTTP        int      `yaml:"http_status" json:"http_status,omitempty"` // of the REST answer it stands in; 0: any
	Texts       []string `yaml:"texts" json:"texts,omitempty"`             // parts of the server's message that tell it from entries with the same code and status
	Status      bool     `yaml:"status" json:"status,omitempty"`           // not an error: a state, a message type, success
	Retired     Words    `yaml:"retired" json:"retired,omitzero"`          // why it is no longer emitted
	SameAs      string   `yaml:"same_as" json:"same_as,omitempty"`         // family/code of the entry whose texts this one shares
	Level       string   `yaml:"level" json:"level"`
	Category    string   `yaml:"category" json:"category"`
	Retryable   string   `yaml:"retryable" json:"retryable"`
	Scope       string   `yaml:"scope" json:"scope"`
	Owner       string   `yaml:"owner" json:"owner"`
	Consequence []string `yaml:"consequence_of" json:"consequence_of,omitempty"` // codes this one usually follows
	Links       []string `yaml:"links" json:"links,omitempty"`
	Runbook     string   `yaml:"runbook" json:"runbook,omitempty"` // only from an overlay
	EN          Text     `yaml:"en" json:"en"`
	ZH          Text     `yaml:"zh" json:"zh"`
}

// Key is family/code, the one key to group by. Entries share a key only where
// one code has several meanings that something beside it tells apart: the
// symbol (code 0 of the Web SDKs is both success and an error), or the HTTP
// status and the message of a REST answer.
func (e *Entry) Key() string { return e.Family + "/" + e.Code }

// In returns the prose in a language: "zh", or anything else for English.
func (e *Entry) In(lang string) *Text {
	if lang == "zh" {
		return &e.ZH
	}
	return &e.EN
}

// Named tells whether the entry goes by this symbol.
func (e *Entry) Named(symbol string) bool {
	return symbol != "" && (e.Symbol == symbol || slices.Contains(e.Aliases, symbol))
}

// The closed lists that an entry's fields are held to.
var (
	Levels     = []string{"info", "warn", "error", "critical"}
	Categories = []string{"auth", "network", "permission", "quota", "moderation", "group", "chatroom", "message", "file", "contact", "server", "usage", "status"}
	Retryables = []string{"no", "yes", "backoff", "after-fix", "sdk"}
	Scopes     = []string{"user", "app", "platform"}
	Owners     = []string{"app", "backend", "console", "vendor", "end-user"}
	Documents  = []string{"easemob-web-legacy", "easemob-web-zh", "agora-chat-web-en", "agora-chat-web-zh", "jmessage-web", "easemob-websdk", "agora-chat", "jmessage-sdk-web", "jchat-web",
		"easemob-native", "easemob-rest", "easemob-rest-messages", "easemob-rest-errorcode", "jmessage-server", "jmessage-android", "jmessage-ios"}
)

// LevelRank orders levels, info 0 to critical 3; -1 for what is no level.
func LevelRank(level string) int { return slices.Index(Levels, level) }

// inherit takes from the entry it is the same as whatever it does not say
// itself. Documents and SDK facts stay its own.
func (e *Entry) inherit(from *Entry) {
	own := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	if e.Code == from.Code { // else the names are the other code's
		own(&e.Symbol, from.Symbol)
		if e.Aliases == nil {
			e.Aliases = from.Aliases
		}
		if e.HTTP == 0 {
			e.HTTP = from.HTTP
		}
		if e.Texts == nil {
			e.Texts = from.Texts
		}
	}
	own(&e.Level, from.Level)
	own(&e.Category, from.Category)
	own(&e.Retryable, from.Retryable)
	own(&e.Scope, from.Scope)
	own(&e.Owner, from.Owner)
	if e.Retired == (Words{}) {
		e.Retired = from.Retired
	}
	e.Status = e.Status || from.Status
	if e.Consequence == nil {
		e.Consequence = from.Consequence
	}
	if e.Links == nil {
		e.Links = from.Links
	}
	e.EN.inherit(&from.EN)
	e.ZH.inherit(&from.ZH)
}

func (t *Text) inherit(from *Text) {
	own := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	own(&t.Title, from.Title)
	own(&t.Meaning, from.Meaning)
	own(&t.UserSees, from.UserSees)
	own(&t.Check, from.Check)
	own(&t.Versions, from.Versions)
	own(&t.Readings, from.Readings)
	if t.Causes == nil {
		t.Causes = from.Causes
	}
	if t.Hints == nil {
		t.Hints = from.Hints
	}
}

// fill replaces the {word}s that the family defines, in a copy of its own.
func (f *Family) fill(t Text, lang string) Text {
	words := sync.OnceValue(func() *strings.Replacer {
		var pairs []string
		for word, w := range f.Words {
			pairs = append(pairs, "{"+word+"}", w.In(lang))
		}
		return strings.NewReplacer(pairs...)
	})
	in := func(s string) string {
		if !strings.Contains(s, "{") { // as most
			return s
		}
		return words().Replace(s)
	}
	for _, s := range []*string{&t.Title, &t.Meaning, &t.UserSees, &t.Check, &t.Versions, &t.Readings} {
		*s = in(*s)
	}
	t.Hints, t.Causes = slices.Clone(t.Hints), slices.Clone(t.Causes)
	for i := range t.Hints {
		t.Hints[i] = in(t.Hints[i])
	}
	for i := range t.Causes {
		t.Causes[i] = Cause{in(t.Causes[i].Cause), in(t.Causes[i].Tell)}
	}
	if lang == "zh" {
		t.unfold() // a word that ends in Chinese
	}
	return t
}

// WebDocuments are the five tables of Web codes that the vendors published.
var WebDocuments = []string{"easemob-web-legacy", "easemob-web-zh", "agora-chat-web-en", "agora-chat-web-zh", "jmessage-web"}
