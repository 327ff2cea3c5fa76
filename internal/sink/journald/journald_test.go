//go:build linux

package journald

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
	"golang.org/x/sys/unix"
)

// server reads the protocol strictly: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
type server struct {
	conn *net.UnixConn

	mu      sync.Mutex
	entries []map[string][]string
	errs    []error
	files   int
}

// listen makes the socket of a server; read reads from it.
func listen(t testing.TB) *server {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "socket"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return &server{conn: c}
}

func (s *server) address() string { return s.conn.LocalAddr().String() }

// read reads until the test ends, with a pause before each entry.
func (s *server) read(t testing.TB, pause time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, oob := make([]byte, 1<<20), make([]byte, 128)
		for {
			if pause > 0 {
				time.Sleep(pause)
			}
			n, on, _, _, err := s.conn.ReadMsgUnix(b, oob)
			if err != nil {
				return
			}
			s.take(b[:n], oob[:on])
		}
	}()
	t.Cleanup(func() { s.conn.Close(); <-done })
}

func (s *server) take(b, oob []byte) {
	var err error
	file := len(b) == 0
	if file {
		b, err = sealed(oob)
	}
	var entry map[string][]string
	if err == nil {
		entry, err = parse(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if file {
		s.files++
	}
	if err != nil {
		s.errs = append(s.errs, err)
		return
	}
	s.entries = append(s.entries, entry)
}

// sealed reads a memory file, which must be sealed.
func sealed(oob []byte) ([]byte, error) {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("an empty datagram without a file: %v", err)
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("%d files: %v", len(fds), err)
	}
	f := os.NewFile(uintptr(fds[0]), "memfd")
	defer f.Close()
	const all = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0); err != nil || seals&all != all {
		return nil, fmt.Errorf("the file is not sealed: %x, %v", seals, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	_, err = f.ReadAt(b, 0)
	return b, err
}

var validName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

func parse(b []byte) (map[string][]string, error) {
	entry := map[string][]string{}
	for len(b) > 0 {
		line, rest, ok := bytes.Cut(b, []byte("\n"))
		if !ok {
			return nil, fmt.Errorf("the last field does not end: %q", b)
		}
		name, value, inline := strings.Cut(string(line), "=")
		if !inline {
			if len(rest) < 8 {
				return nil, fmt.Errorf("field %q has no length", line)
			}
			n := binary.LittleEndian.Uint64(rest)
			if rest = rest[8:]; n >= uint64(len(rest)) || rest[n] != '\n' {
				return nil, fmt.Errorf("field %q has a wrong length %d", line, n)
			}
			value, rest = string(rest[:n]), rest[n+1:]
		}
		if !validName.MatchString(name) {
			return nil, fmt.Errorf("journald drops the name %q", name)
		}
		entry[name] = append(entry[name], value)
		b = rest
	}
	return entry, nil
}

// ids waits for so many events, and returns the ids of those that came.
func (s *server) ids(t testing.TB, want int) (list []string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.errs)
		for _, e := range s.entries {
			n += len(e["EVENT_ID"])
		}
		s.mu.Unlock()
		if n >= want || time.Now().After(end) {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range s.errs {
		t.Error(err)
	}
	for _, e := range s.entries {
		list = append(list, e["EVENT_ID"]...)
	}
	return list
}

func TestConformance(t *testing.T) {
	var s *server
	sinktest.Run(t, sinktest.Suite{
		Open: func(t *testing.T, p *sinktest.Peer) sink.Sink { return New(p.Address, p.Timeout) },
		Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer {
			s = listen(t)
			p := &sinktest.Peer{Address: s.address(), Timeout: 10 * time.Second, Heal: func() {}}
			mine := s
			expected := map[bool]int{true: 1, false: 4}[strings.Contains(t.Name(), "largest") || strings.Contains(t.Name(), "invalid")]
			if strings.Contains(t.Name(), "empty") {
				expected = 0
			}
			p.IDs = func() []string { return mine.ids(t, expected) }
			switch b {
			case sinktest.Accepts:
				s.read(t, 0)
			case sinktest.Slow:
				s.read(t, 50*time.Millisecond)
			case sinktest.Stalls:
				fill(t, s.address())
				p.Timeout = 200 * time.Millisecond
				p.Heal = func() { mine.read(t, 0) }
				t.Cleanup(func() { mine.conn.Close() })
			default:
				s.conn.Close()
				return nil
			}
			return p
		},
	})
}

// fill fills the queue of a socket that nobody reads.
func fill(t *testing.T, socket string) {
	t.Helper()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = c.Write([]byte("MESSAGE=filling\n"))
	}
}

// TestForm: the fields, and MESSAGE_ID as the journal's catalogue has it.
func TestForm(t *testing.T) {
	s := listen(t)
	s.read(t, 0)
	x := New(s.address(), 0)
	defer x.Close()
	events := sinktest.Events(1)
	if err := x.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	s.ids(t, 1)
	e := s.entries[0]
	for name, want := range map[string]string{"MESSAGE_ID": codes.MessageID("easemob-web", "206"), "PRIORITY": "4", "SYSLOG_IDENTIFIER": "imwatch", "IM_FAMILY": "easemob-web", "IM_CODE": "206",
		"EVENT_ID": events[0].ID, "EVENT_CODE": "easemob-web/206", "USER_ID": "user1", "LABELS_ENV": "test", "LOG_FILE_PATH": "/var/log/chat/web.log", "LOG_OFFSET": "200", "IM_COUNT": "1",
		"MESSAGE": events[0].Message(), "TIMESTAMP": "2026-11-20T08:00:01.123Z"} {
		if !slices.Equal(e[name], []string{want}) {
			t.Errorf("%s is %q, want %q", name, e[name], want)
		}
	}
	if len(e["IM_HINTS"]) < 1 || len(e["IM_HINTS_ZH"]) < 1 {
		t.Errorf("hints %q, %q", e["IM_HINTS"], e["IM_HINTS_ZH"])
	}
}

// TestRestart: a journald that was started anew is found at once.
func TestRestart(t *testing.T) {
	s := listen(t)
	x := New(s.address(), 0)
	defer x.Close()
	s.read(t, 0)
	if err := x.Send(t.Context(), sinktest.Events(1)); err != nil {
		t.Fatal(err)
	}
	s.ids(t, 1)
	s.conn.Close()
	path := x.socket
	err := x.Send(t.Context(), sinktest.Events(1))
	if sink.Class(err) != sink.Connection || !strings.Contains(err.Error(), path) {
		t.Errorf("while there is none: %v, of class %s", err, sink.Class(err))
	}
	for range 2 {
		os.Remove(path)
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		next := &server{conn: c}
		next.read(t, 0)
		if err := x.Send(t.Context(), sinktest.Events(2)); err != nil {
			t.Fatalf("after a restart: %v", err)
		}
		if ids := next.ids(t, 2); len(ids) != 2 {
			t.Errorf("ids %v", ids)
		}
		c.Close()
	}
}

// TestLarge: what no datagram holds comes in a sealed memory file.
func TestLarge(t *testing.T) {
	s := listen(t)
	s.read(t, 0)
	x := New(s.address(), 0)
	defer x.Close()
	large := sinktest.Largest()
	if err := x.Send(t.Context(), []sink.Event{large}); err != nil {
		t.Fatal(err)
	}
	x.conn.SetWriteBuffer(1) // the kernel's least
	if err := x.Send(t.Context(), []sink.Event{large}); err != nil {
		t.Fatal(err)
	}
	if ids := s.ids(t, 2); len(ids) != 2 || s.files != 1 {
		t.Errorf("%d entries, %d of them in files", len(ids), s.files)
	}
}

// TestJournald sends to a real journald, in a /run of its own, and reads with
// journalctl what it wrote.
func TestJournald(t *testing.T) {
	root := journald(t)
	x := New(root+"/run/systemd/journal/socket", 0)
	defer x.Close()
	events := append(sinktest.Events(100), sinktest.Largest(), sinktest.Invalid())
	if err := x.Send(t.Context(), events[:100]); err != nil {
		t.Fatal(err)
	}
	x.conn.SetWriteBuffer(1) // the rest by memory files
	if err := x.Send(t.Context(), events[100:]); err != nil {
		t.Fatal(err)
	}
	id := codes.MessageID("easemob-web", "206")
	var got []map[string]any
	for end := time.Now().Add(20 * time.Second); len(got) < len(events) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got = journalctl(t, root, "MESSAGE_ID="+id)
	}
	if len(got) != len(events) {
		t.Fatalf("journalctl finds %d entries, want %d", len(got), len(events))
	}
	for i, e := range got {
		f := events[i].Finding
		for name, want := range map[string]string{"EVENT_ID": events[i].ID, "IM_FAMILY": "easemob-web", "IM_CODE": "206", "USER_ID": f.Fields.Get("user_id"), "MESSAGE": events[i].Message(), "PRIORITY": "4", "SYSLOG_IDENTIFIER": "imwatch", "_TRANSPORT": "journal"} {
			if e[name] != want {
				t.Errorf("entry %d: %s is %v, want %q", i, name, e[name], want)
			}
		}
	}
	if one := journalctl(t, root, "EVENT_ID="+events[41].ID); len(one) != 1 {
		t.Errorf("by its id: %d entries", len(one))
	}
}

// journald starts one and returns the root of what it sees.
func journald(t *testing.T) string {
	t.Helper()
	journald := "/lib/systemd/systemd-journald"
	if _, err := os.Stat(journald); err != nil {
		journald = sinktest.Real(t, "systemd-journald")
	}
	flags := "-m"
	if os.Getuid() != 0 {
		flags = "-rm"
	}
	const script = `mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && exec "$0"`
	cmd := exec.Command(sinktest.Real(t, "unshare"), flags, "sh", "-c", script, journald)
	root := ""
	sinktest.Serve(t, cmd, func() bool {
		root = fmt.Sprintf("/proc/%d/root", cmd.Process.Pid)
		// The machine's own /run is seen until unshare has made another.
		if files, _ := filepath.Glob(root + "/run/log/journal/*/system.journal"); len(files) == 0 || !own(cmd.Process.Pid) {
			return false
		}
		c, err := net.Dial("unixgram", root+"/run/systemd/journal/socket")
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return root
}

// own tells whether a process has become journald.
func own(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.HasPrefix(string(name), "systemd-journal")
}

func journalctl(t *testing.T, root string, match string) (list []map[string]any) {
	t.Helper()
	files, err := filepath.Glob(root + "/run/log/journal/*/system.journal")
	if err != nil || len(files) == 0 {
		t.Fatalf("no journal: %v", err)
	}
	cmd := exec.Command(sinktest.Real(t, "journalctl"), "--file", files[0], "-o", "json", "--all", match)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		if len(out) == 0 && complaint.Len() == 0 {
			return nil // it found none
		}
		t.Fatalf("journalctl: %v: %s", err, complaint.String())
	}
	for line := range bytes.Lines(out) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if e["EVENT_ID"] != nil {
			list = append(list, e)
		}
	}
	return list
}

func BenchmarkSend(b *testing.B) {
	s := listen(b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			if _, err := s.conn.Read(buf); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() { s.conn.Close(); <-done })
	x := New(s.address(), 0)
	defer x.Close()
	sinktest.Benchmark(b, x)
}
