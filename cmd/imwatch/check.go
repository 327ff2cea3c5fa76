package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/rules"
	"github.com/imwatch/imwatch/scanner"
	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var path, user string
	var try bool
	cmd := &cobra.Command{
		Use:   "check [flags] [RULE OR CODE FILES OR DIRECTORIES...]",
		Short: "Check the configuration, rules with their examples, and codes",
		Long: `Checks offline what a start would read. Every complaint names the file, the line, the problem and what
to do. Files and directories given as arguments are checked on top of the built-in rules and codes.
--connect also sends each sink one event that says of itself that it is a test, and tells what came back.
--user tells which of the followed files that user could not read.`,
		Example: `  imwatch check
  imwatch check -c /etc/imwatch/imwatch.yaml
  imwatch check -c /etc/imwatch/imwatch.yaml --connect
  sudo imwatch check -c /etc/imwatch/imwatch.yaml --user imwatch
  imwatch check my-rules.yaml my-codes/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (try || user != "") && path == "" {
				return exit{exitUsage, errors.New("--connect and --user need a configuration\nhint: imwatch check -c /etc/imwatch/imwatch.yaml --connect")}
			}
			s, err := check(cmd, path, args)
			if err == nil && user != "" {
				err = checkUser(cmd.Context(), cmd.OutOrStdout(), s.config, user)
			}
			if err == nil && try {
				if failed := connect(cmd, s); failed > 0 {
					err = exit{exitFindings, fmt.Errorf("%s of %d did not take the test event", count(failed, "sink", "sinks"), len(s.config.Sinks))}
				}
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration `FILE`")
	cmd.Flags().BoolVar(&try, "connect", false, "send each sink a test event")
	cmd.Flags().StringVar(&user, "user", "", "tell which followed files this user, `NAME`, could not read, and what lets it")
	return cmd
}

func check(cmd *cobra.Command, path string, args []string) (*ruleSet, error) {
	s := &ruleSet{config: config.Default()}
	var problems []codes.Problem
	if path != "" {
		s.config, problems = config.Load(path)
	}
	extra, err := split(args)
	if err != nil {
		return nil, exit{exitNoInput, err}
	}
	problems = append(problems, s.load(path)...)
	cat := s.codes
	for _, dir := range extra.codes {
		more, ps := checkCodes(cat, dir)
		cat = more
		problems = append(problems, ps...)
	}
	n := 0
	for _, p := range extra.rules {
		set, ps := loadRules(p)
		problems = append(problems, ps...)
		sc, ps := scanner.New(set, cat)
		problems = append(problems, inDir(filepath.Dir(p), ps)...)
		_ = sc
		for _, f := range set.Files {
			n += len(f.Rules)
		}
	}
	if len(args) == 0 && len(problems) == 0 {
		problems = append(problems, s.scanner.Check()...)
	}
	for _, p := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), p.Error())
	}
	if len(problems) > 0 {
		return nil, exit{exitFindings, fmt.Errorf("%s", count(len(problems), "problem", "problems"))}
	}
	builtIn, _ := rules.Embedded()
	for _, f := range builtIn.Files {
		n += len(f.Rules)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "ok: %s, %s, %s\n", count(len(cat.Families()), "family", "families"), count(cat.Len(), "code", "codes"), count(n, "rule", "rules"))
	return s, nil
}

// userFiles are the arguments by kind: a file that lists rules: is of rules, one
// that lists codes: or describes a family is of codes; so is a directory by its
// first file.
type userFiles struct{ rules, codes []string }

func split(args []string) (u userFiles, err error) {
	for _, a := range args {
		info, err := os.Stat(a)
		if err != nil {
			return u, fmt.Errorf("check %s: %w\nhint: name a YAML file or a directory of them", a, err)
		}
		sample := []string{a}
		if info.IsDir() {
			if sample, err = filepath.Glob(filepath.Join(a, "*.yaml")); err == nil && len(sample) == 0 {
				sample, err = filepath.Glob(filepath.Join(a, "*", "*.yaml"))
			}
			if err != nil || len(sample) == 0 {
				return u, fmt.Errorf("check %s: no *.yaml file in it\nhint: name a YAML file or a directory of them", a)
			}
		}
		data, err := os.ReadFile(sample[0])
		if err != nil {
			return u, fmt.Errorf("check: %w", err)
		}
		if strings.Contains("\n"+string(data), "\nrules:") || strings.Contains("\n"+string(data), "\nfields:") {
			u.rules = append(u.rules, a)
		} else {
			u.codes = append(u.codes, a)
		}
	}
	return u, nil
}

func loadRules(path string) (*rules.Set, []codes.Problem) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		set, ps := rules.Load(os.DirFS(path))
		return set, inDir(path, ps)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return &rules.Set{}, []codes.Problem{{File: path, What: err.Error(), Hint: "make the file readable"}}
	}
	f, ps := rules.Parse(filepath.Base(path), data)
	ps = inDir(filepath.Dir(path), ps)
	if f == nil {
		return &rules.Set{}, ps
	}
	return &rules.Set{Files: []*rules.File{f}}, ps
}

// checkCodes checks a directory or a file of codes on top of a catalogue; one
// that describes families of the catalogue anew (the repository's own codes/)
// is checked by itself.
func checkCodes(cat *codes.Catalogue, path string) (*codes.Catalogue, []codes.Problem) {
	info, err := os.Stat(path)
	if err != nil {
		return cat, []codes.Problem{{File: path, What: err.Error(), Hint: "make the file readable"}}
	}
	if !info.IsDir() {
		more, ps := cat.With(oneFile(path))
		return more, inDir(filepath.Dir(path), ps)
	}
	alone, ps := codes.Load(os.DirFS(path))
	if len(alone.Families()) > 0 && cat.Family(alone.Families()[0].ID) != nil {
		return alone, inDir(path, ps)
	}
	more, ps := cat.With(os.DirFS(path))
	return more, inDir(path, ps)
}

// oneFile is a file system that holds one file.
func oneFile(path string) fs.FS {
	return fileFS{os.DirFS(filepath.Dir(path)), filepath.Base(path)}
}

type fileFS struct {
	fs.FS
	name string
}

// ReadDir shows of the root only the one file.
func (f fileFS) ReadDir(string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(f.FS, f.name)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}
