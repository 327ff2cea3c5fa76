package sinktest

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Listener misbehaves below a protocol over TCP, until it is healed: it
// stalls, resets, closes or answers garbage.
type Listener struct {
	net.Listener
	b    Behaviour
	bad  atomic.Bool
	heal chan struct{}
	once sync.Once
}

// Misbehave puts a behaviour in front of a listener. Those it does not know it
// leaves alone.
func Misbehave(t testing.TB, l net.Listener, b Behaviour) *Listener {
	x := &Listener{Listener: l, b: b, heal: make(chan struct{})}
	x.bad.Store(true)
	t.Cleanup(x.Heal)
	return x
}

// Heal ends the behaviour.
func (l *Listener) Heal() {
	l.bad.Store(false)
	l.once.Do(func() { close(l.heal) })
}

// Accept returns the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || !l.bad.Load() {
		return c, err
	}
	switch l.b {
	case Stalls, Resets, HalfCloses, Garbage, Slow:
		return &badConn{Conn: c, l: l}, nil
	}
	return c, nil
}

type badConn struct {
	net.Conn
	l *Listener
}

var errEnded = errors.New("the test ends this connection")

func (c *badConn) Read(b []byte) (int, error) {
	switch c.l.b {
	case Stalls:
		<-c.l.heal
	case Slow:
		t := time.NewTimer(20 * time.Millisecond)
		defer t.Stop()
		<-t.C
		return c.Conn.Read(b)
	case Resets:
		c.Conn.Read(make([]byte, 4))
		c.Conn.(*net.TCPConn).SetLinger(0)
	case HalfCloses:
		c.Conn.Read(make([]byte, 64<<10))
		c.Conn.(*net.TCPConn).CloseWrite()
		c.Conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		io.Copy(io.Discard, c.Conn)
	case Garbage:
		c.Conn.Read(make([]byte, 64<<10))
		io.WriteString(c.Conn, "\x00\x00\x00\x10 220 mail.example.com ESMTP\r\n\r\n")
	}
	c.Conn.Close()
	return 0, errEnded
}
