//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/pipeline"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/imwatch/imwatch/internal/web"
	"github.com/spf13/cobra"
)

// place are the flags that say whose state is meant.
type place struct{ config, stateDir string }

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&p.config, "config", "c", "", "configuration `FILE` that names the state directory")
	cmd.Flags().StringVar(&p.stateDir, "state-dir", "", "`DIRECTORY` of the store")
}

// dir is the state directory meant: the flag's, the configuration's, that of a
// run over paths, or the default.
func (p *place) dir(paths []string) (string, error) {
	switch {
	case p.stateDir != "":
		return p.stateDir, nil
	case p.config != "":
		c, problems := config.Load(p.config)
		if len(problems) > 0 {
			return "", exit{exitConfig, joined(problems)}
		}
		return c.StateDir, nil
	case len(paths) > 0:
		return stateOf(paths), nil
	}
	return config.Default().StateDir, nil
}

func newStatus() *cobra.Command {
	var p place
	var output string
	cmd := &cobra.Command{
		Use:   "status [flags] [PATH...]",
		Short: "Say what the daemon follows, what waits, and what was lost",
		Long: `Asks the running daemon, or reads its store when none runs. Paths are those of an imwatch run PATH...;
without any, the state directory of the configuration is meant.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := p.dir(args)
			if err != nil {
				return err
			}
			s, err := readStatus(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetEscapeHTML(false)
				return enc.Encode(s)
			}
			style := terminal.Of(cmd.OutOrStdout())
			if !terminal.Is(cmd.OutOrStdout()) {
				style.Width = 4096 // a file or a program takes whole lines
			}
			(&statusPrinter{cmd.OutOrStdout(), style}).print(&s)
			return nil
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func readStatus(ctx context.Context, dir string) (s web.Status, err error) {
	err = web.Ask(ctx, dir, "/api/status", nil, func(d *json.Decoder) error { return d.Decode(&s) })
	if err == nil || !errors.Is(err, web.ErrNoDaemon) {
		return s, err
	}
	st, err := openRead(dir)
	if err != nil {
		return s, err
	}
	s = web.Status{Now: time.Now().UTC(), StateDir: dir, Store: st.State()}
	s.Losses, err = st.Losses()
	if err == nil {
		err = stored(&s, st)
	}
	return s, errors.Join(err, st.Close())
}

// openRead opens a store that no daemon has.
func openRead(dir string) (*store.Store, error) {
	st, err := store.OpenRead(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, exit{exitNoStore, fmt.Errorf("%s: neither a daemon nor a store is there\nhint: imwatch run makes one; --state-dir or -c names another", dir)}
	case errors.Is(err, os.ErrPermission):
		return nil, exit{exitPermission, fmt.Errorf("%w\nhint: run as the user of the daemon: sudo -u imwatch imwatch …", err)}
	case errors.Is(err, store.ErrInUse):
		return nil, exit{exitInUse, fmt.Errorf("%s: %w, which does not answer on its socket", dir, err)}
	}
	return st, err
}

// stored fills in the files as the store has them.
func stored(s *web.Status, st *store.Store) error {
	list, err := st.Positions()
	for _, p := range list {
		if !p.Done {
			s.Files = append(s.Files, tailer.Status{Source: p.Source, Path: p.Path, Mode: "stopped", Lag: max(0, p.Size-p.Offset)})
		}
	}
	return err
}

// status tells what the daemon does.
func (d *daemon) status(ctx context.Context, st *store.Store) (*web.Status, error) {
	s := &web.Status{Running: true, Version: version(), Host: host().Name, Started: d.started, Now: time.Now().UTC(), StateDir: st.Dir(),
		Store: st.State(), Sinks: map[string]web.SinkState{}}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if r := d.running.Load(); r != nil {
		s.Files, s.Sources = r.Files(ctx), r.Sources()
		for source, u := range r.Undecided() {
			s.Undecided = append(s.Undecided, report.Undecided{Source: source, Count: u.Count, Example: redact.Clean(pipeline.Where(&u.Example), 1024), Code: u.Example.Code, Families: u.Families})
		}
		slices.SortFunc(s.Undecided, func(a, b report.Undecided) int { return strings.Compare(a.Source, b.Source) })
		for _, x := range r.Sinks() {
			s.Sinks[x.Name] = web.SinkState{State: x.State(), Backlog: s.Store.Backlog[x.Name]}
		}
	}
	for i := range s.Files {
		s.Files[i].Path, s.Files[i].Error = redact.Clean(s.Files[i].Path, 4096), redact.Clean(s.Files[i].Error, 1024)
	}
	var err error
	s.Losses, err = st.Losses()
	return s, err
}

// statusPrinter prints a status for people.
type statusPrinter struct {
	w     io.Writer
	style terminal.Style
}

func (p *statusPrinter) line(head, format string, args ...any) {
	text := redact.Terminal(fmt.Sprintf(format, args...))
	fmt.Fprintln(p.w, p.style.Paint(terminal.Dim, terminal.Pad(head, 11))+terminal.Cut(text, max(p.style.Width, 60)-11))
}

// more is a line below the one before; bad ones stand out.
func (p *statusPrinter) more(color, format string, args ...any) {
	text := terminal.Cut(redact.Terminal(fmt.Sprintf(format, args...)), max(p.style.Width, 60)-11)
	fmt.Fprintln(p.w, strings.Repeat(" ", 11)+p.style.Paint(color, text))
}

func (p *statusPrinter) print(s *web.Status) {
	state := "no daemon runs; this is what its store says"
	if s.Running {
		state = "running since " + s.Started.Local().Format("2006-01-02 15:04:05")
	}
	p.line("imwatch", "%s, state in %s", state, s.StateDir)
	p.files(s)
	p.line("store", "%d events kept, file of %s", s.Store.Kept, bytesOf(s.Store.Bytes))
	if s.Store.Error != "" {
		p.more(terminal.Red, "cannot be written: %s", s.Store.Error)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Store.Backlog)) {
		text := fmt.Sprintf("%s: %d waiting", name, s.Store.Backlog[name])
		x, ok := s.Sinks[name]
		if ok {
			text += fmt.Sprintf(", %d sent", x.Sent)
		}
		if x.Letters > 0 {
			text += fmt.Sprintf(", %d refused for good", x.Letters)
		}
		if x.Late > 0 {
			text += fmt.Sprintf(", %d of them too late for their own time", x.Late)
		}
		p.line("sink", "%s", text)
		if x.Error != "" {
			p.more(terminal.Red, "failing since %s, %s: %s", x.Since.Local().Format("15:04:05"), count(int(x.Attempts), "attempt", "attempts"), x.Error)
		}
	}
	if s.Running && len(s.Store.Backlog) == 0 {
		p.line("sink", "none: events stay in the store; imwatch events prints them")
	}
	for _, st := range s.Store.Storms {
		p.line("storm", "%s in %s: %d since %s, %s", st.Code, st.Source, st.Folded, st.Since.Local().Format("15:04:05"), count(st.Subjects, "subject", "subjects"))
	}
	for _, u := range s.Undecided {
		p.line("undecided", "%s in %s without proof of a vendor, e.g. %s", count(u.Count, "possible code", "possible codes"), u.Source, u.Example)
		p.more(terminal.Green, "→ if %s wrote these files: families: [%s] in the source", strings.Join(u.Families, " or "), u.Families[0])
	}
	p.losses(s)
}

// files lists those that need a look, or all when they are few.
func (p *statusPrinter) files(s *web.Status) {
	modes := map[string]int{}
	var lag int64
	for _, f := range s.Files {
		modes[f.Mode]++
		lag += f.Lag
	}
	var parts []string
	for _, m := range slices.Sorted(maps.Keys(modes)) {
		parts = append(parts, fmt.Sprintf("%d %s", modes[m], m))
	}
	if len(parts) == 0 {
		parts = []string{"none"}
	}
	p.line("files", "%s; %s not yet read", strings.Join(parts, ", "), bytesOf(lag))
	shown, left := 0, 0
	for _, f := range s.Files {
		if f.Lag == 0 && f.Error == "" && len(s.Files) > 20 {
			continue
		}
		if shown == 20 {
			left++
			continue
		}
		shown++
		text, color := terminal.Pad(f.Mode, 11)+f.Path, ""
		if f.Lag > 0 {
			text += ", " + bytesOf(f.Lag) + " to read"
		}
		if f.Error != "" {
			text, color = text+": "+f.Error, terminal.Red
		}
		p.more(color, "%s", text)
	}
	if left > 0 {
		p.more(terminal.Dim, "and %d more; -o json has all", left)
	}
}

func (p *statusPrinter) losses(s *web.Status) {
	for i, l := range s.Losses[max(0, len(s.Losses)-10):] {
		head := ""
		if i == 0 {
			head = "lost"
		}
		where := l.Path
		if l.Sink != "" {
			where = "sink " + l.Sink
		}
		p.line(head, "%s %s, %d to %d: %s", l.Time.Local().Format("2006-01-02 15:04:05"), where, l.From, l.To, l.Reason)
	}
	if s.Losses == nil {
		p.line("lost", "nothing that is known")
	}
}

// bytesOf writes a number of bytes for people.
func bytesOf(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
