// Package syslog sends events to a syslog server: RFC 5424 over a unix datagram
// socket, UDP, TCP (octet counting, RFC 6587) or TLS (RFC 5425).
//
// Syslog has no answers. Over TCP and TLS an event counts as delivered when the
// other machine has acknowledged its bytes and neither closed nor said anything;
// what the server then loses of it nobody learns. Over UDP nothing tells that a
// message arrived. A repeat has the same event.id in the structured data.
package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/secure"
)

// Options say where events go, and as whose.
type Options struct {
	Address  string        // as ParseAddress reads it
	Facility string        // default local0
	AppName  string        // default imwatch
	TLS      secure.TLS    // of tls://
	Timeout  time.Duration // to connect, for the handshake, to send; default 10 s
}

// What is the longest message? RFC 5426 wants 2,048 bytes taken over UDP, and
// rsyslog cuts after 8 KiB.
const (
	longestUDP = 2048
	longest    = 8192
)

// A Sink sends to one server.
type Sink struct {
	to      Address
	tls     *tls.Config
	timeout time.Duration
	format  format
	conn    *conn // nil: none
	out     []byte
	one     []byte
}

// New returns a sink; it does not connect yet.
func New(o Options) (*Sink, error) {
	to, err := ParseAddress(o.Address)
	if err != nil {
		return nil, err
	}
	s := &Sink{to: to, timeout: o.Timeout, format: format{app: o.AppName, max: longest}}
	if s.timeout <= 0 {
		s.timeout = 10 * time.Second
	}
	if o.AppName == "" {
		s.format.app = "imwatch"
	}
	if o.Facility == "" {
		o.Facility = "local0"
	}
	if s.format.facility, err = facility(o.Facility); err != nil {
		return nil, err
	}
	if to.Network == "udp" {
		s.format.max = longestUDP
	}
	if to.Network == "tls" {
		if s.tls, err = o.TLS.Config(); err != nil {
			return nil, err
		}
		if s.tls.ServerName == "" {
			s.tls.ServerName, _, _ = net.SplitHostPort(to.Address)
		}
	}
	return s, nil
}

// Send sends the events.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	if len(events) == 0 {
		return nil
	}
	if s.conn != nil && s.conn.ended() { // idle connections are closed: no failure
		s.Close()
	}
	old := s.conn != nil
	err := s.attempt(ctx, events)
	if err != nil && old && s.conn == nil && s.datagrams() && ctx.Err() == nil {
		err = s.attempt(ctx, events) // the server was started anew
	}
	return err
}

func (s *Sink) datagrams() bool { return s.to.Network == "udp" || s.to.Network == "unixgram" }

// attempt connects if need be, and sends. After a failure there is no
// connection left.
func (s *Sink) attempt(ctx context.Context, events []sink.Event) (err error) {
	if s.conn == nil {
		if s.conn, err = s.connect(ctx); err != nil {
			s.conn = nil
			return s.failure(ctx, err)
		}
	}
	if s.datagrams() {
		err = s.sendEach(ctx, events)
	} else {
		err = s.conn.send(ctx, s.frames(events), s.timeout)
	}
	if err == nil {
		return nil
	}
	s.Close()
	var p *sink.Partial
	if errors.As(err, &p) {
		p.Err = s.failure(ctx, p.Err)
		return p
	}
	return s.failure(ctx, err)
}

func (s *Sink) sendEach(ctx context.Context, events []sink.Event) error {
	return sink.Each(events, func(e *sink.Event) error {
		s.one = s.format.append(s.one[:0], e)
		return s.conn.write(ctx, s.one, s.timeout)
	})
}

// frames are the messages with their lengths before them.
func (s *Sink) frames(events []sink.Event) []byte {
	s.out = s.out[:0]
	for i := range events {
		s.one = s.format.append(s.one[:0], &events[i])
		s.out = append(strconv.AppendInt(s.out, int64(len(s.one)), 10), ' ')
		s.out = append(s.out, s.one...)
	}
	return s.out
}

// failure says of an error what it means.
func (s *Sink) failure(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	class := sink.Connection
	var timeout net.Error
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errSpoke) || errors.As(err, &record):
		class = sink.Answer
	case secure.Untrusted(err):
		class = sink.Trust
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		class = sink.Timeout
	case errors.Is(err, syscall.EACCES):
		class = sink.Auth
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" { // its text has the address again
		err = op.Err
	}
	return &sink.Failure{Class: class, Err: fmt.Errorf("%s: %w", s.to.Address, err)}
}

// Close ends the connection.
func (s *Sink) Close() error {
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
	return nil
}
