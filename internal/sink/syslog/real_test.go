package syslog

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// A line of the file that the real rsyslogd writes: what it understood of a
// message. The structured data comes as it was, and parsed.
const rsyslogConf = `global(workDirectory="%[1]s" maxMessageSize="8k" net.enableDNS="off" DefaultNetstreamDriverCAFile="%[2]s" DefaultNetstreamDriverCertFile="%[3]s" DefaultNetstreamDriverKeyFile="%[4]s")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" StreamDriver.Name="%[7]s" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer=["imwatch"])
module(load="mmpstrucdata")
input(type="imuxsock" Socket="%[1]s/log" UseSpecialParser="off" RateLimit.Interval="0" UseSysTimeStamp="off" IgnoreTimestamp="off" Ruleset="r")
input(type="imuxsock" Socket="%[1]s/devlog" RateLimit.Interval="0" Ruleset="r")
input(type="imudp" address="127.0.0.1" port="%[5]d" Ruleset="r")
input(type="imptcp" address="127.0.0.1" port="%[5]d" Ruleset="r")
input(type="imtcp" address="127.0.0.1" port="%[6]d" Ruleset="r")
template(name="t" type="string" string="%%syslogfacility-text%%|%%syslogseverity-text%%|%%timereported:::date-rfc3339%%|%%hostname%%|%%app-name%%|%%msgid%%|%%$!rfc5424-sd!imwatch@32473!event.id%%|%%$!rfc5424-sd!imwatch@32473!user.id%%|%%msg%%\n")
ruleset(name="r") {
  action(type="mmpstrucdata" sd_name.lowercase="off")
  action(type="omfile" file="%[1]s/out" template="t" asyncWriting="off" flushOnTXEnd="on")
}
`

// rsyslogd starts the real one. It wants a certificate of imwatch over TLS.
func rsyslogd(t *testing.T) (dir string, port, tlsPort int, trust secure.TLS) {
	t.Helper()
	bin := sinktest.Real(t, "rsyslogd")
	driver := ""
	for name, file := range map[string]string{"gtls": "lmnsd_gtls.so", "ossl": "lmnsd_ossl.so"} {
		if found, _ := filepath.Glob("/usr/lib/*/rsyslog/" + file); len(found) > 0 {
			driver = name
		}
	}
	if driver == "" {
		sinktest.Real(t, "rsyslog-openssl") // neither is a program: this tells that it is missing
	}
	dir = t.TempDir()
	ca := sinktest.NewAuthority(t)
	cert, key := ca.IssueFiles(t, "logs.example.com")
	trust = secure.TLS{CAFile: ca.File, ServerName: "logs.example.com"}
	trust.CertFile, trust.KeyFile = ca.IssueFiles(t, "imwatch")
	port, tlsPort = freePort(t), freePort(t)
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, rsyslogConf, dir, ca.File, cert, key, port, tlsPort, driver), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	listens := sinktest.Listens(fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", tlsPort))
	sinktest.Serve(t, cmd, func() bool {
		_, err := os.Stat(dir + "/log")
		return err == nil && listens()
	})
	return dir, port, tlsPort, trust
}

// freePort is one that is free for TCP and UDP.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			u.Close()
			return port
		}
	}
}

// TestRsyslogd: over each way, the real rsyslogd understands all of a message.
func TestRsyslogd(t *testing.T) {
	dir, port, tlsPort, trust := rsyslogd(t)
	n := 0
	for _, address := range []string{"unix://" + dir + "/log", fmt.Sprintf("udp://127.0.0.1:%d", port), fmt.Sprintf("tcp://127.0.0.1:%d", port), fmt.Sprintf("tls://127.0.0.1:%d", tlsPort)} {
		t.Run(strings.SplitN(address, ":", 2)[0], func(t *testing.T) {
			x, err := New(Options{Address: address, TLS: trust})
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			events := append(sinktest.Events(50), sinktest.Largest(), sinktest.Invalid())
			if err := x.Send(t.Context(), events); err != nil {
				t.Fatal(err)
			}
			lines := written(t, dir+"/out", n+len(events))[n:]
			n += len(events)
			for i, line := range lines {
				f := events[i].Finding
				head := fmt.Sprintf("local0|warning|%s|web1|imwatch|easemob-web/206|%s|%s|", f.Time.Format("2006-01-02T15:04:05.000000+00:00"), events[i].ID, f.Fields.Get("user_id"))
				if line = strings.Replace(line, "Z|web1", "+00:00|web1", 1); !strings.HasPrefix(line, head) {
					t.Fatalf("line %d: %s\nwant        %s", i, line, head)
				}
				if !strings.Contains(line, "easemob-web 206 WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE") {
					t.Errorf("line %d has no text: %s", i, line)
				}
			}
		})
	}
	t.Run("/dev/log as it is by default", func(t *testing.T) {
		x, err := New(Options{Address: "unix://" + dir + "/devlog"})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		events := sinktest.Events(1)
		if err := x.Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		// Not parsed, but nothing is lost, and the severity is right.
		if line := written(t, dir+"/out", n+1)[n]; !strings.HasPrefix(line, "local0|warning|") || !strings.Contains(line, events[0].ID) || !strings.Contains(line, events[0].Message()) {
			t.Error(line)
		}
		n++
	})
	t.Run("a stranger", func(t *testing.T) {
		trust.CertFile, trust.KeyFile = "", ""
		x, err := New(Options{Address: fmt.Sprintf("tls://127.0.0.1:%d", tlsPort), TLS: trust})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		err = x.Send(t.Context(), sinktest.Events(1))
		t.Logf("without a certificate: %v, of class %s", err, sink.Class(err))
		if err == nil {
			t.Error("success, though the server does not take events of strangers")
		}
	})
}

// written waits until a file has n lines.
func written(t *testing.T, path string, n int) []string {
	t.Helper()
	var lines []string
	for end := time.Now().Add(20 * time.Second); len(lines) < n && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		data, _ := os.ReadFile(path)
		lines = strings.SplitAfter(string(data), "\n")
		lines = lines[:len(lines)-1]
	}
	if len(lines) != n {
		t.Fatalf("rsyslogd wrote %d messages, want %d: %s", len(lines), n, strings.Join(lines, ""))
	}
	return lines
}
