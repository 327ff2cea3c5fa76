// Package config reads the configuration, strictly: an unknown key or an
// impossible value is told with its line, and nothing half-read is used.
package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/imwatch/imwatch/codes"
)

// Config is the whole configuration. configs/imwatch.yaml has every key with
// its default and why.
type Config struct {
	Version  int      `yaml:"version"`
	StateDir string   `yaml:"state_dir"`
	Listen   string   `yaml:"listen"` // host:port, the path of a unix socket, or empty
	Language string   `yaml:"language"`
	Sources  []Source `yaml:"sources"`
	Rules    Dirs     `yaml:"rules"`
	Codes    Dirs     `yaml:"codes"`
	Mute     []Mute   `yaml:"mute"`
	Redact   []string `yaml:"redact"`
	Subjects string   `yaml:"subjects"`
	Storm    Storm    `yaml:"storm"`
	Store    Store    `yaml:"store"`
	Sinks    []Sink   `yaml:"sinks"`
}

// Storm says how findings of one code are folded.
type Storm struct {
	Window Duration `yaml:"window"` // 0: no folding
	First  int      `yaml:"first"`  // so many go out in full in a window
}

// Store bounds the embedded store.
type Store struct {
	MaxBytes Size     `yaml:"max_bytes"`
	MaxAge   Duration `yaml:"max_age"`
}

// A Source is a kind of log and where it lies.
type Source struct {
	Name           string            `yaml:"name"`
	Service        string            `yaml:"service"`
	Paths          []string          `yaml:"paths"`
	Exclude        []string          `yaml:"exclude"`
	Families       []string          `yaml:"families"`
	Encoding       string            `yaml:"encoding"`
	StartAt        string            `yaml:"start_at"`
	Timezone       string            `yaml:"timezone"`
	MinConfidence  string            `yaml:"min_confidence"`
	Statuses       bool              `yaml:"statuses"`
	Labels         map[string]string `yaml:"labels"`
	MaxLineBytes   int               `yaml:"max_line_bytes"`
	RotateWait     Duration          `yaml:"rotate_wait"`
	FollowSymlinks Symlinks          `yaml:"follow_symlinks"`
	Place          Place             `yaml:"-"`
}

// Dirs lists directories of YAML files that are added to the built-in ones.
// Relative ones are meant from the configuration file's directory.
type Dirs struct {
	Dirs []string `yaml:"dirs"`
}

// A Mute silences a code for a while, for a reason.
type Mute struct {
	Code   string `yaml:"code"`   // family/code
	Source string `yaml:"source"` // empty: in all of them
	Reason string `yaml:"reason"`
	Until  string `yaml:"until"` // a date (to its end) or an RFC 3339 time
	Place  Place  `yaml:"-"`
}

// Default returns the configuration of a program without a file.
func Default() *Config {
	return &Config{Version: 1, StateDir: "/var/lib/imwatch", Listen: "127.0.0.1:9610", Language: "en", Subjects: "keep",
		Storm: Storm{Window: Duration(time.Minute), First: 20}, Store: Store{MaxBytes: 1 << 30, MaxAge: Duration(7 * 24 * time.Hour)}}
}

// Load reads a file and, in lexical order, the *.yaml of a conf.d directory
// beside it. With problems the configuration must not be used.
func Load(path string) (*Config, []codes.Problem) {
	c := Default()
	problems := c.read(path)
	more, err := filepath.Glob(filepath.Join(filepath.Dir(path), "conf.d", "*.yaml"))
	if err != nil {
		more = nil // only a bad pattern, and this one is not
	}
	slices.Sort(more)
	for _, p := range more {
		problems = append(problems, c.read(p)...)
	}
	return c, problems
}

// read merges one file: lists grow, single values replace.
func (c *Config) read(path string) []codes.Problem {
	data, err := os.ReadFile(path)
	if err != nil {
		return []codes.Problem{{File: path, What: err.Error(), Hint: "is the path right, and may this user read it?"}}
	}
	f := *c
	f.Sources, f.Mute, f.Redact, f.Sinks, f.Rules, f.Codes = nil, nil, nil, nil, Dirs{}, Dirs{}
	if err := yaml.UnmarshalWithOptions(data, &f, yaml.Strict()); err != nil {
		p := codes.YAMLProblem(path, err, "configs/imwatch.yaml shows every key")
		if bad := (valueError{}); errors.As(err, &bad) {
			p.Line, p.Column = bad.at(data)
			p.Snippet = strings.TrimSpace(strings.Split(string(data), "\n")[max(0, p.Line-1)])
		}
		return []codes.Problem{p}
	}
	base := filepath.Dir(path)
	absolute := func(dirs []string) []string {
		for i, d := range dirs {
			if !filepath.IsAbs(d) {
				dirs[i] = filepath.Join(base, d)
			}
		}
		return dirs
	}
	problems := f.check(path, string(data), c)
	c.Version, c.Language, c.Subjects = f.Version, f.Language, f.Subjects
	c.StateDir, c.Listen, c.Storm, c.Store = f.StateDir, f.Listen, f.Storm, f.Store
	c.Sinks = append(c.Sinks, f.Sinks...)
	c.Sources = append(c.Sources, f.Sources...)
	c.Mute = append(c.Mute, f.Mute...)
	c.Redact = append(c.Redact, f.Redact...)
	c.Rules.Dirs = append(c.Rules.Dirs, absolute(f.Rules.Dirs)...)
	c.Codes.Dirs = append(c.Codes.Dirs, absolute(f.Codes.Dirs)...)
	return problems
}

// A checker collects problems and finds the lines they are about.
type checker struct {
	path string
	src  []string
	list []codes.Problem
	file *ast.File
}

// at complains about what stands at a YAML path, such as $.sinks[0].url; where
// nothing stands there, about the nearest thing above it.
func (k *checker) at(path, what, hint string) {
	p := codes.Problem{File: k.path, What: what, Hint: hint}
	if tk := k.token(path); tk != nil {
		p.Line, p.Column = tk.Position.Line, tk.Position.Column
		if p.Line <= len(k.src) {
			p.Snippet = strings.TrimSpace(k.src[p.Line-1])
		}
	}
	k.list = append(k.list, p)
}

func (k *checker) token(path string) *token.Token {
	for path != "$" && path != "" {
		if n := k.node(path); n != nil && n.GetToken() != nil {
			if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
				return m.Values[0].Key.GetToken()
			}
			return n.GetToken()
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return nil
}

// node returns what stands at a path, or nil.
func (k *checker) node(path string) ast.Node {
	p, err := yaml.PathString(path)
	if err != nil || k.file == nil {
		return nil
	}
	n, err := p.FilterFile(k.file)
	if err != nil {
		return nil
	}
	return n
}

func (k *checker) oneOf(path, v string, allowed ...string) {
	if v != "" && !slices.Contains(allowed, v) {
		k.at(path, fmt.Sprintf("%s is %q", path[strings.LastIndex(path, ".")+1:], v), "one of: "+strings.Join(allowed, ", "))
	}
}

// A Place is where something of the configuration stands.
type Place struct {
	k    *checker
	path string
}

// Problem complains about a key there, as families or families[0]; about the
// whole where the key is "".
func (p Place) Problem(key, what, hint string) codes.Problem {
	k := &checker{}
	if p.k != nil {
		k = &checker{path: p.k.path, src: p.k.src, file: p.k.file}
	}
	k.at(under(p.path, key), what, hint)
	return k.list[0]
}

func under(path, key string) string {
	if key == "" {
		return path
	}
	return path + "." + key
}

// check checks one file; before is what the files before it have.
func (c *Config) check(path, data string, before *Config) []codes.Problem {
	k := &checker{path: path, src: strings.Split(data, "\n")}
	if f, err := parser.ParseBytes([]byte(data), 0); err == nil { // it was read before
		k.file = f
	}
	if c.Version != 1 {
		k.at("$.version", fmt.Sprintf("version is %d", c.Version), "this program reads version: 1")
	}
	k.oneOf("$.language", c.Language, "en", "zh", "both")
	k.oneOf("$.subjects", c.Subjects, "keep", "hash", "drop")
	names, sinks := map[string]bool{}, map[string]bool{}
	for i := range before.Sources {
		names[before.Sources[i].Name] = true
	}
	for i := range before.Sinks {
		sinks[before.Sinks[i].Name] = true
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		s.Place = Place{k, fmt.Sprintf("$.sources[%d]", i)}
		if s.Name == "" || len(s.Paths) == 0 {
			k.at(s.Place.path, fmt.Sprintf("source %d has no name or no paths", i+1), "give name: and paths:")
		}
		if names[s.Name] {
			k.at(s.Place.path+".name", "source "+s.Name+" stands here twice", "names are unique; rename one")
		}
		names[s.Name] = true
		k.source(s)
	}
	for i := range c.Mute {
		c.Mute[i].Place = Place{k, fmt.Sprintf("$.mute[%d]", i)}
		k.mute(c.Mute[i])
	}
	if c.StateDir == "" {
		k.at("$.state_dir", "state_dir is empty", "a directory of its own, which only this user can read")
	}
	if host, port, err := net.SplitHostPort(c.Listen); c.Listen != "" && !strings.HasPrefix(c.Listen, "/") && (err != nil || host == "" || port == "") {
		k.at("$.listen", fmt.Sprintf("listen %q is no address", c.Listen), "127.0.0.1:9610, 0.0.0.0:9610 for all who can reach this machine, the path of a unix socket, or \"\" for none")
	}
	if c.Storm.Window < 0 || c.Storm.First < 1 {
		k.at("$.storm", "storm: window is negative or first is less than 1", "window: 0s folds nothing")
	}
	if c.Store.MaxBytes < 16<<20 {
		k.at("$.store.max_bytes", "store: max_bytes is less than 16 MiB", "the store keeps positions and events until they are delivered; 1GiB is the default")
	}
	for i := range c.Sinks {
		k.sink(i, &c.Sinks[i], sinks)
	}
	for i, re := range c.Redact {
		if _, err := regexp.Compile(re); err != nil {
			k.at(fmt.Sprintf("$.redact[%d]", i), "redact: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "https://pkg.go.dev/regexp/syntax")
		}
	}
	return k.list
}

func (k *checker) source(s *Source) {
	k.oneOf(s.Place.path+".min_confidence", s.MinConfidence, "high", "medium", "low")
	k.oneOf(s.Place.path+".start_at", s.StartAt, "end", "beginning")
	if s.RotateWait < 0 {
		k.at(s.Place.path+".rotate_wait", "rotate_wait is negative", "leave it out for 30s")
	}
	k.oneOf(s.Place.path+".encoding", s.Encoding, "auto", "utf-8", "gb18030", "utf-16")
	if _, err := s.Location(); err != nil {
		k.at(s.Place.path+".timezone", "timezone: "+err.Error(), "a name such as Asia/Shanghai or UTC")
	}
	if s.MaxLineBytes < 0 {
		k.at(s.Place.path+".max_line_bytes", "max_line_bytes is negative", "leave it out for 1 MiB")
	}
	for _, root := range s.FollowSymlinks.Roots {
		if !filepath.IsAbs(root) {
			k.at(s.Place.path+".follow_symlinks", fmt.Sprintf("follow_symlinks: %q is no absolute path", root), "name directories that links may lead into, as [/data/logs]")
		}
	}
}

func (k *checker) mute(m Mute) {
	if m.Code == "" || m.Reason == "" || m.Until == "" {
		k.at(m.Place.path, "a mute without code, reason or until", "say what is muted, why, and until when: a mute that nobody remembers hides the next incident")
		return
	}
	if _, err := m.End(); err != nil {
		k.at(m.Place.path+".until", fmt.Sprintf("until %q is no time", m.Until), "2026-12-31 or 2026-12-31T08:00:00Z")
	}
	if !strings.Contains(m.Code, "/") {
		k.at(m.Place.path+".code", fmt.Sprintf("mute: %q is no family/code", m.Code), "for example easemob-web/206")
	}
}

// Location is the time zone of lines that name none; nil for the machine's.
func (s *Source) Location() (*time.Location, error) {
	if s.Timezone == "" {
		return nil, nil
	}
	return time.LoadLocation(s.Timezone)
}

// End is the moment at which a mute ends.
func (m Mute) End() (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, m.Until); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation("2006-01-02", m.Until, time.Local)
	return t.AddDate(0, 0, 1), err
}

// Active tells whether a mute silences a code of a source at a moment.
func (m Mute) Active(code, source string, now time.Time) bool {
	end, err := m.End()
	return err == nil && m.Code == code && (m.Source == "" || m.Source == source) && now.Before(end)
}
