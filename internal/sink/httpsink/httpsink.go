// Package httpsink posts events to any HTTP endpoint: a batch as lines of JSON,
// as VictoriaLogs (/insert/jsonline), Vector and Fluent Bit take them, or one
// request for each event.
package httpsink

import (
	"context"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
)

// Options say where events go and in which form.
type Options struct {
	HTTP   httpclient.Options
	Single bool // one request for each event
}

// A Sink posts events.
type Sink struct {
	o      Options
	client *httpclient.Client
	body   []byte
}

// New returns a sink; it does not connect yet.
func New(o Options) (*Sink, error) {
	c, err := httpclient.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	return &Sink{o: o, client: c}, nil
}

// Send posts the events.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	if len(events) == 0 {
		return nil
	}
	if s.o.Single {
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

// Close ends the connections.
func (s *Sink) Close() error { return s.client.Close() }
