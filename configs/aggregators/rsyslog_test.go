package aggregators

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// TestRsyslog: a real rsyslogd with the shipped configuration, on another port
// and file, writes each event of a daemon over testdata/logs.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	bin := sinktest.Real(t, "rsyslogd")
	conf, err := os.ReadFile("rsyslog.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	address, out := sinktest.Free(t), filepath.Join(dir, "events.log")
	_, port, _ := net.SplitHostPort(address)
	text := string(conf)
	for old, ours := range map[string]string{`port="601"`: `address="127.0.0.1" port="` + port + `"`, "/var/log/imwatch-events.log": out} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("rsyslog.conf has %q %d times", old, strings.Count(text, old))
		}
		text = strings.Replace(text, old, ours, 1)
	}
	ours := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(ours, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sinktest.Serve(t, exec.Command(bin, "-n", "-f", ours, "-i", filepath.Join(dir, "pid")), sinktest.Listens(address))
	startDaemon(t, "", fmt.Sprintf(", {type: syslog, address: \"tcp://%s\"}", address))
	want := regexp.MustCompile(`^\S+T\S+ \S+ (warning|err|crit|info) [a-z-]+/\S+ [0-9a-f]{32} \S* ?[a-z-]+ \S+.*: `)
	wait(t, "70 events in rsyslogd's file", func() bool {
		data, _ := os.ReadFile(out)
		return strings.Count(string(data), "\n") >= 70
	})
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasSuffix(line, "\n") && !want.MatchString(line) {
			t.Errorf("rsyslogd wrote %q", line)
		}
	}
}
