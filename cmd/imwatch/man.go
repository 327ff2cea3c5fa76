package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/imwatch/imwatch/configs"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write the manual pages into a directory",
		Long: `Writes imwatch(1) and a page for every command, imwatch.yaml(5), the configuration, and imwatch(7), which
says how it all hangs together.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := manual(cmd.Root(), args[0]); err != nil {
				return exit{exitInternal, fmt.Errorf("write manual pages: %w\nhint: is %s a directory that this user may write?", err, args[0])}
			}
			return nil
		},
	}
}

// overview is imwatch(7).
//
//go:embed imwatch.7.md
var overview string

func manual(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Source: "imwatch " + version(), Manual: "imwatch"}
	if err := doc.GenManTree(root, &header, dir); err != nil {
		return err
	}
	write := func(name, markdown string) error {
		return os.WriteFile(filepath.Join(dir, name), md2man.Render([]byte(markdown)), 0o644)
	}
	if err := write("imwatch.yaml.5", referencePage(configs.Reference)); err != nil {
		return err
	}
	return write("imwatch.7", overview)
}

var topKey = regexp.MustCompile(`(?m)^([a-z_]+):`)

// referencePage makes imwatch.yaml(5) of the reference configuration: a section
// for every key, with the comment above it as its text.
func referencePage(reference string) string {
	var b strings.Builder
	b.WriteString(`% imwatch.yaml 5 "" "imwatch" "imwatch"
# NAME
imwatch.yaml - configuration of imwatch

# SYNOPSIS
**/etc/imwatch/imwatch.yaml**, **/etc/imwatch/conf.d/\*.yaml**

# DESCRIPTION
What **imwatch run -c** reads. Every key stands below with its default; what is commented out is an example.
An unknown key is an error: **imwatch check -c FILE** tells its line, and what to do. The files in *conf.d* beside the
file are merged in lexical order: lists grow, single values replace. **systemctl reload imwatch** uses a changed
configuration, if it is a good one.

# KEYS
`)
	for _, block := range strings.Split(reference, "\n\n") {
		key := topKey.FindStringSubmatch(block)
		if key == nil {
			continue // the file's own heading
		}
		above, rest, _ := strings.Cut(block, key[0])
		fmt.Fprintf(&b, "\n### %s\n", key[1])
		for line := range strings.Lines(above) {
			b.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
		}
		fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.TrimRight(key[0]+rest, "\n"))
	}
	b.WriteString(`
# FILES
*/etc/imwatch/imwatch.yaml*, */etc/imwatch/conf.d/*, */usr/share/doc/imwatch/imwatch.yaml* (this reference as a file),
*/var/lib/imwatch* (the store)

# SEE ALSO
**imwatch**(1), **imwatch-check**(1), **imwatch-run**(1), **imwatch**(7)
`)
	return b.String()
}
