package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/pipeline"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner"
)

// A ruleSet is everything that says what to find and what it means: the
// built-in rules and codes with the configuration's on top.
type ruleSet struct {
	config   *config.Config
	codes    *codes.Catalogue
	scanner  *scanner.Scanner
	redactor *redact.Redactor
	rules    []string // their ids
	files    []*rules.File
}

// loadSet reads the configuration, if there is one, and all that it names.
func loadSet(path string) (*ruleSet, error) {
	s := &ruleSet{config: config.Default()}
	var problems []codes.Problem
	if path != "" {
		s.config, problems = config.Load(path)
	}
	problems = append(problems, s.load(path)...)
	if len(problems) > 0 {
		return nil, exit{exitConfig, joined(problems)}
	}
	return s, nil
}

// load compiles rules and codes; path is named in complaints about the
// configuration's own values.
func (s *ruleSet) load(path string) (problems []codes.Problem) {
	s.codes = codes.Embedded()
	for _, dir := range s.config.Codes.Dirs {
		cat, ps := s.codes.With(os.DirFS(dir))
		s.codes = cat
		problems = append(problems, inDir(dir, ps)...)
	}
	set, ps := rules.Embedded()
	problems = append(problems, ps...)
	for _, dir := range s.config.Rules.Dirs {
		more, ps := rules.Load(os.DirFS(dir))
		problems = append(problems, inDir(dir, ps)...)
		set = set.With(more)
	}
	s.files = set.Files
	for _, f := range set.Files {
		for i := range f.Rules {
			s.rules = append(s.rules, f.Rules[i].ID)
		}
	}
	problems = append(problems, s.names(set)...)
	var err error
	if s.scanner, ps = scanner.New(set, s.codes); len(problems) == 0 {
		problems = append(problems, ps...)
	}
	if s.redactor, err = redact.New(s.config.Redact); err != nil {
		problems = append(problems, codes.Problem{File: path, What: "redact: " + err.Error(), Hint: "https://pkg.go.dev/regexp/syntax"})
	}
	return problems
}

// names checks that families and codes named elsewhere exist.
func (s *ruleSet) names(set *rules.Set) (problems []codes.Problem) {
	known := "the families are: " + strings.Join(s.familyIDs(), ", ")
	for _, src := range s.config.Sources {
		for i, f := range src.Families {
			if s.codes.Family(f) == nil {
				problems = append(problems, src.Place.Problem("families["+strconv.Itoa(i)+"]", "source "+src.Name+": no family is called "+f, known))
			}
		}
	}
	for _, x := range s.config.Sinks {
		for i, f := range x.Families {
			if s.codes.Family(f) == nil {
				problems = append(problems, x.Place.Problem("families["+strconv.Itoa(i)+"]", "sink "+x.Name+": no family is called "+f, known))
			}
		}
	}
	for _, m := range s.config.Mute {
		if f, c, _ := strings.Cut(m.Code, "/"); !s.codes.Has(f, c) {
			problems = append(problems, m.Place.Problem("code", "mute: the catalogue has no "+m.Code, "imwatch codes lists them"))
		}
	}
	for _, f := range set.Files {
		for _, id := range f.Families {
			if s.codes.Family(id) == nil {
				problems = append(problems, codes.Problem{File: f.Name, What: "no family is called " + id, Hint: known})
			}
		}
	}
	return problems
}

func (s *ruleSet) familyIDs() (ids []string) {
	for _, f := range s.codes.Families() {
		ids = append(ids, f.ID)
	}
	return ids
}

func inDir(dir string, list []codes.Problem) []codes.Problem {
	for i := range list {
		list[i].File = filepath.Join(dir, list[i].File)
	}
	return list
}

func joined(problems []codes.Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// paths are those of the configuration's sources.
func (s *ruleSet) paths() (paths []string) {
	for _, src := range s.config.Sources {
		paths = append(paths, src.Paths...)
	}
	return paths
}

// apply fills in what the configuration says about how to read; families from
// the command line stand above a source's.
func (s *ruleSet) apply(o *pipeline.ScanOptions, families []string) error {
	for _, f := range families {
		if s.codes.Family(f) == nil {
			return exit{exitUsage, errors.New("--families: no family is called " + f + "\nhint: " + strings.Join(s.familyIDs(), ", "))}
		}
	}
	o.Scanner = s.scanner
	o.Resolver = resolver.New(s.codes, s.redactor)
	o.Default = resolver.Source{Families: families, Subjects: s.config.Subjects}
	for _, src := range s.config.Sources {
		loc, err := src.Location()
		if err != nil {
			return exit{exitConfig, err} // Load has checked it
		}
		rs := resolver.Source{Name: src.Name, Service: src.Service, Families: src.Families, MinConfidence: src.MinConfidence,
			Statuses: src.Statuses, Location: loc, Labels: src.Labels, Subjects: s.config.Subjects}
		if len(families) > 0 {
			rs.Families = families
		}
		o.Sources = append(o.Sources, pipeline.ScanSource{Source: rs, Paths: src.Paths, Exclude: src.Exclude, Encoding: src.Encoding, MaxLine: src.MaxLineBytes})
	}
	return nil
}

// muted tells whether the configuration silences a finding.
func (s *ruleSet) muted(f *finding.Finding, now time.Time) bool {
	return slices.ContainsFunc(s.config.Mute, func(m config.Mute) bool {
		return m.Active(f.Family+"/"+f.Code, f.Source, now)
	})
}
