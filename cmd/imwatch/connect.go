//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/journald"
	"github.com/spf13/cobra"
)

// connectTime is how long a sink has to take the test event.
const connectTime = 30 * time.Second

// connect sends a test event to each sink of a configuration and says what came
// back; the number of those that did not take it is returned.
func connect(cmd *cobra.Command, set *ruleSet) (failed int) {
	for i := range set.config.Sinks {
		c := &set.config.Sinks[i]
		said, err := connectOne(cmd.Context(), cmd, c, set)
		where := c.Name
		if to := target(c); to != "" {
			where += " (" + to + ")"
		}
		if err != nil {
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "sink %s: %s\n    hint: %s\n", where, redact.Terminal(err.Error()), connectHint(c, err))
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "sink %s: %s\n", where, said)
	}
	return failed
}

func connectOne(ctx context.Context, cmd *cobra.Command, c *config.Sink, set *ruleSet) (said string, err error) {
	switch c.Type {
	case "stdout":
		return "nothing to try", nil
	case "file":
		return connectFile(c.Path)
	}
	ann := newAnnotator(c, set)
	d := daemon{out: cmd.OutOrStdout()}
	s, err := d.openSink(c, ann)
	if err != nil {
		return "", err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	start := time.Now()
	if err := s.Send(ctx, []sink.Event{sink.NewEvent(ann, testFinding(c, start))}); err != nil {
		var p *sink.Partial
		if errors.As(err, &p) && p.Rejected[0] != "" {
			return "", fmt.Errorf("%w: %s", sink.ErrRejected, p.Rejected[0])
		}
		return "", err
	}
	return fmt.Sprintf("took the test event in %d ms", time.Since(start).Milliseconds()), nil
}

// connectFile tells whether a file can be written, and leaves it as it is: one
// that this user makes now may be out of the daemon's reach.
func connectFile(path string) (said string, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		return "can be written", f.Close()
	}
	if errors.Is(err, os.ErrNotExist) {
		if _, e := os.Stat(filepath.Dir(path)); e == nil {
			return "will be made", nil
		}
	}
	return "", err
}

// testFinding is the event that says of itself that it is a test.
func testFinding(c *config.Sink, now time.Time) *finding.Finding {
	var id [16]byte
	rand.Read(id[:]) // never fails
	labels := map[string]string{}
	for k, v := range c.Labels {
		labels[k] = v
	}
	return &finding.Finding{ID: hex.EncodeToString(id[:]), Action: finding.Test, Time: now.UTC(), TimeBasis: "read", Created: now.UTC(), Source: "imwatch-check", Service: "imwatch", Labels: labels,
		Text: "This is a test event of imwatch check --connect. Nothing happened."}
}

// target is the address as it may be shown.
func target(c *config.Sink) string {
	switch {
	case c.URL != "":
		if u, err := url.Parse(c.URL); err == nil {
			return u.Redacted()
		}
	case c.URLFile != "":
		return "the url in " + c.URLFile
	case c.URLEnv != "":
		return "the url in the environment variable " + c.URLEnv
	}
	return strings.Join(append(c.Brokers, c.Address+c.Path), ",")
}

// localSocket is the socket of a sink on this machine.
func localSocket(c *config.Sink) (path string, ok bool) {
	if c.Type == "journald" {
		return cmp.Or(c.Address, journald.Socket), true
	}
	return strings.CutPrefix(c.Address, "unix://")
}

func connectHint(c *config.Sink, err error) string {
	class := sink.Class(err)
	if path, ok := localSocket(c); ok && (class == sink.Connection || class == sink.Timeout) {
		return "is who makes this socket running, and may this user write to it? ls -l " + path
	}
	switch class {
	case sink.Auth:
		if c.Auth.File != "" {
			return "is the secret in " + c.Auth.File + " right, and may it do this?"
		}
		return "does the other side want auth:, and is the secret right?"
	case sink.Trust:
		return "tls: ca_file names the authority, server_name the name in the certificate"
	case sink.Address:
		return "is the path of the url right?"
	case sink.Connection, sink.Timeout:
		return "does it run there, and does a firewall or a proxy stand between? curl from this machine would tell"
	case sink.Throttled, sink.Server:
		return "the other side is there and has no room now; its own log says why"
	case sink.Refused:
		return "the other side is there and will not take what it was sent; the type, the url or a template may not fit it"
	}
	return "the key it is about is in configs/imwatch.yaml"
}
