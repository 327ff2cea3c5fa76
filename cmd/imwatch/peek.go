//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/resolver"
	"github.com/imwatch/imwatch/internal/tailer"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/imwatch/imwatch/scanner"
	"github.com/spf13/cobra"
)

func newPeek() *cobra.Command {
	lang := language()
	var families []string
	cmd := &cobra.Command{
		Use:   "peek [flags] FILE...",
		Short: "Show lines as they come, like tail -F, with the meaning beside each code",
		Long: `For looking, not for keeping: it begins at the end of the files, has no state, and can miss lines where a
file is rotated. imwatch run misses none.`,
		Example: `  imwatch peek /var/log/chat/web.log`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLanguage(lang); err != nil {
				return err
			}
			set, err := loadSet("")
			if err != nil {
				return err
			}
			p := peeker{w: cmd.OutOrStdout(), style: terminal.Of(cmd.OutOrStdout()), set: set, lang: lang,
				res: resolver.New(set.codes, set.redactor), src: resolver.Source{Families: families}, proven: map[string]resolver.Proven{},
				ann: annotator.New(codes.Embedded(), annotator.Options{Language: lang}), many: len(args) > 1}
			if err := tailer.Peek(cmd.Context(), args, p.line); err != nil {
				return exit{exitPartial, fmt.Errorf("%w\nhint: is the path right, and may this user read it?", err)}
			}
			return p.failed
		},
	}
	cmd.Flags().StringVar(&lang, "lang", lang, "language of the explanations: en, zh or both")
	cmd.Flags().StringSliceVar(&families, "families", nil, "which SDKs wrote these files, the likeliest first")
	return cmd
}

type peeker struct {
	mu     sync.Mutex
	w      io.Writer
	style  terminal.Style
	set    *ruleSet
	res    *resolver.Resolver
	src    resolver.Source
	proven map[string]resolver.Proven
	ann    *annotator.Annotator
	lang   string
	many   bool
	last   string
	failed error
}

// line prints a line, and below it what its codes mean.
func (p *peeker) line(path, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.many && p.last != path {
		p.last = path
		p.print(p.style.Paint(terminal.Cyan, "==> "+redact.Terminal(path)+" <=="))
	}
	p.print(redact.Terminal(p.set.redactor.Text(text)))
	proven := p.proven[path]
	if proven == nil {
		proven = resolver.Proven{}
		p.proven[path] = proven
	}
	p.set.scanner.Scan([]byte(text+"\n"), true, func(b *scanner.Block) {
		for i := range b.Matches {
			proven.Learn(&b.Matches[i])
		}
		for _, f := range p.res.Resolve(nil, &p.src, b, proven, resolver.Place{Path: path, Read: time.Now(), Origin: "peek"}) {
			p.explain(&f)
		}
	})
}

func (p *peeker) explain(f *finding.Finding) {
	if f.Action == finding.Status {
		return
	}
	text := "  ↑ " + p.style.Level(p.ann.Level(f)) + " " + p.ann.Message(f)
	p.print(text)
	if e := p.ann.Entry(f); e != nil && len(e.In(p.lang).Hints) > 0 {
		p.print(terminal.Indent("    → ", e.In(p.lang).Hints[0], p.style.Width))
	}
}

func (p *peeker) print(s string) {
	if _, err := fmt.Fprintln(p.w, s); err != nil {
		p.failed = errors.Join(p.failed, err)
	}
}
