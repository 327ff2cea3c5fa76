package codes

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A Problem is one complaint about a data file: where, what, the line it is
// about, and what to do.
type Problem struct {
	File    string
	Line    int // 1-based; 0 when it is about the whole file
	Column  int
	What    string
	Snippet string // the line complained of, or empty
	Hint    string
}

func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": " + p.What)
	if p.Snippet != "" {
		b.WriteString("\n    " + strings.ReplaceAll(p.Snippet, "\n", "\n    "))
	}
	if p.Hint != "" {
		b.WriteString("\n    hint: " + p.Hint)
	}
	return b.String()
}

// file is one YAML file of the catalogue: a family's description, entries, or both.
type file struct {
	Family   `yaml:",inline"`
	Override bool    `yaml:"override"`
	Codes    []Entry `yaml:"codes"`

	name string
	src  []string
	ast  *ast.File
	from []int // where each of Codes stands in the file; nil: in its place
}

// line returns where a part of the i-th entry stands, 1-based: a key such as
// level or en.hints[0], or where the entry begins if it has no such part.
func (f *file) line(i int, part string) int {
	if f.from != nil {
		i = f.from[i]
	}
	for _, at := range []string{part, "code"} {
		p, err := yaml.PathString(fmt.Sprintf("$.codes[%d].%s", i, at))
		if err != nil {
			continue
		}
		if node, err := p.FilterFile(f.ast); err == nil && node != nil {
			return node.GetToken().Position.Line
		}
	}
	return 0
}

// problem is a complaint about a part of the i-th entry, or with i < 0 about
// the whole file.
func (f *file) problem(i int, part, what, hint string) Problem {
	p := Problem{File: f.name, What: what, Hint: hint}
	if i >= 0 {
		p.Line = f.line(i, part)
	}
	if p.Line > 0 && p.Line <= len(f.src) {
		p.Snippet = strings.TrimSpace(f.src[p.Line-1])
	}
	return p
}

// parse reads one file strictly: an unknown key is a problem with its position.
func parse(name string, data []byte) (*file, *Problem) {
	f := &file{name: name, src: strings.Split(string(data), "\n")}
	err := yaml.UnmarshalWithOptions(data, f, yaml.Strict())
	if err == nil {
		f.ast, err = parser.ParseBytes(data, 0)
	}
	if err != nil {
		p := YAMLProblem(name, err, "codes/README.md lists the keys; indentation counts in YAML")
		if 0 < p.Line && p.Line <= len(f.src) {
			p.Snippet = strings.TrimSpace(f.src[p.Line-1])
		}
		return nil, &p
	}
	for _, w := range []*Words{&f.Name, &f.About} {
		w.ZH = unfold(w.ZH)
	}
	for i := range f.Codes {
		f.Codes[i].Family = f.Family.ID
		f.Codes[i].ZH.unfold()
		f.Codes[i].Retired.ZH = unfold(f.Codes[i].Retired.ZH)
	}
	return f, nil
}

var folded = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([\p{Han}\x{3000}-\x{303f}\x{ff00}-\x{ffef}“”‘’…]) ([\p{Han}\x{3000}-\x{303f}\x{ff00}-\x{ffef}“”‘’…])`)
})

// unfold takes out the spaces that YAML puts between the lines of a folded text:
// Chinese has none there.
func unfold(s string) string {
	for mayBeFolded(s) && folded().MatchString(s) {
		s = folded().ReplaceAllString(s, "$1$2")
	}
	return s
}

// mayBeFolded tells at once of most texts that they are not: no space stands
// between two letters beyond ASCII.
func mayBeFolded(s string) bool {
	for i := strings.IndexByte(s, ' '); i >= 0 && i+1 < len(s); {
		if i > 0 && s[i-1] >= 0x80 && s[i+1] >= 0x80 {
			return true
		}
		n := strings.IndexByte(s[i+1:], ' ')
		if n < 0 {
			return false
		}
		i += 1 + n
	}
	return false
}

func (t *Text) unfold() {
	for _, s := range []*string{&t.Title, &t.Meaning, &t.UserSees, &t.Check, &t.Versions, &t.Readings} {
		*s = unfold(*s)
	}
	for i := range t.Hints {
		t.Hints[i] = unfold(t.Hints[i])
	}
	for i := range t.Causes {
		t.Causes[i] = Cause{unfold(t.Causes[i].Cause), unfold(t.Causes[i].Tell)}
	}
}

var unknownKey = regexp.MustCompile(`unknown field "([^"]*)"`)

// YAMLProblem turns the YAML library's error about a data file into a Problem.
func YAMLProblem(name string, err error, hint string) Problem {
	p := Problem{File: name, What: err.Error(), Hint: hint}
	var ye yaml.Error
	if errors.As(err, &ye) {
		p.What = ye.GetMessage()
		if tk := ye.GetToken(); tk != nil {
			p.Line, p.Column, p.Snippet = tk.Position.Line, tk.Position.Column, strings.TrimSpace(tk.Value)
		}
	}
	if m := unknownKey.FindStringSubmatch(p.What); m != nil {
		p.What = fmt.Sprintf("unknown key %q", m[1])
		p.Hint = "is it misspelt, or indented too far? " + hint
	}
	return p
}

// Load reads every *.yaml below fsys and returns the catalogue and what is
// wrong with it. The catalogue holds what could be read, also when there are
// problems.
func Load(fsys fs.FS) (*Catalogue, []Problem) {
	files, problems := readAll(fsys)
	b := builder{families: map[string]*Family{}, byKey: map[string][]*Entry{}}
	problems = append(problems, b.add(files)...)
	return b.catalogue(), problems
}

func readAll(fsys fs.FS) (files []*file, problems []Problem) {
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			problems = append(problems, Problem{File: name, What: err.Error(), Hint: "make the file readable or move it away"})
			return nil
		}
		if d.IsDir() || path.Ext(name) != ".yaml" {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			problems = append(problems, Problem{File: name, What: err.Error(), Hint: "make the file readable or move it away"})
			return nil
		}
		f, p := parse(name, data)
		if p != nil {
			problems = append(problems, *p)
			return nil
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		problems = append(problems, Problem{File: ".", What: err.Error()})
	}
	return files, problems
}
