// Package rules says how the codes of a family look in log lines.
//
// A rule is YAML: a regex, what must stand beside the number before it counts
// as a code, lines it must find and lines it must leave alone. README.md shows
// how to add one. The scanner runs rules; this package only reads and checks
// what can be checked without running them.
package rules

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/imwatch/imwatch/codes"
)

// A File is one rules file: the rules of a family, or of a group of families
// whose SDKs print the same lines. A file without families has only fields,
// which are captured beside the codes of all.
type File struct {
	Group     string     `yaml:"group"`
	Families  []string   `yaml:"families"` // the first one is meant where a line proves only the group
	InnerOf   string     `yaml:"inner_of"` // the group whose errors carry these as their cause
	About     string     `yaml:"about"`
	Words     []Word     `yaml:"words"`
	Shapes    []Shape    `yaml:"shapes"`
	Sentences []Sentence `yaml:"sentences"`
	Fields    []Field    `yaml:"fields"`
	Rules     []Rule     `yaml:"rules"`

	Name    string `yaml:"-"` // path, for complaints
	BuiltIn bool   `yaml:"-" json:"-"`
	src     []string
}

// A Word on the line or in its block names who wrote it.
type Word struct {
	Regex  string `yaml:"regex"`
	Family string `yaml:"family"` // the family it names; empty: only the group
	Proof  string `yaml:"proof"`  // sdk: the SDK's own tag; vendor: a name; failure: something went wrong
	Other  bool   `yaml:"other"`  // the line is somebody else's: nothing of this file counts
	About  string `yaml:"about"`
}

// A Shape is what only this SDK's error objects contain.
type Shape struct {
	Regex string `yaml:"regex"` // searched in the error object's own text
	About string `yaml:"about"`
}

// A Sentence is a fixed text of the SDK and the codes it stands for.
type Sentence struct {
	Text   string   `yaml:"text"`
	Codes  []string `yaml:"codes"`
	Alone  bool     `yaml:"alone"`  // unmistakable: it proves its first code without a number
	Common bool     `yaml:"common"` // any program may write it: the number must be in the SDK's own kind of object
}

// A Field captures something beside the code: named groups are user_id,
// group_id, chatroom_id, message_id, target_id, session_id, operation,
// app_key, sdk_version, client_address, client_port, trace_id, http_status.
type Field struct {
	Regex string `yaml:"regex"`
	About string `yaml:"about"`
}

// A Rule finds a code in a line. The regex has a group named code or symbol.
type Rule struct {
	ID      string `yaml:"id"`
	About   string `yaml:"about"`
	Regex   string `yaml:"regex"`
	Object  *Shown `yaml:"object"` // the number is the value of a key in an object
	Needs   string `yaml:"needs"`  // what the block must have beside the match: "", vendor, failure, or both
	Gives   string `yaml:"gives"`  // what a match proves by itself: "", symbol, sdk, range
	Unknown bool   `yaml:"unknown"`
	Match   string `yaml:"match"`
	NoMatch string `yaml:"no_match"`

	File *File `yaml:"-" json:"-"`
}

// Shown describes an SDK's error object as it is printed.
type Shown struct {
	Text  []string `yaml:"text"`  // keys (dotted paths) whose string is the vendor's own text
	Inner []string `yaml:"inner"` // keys under which the cause hangs, an object of the same kind
	Keys  []string `yaml:"keys"`  // every key that such an object can have
}

// A Set is the rules the scanner runs. Immutable once loaded.
type Set struct {
	Files []*File
}

// FieldNames are the groups a Field or Rule may capture beside code and symbol.
var FieldNames = []string{"user_id", "group_id", "chatroom_id", "message_id", "target_id", "session_id", "operation", "app_key", "sdk_version", "client_address", "client_port", "trace_id", "http_status", "message"}

// A Problem is one complaint about a rules file.
type Problem = codes.Problem

// What the program embeds is builtin.json, generated from the YAML files (and from
// that scanner/plan/builtin.go, what the scanner finds out about them), so that
// nothing is parsed at the start that a test has parsed.
//
//go:generate go run ./internal/generate

//go:embed builtin.json
var builtIn []byte

//go:embed *.yaml
var sources embed.FS // for complaints

// Embedded returns the rules that are built into the program.
func Embedded() (*Set, []Problem) {
	set := &Set{}
	if err := json.Unmarshal(builtIn, &set.Files); err != nil {
		return set, []Problem{{File: "builtin.json", What: err.Error(), Hint: "go generate ./rules"}}
	}
	for _, f := range set.Files {
		f.BuiltIn = true
		f.own()
	}
	return set, nil
}

// Marshal writes the set in the form that the program embeds.
func (s *Set) Marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(s.Files)
	return b.Bytes(), err
}

// Load reads every *.yaml of fsys.
func Load(fsys fs.FS) (*Set, []Problem) {
	set := &Set{}
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return set, []Problem{{File: ".", What: err.Error()}}
	}
	var problems []Problem
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			problems = append(problems, Problem{File: name, What: err.Error(), Hint: "make the file readable or move it away"})
			continue
		}
		f, ps := Parse(name, data)
		problems = append(problems, ps...)
		if f != nil {
			set.Files = append(set.Files, f)
		}
	}
	return set, append(problems, set.duplicates()...)
}

// With returns a set that has the files of both, the receiver's first.
func (s *Set) With(more *Set) *Set { return &Set{Files: slices.Concat(s.Files, more.Files)} }

// Parse reads one rules file and checks all that can be checked without
// running it. The file is nil when it is no YAML of this kind.
func Parse(name string, data []byte) (*File, []Problem) {
	f := &File{Name: name, src: strings.Split(string(data), "\n")}
	if err := yaml.UnmarshalWithOptions(data, f, yaml.Strict()); err != nil {
		return nil, []Problem{codes.YAMLProblem(name, err, "rules/README.md lists the keys; indentation counts in YAML")}
	}
	f.own()
	return f, f.check()
}

// own makes the rules know their file.
func (f *File) own() {
	for i := range f.Rules {
		f.Rules[i].File = f
	}
}

// lines are the file's text.
func (f *File) lines() []string {
	if !f.BuiltIn {
		return f.src
	}
	data, err := sources.ReadFile(f.Name)
	if err != nil {
		return nil
	}
	return strings.Split(string(data), "\n")
}

// LineOf returns the 1-based line where a text first stands, 0 if nowhere.
func (f *File) LineOf(text string) int {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	for i, l := range f.lines() {
		if first != "" && strings.Contains(l, first) {
			return i + 1
		}
	}
	return 0
}

func (f *File) problem(about, what, hint string) Problem {
	p := Problem{File: f.Name, Line: f.LineOf(about), What: what, Hint: hint}
	if p.Line > 0 {
		p.Snippet = strings.TrimSpace(f.lines()[p.Line-1])
	}
	return p
}

func (f *File) check() (problems []Problem) {
	say := func(about, what, hint string) { problems = append(problems, f.problem(about, what, hint)) }
	if len(f.Families) == 0 && len(f.Rules)+len(f.Words)+len(f.Shapes)+len(f.Sentences) > 0 {
		say("", "no families", "say which families these rules find, for example families: [easemob-web]")
	}
	groups := func(what, re string, required ...string) {
		r, err := regexp.Compile(re)
		if err != nil {
			say(re, what+" does not compile: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "Go regular expressions have no look-around; https://pkg.go.dev/regexp/syntax")
			return
		}
		names := r.SubexpNames()[1:]
		for _, n := range names {
			if n == "" {
				say(re, what+" has an unnamed group", "write (?:…) for a group that captures nothing")
			} else if !slices.Contains(FieldNames, n) && n != "code" && n != "symbol" {
				say(re, fmt.Sprintf("%s captures %q, which is no field", what, n), "one of: code, symbol, "+strings.Join(FieldNames, ", "))
			}
		}
		if len(required) > 0 && !slices.ContainsFunc(required, func(n string) bool { return slices.Contains(names, n) }) {
			say(re, what+" captures no code", "put the number into (?P<code>…) or the name into (?P<symbol>…)")
		}
		if strings.HasPrefix(re, ".*") || strings.HasPrefix(re, "^.*") {
			say(re, what+" begins with .*", "begin with what the line really has; the scanner looks anywhere in the line")
		}
	}
	for _, w := range f.Words {
		groups("word", w.Regex)
		if !w.Other && !slices.Contains([]string{"sdk", "vendor", "failure"}, w.Proof) {
			say(w.Regex, fmt.Sprintf("proof is %q", w.Proof), "one of: sdk, vendor, failure")
		}
		if w.Family != "" && !slices.Contains(f.Families, w.Family) {
			say(w.Regex, fmt.Sprintf("family is %q, which is none of the file's", w.Family), "one of: "+strings.Join(f.Families, ", "))
		}
	}
	for _, s := range f.Shapes {
		groups("shape", s.Regex)
	}
	for _, x := range f.Fields {
		groups("field", x.Regex, FieldNames...)
	}
	for _, s := range f.Sentences {
		if len(s.Codes) == 0 || len(s.Text) < 5 {
			say(s.Text, "a sentence without codes, or too short to prove anything", "give its codes; leave out texts under five letters")
		}
	}
	for i := range f.Rules {
		problems = append(problems, f.checkRule(&f.Rules[i], groups)...)
	}
	return problems
}

func (f *File) checkRule(r *Rule, groups func(what, re string, required ...string)) (problems []Problem) {
	say := func(about, what, hint string) { problems = append(problems, f.problem(about, what, hint)) }
	base := strings.TrimSuffix(path.Base(f.Name), ".yaml")
	if !strings.HasPrefix(r.ID, base+"-") {
		say("id: "+r.ID, fmt.Sprintf("rule id %q does not begin with the file's name", r.ID), "call it "+base+"-…")
	}
	if r.About == "" {
		say("id: "+r.ID, "rule "+r.ID+" has no about", "one sentence: what prints such a line")
	}
	groups("rule "+r.ID, r.Regex, "code", "symbol")
	if !slices.Contains([]string{"", "vendor", "failure", "vendor, failure"}, r.Needs) {
		say("needs: "+r.Needs, fmt.Sprintf("needs is %q", r.Needs), "vendor, failure or both, or leave it out")
	}
	if !slices.Contains([]string{"", "symbol", "sdk", "range"}, r.Gives) {
		say("gives: "+r.Gives, fmt.Sprintf("gives is %q", r.Gives), "one of: symbol, sdk, range; or leave it out")
	}
	if len(Examples(r.Match)) == 0 {
		say("id: "+r.ID, "rule "+r.ID+" has no line that it finds", "paste one under match, the expected code before it")
	}
	if len(Examples(r.NoMatch)) == 0 {
		say("id: "+r.ID, "rule "+r.ID+" has no line that it leaves alone", "paste a near miss under no_match")
	}
	for _, e := range Examples(r.Match) {
		if e.Code == "" {
			say(e.Text, "rule "+r.ID+": a match line without its code", "write the code before the line, then two spaces")
		}
	}
	return problems
}

func (s *Set) duplicates() (problems []Problem) {
	seen := map[string]string{}
	for _, f := range s.Files {
		for _, r := range f.Rules {
			if at, ok := seen[r.ID]; ok {
				problems = append(problems, f.problem("id: "+r.ID, fmt.Sprintf("rule %s stands here and in %s", r.ID, at), "ids are unique; rename one"))
			}
			seen[r.ID] = f.Name
		}
	}
	return problems
}
