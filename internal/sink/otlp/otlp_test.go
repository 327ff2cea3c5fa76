package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A receiver takes logs over HTTP and gRPC.
type receiver struct {
	sinktest.Book
	list    []*logs.LogsData
	partial int64 // log records that it says to refuse
	err     error // of gRPC
}

// take takes logs, or says which event it refuses.
func (r *receiver) take(b []byte) error {
	d := &logs.LogsData{}
	if err := proto.Unmarshal(b, d); err != nil {
		return err
	}
	r.Mu.Lock()
	defer r.Mu.Unlock()
	var ids []string
	for _, rl := range d.ResourceLogs {
		for _, sl := range rl.ScopeLogs {
			for _, x := range sl.LogRecords {
				id := attribute(x.Attributes, "log.record.uid")
				if id == "" || id == r.Poison {
					return fmt.Errorf("cannot take %q", id)
				}
				ids = append(ids, id)
			}
		}
	}
	r.IDs, r.list = append(r.IDs, ids...), append(r.list, d)
	return nil
}

func attribute(list []*common.KeyValue, key string) string {
	for _, kv := range list {
		if kv.Key == key {
			return kv.Value.GetStringValue()
		}
	}
	return ""
}

func partialSuccess(rejected int64, message string) []byte {
	if rejected == 0 && message == "" {
		return nil
	}
	p := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(rejected))
	p = protowire.AppendString(protowire.AppendTag(p, 2, protowire.BytesType), message)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), p)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != httpPath || req.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "no such place for "+req.Header.Get("Content-Type"), http.StatusNotFound)
		return
	}
	b, _ := io.ReadAll(req.Body)
	w.Header().Set("Content-Type", "application/x-protobuf")
	if err := r.take(b); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		w.Write(protowire.AppendString(protowire.AppendTag([]byte{8, 3}, 2, protowire.BytesType), err.Error()))
		return
	}
	w.Write(partialSuccess(r.partial, "too old"))
}

// bytesCodec is the server's: it hands on what came.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }
func (bytesCodec) Marshal(v any) ([]byte, error) {
	if m, ok := v.(proto.Message); ok { // the status of an error
		return proto.Marshal(m)
	}
	return *v.(*[]byte), nil
}
func (bytesCodec) Unmarshal(b []byte, v any) error { *v.(*[]byte) = slices.Clone(b); return nil }

func (r *receiver) overGRPC() http.Handler {
	return connect.NewUnaryHandler(grpcPath, func(_ context.Context, req *connect.Request[[]byte]) (*connect.Response[[]byte], error) {
		if r.err != nil {
			return nil, r.err
		}
		if err := r.take(*req.Msg); err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		b := partialSuccess(r.partial, "too old")
		return connect.NewResponse(&b), nil
	}, connect.WithCodec(bytesCodec{}))
}

func TestConformance(t *testing.T) {
	for _, form := range []struct {
		name, compression string
		grpc              bool
	}{{"http", "none", false}, {"http gzip", "gzip", false}, {"http zstd", "zstd", false}, {"grpc", "none", true}, {"grpc gzip", "gzip", true}} {
		t.Run(form.name, func(t *testing.T) {
			sinktest.Run(t, sinktest.Suite{
				Open: func(t *testing.T, p *sinktest.Peer) sink.Sink {
					s, err := New(Options{GRPC: form.grpc, HTTP: httpclient.Options{URL: p.Address, Timeout: p.Timeout, Compression: form.compression, TLS: secure.TLS{CAFile: p.CA}}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				},
				Start: func(t *testing.T, b sinktest.Behaviour) *sinktest.Peer {
					r := &receiver{}
					h := sinktest.HTTP{Handler: r, IDs: r.Taken, Refuse: r.Refuse, HTTP2: form.grpc}
					if form.grpc {
						h.Handler = r.overGRPC()
					}
					return h.Start(t, b)
				},
			})
		})
	}
}

func start(t *testing.T, r *receiver, grpc bool) *Sink {
	t.Helper()
	h := httptest.NewUnstartedServer(r)
	if grpc {
		h.Config.Handler = r.overGRPC()
		h.Config.Protocols = new(http.Protocols)
		h.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	h.Start()
	t.Cleanup(h.Close)
	s, err := New(Options{GRPC: grpc, Version: "1.2.3", HTTP: httpclient.Options{URL: h.URL}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestForm(t *testing.T) {
	r := &receiver{}
	s := start(t, r, false)
	events := sinktest.Events(3)
	events[0].Finding.Fields.Set("trace_id", "0af7651916cd43dd8448eb211c80319c")
	events[1].Finding.Service, events[1].Finding.TimeBasis = "other", "read"
	for range 2 { // the second in memory that the first had
		if err := s.Send(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range r.list {
		if len(d.ResourceLogs) != 2 || len(d.ResourceLogs[0].ScopeLogs[0].LogRecords) != 2 {
			t.Fatalf("%d resources", len(d.ResourceLogs))
		}
		res := d.ResourceLogs[0].Resource.Attributes
		if attribute(res, "service.name") != "gateway" || attribute(res, "host.name") != "web1" || attribute(res, "host.id") != "5f1e" || attribute(d.ResourceLogs[1].Resource.Attributes, "service.name") != "other" {
			t.Errorf("resource %v", res)
		}
		x := d.ResourceLogs[0].ScopeLogs[0].LogRecords[0]
		f := events[0].Finding
		if x.EventName != "im.error" || x.SeverityNumber != 13 || x.SeverityText != "warn" || x.TimeUnixNano != uint64(f.Time.UnixNano()) || x.ObservedTimeUnixNano != uint64(f.Created.UnixNano()) || x.Body.GetStringValue() != events[0].Message() || fmt.Sprintf("%x", x.TraceId) != f.Fields.Get("trace_id") {
			t.Errorf("%v", x)
		}
		seen := map[string]bool{}
		for _, kv := range x.Attributes {
			if seen[kv.Key] {
				t.Errorf("%s stands there twice", kv.Key)
			}
			seen[kv.Key] = true
			if kv.Key == "im.count" && kv.Value.GetIntValue() != 1 || kv.Key == "im.hints" && len(kv.Value.GetArrayValue().GetValues()) == 0 {
				t.Errorf("%v", kv)
			}
		}
		for name, want := range map[string]string{"log.record.uid": f.ID, "event.code": "easemob-web/206", "log.record.original": f.Original, "user.id": "user1", "labels.env": "test", "log.file.path": f.Path} {
			if got := attribute(x.Attributes, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if read := d.ResourceLogs[1].ScopeLogs[0].LogRecords[0]; read.TimeUnixNano != 0 || read.ObservedTimeUnixNano == 0 {
			t.Errorf("only the read time is known, and the time is %d", read.TimeUnixNano)
		}
	}
}

// TestPartialSuccess: refused records are never told as taken.
func TestPartialSuccess(t *testing.T) {
	for _, grpc := range []bool{false, true} {
		r := &receiver{}
		s := start(t, r, grpc)
		events := sinktest.Events(3)
		r.partial = 1
		if err := s.Send(t.Context(), events); !errors.Is(err, sink.ErrRejected) || !strings.Contains(err.Error(), "1 of 3 log records: too old") {
			t.Errorf("one of three: %v", err)
		}
		if err := s.Send(t.Context(), events[:1]); !errors.Is(err, sink.ErrRejected) {
			t.Errorf("one of one: %v", err)
		}
		r.partial = 3
		var p *sink.Partial
		if err := s.Send(t.Context(), events); !errors.As(err, &p) || len(p.Rejected) != 3 {
			t.Errorf("all: %v", err)
		}
		r.partial = 0
		if err := s.Send(t.Context(), events); err != nil {
			t.Errorf("none: %v", err)
		}
	}
}

// TestStatus: what gRPC's codes mean for the events.
func TestStatus(t *testing.T) {
	r := &receiver{}
	s := start(t, r, true)
	for code, want := range map[connect.Code]string{connect.CodeUnauthenticated: sink.Auth, connect.CodePermissionDenied: sink.Auth, connect.CodeUnavailable: sink.Server, connect.CodeInternal: sink.Server,
		connect.CodeUnimplemented: sink.Address, connect.CodeResourceExhausted: sink.Throttled, connect.CodeInvalidArgument: sink.Refused, connect.CodeDeadlineExceeded: sink.Timeout, connect.CodeAborted: sink.Server} {
		r.err = connect.NewError(code, errors.New("no"))
		if err := s.Send(t.Context(), sinktest.Events(1)); err == nil || sink.Class(err) != want || errors.Is(err, sink.ErrRejected) != (want == sink.Refused) {
			t.Errorf("%s: %v, of class %s, want %s", code, err, sink.Class(err), want)
		}
	}
	large := connect.NewError(connect.CodeResourceExhausted, errors.New("grpc: received message larger than max (5000000 vs. 4194304)"))
	r.err = large
	if err := s.Send(t.Context(), sinktest.Events(2)); !errors.Is(err, sink.ErrRejected) {
		t.Errorf("too large: %v; a smaller one would be taken", err)
	}
	busy := connect.NewError(connect.CodeUnavailable, errors.New("busy"))
	busy.AddDetail(retryInfo(t, 7*time.Second))
	r.err = busy
	var f *sink.Failure
	if err := s.Send(t.Context(), sinktest.Events(1)); !errors.As(err, &f) || f.After != 7*time.Second {
		t.Errorf("RetryInfo: %v", err)
	}
}

// retryInfo is a google.rpc.RetryInfo: its only field, 1, is a duration.
func retryInfo(t *testing.T, after time.Duration) *connect.ErrorDetail {
	t.Helper()
	d, err := proto.Marshal(durationpb.New(after))
	if err != nil {
		t.Fatal(err)
	}
	b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), d)
	x, err := connect.NewErrorDetail(&anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: b})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func BenchmarkSend(b *testing.B) {
	for _, form := range []struct {
		name, compression string
		grpc              bool
	}{{"http", "none", false}, {"http-gzip", "gzip", false}, {"grpc", "none", true}} {
		b.Run(form.name, func(b *testing.B) {
			h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if form.grpc {
					w.Header().Set("Content-Type", "application/grpc+proto")
					w.Header().Set("Trailer", "Grpc-Status")
					w.Write([]byte{0, 0, 0, 0, 0})
					w.Header().Set("Grpc-Status", "0")
				}
			}))
			h.Config.Protocols = new(http.Protocols)
			h.Config.Protocols.SetUnencryptedHTTP2(true)
			h.Config.Protocols.SetHTTP1(true)
			h.Start()
			defer h.Close()
			x, err := New(Options{GRPC: form.grpc, HTTP: httpclient.Options{URL: h.URL, Compression: form.compression}})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			sinktest.Benchmark(b, x)
		})
	}
}
