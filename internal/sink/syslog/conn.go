package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// errSpoke: a syslog server says nothing.
var errSpoke = errors.New("the other side answers, which no syslog server does: is it one")

// A conn is a connection to a server. One goroutine reads from a stream, for
// that is how its end is learned; close waits for it.
type conn struct {
	net.Conn
	raw  net.Conn      // below TLS
	gone chan struct{} // closed when the other side closed or spoke; nil for datagrams
	why  error         // after gone
}

func (s *Sink) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if s.to.Network != "tls" {
		c, err := s.dial(ctx, s.to.Network)
		if err != nil {
			return nil, err
		}
		if s.datagrams() {
			return &conn{Conn: c}, nil
		}
		return watch(c, c), nil
	}
	// With TLS 1.3 a server refuses our certificate after the handshake, when
	// events were sent that nobody reads; with 1.2, in it.
	config := s.tls.Clone()
	config.MaxVersion = tls.VersionTLS12
	c, err := s.handshake(ctx, config)
	var alert *net.OpError
	if errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(err.Error(), "protocol version") {
		c, err = s.handshake(ctx, s.tls)
	}
	return c, err
}

func (s *Sink) dial(ctx context.Context, network string) (net.Conn, error) {
	return (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, network, s.to.Address)
}

func (s *Sink) handshake(ctx context.Context, config *tls.Config) (*conn, error) {
	raw, err := s.dial(ctx, "tcp")
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return watch(c, raw), nil
}

// watch learns when the other side ends a stream.
func watch(c, raw net.Conn) *conn {
	x := &conn{Conn: c, raw: raw, gone: make(chan struct{})}
	go func() {
		defer close(x.gone)
		n, err := c.Read(make([]byte, 1))
		switch {
		case n > 0:
			x.why = errSpoke
		case errors.Is(err, io.EOF):
			x.why = errors.New("the other side has closed the connection")
		default:
			x.why = err
		}
	}()
	return x
}

// ended tells whether the other side has ended the stream.
func (c *conn) ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// write writes within the timeout, or until ctx ends.
func (c *conn) write(ctx context.Context, b []byte, timeout time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.SetWriteDeadline(time.Now().Add(timeout))
	stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := c.Write(b)
	return err
}

// send writes to a stream, and waits until the other side's machine has all of
// it and has not ended the stream.
func (c *conn) send(ctx context.Context, b []byte, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// The end of the stream tells more than the write that it makes fail.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-c.gone:
			c.SetWriteDeadline(time.Unix(1, 0))
		case <-ctx.Done():
		}
	}()
	err := c.write(ctx, b, timeout)
	if err == nil {
		err = c.acknowledged(ctx)
	}
	cancel()
	<-ended
	if c.ended() && c.why != nil {
		return c.why
	}
	return err
}

// acknowledged waits until the other side's machine has all bytes.
func (c *conn) acknowledged(ctx context.Context) error {
	for wait := 20 * time.Microsecond; ; wait = min(2*wait, 20*time.Millisecond) {
		n, err := unacknowledged(c.raw)
		if err != nil || n == 0 {
			return err
		}
		t := time.NewTimer(wait)
		select {
		case <-c.gone:
			t.Stop()
			return c.why
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// close ends the connection and its goroutine.
func (c *conn) close() {
	if c.raw != nil {
		c.raw.SetDeadline(time.Now().Add(time.Second)) // TLS says goodbye
	}
	c.Conn.Close()
	if c.gone != nil {
		<-c.gone
	}
}
