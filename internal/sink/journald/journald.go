//go:build linux

// Package journald sends events to systemd's journal by its native protocol,
// with all their fields: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
//
// The journal of go-systemd knows one socket only, waits without end, and needs
// /dev/shm, which a service need not have; so the protocol is spoken here.
package journald

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/sink"
	"golang.org/x/sys/unix"
)

// Socket is where journald listens.
const Socket = "/run/systemd/journal/socket"

const defaultTimeout = 10 * time.Second

// A Sink sends to a journal.
type Sink struct {
	socket  string
	timeout time.Duration
	conn    *net.UnixConn // nil: none

	fields []annotator.Field
	names  map[string]string // of fields, as the journal's
	entry  []byte
}

// New returns a sink; it does not connect yet. Without a socket it is the
// machine's, without a timeout 10 s.
func New(socket string, timeout time.Duration) *Sink {
	if socket == "" {
		socket = Socket
	}
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return &Sink{socket: socket, timeout: timeout, names: map[string]string{}}
}

// Send sends the events, each as an entry. The journal gives no answer: what
// its socket takes counts as delivered.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	return sink.Each(events, func(e *sink.Event) error {
		s.entry = s.append(s.entry[:0], e)
		old := s.conn != nil
		err := s.send(ctx)
		if err != nil && old && ctx.Err() == nil && restarted(err) {
			err = s.send(ctx)
		}
		if err == nil {
			return nil
		}
		return s.failure(ctx, err)
	})
}

// restarted tells whether the socket is that of a journald that ended.
func restarted(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (s *Sink) failure(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	class := sink.Connection
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		class = sink.Timeout
	case errors.Is(err, syscall.EACCES):
		class = sink.Auth
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" { // its text has the address again
		err = op.Err
	}
	return &sink.Failure{Class: class, Err: fmt.Errorf("%s: %w", s.socket, err)}
}

// send sends the entry: as a datagram, or when it is too long for one, in a
// sealed memory file.
func (s *Sink) send(ctx context.Context) (err error) {
	if s.conn == nil {
		if s.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"}); err != nil {
			s.conn = nil
			return err
		}
	}
	s.conn.SetWriteDeadline(time.Now().Add(s.timeout))
	stop := context.AfterFunc(ctx, func() { s.conn.SetWriteDeadline(time.Unix(1, 0)) })
	_, err = s.conn.Write(s.entry)
	if errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.ENOBUFS) {
		err = s.sendFile()
	}
	stop()
	if err != nil {
		s.Close()
	}
	return err
}

func (s *Sink) sendFile() error {
	fd, err := unix.MemfdCreate("imwatch-event", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("make a memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "imwatch-event")
	defer f.Close()
	if _, err := f.Write(s.entry); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("seal a memory file: %w", err)
	}
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	rights := unix.UnixRights(int(f.Fd()))
	var sent error
	err = raw.Write(func(fd uintptr) bool { // until there is room, or the deadline
		sent = unix.Sendmsg(int(fd), nil, rights, nil, 0)
		return sent != unix.EAGAIN
	})
	if err != nil {
		return err
	}
	return sent
}

// Close ends the connection.
func (s *Sink) Close() error {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	return nil
}

// priorities by level, as syslog's.
var priorities = map[string]string{"critical": "2", "error": "3", "warn": "4", "info": "6"}

// append encodes an event. A list is a field that stands there several times.
func (s *Sink) append(b []byte, e *sink.Event) []byte {
	f := e.Finding
	priority := priorities[e.Level]
	if priority == "" {
		priority = "6"
	}
	b = field(b, "MESSAGE", e.Message())
	b = field(b, "PRIORITY", priority)
	b = field(b, "SYSLOG_IDENTIFIER", "imwatch")
	if f.Family != "" {
		b = field(b, "MESSAGE_ID", codes.MessageID(f.Family, f.Code))
		b = field(b, "IM_CODE", f.Code)
	}
	s.fields = e.Fields(s.fields[:0])
	for _, x := range s.fields {
		if x.Name == "message" {
			continue
		}
		name := s.name(x.Name)
		list, ok := x.Value.([]string)
		if !ok {
			b = field(b, name, x.Text(""))
		}
		for _, text := range list {
			b = field(b, name, text)
		}
	}
	return b
}

const longestName = 64 // of a field, as journald takes it

// name is a field's name in the journal: im.message.id is IM_MESSAGE_ID.
func (s *Sink) name(field string) string {
	name, ok := s.names[field]
	if ok {
		return name
	}
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return '_'
	}, field), "_")
	name = name[:min(len(name), longestName)]
	if len(s.names) < 1024 {
		s.names[strings.Clone(field)] = name
	}
	return name
}

// field appends a field. A value of several lines has its length before it.
func field(b []byte, name, value string) []byte {
	value = redact.Clean(value, 8<<10)
	b = append(b, name...)
	if strings.Contains(value, "\n") {
		b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	return append(append(b, value...), '\n')
}
