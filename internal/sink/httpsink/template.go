package httpsink

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
)

//go:embed templates/*.tmpl
var builtIn embed.FS

// A message is what a template sees: {{.Message}}, {{.Level}}, {{.ID}}, any
// field as {{field . "im.title"}}, and the event's JSON as {{.JSON}}.
type message struct {
	*sink.Event
	Sign *signature // nil without one

	fields map[string]annotator.Field
}

func newMessage(e *sink.Event, s *signature) *message {
	m := &message{Event: e, Sign: s, fields: map[string]annotator.Field{}}
	for _, f := range e.Fields(nil) {
		m.fields[f.Name] = f
	}
	return m
}

// field is one as text, a list's items on lines of their own; "" where the event
// has none.
func (m *message) field(name string) string { return m.fields[name].Text("\n") }

// JSON is the event's, without its newline.
func (m *message) JSON() string { return strings.TrimSuffix(string(m.Event.JSON), "\n") }

// functions are what templates may call.
var functions = template.FuncMap{
	"json":  quote,
	"field": (*message).field,
	"lines": lines,
	"cut":   cut,
	"slack": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace,
	"plain": strings.NewReplacer("<", "＜", ">", "＞", "@", "＠").Replace,
}

// parse reads a template: one of ours by its name, or the text of another.
func parse(name string) (*template.Template, error) {
	t := template.New("template").Funcs(functions).Option("missingkey=error")
	if b, err := builtIn.ReadFile("templates/" + name + ".tmpl"); err == nil {
		return t.Parse(strings.TrimSpace(string(b)))
	}
	if !strings.Contains(name, "{{") {
		return nil, fmt.Errorf("no template is called %q: slack, dingtalk, feishu, wecom, or the text of one", name)
	}
	return t.Parse(name)
}

// CheckTemplate tells what is wrong with a template: it is parsed and filled
// with an example.
func CheckTemplate(name string) error {
	t, err := parse(name)
	if err != nil {
		return err
	}
	a := annotator.New(codes.Embedded(), annotator.Options{Language: "en"})
	e := sink.NewEvent(a, &finding.Finding{ID: "1", Action: finding.Error, Family: "easemob-web", Code: "206", Count: 1})
	return t.Execute(&bytes.Buffer{}, newMessage(&e, nil))
}

// quote writes a value as JSON that stands inside a template's JSON.
func quote(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// lines writes an event for a chat group: what happened, where, what to do
// first. lang is the language to prefer.
func lines(lang string, m *message) string {
	get := func(name string) string {
		if lang == "zh" {
			if s := m.field(name + "_zh"); s != "" {
				return s
			}
		}
		if s := m.field(name); s != "" {
			return s
		}
		return m.field(name + "_zh")
	}
	code := m.Finding.Family + "/" + m.Finding.Code
	out := "[" + m.Level + "] " + m.Message()
	if title := get("im.title"); title != "" && m.Finding.Action != finding.Storm {
		out = "[" + m.Level + "] " + code + " " + title
	}
	var where []string
	for _, name := range []string{"service.name", "host.name", "log.file.path", "user.id"} {
		if s := m.field(name); s != "" {
			where = append(where, s)
		}
	}
	out += "\n" + cut(600, strings.Join(where, " · ")) + "\n" + m.Finding.Time.UTC().Format("2006-01-02 15:04:05 UTC")
	if hint, _, _ := strings.Cut(get("im.hints"), "\n"); hint != "" {
		out += "\n→ " + hint
	}
	if s := m.field("im.runbook"); s != "" {
		out += "\n" + s
	}
	return out
}

// cut shortens a text to so many bytes.
func cut(n int, s string) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}
