package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/pipeline"
	"github.com/imwatch/imwatch/internal/reader"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/report"
	"github.com/imwatch/imwatch/internal/terminal"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

type scanFlags struct {
	config       string
	output       string
	families     []string
	since, until string
	failOn       string
	lang         string
}

func newScan() *cobra.Command {
	f := scanFlags{lang: language()}
	cmd := &cobra.Command{
		Use:   "scan [flags] PATH...",
		Short: "Read log files once and print every error code in them, explained",
		Long: `Reads files, directories (recursively), globs with ** and standard input (-), also compressed ones
(.gz .zst .bz2 .xz) and archives (.tar .tgz .zip), and prints an event for each error code. Text for a pipe is laid out for COLUMNS columns; without it
no hint is cut.`,
		Example: `  imwatch scan /var/log/im
  imwatch scan -o summary 'logs/**/*.log' customer.zip
  imwatch scan -o html /var/log/im >report.html
  kubectl logs web-7d4f | imwatch scan --families easemob-web -`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.config, "config", "c", "", "configuration `FILE`: its rules, codes, redaction, mutes and sources")
	fl.StringVarP(&f.output, "output", "o", "", "`FORMAT`: ndjson, text, summary or html, one page for a bug report (default: text on a terminal, else ndjson)")
	fl.StringSliceVar(&f.families, "families", nil, "which SDKs wrote these files, the likeliest first: "+strings.Join(familyIDs(), ", "))
	fl.StringVar(&f.since, "since", "", "only lines from this `TIME` on: 2026-11-20, 2026-11-20T08:00:00Z, or 2h ago as 2h")
	fl.StringVar(&f.until, "until", "", "only lines up to this `TIME`")
	fl.StringVar(&f.failOn, "fail-on", "", "exit with 1 when a finding has at least this `LEVEL`: info, warn, error, critical")
	fl.StringVar(&f.lang, "lang", f.lang, "language of the explanations: en, zh or both")
	return cmd
}

func familyIDs() []string { return codes.EmbeddedFamilies() }

func (f *scanFlags) run(cmd *cobra.Command, args []string) error {
	now := time.Now()
	collectRarely()
	o, err := f.options(cmd, now)
	if err != nil {
		return err
	}
	set, err := loadSet(f.config)
	if err != nil {
		return err
	}
	paths, err := f.paths(args, set)
	if err != nil {
		return err
	}
	if err := set.apply(&o, f.families); err != nil {
		return err
	}
	ann := annotator.New(set.codes, annotator.Options{Language: f.lang, Host: host()})
	clear := progress(cmd.ErrOrStderr(), paths, &o.Reader)
	out := bufio.NewWriterSize(behindBar{cmd.OutOrStdout(), clear}, 64<<10)
	watched := terminal.Is(cmd.OutOrStdout())
	printer := f.printer(ann, report.NewCollector(set.codes, set.redactor, host()), out, terminal.Of(cmd.OutOrStdout()))
	worst := -1
	report, err := pipeline.Scan(cmd.Context(), paths, o, func(x *finding.Finding) error {
		if set.muted(x, now) {
			return nil
		}
		if f.failOn != "" {
			worst = max(worst, codes.LevelRank(ann.Level(x)))
		}
		err := printer.print(x)
		if err == nil && watched {
			err = out.Flush() // whole events, above the bar
		}
		return err
	})
	clear()
	if err == nil {
		err = printer.end(report)
	}
	if e := out.Flush(); err == nil {
		err = e
	}
	return f.verdict(cmd.ErrOrStderr(), report, worst, err)
}

// collectRarely lets the heap grow to several times what is in use, which is a
// few MiB, but not beyond what a scan may take. The environment stands above it.
func collectRarely() {
	const most = 58 << 20
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(most)
	}
}

// options checks the flags.
func (f *scanFlags) options(cmd *cobra.Command, now time.Time) (o pipeline.ScanOptions, err error) {
	o.Now = now
	if f.output == "" {
		f.output = "ndjson"
		if terminal.Is(cmd.OutOrStdout()) {
			f.output = "text"
		}
	}
	if !slices.Contains([]string{"ndjson", "text", "summary", "html"}, f.output) {
		return o, exit{exitUsage, fmt.Errorf("-o %q is no output format\nhint: ndjson, text, summary or html", f.output)}
	}
	if f.output == "html" && terminal.Is(cmd.OutOrStdout()) {
		return o, exit{exitUsage, errors.New("-o html writes a page for a browser, not for a terminal\nhint: imwatch scan -o html PATH >report.html")}
	}
	if f.failOn != "" && codes.LevelRank(f.failOn) < 0 {
		return o, exit{exitUsage, fmt.Errorf("--fail-on %q is no level\nhint: %s", f.failOn, strings.Join(codes.Levels, ", "))}
	}
	if o.Since, err = moment(f.since, now); err == nil {
		o.Until, err = moment(f.until, now)
	}
	if err != nil {
		return o, exit{exitUsage, err}
	}
	return o, checkLanguage(f.lang)
}

// moment reads a time as people give it: a date, a date with a time, or how
// long ago.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time\nhint: 2026-11-20, '2026-11-20 08:00', 2026-11-20T08:00:00Z, or 2h for two hours ago", s)
}

// paths are the arguments, or the sources of the configuration.
func (f *scanFlags) paths(args []string, set *ruleSet) ([]string, error) {
	if len(args) == 0 {
		args = set.paths()
	}
	if len(args) == 0 {
		return nil, exit{exitUsage, errors.New("nothing to scan\nhint: imwatch scan FILE, DIRECTORY or - for standard input")}
	}
	return args, nil
}

// verdict tells what could not be read or decided, and chooses the exit code.
func (f *scanFlags) verdict(w io.Writer, r *pipeline.Report, worst int, err error) error {
	if r != nil {
		for _, p := range r.Problems {
			if !errors.Is(p, context.Canceled) { // told below
				complain(w, p)
			}
		}
		for _, u := range r.Undecided {
			fmt.Fprintf(w, "imwatch: %s without proof of a vendor, e.g. %s; if %s wrote these files, try: --families %s\n",
				count(u.Count, "possible code", "possible codes"), redact.Terminal(pipeline.Where(&u.Example)), strings.Join(u.Families, " or "), u.Families[0])
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return exit{exitPartial, errors.New("interrupted; what was found until then is printed")}
	case err != nil:
		return exit{exitInternal, fmt.Errorf("write events: %w", err)}
	case r.Files == 0 && !slices.ContainsFunc(r.Problems, func(p error) bool { return errors.Is(p, fs.ErrPermission) }):
		return exit{exitNoInput, nil}
	case len(r.Problems) > 0:
		return exit{exitPartial, nil}
	case f.failOn != "" && worst >= codes.LevelRank(f.failOn):
		return exit{exitFindings, nil}
	}
	return nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// progress shows a bar on a terminal while large inputs are read. It returns
// what takes the bar off, until more was read.
func progress(w io.Writer, paths []string, o *reader.Options) (clear func()) {
	if !terminal.Is(w) || slices.Contains(paths, "-") {
		return func() {}
	}
	files, _ := reader.Files(paths, *o)
	var total int64
	for _, f := range files {
		total += f.Size
	}
	const worthShowing = 64 << 20
	if total < worthShowing {
		return func() {}
	}
	bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	o.Progress = func(n int64) { _ = bar.Add64(n) }
	return func() { _ = bar.Clear() }
}

// behindBar writes to a terminal on which a bar may be.
type behindBar struct {
	w     io.Writer
	clear func()
}

func (b behindBar) Write(p []byte) (int, error) {
	b.clear()
	return b.w.Write(p)
}

func host() annotator.Host {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		id = nil
	}
	return annotator.Host{Name: redact.Clean(name, 256), ID: redact.Clean(strings.TrimSpace(string(id)), 64)}
}
