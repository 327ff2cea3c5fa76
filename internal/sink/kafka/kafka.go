// Package kafka produces events to a topic: the event's JSON is the value, its
// id and what routes it are headers. The producer is idempotent, so what it tries
// again within one Send leaves no repeats; one that a further Send or a restart
// leaves carries the same event.id.
package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Options say where events go.
type Options struct {
	Brokers     []string
	Topic       string
	Key         string // subject (default), code or file: events of one key stay in order
	Compression string // zstd (default), gzip, snappy, lz4 or none
	Timeout     time.Duration
	TLS         *secure.TLS // nil: in the clear
	Auth        Auth
}

// Auth is how we say who we are.
type Auth struct {
	Scheme   string // plain, scram-sha-256, scram-sha-512, or none
	Username string
	Secret   *secure.Secret
}

// A Sink produces events. A client ends with the first failure: it would go on
// asking between our attempts, and more and more seldom, so that after an outage
// the next Send ends before its client asks again.
type Sink struct {
	opts   []kgo.Opt
	client *kgo.Client // nil before the first Send and after a failure
	key    string
	secret *secure.Secret
}

var codecs = map[string]kgo.CompressionCodec{"": kgo.ZstdCompression(), "zstd": kgo.ZstdCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "none": kgo.NoCompression()}

// New returns a sink; it does not connect yet.
func New(o Options) (*Sink, error) {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	opts := []kgo.Opt{kgo.SeedBrokers(o.Brokers...), kgo.DefaultProduceTopic(o.Topic), kgo.ClientID("imwatch"), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(codecs[o.Compression]), kgo.ProduceRequestTimeout(o.Timeout), kgo.RecordDeliveryTimeout(max(2*o.Timeout, time.Second)), kgo.RequestTimeoutOverhead(min(o.Timeout, 15*time.Minute)),
		kgo.RetryTimeout(o.Timeout), kgo.UnknownTopicRetries(1), kgo.MetadataMinAge(250 * time.Millisecond), kgo.DialTimeout(o.Timeout),
		kgo.DisableClientMetrics(), kgo.AllowIdempotentProduceCancellation()} // or neither timeout nor context ends a Send whose events are on the wire
	if o.TLS != nil {
		c, err := o.TLS.Config()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer((&tls.Dialer{NetDialer: &net.Dialer{Timeout: o.Timeout}, Config: c}).DialContext))
	}
	if m := mechanism(o.Auth); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	if err := kgo.ValidateOpts(opts...); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &Sink{opts: opts, key: o.Key, secret: o.Auth.Secret}, nil
}

// mechanism asks for the secret anew for each connection.
func mechanism(a Auth) sasl.Mechanism {
	switch a.Scheme {
	case "plain":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			pass, err := a.Secret.Get()
			return plain.Auth{User: a.Username, Pass: pass}, err
		})
	case "scram-sha-256", "scram-sha-512":
		ask := func(context.Context) (scram.Auth, error) {
			pass, err := a.Secret.Get()
			return scram.Auth{User: a.Username, Pass: pass}, err
		}
		if a.Scheme == "scram-sha-256" {
			return scram.Sha256(ask)
		}
		return scram.Sha512(ask)
	}
	return nil
}

// Send produces the events and waits until every replica in sync has them.
func (s *Sink) Send(ctx context.Context, events []sink.Event) error {
	if len(events) == 0 {
		return nil
	}
	if s.client == nil {
		c, err := kgo.NewClient(s.opts...)
		if err != nil {
			return fmt.Errorf("kafka: %w", err)
		}
		s.client = c
	}
	err := s.produce(ctx, events)
	if err != nil && !errors.Is(err, sink.ErrRejected) {
		s.Close()
	}
	return err
}

func (s *Sink) produce(ctx context.Context, events []sink.Event) error {
	records := make([]*kgo.Record, len(events))
	for i := range events {
		records[i] = s.record(&events[i])
	}
	results := s.client.ProduceSync(ctx, records...)
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	failed := map[*kgo.Record]error{}
	for _, r := range results {
		if r.Err != nil {
			failed[r.Record] = r.Err
		}
	}
	if len(failed) == 0 {
		return nil
	}
	var again []int
	var refusal, failure error
	for i, r := range records {
		err := failed[r]
		if err == nil {
			continue
		}
		again = append(again, i)
		if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.RecordListTooLarge) {
			refusal = fmt.Errorf("%w: %w", sink.ErrRejected, err)
		} else if failure == nil {
			failure = s.failure(err)
		}
	}
	// A broker refuses a whole batch for one record: which one, the delivery finds.
	if failure == nil && len(again) == len(events) {
		return refusal
	}
	if failure == nil {
		failure = &sink.Failure{Class: sink.Refused, Err: refusal.(interface{ Unwrap() []error }).Unwrap()[1]}
	}
	if len(again) == len(events) {
		return failure
	}
	return &sink.Partial{Again: again, Err: failure}
}

func (s *Sink) failure(err error) error {
	class := sink.Connection
	var n net.Error
	var broker *kerr.Error
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.IllegalSaslState), errors.Is(err, kerr.UnsupportedSaslMechanism):
		class = sink.Auth
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.InvalidTopicException):
		class = sink.Address
	case errors.Is(err, kerr.ThrottlingQuotaExceeded):
		class = sink.Throttled
	case errors.As(err, &broker):
		class = sink.Server
	case secure.Untrusted(err):
		class = sink.Trust
	case errors.As(err, &n) && n.Timeout(), errors.Is(err, context.DeadlineExceeded):
		class = sink.Timeout
	case strings.Contains(err.Error(), "correlation ID mismatch"):
		class = sink.Answer
	case errors.As(err, &n), errors.Is(err, io.EOF), strings.Contains(err.Error(), "closed the connection"):
	case errors.Is(err, kgo.ErrRecordTimeout):
		class = sink.Timeout
	}
	return &sink.Failure{Class: class, Err: errors.New("kafka: " + s.secret.Hide(err.Error()))}
}

func (s *Sink) record(e *sink.Event) *kgo.Record {
	f := e.Finding
	key := f.Fields.Get("user_id")
	switch {
	case s.key == "code" || s.key != "file" && key == "" && f.Family != "":
		key = f.Family + "/" + f.Code
	case s.key == "file" || key == "":
		key = f.Path
	}
	// The record's time is that of sending: topics keep records by it, and the
	// client gives up those that are old.
	r := &kgo.Record{Key: []byte(key), Value: bytes.TrimSuffix(e.JSON, []byte("\n"))}
	for _, h := range [][2]string{{"event.id", e.ID}, {"event.action", f.Action}, {"event.code", code(e)}, {"log.level", e.Level}, {"service.name", f.Service}, {"content-type", "application/json"}} {
		if h[1] != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
	}
	return r
}

func code(e *sink.Event) string {
	if e.Finding.Family == "" {
		return ""
	}
	return e.Finding.Family + "/" + e.Finding.Code
}

// Close ends the connections. What was not acknowledged was never counted.
func (s *Sink) Close() error {
	if s.client != nil {
		s.client.CloseAllowingRebalance()
		s.client = nil
	}
	return nil
}
