// Imwatch finds the error codes of instant-messaging SDKs in log files and says
// what they mean.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/imwatch/imwatch/internal/redact"
	"github.com/spf13/cobra"
)

// Exit codes, as the contract lists them.
const (
	exitOK         = 0
	exitFindings   = 1  // findings at or above --fail-on, problems found by check, nothing to explain
	exitPartial    = 2  // some input could not be read
	exitUsage      = 64 // wrong flags or arguments
	exitNoInput    = 66 // no input exists
	exitNoStore    = 69 // status: neither daemon nor store
	exitInternal   = 70
	exitInUse      = 73 // the state directory is another imwatch's
	exitPermission = 77
	exitConfig     = 78
)

// exit is an error with an exit code. With a nil err all has been said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

func main() { os.Exit(process()) }

// process is the program with the process around it: its signals and streams.
func process() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// run is the program: everything but the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(stdin)
	root.SetArgs(negative(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var e exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		if e.err != nil {
			complain(stderr, e.err)
		}
		return e.code
	}
	// What cobra itself refuses is about flags and arguments.
	complain(stderr, fmt.Errorf("%w\nhint: imwatch --help lists the commands, imwatch COMMAND --help its flags", err))
	return exitUsage
}

// negative moves codes such as -4 behind "--", so that they are not taken for
// flags.
func negative(args []string) []string {
	if len(args) == 0 || args[0] != "explain" || slices.Contains(args, "--") {
		return args
	}
	var flags, numbers []string
	for _, a := range args {
		if n, err := strconv.Atoi(a); err == nil && n < 0 {
			numbers = append(numbers, a)
		} else {
			flags = append(flags, a)
		}
	}
	if len(numbers) == 0 {
		return args
	}
	return append(append(flags, "--"), numbers...)
}

func complain(w io.Writer, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(w, "imwatch: "+redact.Terminal(line))
	}
}

func newRoot(stdin io.Reader) *cobra.Command {
	root := &cobra.Command{
		Use:   "imwatch",
		Short: "Find the error codes of instant-messaging SDKs in logs, and say what they mean",
		Long: `imwatch finds the error codes of instant-messaging SDKs (Easemob, Agora Chat, JMessage) in log
files and says what each means for that vendor, why it happens and what to do next, in English and Chinese.`,
		Example: `  imwatch scan /var/log/im            # what happened in these logs?
  imwatch explain 206                 # what does this code mean?
  imwatch explain '{"type":28,"message":"token not assign error"}'`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(newRun(), newScan(), newPeek(), newExplain(stdin), newEvents(), newStatus(), newCodes(), newCheck(), newVersion(), newMan())
	return root
}

// language is the default of --lang: Chinese where the locale is.
func language() string {
	for _, v := range []string{"IMWATCH_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if s := os.Getenv(v); s != "" {
			if strings.HasPrefix(s, "zh") {
				return "zh"
			}
			return "en"
		}
	}
	return "en"
}

func checkLanguage(lang string) error {
	switch lang {
	case "en", "zh", "both":
		return nil
	}
	return exit{exitUsage, fmt.Errorf("--lang %q is not a language\nhint: en, zh or both", lang)}
}
