// Package loki pushes events to Grafana Loki: the event's JSON is the line, few
// fields are labels, the rest but the long texts is structured metadata.
// https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
package loki

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
)

// Options say where events go.
type Options struct {
	HTTP        httpclient.Options
	LabelFields []string // fields that become labels beside service_name, host and source
}

// A Sink pushes events.
type Sink struct {
	client *httpclient.Client
	labels []string
	late   atomic.Int64

	fields  []annotator.Field
	names   map[string]string // of fields, as labels are called
	streams []stream
	out     []byte
}

// New returns a sink; it does not connect yet.
func New(o Options) (*Sink, error) {
	c, err := httpclient.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	return &Sink{client: c, labels: o.LabelFields, names: map[string]string{}}, nil
}

// Late counts events that Loki took only under the time at which they were read.
func (s *Sink) Late() int64 { return s.late.Load() }

// Close ends the connections.
func (s *Sink) Close() error { return s.client.Close() }

// Moments that an event can stand under, one after the other: that of its line,
// that at which it was read, that at which it is sent.
const (
	ofLine = iota
	ofReading
	ofSending
)

// Loki refuses what is an hour older than the newest of its stream, a week old,
// or too new, and takes the rest of the batch; what it took it takes again
// without keeping it twice. So a batch with late events is sent again, with
// those under the time at which they were read.
var untimely = regexp.MustCompile(`(?i)too far behind|timestamp too (old|new)|out of order`)

// Send pushes the events.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	if len(events) == 0 {
		return nil
	}
	moments := make([]int, len(events))
	err := s.push(ctx, events, moments)
	if !isUntimely(err) {
		return err
	}
	// Each stream has a window of its own.
	for _, one := range s.byStream(events) {
		moments := make([]int, len(one))
		err := s.push(ctx, one, moments)
		for isUntimely(err) && later(one, moments, err.Error()) {
			err = s.push(ctx, one, moments)
		}
		if err != nil {
			return err
		}
		for _, m := range moments {
			if m != ofLine {
				s.late.Add(1)
			}
		}
	}
	return nil
}

func (s *Sink) push(ctx context.Context, events []sink.Event, moments []int) error {
	_, err := s.client.Post(ctx, "application/json", s.body(events, moments), nil)
	if errors.Is(err, sink.ErrRejected) && strings.Contains(err.Error(), "includes structured metadata, but this feature is disallowed") {
		return &sink.Failure{Class: sink.Address, Err: fmt.Errorf("allow_structured_metadata is off in Loki's limits_config, and its schema must be v13: %s", strings.TrimPrefix(err.Error(), sink.ErrRejected.Error()+": "))}
	}
	return err
}

func isUntimely(err error) bool {
	return errors.Is(err, sink.ErrRejected) && untimely.MatchString(err.Error())
}

// byStream parts events by their labels, and keeps their order.
func (s *Sink) byStream(events []sink.Event) (parts [][]sink.Event) {
	at := map[string]int{}
	for i := range events {
		s.fields = events[i].Fields(s.fields[:0])
		labels := s.labelsOf(&events[i])
		n, ok := at[labels]
		if !ok {
			n = len(parts)
			at[labels] = n
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], events[i])
	}
	return parts
}

var oldest = regexp.MustCompile(`oldest acceptable timestamp is: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^\s,']*)`)

// later moves the events that a refusal is about to a later moment; false when
// there is none left for them.
func later(events []sink.Event, moments []int, refusal string) bool {
	var bound time.Time
	for _, m := range oldest.FindAllStringSubmatch(refusal, -1) {
		if t, err := time.Parse(time.RFC3339Nano, m[1]); err == nil && t.After(bound) {
			bound = t
		}
	}
	tooNew := strings.Contains(refusal, "too new")
	move := func(about func(i int) bool) (moved bool) {
		for i := range events {
			if moments[i] < ofSending && about(i) {
				moments[i]++
				moved = true
			}
		}
		return moved
	}
	return move(func(i int) bool {
		at := moment(&events[i], moments[i])
		return at.Before(bound) || tooNew && at.After(time.Now())
	}) || move(func(i int) bool { // the answer does not tell which
		f := events[i].Finding
		return len(events) == 1 || moments[i] != ofLine || f.Created.Sub(f.Time) > time.Minute
	})
}

func moment(e *sink.Event, m int) time.Time {
	switch m {
	case ofLine:
		return e.Finding.Time
	case ofReading:
		return e.Finding.Created
	}
	return time.Now()
}

// A stream is what has the same labels.
type stream struct {
	labels string // as JSON
	values []byte
}

// label is a field's name as a label.
func (s *Sink) label(field string) string {
	name, ok := s.names[field]
	if !ok {
		name = label(field)
		if len(s.names) < 1024 {
			s.names[strings.Clone(field)] = name
		}
	}
	return name
}

// body encodes a push request.
func (s *Sink) body(events []sink.Event, moments []int) []byte {
	streams := s.streams[:0]
	for i := range events {
		s.fields = events[i].Fields(s.fields[:0])
		labels := s.labelsOf(&events[i])
		n := slices.IndexFunc(streams, func(x stream) bool { return x.labels == labels })
		if n < 0 {
			n = len(streams)
			var old []byte
			if n < cap(streams) {
				old = streams[:n+1][n].values[:0]
			}
			streams = append(streams, stream{labels, old})
		} else {
			streams[n].values = append(streams[n].values, ',')
		}
		streams[n].values = s.value(streams[n].values, &events[i], moments[i])
	}
	s.streams = streams
	body := append(s.out[:0], `{"streams":[`...)
	for i, x := range streams {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(body, `{"stream":`...), x.labels...)
		body = append(append(append(body, `,"values":[`...), x.values...), `]}`...)
	}
	s.out = append(body, `]}`...)
	return s.out
}

// labelsOf makes the labels: few and of few values, for each set of them is a
// stream of its own.
func (s *Sink) labelsOf(e *sink.Event) string {
	b := []byte{'{'}
	add := func(name, value string) {
		if value == "" {
			return
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = annotator.AppendString(append(annotator.AppendString(b, name), ':'), value[:min(len(value), maxLabel)])
	}
	service, host := "imwatch", ""
	for _, f := range s.fields {
		switch f.Name {
		case "service.name":
			service = f.Value.(string)
		case "host.name":
			host = f.Value.(string)
		}
	}
	add("service_name", service)
	add("host", host)
	add("source", e.Finding.Source)
	for _, name := range s.labels {
		for _, f := range s.fields {
			if f.Name == name {
				add(label(name), f.Text(","))
			}
		}
	}
	return string(append(b, '}'))
}

const maxLabel = 2048 // bytes of a label's value: max_label_value_length

// Not in the metadata: they are long, and stand in the line.
var long = []string{"@timestamp", "message", "event.original", "im.description", "im.description_zh", "im.causes", "im.causes_zh", "im.hints", "im.hints_zh", "im.samples", "im.title", "im.title_zh", "error.message"}

// value appends [time, line, metadata].
func (s *Sink) value(b []byte, e *sink.Event, m int) []byte {
	b = append(b, `["`...)
	b = strconv.AppendInt(b, moment(e, m).UnixNano(), 10)
	b = append(b, `",`...)
	b = annotator.AppendString(b, strings.TrimSuffix(string(e.JSON), "\n"))
	b = append(b, `,{`...)
	n := 0
	add := func(name, value string) {
		if n > 0 {
			b = append(b, ',')
		}
		n++
		b = annotator.AppendString(append(annotator.AppendString(b, name), ':'), value)
	}
	if m != ofLine {
		add("original_time", e.Finding.Time.UTC().Format(time.RFC3339Nano))
	}
	for _, f := range s.fields {
		if n < maxMetadata && !slices.Contains(long, f.Name) && !slices.Contains(s.labels, f.Name) && f.Name != "service.name" && f.Name != "host.name" {
			add(s.label(f.Name), f.Text(","))
		}
	}
	return append(b, `}]`...)
}

const maxMetadata = 128 // entries: max_structured_metadata_entries_count

// label makes a name that Loki takes of a field's.
func label(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name)
}
