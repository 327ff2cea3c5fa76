package otlp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/sink"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A codec encodes requests and reads answers.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) ([]byte, error) { return proto.Marshal(v.(proto.Message)) }

func (codec) Unmarshal(b []byte, v any) error {
	if m, ok := v.(proto.Message); ok { // the status of an error
		return proto.Unmarshal(b, m)
	}
	return v.(*answer).read(b)
}

var classes = map[connect.Code]string{
	connect.CodeUnauthenticated:   sink.Auth,
	connect.CodePermissionDenied:  sink.Auth,
	connect.CodeResourceExhausted: sink.Throttled,
	connect.CodeDeadlineExceeded:  sink.Timeout,
	connect.CodeUnimplemented:     sink.Address,
	connect.CodeNotFound:          sink.Address,
}

// failure is what a call's error means for the events.
func failure(err error) error {
	var f *sink.Failure
	if errors.As(err, &f) { // below gRPC
		return f
	}
	if errors.Is(err, sink.ErrRejected) {
		return err
	}
	var status *connect.Error
	if !errors.As(err, &status) {
		return &sink.Failure{Class: sink.Connection, Err: err}
	}
	text := fmt.Errorf("the server answers %s: %s", status.Code(), redact.Clean(status.Message(), 1024))
	if !connect.IsWireError(err) { // it is ours: what came is no answer of gRPC
		f = &sink.Failure{Class: sink.Connection, Err: text}
		switch {
		case status.Code() == connect.CodeDeadlineExceeded:
			f.Class = sink.Timeout
		case errors.Is(err, errAnswer), status.Code() == connect.CodeUnknown, strings.Contains(status.Message(), "content-type"):
			f.Class = sink.Answer
		}
		f.Err = errors.New(redact.Clean(status.Message(), 1024))
		return f
	}
	if status.Code() == connect.CodeInvalidArgument || status.Code() == connect.CodeResourceExhausted && strings.Contains(status.Message(), "larger than max") {
		return fmt.Errorf("%w: %w", sink.ErrRejected, text)
	}
	f = &sink.Failure{Class: sink.Server, Err: text, After: retryAfter(status)}
	if class, ok := classes[status.Code()]; ok {
		f.Class = class
	}
	return f
}

// retryAfter is the delay of a google.rpc.RetryInfo.
func retryAfter(status *connect.Error) (after time.Duration) {
	for _, d := range status.Details() {
		if d.Type() != "google.rpc.RetryInfo" {
			continue
		}
		fields(d.Bytes(), func(n protowire.Number, _ uint64, duration []byte) error {
			if n != 1 {
				return nil
			}
			return fields(duration, func(n protowire.Number, v uint64, _ []byte) error {
				switch n {
				case 1:
					after += time.Duration(min(v, 24*3600)) * time.Second
				case 2:
					after += time.Duration(min(v, uint64(time.Second)))
				}
				return nil
			})
		})
	}
	return after
}
