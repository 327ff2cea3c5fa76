//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/tailer"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/imwatch/imwatch/internal/web"
	"github.com/spf13/cobra"
)

// status is what imwatch status tells; -o json prints it as it is.
type status struct {
	Running   bool                 `json:"running"`
	StateDir  string               `json:"state_dir"`
	Files     []tailer.Status      `json:"files,omitempty"`
	Store     store.State          `json:"store"`
	Sinks     map[string]sinkState `json:"sinks,omitempty"`
	Undecided map[string]int64     `json:"undecided,omitempty"`
	Losses    []finding.Loss       `json:"losses,omitempty"`
}

type sinkState struct {
	sink.State
	Backlog uint64 `json:"backlog"`
}

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
			s.print(cmd.OutOrStdout(), terminal.Of(cmd.OutOrStdout()))
			return nil
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func readStatus(ctx context.Context, dir string) (s status, err error) {
	err = web.Ask(ctx, dir, "/api/status", nil, func(d *json.Decoder) error { return d.Decode(&s) })
	if err == nil || !errors.Is(err, web.ErrNoDaemon) {
		return s, err
	}
	st, err := openRead(dir)
	if err != nil {
		return s, err
	}
	s = status{StateDir: dir, Store: st.State()}
	s.Losses, err = st.Losses()
	if err == nil {
		err = s.stored(st)
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
func (s *status) stored(st *store.Store) error {
	list, err := st.Positions()
	for _, p := range list {
		if !p.Done {
			s.Files = append(s.Files, tailer.Status{Source: p.Source, Path: p.Path, Mode: "stopped", Lag: max(0, p.Size-p.Offset)})
		}
	}
	return err
}

// answers are the daemon's, to status and events.
func (d *daemon) answers(st *store.Store) map[string]func(url.Values, *json.Encoder) error {
	return map[string]func(url.Values, *json.Encoder) error{
		"/api/status": func(_ url.Values, enc *json.Encoder) error {
			s := status{Running: true, Store: st.State(), Sinks: map[string]sinkState{}}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if r := d.running.Load(); r != nil {
				s.Files, s.Undecided = r.Files(ctx), r.Undecided()
				for _, x := range r.Sinks() {
					s.Sinks[x.Name] = sinkState{x.State(), s.Store.Backlog[x.Name]}
				}
			}
			s.StateDir = st.Dir()
			var err error
			if s.Losses, err = st.Losses(); err != nil {
				return err
			}
			return enc.Encode(s)
		},
		"/api/events": func(q url.Values, enc *json.Encoder) error {
			var from uint64
			if _, err := fmt.Sscan(q.Get("from"), &from); err != nil {
				from = 0
			}
			return st.Each(from, func(seq uint64, f *finding.Finding) bool { return enc.Encode(numbered{seq, f}) == nil })
		},
	}
}

func (s *status) print(w io.Writer, style terminal.Style) {
	line := func(format string, args ...any) {
		fmt.Fprintln(w, terminal.Cut(redact.Terminal(fmt.Sprintf(format, args...)), max(style.Width, 40)))
	}
	state := "no daemon runs; this is what its store says"
	if s.Running {
		state = "running"
	}
	line("%s, state in %s", state, s.StateDir)
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
	line("files    %s; %s not yet read", strings.Join(parts, ", "), bytesOf(lag))
	shown := 0
	for _, f := range s.Files {
		if (f.Lag > 0 || f.Error != "" || len(s.Files) <= 20) && shown < 20 {
			shown++
			text := fmt.Sprintf("  %-10s %s", f.Mode, f.Path)
			if f.Lag > 0 {
				text += ", " + bytesOf(f.Lag) + " to read"
			}
			if f.Error != "" {
				text += ": " + f.Error
			}
			line("%s", text)
		}
	}
	line("store    %d events kept, file of %s", s.Store.Kept, bytesOf(s.Store.Bytes))
	if s.Store.Error != "" {
		line("  cannot be written: %s", s.Store.Error)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Store.Backlog)) {
		text := fmt.Sprintf("sink     %s: %d waiting", name, s.Store.Backlog[name])
		if x, ok := s.Sinks[name]; ok {
			text += fmt.Sprintf(", %d sent", x.Sent)
			if x.Letters > 0 {
				text += fmt.Sprintf(", %d refused for good", x.Letters)
			}
			if x.Error != "" {
				text += fmt.Sprintf("; failing since %s, %d attempts: %s", x.Since.Local().Format("15:04:05"), x.Attempts, x.Error)
			}
		}
		line("%s", text)
	}
	for _, st := range s.Store.Storms {
		line("storm    %s in %s: %d since %s", st.Code, st.Source, st.Folded, st.Since.Local().Format("15:04:05"))
	}
	for _, src := range slices.Sorted(maps.Keys(s.Undecided)) {
		line("undecided %d in %s: possible codes without proof of a vendor; the source's families: would decide", s.Undecided[src], src)
	}
	for _, l := range s.Losses[max(0, len(s.Losses)-10):] {
		where := l.Path
		if l.Sink != "" {
			where = "sink " + l.Sink
		}
		line("lost     %s %s %d to %d: %s", l.Time.Local().Format("2006-01-02 15:04:05"), where, l.From, l.To, l.Reason)
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
