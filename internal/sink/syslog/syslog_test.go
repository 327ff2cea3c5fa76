package syslog

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
)

// A server reads RFC 5424 strictly.
type server struct {
	mu       sync.Mutex
	messages []message
	errs     []error
}

type message struct {
	pri                             int
	time, host, app, proc, id, text string
	data                            map[string][]string // of imwatch@32473
}

func (s *server) take(b []byte) {
	m, err := parse(string(b))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("%w in %q", err, b))
		return
	}
	s.messages = append(s.messages, m)
}

var header = regexp.MustCompile(`^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) \[([!-<>-\\^-~]{1,32})`)

// parse reads a message with exactly one element of structured data.
func parse(s string) (m message, err error) {
	h := header.FindStringSubmatch(s)
	if h == nil {
		return m, errors.New("no header of RFC 5424")
	}
	m = message{time: h[2], host: h[3], app: h[4], proc: h[5], id: h[6], data: map[string][]string{}}
	if m.pri, _ = strconv.Atoi(h[1]); m.pri > 191 || h[7] != sdID {
		return m, fmt.Errorf("PRI %d, SD-ID %s", m.pri, h[7])
	}
	if s, err = params(s[len(h[0]):], m.data); err != nil {
		return m, err
	}
	var ok bool
	if m.text, ok = strings.CutPrefix(s, " "); !ok {
		return m, fmt.Errorf("%q after the structured data", s)
	}
	for _, r := range m.text {
		if r < ' ' || r == 0x7f {
			return m, fmt.Errorf("control character %q", r)
		}
	}
	if !utf8.ValidString(m.text) {
		return m, errors.New("not UTF-8")
	}
	return m, nil
}

var paramName = regexp.MustCompile(`^ ([!#-<>-\\^-~]{1,32})="`)

// params reads parameters up to the bracket, and returns what follows it.
func params(s string, data map[string][]string) (rest string, err error) {
	for !strings.HasPrefix(s, "]") {
		n := paramName.FindStringSubmatch(s)
		if n == nil {
			return "", fmt.Errorf("no parameter at %q", s)
		}
		s = s[len(n[0]):]
		var v strings.Builder
		for {
			if s == "" || s[0] == ']' || s[0] < ' ' {
				return "", fmt.Errorf("the value of %s is not escaped at %q", n[1], s)
			}
			if s[0] == '"' {
				s = s[1:]
				break
			}
			if s[0] == '\\' {
				if s = s[1:]; s == "" || !strings.Contains(`"\]`, s[:1]) {
					return "", fmt.Errorf("a backslash before %q in %s", s, n[1])
				}
			}
			v.WriteByte(s[0])
			s = s[1:]
		}
		if !utf8.ValidString(v.String()) {
			return "", fmt.Errorf("the value of %s is not UTF-8", n[1])
		}
		data[n[1]] = append(data[n[1]], v.String())
	}
	return s[1:], nil
}

// stream reads frames until the stream ends; half a frame counts for nothing.
func (s *server) stream(c io.Reader) {
	r := bufio.NewReader(c)
	for {
		word, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(word, " "))
		if err != nil || n < 1 || n > longest || word[0] == '0' {
			s.mu.Lock()
			s.errs = append(s.errs, fmt.Errorf("a frame of length %q", word))
			s.mu.Unlock()
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		s.take(b)
	}
}

// wait waits for n messages.
func (s *server) wait(n int) []message {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		if list := s.messages; len(list)+len(s.errs) >= n || time.Now().After(end) {
			s.mu.Unlock()
			return list
		}
		s.mu.Unlock()
	}
}

func (s *server) ids(t testing.TB, n int) (list []string) {
	t.Helper()
	messages := s.wait(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range s.errs {
		t.Error(err)
	}
	for _, m := range messages {
		list = append(list, m.data["event.id"]...)
	}
	return list
}

// expected is how many events a case of the suite sends.
func expected(t *testing.T) int {
	switch name := t.Name(); {
	case strings.Contains(name, "empty"):
		return 0
	case strings.Contains(name, "largest"), strings.Contains(name, "invalid"):
		return 1
	}
	return 4
}

func open(t *testing.T, p *sinktest.Peer) sink.Sink {
	s, err := New(Options{Address: p.Address, Timeout: p.Timeout, TLS: secure.TLS{CAFile: p.CA}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformanceStream(t *testing.T) {
	for _, scheme := range []string{"tcp", "tls"} {
		t.Run(scheme, func(t *testing.T) {
			sinktest.Run(t, sinktest.Suite{Open: open, Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer { return startStream(t, scheme, b) }})
		})
	}
}

// startStream starts a server that behaves badly until it is healed. Its
// machine takes few bytes that the server does not read, so that the sink can
// see that it does not.
func startStream(t *testing.T, scheme string, b sinktest.Behaviour) *sinktest.Peer {
	switch b {
	case sinktest.Fault, sinktest.Unavailable, sinktest.Throttles, sinktest.RefusesOne, sinktest.Unwelcome, sinktest.CutsAnswer, sinktest.Redirects:
		return nil // syslog has no answers
	case sinktest.Expired, sinktest.WrongCA:
		if scheme != "tls" {
			return nil
		}
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) })
	}}
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{}
	p := &sinktest.Peer{Address: scheme + "://" + l.Addr().String(), Timeout: 10 * time.Second}
	n := expected(t)
	p.IDs = func() []string { return s.ids(t, n) }
	var tlsConfig *tls.Config
	if scheme == "tls" {
		tlsConfig, p.CA = certificate(t, b)
		if b == sinktest.Expired || b == sinktest.WrongCA {
			p.IDs = func() []string { return s.ids(t, 0) }
		}
	}
	if b == sinktest.Stalls {
		p.Timeout = 300 * time.Millisecond
		if strings.Contains(t.Name(), "context") { // one event gets into the smallest window: no connection gets in
			crowd(t, l)
			t.Cleanup(func() { l.Close() })
			return p
		}
	}
	bad := &atomic.Bool{}
	bad.Store(b != sinktest.Accepts && b != sinktest.Expired && b != sinktest.WrongCA)
	p.Heal = func() { bad.Store(false) }
	ends := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				if bad.Load() && !misbehave(c, b, ends) {
					return
				}
				go func() { <-ends; c.Close() }()
				if tlsConfig != nil {
					s.stream(tls.Server(c, tlsConfig))
					return
				}
				s.stream(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); close(ends); running.Wait() })
	return p
}

// crowd fills a listener's queue, from which nobody accepts.
func crowd(t *testing.T, l net.Listener) {
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { syscall.Listen(int(fd), 0) })
	for {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { c.Close() })
	}
}

// certificate makes the server's configuration and the file of whom to trust.
func certificate(t *testing.T, b sinktest.Behaviour) (*tls.Config, string) {
	ca := sinktest.NewAuthority(t)
	from, to := time.Now().Add(-48*time.Hour), time.Now().Add(time.Hour)
	if b == sinktest.Expired {
		to = time.Now().Add(-24 * time.Hour)
	}
	c := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1", from, to)}}
	if b == sinktest.WrongCA {
		return c, sinktest.NewAuthority(t).File
	}
	return c, ca.File
}

// misbehave does what a behaviour is; true when the stream is then to be read.
// Over TLS all but the slow one happen before the handshake.
func misbehave(c net.Conn, b sinktest.Behaviour, ends <-chan struct{}) bool {
	switch b {
	case sinktest.Slow:
		t := time.NewTimer(200 * time.Millisecond)
		defer t.Stop()
		<-t.C
		return true
	case sinktest.Stalls:
		<-ends
	case sinktest.Resets:
		io.ReadFull(c, make([]byte, 16))
		c.(*net.TCPConn).SetLinger(0)
	case sinktest.HalfCloses:
		c.(*net.TCPConn).CloseWrite()
		<-time.After(50 * time.Millisecond)
	case sinktest.Garbage:
		io.WriteString(c, "220 mail.example.com ESMTP\r\n")
		<-time.After(50 * time.Millisecond)
	}
	return false
}

func TestConformanceDatagrams(t *testing.T) {
	for _, scheme := range []string{"unix", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			sinktest.Run(t, sinktest.Suite{Open: open, Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer { return startDatagrams(t, scheme, b) }})
		})
	}
}

func startDatagrams(t *testing.T, scheme string, b sinktest.Behaviour) *sinktest.Peer {
	stalls := b == sinktest.Stalls && scheme == "unix" // UDP is sent into the void
	if b != sinktest.Accepts && b != sinktest.Slow && !stalls {
		return nil
	}
	c, address := listen(t, scheme)
	s := &server{}
	p := &sinktest.Peer{Address: address, Timeout: 10 * time.Second, Heal: func() {}}
	n := expected(t)
	p.IDs = func() []string { return s.ids(t, n) }
	pause := time.Duration(0)
	if b == sinktest.Slow {
		pause = 50 * time.Millisecond
	}
	if stalls {
		fill(t, strings.TrimPrefix(address, "unix://"))
		p.Timeout = 200 * time.Millisecond
		p.Heal = func() { s.datagrams(t, c, pause) }
		t.Cleanup(func() { c.Close() })
		return p
	}
	s.datagrams(t, c, pause)
	return p
}

func listen(t testing.TB, scheme string) (c net.PacketConn, address string) {
	t.Helper()
	network, at := "udp", "127.0.0.1:0"
	if scheme == "unix" {
		network, at = "unixgram", filepath.Join(t.TempDir(), "log")
	}
	c, err := net.ListenPacket(network, at)
	if err != nil {
		t.Fatal(err)
	}
	return c, scheme + "://" + c.LocalAddr().String()
}

// datagrams reads until the test ends.
func (s *server) datagrams(t testing.TB, c net.PacketConn, pause time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1<<16)
		for {
			if pause > 0 {
				time.Sleep(pause)
			}
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if string(b[:n]) != "filling" {
				s.take(b[:n])
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
}

// fill fills the queue of a socket that nobody reads.
func fill(t *testing.T, socket string) {
	t.Helper()
	c, err := net.Dial("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = c.Write([]byte("filling"))
	}
}

func formatted(e sink.Event, most int) string {
	f := format{facility: 16, app: "imwatch", max: most}
	return string(f.append(nil, &e))
}

// TestForm: the whole of a message.
func TestForm(t *testing.T) {
	m, err := parse(formatted(sinktest.Events(1)[0], longest))
	if err != nil {
		t.Fatal(err)
	}
	if m.pri != 16*8+4 || m.time != "2026-11-20T08:00:01.123000Z" || m.host != "web1" || m.app != "imwatch" || m.proc != "-" || m.id != "easemob-web/206" {
		t.Errorf("%+v", m)
	}
	for name, want := range map[string]string{"event.id": sinktest.Events(1)[0].ID, "event.code": "easemob-web/206", "user.id": "user1", "im.confidence": "high", "im.count": "1", "labels.env": "test", "log.file.path": "/var/log/chat/web.log", "log.offset": "200", "host.id": "5f1e"} {
		if got := m.data[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(m.text, "easemob-web 206 WEBIM_CONNCTION_USER_LOGIN_ANOTHER_DEVICE: ") || !strings.Contains(m.text, `; user user1; in /var/log/chat/web.log:2; "the user is already logged on another device"; `) {
		t.Errorf("the text is %s", m.text)
	}
}

// TestHostile: nothing in a line can end the structured data, begin another
// message or write another parameter.
func TestHostile(t *testing.T) {
	e := sinktest.Events(1)[0]
	const bad = "x\"]\\ [evil@1 event.id=\"0\"] \n<0>1 - - - - - - \x00\x1b[31m\xff"
	e.Finding.Text, e.Finding.Path = bad, bad
	e.Finding.Fields.Set("user_id", bad)
	e.Finding.Labels[`a b="]`+strings.Repeat("y", 40)] = bad
	m, err := parse(formatted(e, longest))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.data["event.id"]) != 1 || m.data["event.id"][0] != e.ID || !strings.Contains(m.data["user.id"][0], `x"]\ [evil@1 event.id="0"]`) {
		t.Errorf("%q", m.data)
	}
}

// TestLimit: whatever the limit, a message is whole but for the end of its text.
func TestLimit(t *testing.T) {
	e := sinktest.Largest()
	for most := 480; most <= longest; most += 7 {
		s := formatted(e, most)
		m, err := parse(s)
		if err != nil || len(s) > most || len(m.data["event.id"]) != 1 || len(m.text) < 100 {
			t.Fatalf("limit %d, %d bytes: %v in %s", most, len(s), err, s)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("user", "text", "/a.log", "k", "v", 500)
	f.Add("\xff\"]", "\\", "\n", "=]\" ", "\u202e界", 480)
	f.Fuzz(func(t *testing.T, user, text, path, key, v string, most int) {
		e := sinktest.Events(1)[0]
		e.Finding.Text, e.Finding.Path = text, path
		e.Finding.Fields.Set("user_id", user)
		e.Finding.Labels[key] = v
		most = 480 + (most&0x7fffffff)%8000
		s := formatted(e, most)
		if m, err := parse(s); err != nil || len(s) > most || m.data["event.id"][0] != e.ID {
			t.Errorf("%v in %q", err, s)
		}
	})
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"unix:///dev/log":     "unixgram /dev/log",
		"udp://host":          "udp host:514",
		"tcp://host":          "tcp host:601",
		"tls://host":          "tls host:6514",
		"tls://[::1]:7000":    "tls [::1]:7000",
		"tcp://::1":           "tcp [::1]:601",
		"host:514":            "",
		"unix://dev/log":      "",
		"tcp://":              "",
		"tcp://host/path":     "",
		"tcp://user@host:601": "",
		"http://host":         "",
	} {
		a, err := ParseAddress(in)
		if got := a.Network + " " + a.Address; got != want && (want != "" || err == nil) {
			t.Errorf("%s is %q, %v; want %q", in, got, err, want)
		}
	}
}

// TestClosedWhenIdle: a server may close what is idle, or be started anew; the
// next events go by a new connection, and nothing is told.
func TestClosedWhenIdle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, err := New(Options{Address: "tcp://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	s := &server{}
	for n := 1; n <= 3; n++ {
		done := make(chan net.Conn)
		go func() {
			c, _ := l.Accept()
			go s.stream(c)
			done <- c
		}()
		if err := x.Send(t.Context(), sinktest.Events(1)); err != nil {
			t.Fatal(err)
		}
		s.wait(n)
		c := <-done
		c.Close()
		<-x.conn.gone
	}
	if ids := s.ids(t, 3); len(ids) != 3 {
		t.Errorf("ids %v", ids)
	}
}

// TestOurCertificate: a server that does not accept it says so before any event
// is sent; and one that knows TLS 1.3 only is reached.
func TestOurCertificate(t *testing.T) {
	ca := sinktest.NewAuthority(t)
	cert, key := ca.IssueFiles(t, "imwatch")
	now := time.Now()
	base := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1", now.Add(-time.Hour), now.Add(time.Hour))}}
	want, err := secure.TLS{CAFile: ca.File}.Config()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		change    func(*tls.Config)
		cert, key string
		class     string
	}{
		{"none where one is wanted", func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert; c.ClientCAs = want.RootCAs }, "", "", sink.Trust},
		{"the right one", func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert; c.ClientCAs = want.RootCAs }, cert, key, ""},
		{"TLS 1.3 only", func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := base.Clone()
			test.change(config)
			l, err := tls.Listen("tcp", "127.0.0.1:0", config)
			if err != nil {
				t.Fatal(err)
			}
			s := &server{}
			var running sync.WaitGroup
			running.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					running.Go(func() { defer c.Close(); s.stream(c) })
				}
			})
			x, err := New(Options{Address: "tls://" + l.Addr().String(), TLS: secure.TLS{CAFile: ca.File, CertFile: test.cert, KeyFile: test.key}})
			if err != nil {
				t.Fatal(err)
			}
			err = x.Send(t.Context(), sinktest.Events(3))
			if test.class == "" && err != nil || test.class != "" && (err == nil || sink.Class(err) != test.class) {
				t.Errorf("%v, of class %s, want %q", err, sink.Class(err), test.class)
			}
			if test.class == "" && len(s.ids(t, 3)) != 3 {
				t.Error("not all arrived")
			}
			x.Close()
			l.Close()
			running.Wait()
		})
	}
}

func BenchmarkSend(b *testing.B) {
	for _, scheme := range []string{"unix", "udp", "tcp"} {
		b.Run(scheme, func(b *testing.B) {
			var address string
			if scheme == "tcp" {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				go func() {
					if c, err := l.Accept(); err == nil {
						io.Copy(io.Discard, c)
					}
				}()
				address = "tcp://" + l.Addr().String()
			} else {
				var c net.PacketConn
				c, address = listen(b, scheme)
				defer c.Close()
				go func() {
					buf := make([]byte, 1<<16)
					for {
						if _, _, err := c.ReadFrom(buf); err != nil {
							return
						}
					}
				}()
			}
			x, err := New(Options{Address: address})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			sinktest.Benchmark(b, x)
		})
	}
}
