//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/imwatch/imwatch/internal/web"
	"github.com/spf13/cobra"
)

type eventsFlags struct {
	place
	since, code, family, user string
	follow                    bool
	output, lang              string
	context                   int
}

func newEvents() *cobra.Command {
	f := eventsFlags{lang: language()}
	cmd := &cobra.Command{
		Use:   "events [flags] [ID]",
		Short: "Print the events that the local store has",
		Long: `Asks the running daemon, or reads its store when none runs. With the id of an event: that one, and with
-C the lines around it in its file.`,
		Example: `  imwatch events --since 2h --code 206
  imwatch events --user bob
  imwatch events --follow
  imwatch events 4f2a9c… -C 20`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.flags(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.since, "since", "", "only events from this `TIME` on: 2026-11-20, 2026-11-20T08:00:00Z, or 2h ago as 2h")
	fl.StringVar(&f.code, "code", "", "only this `CODE`: 206 or easemob-web/206")
	fl.StringVar(&f.family, "family", "", "only this `FAMILY`")
	fl.StringVar(&f.user, "user", "", "only about this `USER`, in the order in which it happened")
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on with what comes")
	fl.StringVarP(&f.output, "output", "o", "", "`FORMAT`: text or ndjson (default: text on a terminal, else ndjson)")
	fl.StringVar(&f.lang, "lang", f.lang, "language of the explanations: en, zh or both")
	fl.IntVarP(&f.context, "context", "C", 0, "with an ID: so many `LINES` before and behind it in its file")
	return cmd
}

func (f *eventsFlags) run(cmd *cobra.Command, args []string) error {
	if err := checkLanguage(f.lang); err != nil {
		return err
	}
	since, err := moment(f.since, time.Now())
	if err != nil {
		return exit{exitUsage, err}
	}
	dir, err := f.dir(nil)
	if err != nil {
		return err
	}
	id := ""
	if len(args) == 1 {
		id = args[0]
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	p := eventPrinter{f: f, out: out, ann: annotator.New(codes.Embedded(), annotator.Options{Language: f.lang, Host: host()}),
		style: terminal.Of(cmd.OutOrStdout()), text: f.output == "text" || f.output == "" && terminal.Is(cmd.OutOrStdout()) || f.context > 0}
	matches := func(x *finding.Finding) bool {
		return strings.HasPrefix(x.ID, strings.TrimSuffix(id, "…")) && f.wanted(x, since)
	}
	if f.user != "" && !f.follow {
		err = p.timeline(cmd.Context(), dir, matches)
	} else {
		err = p.inOrder(cmd.Context(), dir, matches)
	}
	if e := out.Flush(); err == nil {
		err = e
	}
	if err == nil && id != "" && p.printed == 0 {
		return exit{exitFindings, fmt.Errorf("no event %s in the store of %s\nhint: delivered events are kept for store.max_age", redact.Terminal(id), dir)}
	}
	return err
}

// eventPrinter prints events.
type eventPrinter struct {
	f       *eventsFlags
	out     *bufio.Writer
	ann     *annotator.Annotator
	style   terminal.Style
	text    bool
	printed int
}

func (p *eventPrinter) print(x *finding.Finding) error {
	p.printed++
	if !p.text {
		_, err := p.out.Write(p.ann.Append(nil, x))
		return err
	}
	if _, err := p.out.WriteString(p.ann.Text(x, p.style) + "\n"); err != nil {
		return err
	}
	return p.f.around(p.out, x, p.style)
}

// inOrder prints events in the order of their reading, and with --follow what
// comes.
func (p *eventPrinter) inOrder(ctx context.Context, dir string, matches func(*finding.Finding) bool) error {
	for from := uint64(0); ; {
		next, err := p.f.read(ctx, dir, from, func(x *finding.Finding) error {
			if !matches(x) {
				return nil
			}
			return p.print(x)
		})
		if err == nil {
			err = p.out.Flush()
		}
		if err != nil || !p.f.follow {
			return err
		}
		from = next
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// timeline prints what happened to a user in the order in which it happened,
// whichever file it stands in, with the time that passed in between.
func (p *eventPrinter) timeline(ctx context.Context, dir string, matches func(*finding.Finding) bool) error {
	var list []*finding.Finding
	_, err := p.f.read(ctx, dir, 0, func(x *finding.Finding) error {
		if matches(x) {
			list = append(list, x)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b *finding.Finding) int { return a.Time.Compare(b.Time) })
	for i, x := range list {
		if p.text && i > 0 {
			if gap := x.Time.Sub(list[i-1].Time); gap >= time.Minute {
				word := gap.Round(time.Second).String() + " later"
				if p.f.lang == "zh" {
					word = gap.Round(time.Second).String() + " 后"
				}
				fmt.Fprintln(p.out, p.style.Paint(terminal.Dim, "  … "+word)+"\n")
			}
		}
		if err := p.print(x); err != nil {
			return err
		}
	}
	return nil
}

func (f *eventsFlags) wanted(x *finding.Finding, since time.Time) bool {
	if !since.IsZero() && x.Time.Before(since) || f.family != "" && x.Family != f.family || f.user != "" && x.Fields.Get("user_id") != f.user {
		return false
	}
	return f.code == "" || x.Code == f.code || x.Family+"/"+x.Code == f.code
}

// read gives show what the daemon or the store has from a number on, and
// returns the number behind it.
func (f *eventsFlags) read(ctx context.Context, dir string, from uint64, show func(*finding.Finding) error) (next uint64, err error) {
	next = from
	err = web.Ask(ctx, dir, "/api/events", url.Values{"from": {strconv.FormatUint(from, 10)}}, func(d *json.Decoder) error {
		for {
			var x store.Numbered
			if err := d.Decode(&x); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			next = x.Seq + 1
			if err := show(x.Finding); err != nil {
				return err
			}
		}
	})
	if err == nil || !errors.Is(err, web.ErrNoDaemon) {
		return next, err
	}
	st, err := openRead(dir)
	if err != nil {
		return next, err
	}
	var failed error
	err = st.Each(from, func(seq uint64, x *finding.Finding) bool {
		next = seq + 1
		failed = show(x)
		return failed == nil
	})
	return next, errors.Join(err, failed, st.Close())
}

// around prints the lines around an event in its file.
func (f *eventsFlags) around(w io.Writer, x *finding.Finding, style terminal.Style) error {
	if f.context <= 0 {
		return nil
	}
	red, err := redact.New(nil)
	if err != nil {
		return err
	}
	a, err := report.LinesAround(x, f.context, red)
	if err != nil {
		return exit{exitPartial, err}
	}
	for i, l := range a.Lines {
		number := ""
		if a.First > 0 {
			number = fmt.Sprintf("%*d ", len(fmt.Sprint(a.First+len(a.Lines))), a.First+i)
		}
		mark, text := "  ", redact.Terminal(l)
		if i == a.Hit {
			mark, text = "> ", style.Paint(terminal.Bold, text)
		}
		if _, err := fmt.Fprintln(w, mark+style.Paint(terminal.Dim, number)+text); err != nil {
			return err
		}
	}
	return nil
}
