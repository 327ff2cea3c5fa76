package main

import (
	"fmt"
	"runtime/debug"

	"github.com/imwatch/imwatch/codes"
	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program and of its catalogue",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(cmd.OutOrStdout(), "imwatch %s\ncatalogue %s\n", version(), codes.EmbeddedVersion())
			return nil
		},
	}
}

// release is set by systemd/package, with -ldflags.
var release string

// version is that of the package, of the module, or of the commit where it was
// built from a checkout.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "(devel)"
}
