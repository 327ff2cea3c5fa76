// Package otlp sends events as OpenTelemetry logs, over HTTP with protobuf or
// over gRPC: https://opentelemetry.io/docs/specs/otlp/
package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Options say where events go.
type Options struct {
	HTTP    httpclient.Options // without a path it is the one of the protocol
	GRPC    bool
	Version string // of imwatch, as the scope's
}

const (
	httpPath = "/v1/logs"
	grpcPath = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
)

// A Sink exports events.
type Sink struct {
	client  *httpclient.Client
	grpc    *connect.Client[logs.LogsData, answer] // nil: HTTP
	timeout time.Duration
	records records
	out     []byte
}

// New returns a sink; it does not connect yet.
func New(o Options) (*Sink, error) {
	u, err := url.Parse(o.HTTP.URL)
	if err != nil {
		return nil, errors.New("the url is none: write http://host:4318 or https://…")
	}
	s := &Sink{timeout: o.HTTP.Timeout, records: records{version: o.Version}}
	if s.timeout <= 0 {
		s.timeout = 10 * time.Second
	}
	gzip := o.GRPC && o.HTTP.Compression == "gzip"
	if o.GRPC {
		o.HTTP.HTTP2, o.HTTP.Compression = true, "" // each message is compressed, not the body
		u.Path = grpcPath
	} else if strings.Trim(u.Path, "/") == "" {
		u.Path = httpPath
	}
	o.HTTP.URL = u.String()
	if s.client, err = httpclient.New(o.HTTP); err != nil {
		return nil, err
	}
	if o.GRPC {
		opts := []connect.ClientOption{connect.WithGRPC(), connect.WithCodec(codec{}), connect.WithReadMaxBytes(httpclient.MaxAnswer)}
		if gzip {
			opts = append(opts, connect.WithSendGzip())
		}
		s.grpc = connect.NewClient[logs.LogsData, answer](s.client, o.HTTP.URL, opts...)
	}
	return s, nil
}

// Send exports the events.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	if len(events) == 0 {
		return nil
	}
	data := s.records.of(events)
	var a *answer
	var err error
	if s.grpc != nil {
		a, err = s.call(ctx, data)
	} else {
		a, err = s.post(ctx, data)
	}
	if err != nil {
		return err
	}
	return a.meaning(len(events))
}

func (s *Sink) post(ctx context.Context, data *logs.LogsData) (*answer, error) {
	var err error
	if s.out, err = (proto.MarshalOptions{}).MarshalAppend(s.out[:0], data); err != nil {
		return nil, err
	}
	resp, err := s.client.Post(ctx, "application/x-protobuf", s.out, nil)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	if err := a.read(resp.Body); err != nil {
		return nil, &sink.Failure{Class: sink.Answer, Err: err}
	}
	return a, nil
}

func (s *Sink) call(ctx context.Context, data *logs.LogsData) (*answer, error) {
	attempt, cancel := context.WithTimeout(ctx, 3*s.timeout) // connect, handshake, answer
	defer cancel()
	resp, err := s.grpc.CallUnary(attempt, connect.NewRequest(data))
	if err == nil {
		return resp.Msg, nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	return nil, failure(err)
}

// Close ends the connections.
func (s *Sink) Close() error { return s.client.Close() }

// An answer is an ExportLogsServiceResponse. The package that has it brings
// grpc and a gateway, which is much for two fields.
type answer struct {
	rejected int64
	message  string
}

var errAnswer = errors.New("the answer is no ExportLogsServiceResponse: is this an OTLP receiver")

func (a *answer) read(b []byte) error {
	return fields(b, func(n protowire.Number, _ uint64, partial []byte) error {
		if n != 1 {
			return nil
		}
		return fields(partial, func(n protowire.Number, v uint64, text []byte) error {
			switch n {
			case 1:
				a.rejected = int64(v)
			case 2:
				a.message = string(text)
			}
			return nil
		})
	})
}

// fields calls f with each field of a message: its number or its bytes.
func fields(b []byte, f func(n protowire.Number, v uint64, bytes []byte) error) error {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errAnswer
		}
		b = b[size:]
		var v uint64
		var text []byte
		switch kind {
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			text, size = protowire.ConsumeBytes(b)
		default:
			size = protowire.ConsumeFieldValue(n, kind, b)
		}
		if size < 0 {
			return errAnswer
		}
		b = b[size:]
		if err := f(n, v, text); err != nil {
			return err
		}
	}
	return nil
}

// meaning is what a partial success means for n events. It does not say which
// of them are refused. So that none is given up unnamed, they are looked for by
// halves, though the protocol would have nothing sent again; what arrives twice
// has the same log.record.uid.
func (a *answer) meaning(n int) error {
	switch {
	case a.rejected <= 0:
		return nil
	case a.rejected < int64(n):
		return fmt.Errorf("%w: %d of %d log records: %s", sink.ErrRejected, a.rejected, n, a.message)
	case n == 1:
		return fmt.Errorf("%w: %s", sink.ErrRejected, a.message)
	}
	p := &sink.Partial{Rejected: map[int]string{}}
	for i := range n {
		p.Rejected[i] = a.message
	}
	return p
}
