// Package elasticsearch creates events in a data stream of Elasticsearch or
// OpenSearch by the bulk API. A document's _id is the event's id, so an event
// that comes again is recognised, within one backing index: after a rollover in
// between it stands there twice.
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
package elasticsearch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
)

// DefaultIndex is the data stream when none is named.
const DefaultIndex = "logs-imwatch-default"

// Options say where events go. The URL is the cluster's.
type Options struct {
	HTTP  httpclient.Options
	Index string
}

// A Sink creates documents.
type Sink struct {
	client *httpclient.Client
	body   []byte
}

// New returns a sink; it does not connect yet.
func New(o Options) (*Sink, error) {
	if o.Index == "" {
		o.Index = DefaultIndex
	}
	// Of the answer only what says how each one fared.
	o.HTTP.URL = strings.TrimSuffix(o.HTTP.URL, "/") + "/" + url.PathEscape(o.Index) + "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
	c, err := httpclient.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	return &Sink{client: c}, nil
}

// Close ends the connections.
func (s *Sink) Close() error { return s.client.Close() }

// Send creates a document of each event.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	if len(events) == 0 {
		return nil
	}
	s.body = s.body[:0]
	for i := range events {
		s.body = append(s.body, `{"create":{"_id":`...)
		s.body = annotator.AppendString(s.body, events[i].ID)
		s.body = append(s.body, "}}\n"...)
		s.body = append(s.body, events[i].JSON...)
	}
	a, err := s.client.Post(ctx, "application/x-ndjson", s.body, nil)
	if err != nil {
		return err
	}
	return answer(a.Body, len(events))
}

// item is how one document fared.
type item struct {
	Create struct {
		Status int `json:"status"`
		Error  struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"error"`
	} `json:"create"`
}

// answer says what a bulk answer means for n events.
func answer(body []byte, n int) error {
	var a struct {
		Errors *bool  `json:"errors"`
		Items  []item `json:"items"`
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Errors == nil {
		return &sink.Failure{Class: sink.Answer, Err: fmt.Errorf("the answer is none of a bulk request: %.200q", body)}
	}
	if len(a.Items) != n {
		return &sink.Failure{Class: sink.Answer, Err: fmt.Errorf("the answer is about %d documents, sent were %d", len(a.Items), n)}
	}
	p := &sink.Partial{Rejected: map[int]string{}}
	for i := range a.Items {
		c := &a.Items[i].Create
		said := fmt.Sprintf("%d %s: %s", c.Status, c.Error.Type, c.Error.Reason)
		class := ""
		switch s := c.Status; {
		case s >= 200 && s < 300 || s == 409: // it is there already: that is success
			continue
		case s == 429:
			class = sink.Throttled
		case s == 401 || s == 403: // also a cluster that is read-only, for its disk is full
			class = sink.Auth
		case s == 404:
			class = sink.Address
		case s >= 400 && s < 500:
			p.Rejected[i] = said
			continue
		default:
			class = sink.Server
		}
		p.Again = append(p.Again, i)
		if p.Err == nil {
			p.Err = &sink.Failure{Class: class, Err: fmt.Errorf("a document is answered with %s", said)}
		}
	}
	if len(p.Rejected) == 0 && len(p.Again) == 0 {
		return nil
	}
	return p
}
