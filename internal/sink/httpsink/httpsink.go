// Package httpsink posts events to any HTTP endpoint: a batch as lines of JSON,
// as VictoriaLogs (/insert/jsonline), Vector and Fluent Bit take them; one
// request for each event; or what a template makes of an event, such as a
// message to a chat group's robot.
package httpsink

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"text/template"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
)

// Options say where events go and in which form.
type Options struct {
	HTTP     httpclient.Options // its Auth also with the schemes dingtalk and feishu
	Single   bool               // one request for each event
	Template string             // slack, dingtalk, feishu, wecom, or a text/template; then Single
}

// A Sink posts events.
type Sink struct {
	o        Options
	client   *httpclient.Client
	template *template.Template
	robot    robot
	next     time.Time // not before this
	body     []byte
}

// New returns a sink; it does not connect yet.
func New(o Options) (*Sink, error) {
	c, err := httpclient.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	s := &Sink{o: o, client: c, robot: robots[o.Template]}
	if o.Template != "" {
		if s.template, err = parse(o.Template); err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
	}
	return s, nil
}

// Send posts the events.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	switch {
	case len(events) == 0:
		return nil
	case s.template != nil:
		return sink.Each(events, func(e *sink.Event) error { return s.message(ctx, e) })
	case s.o.Single:
		return sink.Each(events, func(e *sink.Event) error {
			_, err := s.client.Post(ctx, "application/json", e.JSON, nil)
			return err
		})
	}
	s.body = s.body[:0]
	for i := range events {
		s.body = append(s.body, events[i].JSON...)
	}
	_, err := s.client.Post(ctx, "application/x-ndjson", s.body, nil)
	return err
}

// message posts what the template makes of an event.
func (s *Sink) message(ctx context.Context, e *sink.Event) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	var sig *signature
	if a := s.o.HTTP.Auth; a.Secret.Set() {
		secret, err := a.Secret.Get()
		if err != nil {
			return &sink.Failure{Class: sink.Auth, Err: err}
		}
		sig = sign(a.Scheme, secret, time.Now())
	}
	var b bytes.Buffer
	if err := s.template.Execute(&b, newMessage(e, sig)); err != nil {
		return fmt.Errorf("%w: %w", sink.ErrRejected, err)
	}
	var host string
	answer, err := s.client.Post(ctx, "application/json; charset=utf-8", b.Bytes(), func(r *http.Request) {
		host = r.URL.Host
		if sig != nil && s.robot.signed != nil {
			s.robot.signed(r, sig)
		}
	})
	if err != nil || s.robot.answer == nil {
		return err
	}
	return s.robot.answer(host, answer.Body)
}

// wait keeps the robot's pace.
func (s *Sink) wait(ctx context.Context) error {
	now := time.Now()
	d := s.next.Sub(now)
	s.next = now.Add(max(d, 0) + s.robot.pace)
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Close ends the connections.
func (s *Sink) Close() error { return s.client.Close() }
