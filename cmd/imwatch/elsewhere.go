//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/imwatch/imwatch/internal/config"
	"github.com/spf13/cobra"
)

// What follows files as they grow needs Linux: inodes and their generations,
// inotify, the notify socket. Elsewhere imwatch reads files that are there.

func newRun() *cobra.Command {
	return onlyLinux("run", "Follow log files and deliver an event for every error code, once it is durable")
}

func newPeek() *cobra.Command {
	return onlyLinux("peek", "Show lines as they come, like tail -F, with the meaning beside each code")
}

func newStatus() *cobra.Command {
	return onlyLinux("status", "Say what the daemon follows, what waits, and what was lost")
}

func newEvents() *cobra.Command {
	return onlyLinux("events", "Print the events that the local store has")
}

func onlyLinux(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:                name,
		Short:              short + " (only on Linux)",
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return exit{exitUsage, errors.New("imwatch " + name + " works on Linux only, and this is " + runtime.GOOS + "\nhint: imwatch scan reads files and directories here too")}
		},
	}
}

func checkUser(context.Context, io.Writer, *config.Config, string) error {
	return exit{exitUsage, errors.New("imwatch check --user works on Linux only, and this is " + runtime.GOOS)}
}

func connect(cmd *cobra.Command, s *ruleSet) (failed int) {
	fmt.Fprintln(cmd.ErrOrStderr(), "imwatch check --connect works on Linux only, and this is "+runtime.GOOS)
	return len(s.config.Sinks)
}
