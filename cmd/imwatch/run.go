//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/pipeline"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/store"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/imwatch/imwatch/internal/web"
	"github.com/spf13/cobra"
)

func newRun() *cobra.Command {
	d := daemon{lang: language()}
	cmd := &cobra.Command{
		Use:   "run [flags] [PATH...]",
		Short: "Follow log files and deliver an event for every error code, once it is durable",
		Long: `Follows the files that the configuration names. With paths and no configuration it follows those
(directories recursively) from their beginning, keeps its place in a store of its own below
$XDG_STATE_HOME/imwatch, and prints the events. Ctrl-C ends it cleanly; started again it goes on where it was.`,
		Example: `  imwatch run /var/log/chat
  imwatch run -c /etc/imwatch/imwatch.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error { return d.run(cmd, args) },
	}
	cmd.Flags().StringVarP(&d.config, "config", "c", "", "configuration `FILE`")
	cmd.Flags().StringSliceVar(&d.families, "families", nil, "which SDKs wrote these files, the likeliest first: "+strings.Join(familyIDs(), ", "))
	cmd.Flags().StringVar(&d.lang, "lang", d.lang, "language of the explanations when paths are given: en, zh or both")
	cmd.Flags().StringVar(&d.stateDir, "state-dir", "", "`DIRECTORY` of the store, instead of the configured one")
	cmd.Flags().BoolVar(&d.pprof, "pprof", false, "also answer on /debug/pprof/, for who has the token")
	return cmd
}

// drainTime is how long sinks have after SIGTERM.
const drainTime = 10 * time.Second

// daemon is imwatch run.
type daemon struct {
	config, lang, stateDir string
	families               []string
	args                   []string
	out                    io.Writer
	log                    *selfLog
	site                   *web.Site
	metrics                *web.Metrics
	pprof                  bool
	started                time.Time
	store                  atomic.Pointer[store.Store]
	running                atomic.Pointer[pipeline.Running]
	manager                *manager
	wait                   sync.WaitGroup // for who tells that it is ready
}

func (d *daemon) run(cmd *cobra.Command, args []string) error {
	switch {
	case d.config == "" && len(args) == 0:
		return exit{exitUsage, errors.New("nothing to follow\nhint: imwatch run PATH, or imwatch run -c /etc/imwatch/imwatch.yaml")}
	case d.config != "" && len(args) > 0:
		return exit{exitUsage, errors.New("paths and a configuration exclude each other\nhint: put the paths into a source of the configuration")}
	}
	d.args, d.out = args, cmd.OutOrStdout()
	d.log = newSelfLog(cmd.ErrOrStderr())
	defer d.log.close()
	set, err := d.load()
	if err != nil {
		return err
	}
	collectByUse()
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	hup, usr1 := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	defer signal.Stop(usr1)
	if d.config != "" && !d.log.person { // on a terminal, hanging up ends the program
		signal.Notify(hup, syscall.SIGHUP)
		defer signal.Stop(hup)
	}
	d.manager = newManager(d.notice)
	drained := make(chan struct{})
	d.wait.Go(func() { d.manager.run(ctx, drained, d.does) })
	end := sync.OnceFunc(func() { close(drained); d.wait.Wait() })
	defer end()
	d.started = time.Now()
	d.metrics = web.NewMetrics(version(), d.pulled)
	// A second interrupt ends the program at once: the first has used up the context's.
	st, err := d.open(set.config)
	if err != nil {
		return err
	}
	err = d.serve(ctx, st, set, hup, usr1)
	cancel()
	end()
	if e := st.Close(); err == nil && e != nil {
		err = fmt.Errorf("close store: %w", e)
	}
	if err != nil {
		return exit{exitInternal, err}
	}
	return nil
}

// load reads the configuration, or makes one of the arguments.
func (d *daemon) load() (*ruleSet, error) {
	set, err := loadSet(d.config)
	if err != nil {
		return nil, err
	}
	if len(d.args) > 0 {
		if err := checkLanguage(d.lang); err != nil {
			return nil, err
		}
		c := set.config
		c.Language = d.lang
		c.StateDir = stateOf(d.args)
		c.Sources = []config.Source{{Name: "files", Paths: d.args, Families: d.families, StartAt: "beginning"}}
		format := "ndjson"
		if terminal.Is(d.out) {
			format = "text"
		}
		c.Sinks = []config.Sink{{Name: "stdout", Type: "stdout", Format: format}}
		for _, f := range d.families {
			if set.codes.Family(f) == nil {
				return nil, exit{exitUsage, errors.New("--families: no family is called " + f + "\nhint: " + strings.Join(set.familyIDs(), ", "))}
			}
		}
	}
	if d.stateDir != "" {
		set.config.StateDir = d.stateDir
	}
	return set, nil
}

// stateOf is where the store of a run over paths lies.
func stateOf(paths []string) string {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = os.TempDir()
		}
		base = filepath.Join(home, ".local", "state")
	}
	h := sha256.New()
	for _, p := range paths {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return filepath.Join(base, "imwatch", hex.EncodeToString(h.Sum(nil)[:6]))
}

func (d *daemon) open(c *config.Config) (*store.Store, error) {
	st, err := store.Open(c.StateDir, store.Options{MaxBytes: int64(c.Store.MaxBytes), MaxAge: time.Duration(c.Store.MaxAge),
		Window: time.Duration(c.Storm.Window), First: c.Storm.First, Notice: d.notice, Commit: d.metrics.Committed})
	switch {
	case errors.Is(err, store.ErrInUse):
		return nil, exit{exitInUse, fmt.Errorf("%s: %w\nhint: imwatch status shows what it does; two daemons need two state directories", c.StateDir, err)}
	case errors.Is(err, os.ErrPermission):
		return nil, exit{exitPermission, fmt.Errorf("%w\nhint: sudo install -d -o %d -m 700 '%s', or another state_dir", err, os.Getuid(), c.StateDir)}
	case err != nil:
		return nil, exit{exitInternal, err}
	}
	return st, nil
}

// notice tells an operator something.
func (d *daemon) notice(level, text string) { d.log.say(level, text) }

// serve runs the pipeline, again with every reload, until ctx ends.
func (d *daemon) serve(ctx context.Context, st *store.Store, set *ruleSet, hup, usr1 <-chan os.Signal) error {
	defer d.show(ctx, st, set)()
	if st.Damaged != "" {
		if err := d.damaged(st); err != nil {
			return err
		}
	}
	next, err := d.prepare(st, set)
	if err != nil {
		return err
	}
	for first := true; next != nil && err == nil; first = false {
		now := next
		if first && st.Damaged != "" {
			now.run.Reread = time.Now().Add(-time.Duration(set.config.Store.MaxAge))
		}
		now.run.Ready = d.ready(ctx, now.set, first)
		if err = d.begin(st, now); err != nil {
			return err
		}
		next, err = d.until(ctx, st, now, hup, usr1)
		d.metrics.Keep(states(now.run.Sinks))
		err = errors.Join(err, now.close())
	}
	return err
}

// damaged tells, as an event and in the ledger, that the store was lost.
func (d *daemon) damaged(st *store.Store) error {
	now := time.Now().UTC()
	what := "the store was damaged and is set aside as " + st.Damaged + "; files are read again, and events may come twice, with other ids"
	sum := sha256.Sum256([]byte(st.HostID() + st.Damaged))
	f := finding.Finding{ID: hex.EncodeToString(sum[:16]), Action: finding.Lost, Time: now, TimeBasis: "read", Created: now, Path: redact.Clean(st.Damaged, 1024), Text: redact.Clean(what, 512)}
	return errors.Join(st.Lose(finding.Loss{Time: now, Path: st.Damaged, Reason: "the store was damaged"}), st.Tell(f))
}

// ready says that every source has been swept once, and which have no files.
func (d *daemon) ready(ctx context.Context, set *ruleSet, first bool) func() {
	return func() {
		if !first {
			d.log.answer("info", "reloaded")
		}
		// The tailer calls this from the goroutine that answers about files.
		d.wait.Go(func() {
			debug.FreeOSMemory() // what the first sweep took
			d.site.Ready()
			files := d.running.Load().Files(ctx)
			if ctx.Err() != nil {
				return
			}
			for i := range set.config.Sources {
				if text := empty(&set.config.Sources[i], files, d.config); text != "" {
					d.notice("warn", text)
				}
			}
			d.manager.ready()
			if !first {
				return
			}
			if d.log.person {
				d.log.answer("info", fmt.Sprintf("following %s; state in %s; Ctrl-C ends it", count(len(files), "file", "files"), set.config.StateDir))
				return
			}
			d.log.log.Info().Int("files", len(files)).Str("state_dir", set.config.StateDir).Str("version", version()).Msg("ready")
		})
	}
}
