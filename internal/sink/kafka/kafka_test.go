package kafka_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/kafka"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/sinktest"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const topic = "imwatch"

// shortest is half the time that the client gives a record at least.
const shortest = 500 * time.Millisecond

func open(t testing.TB, o kafka.Options) sink.Sink {
	t.Helper()
	o.Topic = topic
	if o.Compression == "" {
		o.Compression = "none" // so that the cluster can look for an id
	}
	x, err := kafka.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// records reads everything in the topic's one partition.
func records(t testing.TB, c *kfake.Cluster) (list []*kgo.Record) {
	t.Helper()
	n := int(c.PartitionInfo(topic, 0).HighWatermark)
	if n == 0 {
		return nil
	}
	x, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(list) < n {
		f := x.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", len(list), n, err)
		}
		list = append(list, f.Records()...)
	}
	return list
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func holds(req kmsg.Request, id string) bool {
	for _, t := range req.(*kmsg.ProduceRequest).Topics {
		for _, p := range t.Partitions {
			if bytes.Contains(p.Records, []byte(id)) {
				return true
			}
		}
	}
	return false
}

func start(t *testing.T, b sinktest.Behaviour) *sinktest.Peer {
	switch b {
	case sinktest.Unavailable, sinktest.Throttles, sinktest.CutsAnswer, sinktest.Redirects, sinktest.Unwelcome: // see TestSASL
		return nil
	}
	p := &sinktest.Peer{Timeout: 10 * time.Second, Heal: func() {}}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, topic)}
	var front *sinktest.Listener
	switch b {
	case sinktest.Expired, sinktest.WrongCA:
		p.Timeout = shortest
		ca := sinktest.NewAuthority(t)
		p.CA = ca.File
		to := time.Now().Add(time.Hour)
		if b == sinktest.Expired {
			to = time.Now().Add(-time.Hour)
		} else {
			p.CA = sinktest.NewAuthority(t).File
		}
		opts = append(opts, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1", time.Now().Add(-2*time.Hour), to)}}))
		p.IDs = func() []string { return nil }
	case sinktest.Stalls, sinktest.Resets, sinktest.HalfCloses, sinktest.Garbage:
		p.Timeout = shortest
		fallthrough
	case sinktest.Slow:
		opts = append(opts, kfake.ListenFn(func(network, address string) (net.Listener, error) {
			l, err := net.Listen(network, address)
			if err == nil {
				front = sinktest.Misbehave(t, l, b)
				l = front
			}
			return l, err
		}))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p.Address = c.ListenAddrs()[0]
	if front != nil {
		p.Heal = front.Heal
	}
	fault := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Count: -1}
	switch b {
	case sinktest.RefusesOne:
		fault.Err = kerr.InvalidRecord
		fault.When = func(req kmsg.Request) bool { return holds(req, sinktest.Poison) }
		fallthrough
	case sinktest.Fault: // UNKNOWN_SERVER_ERROR
		p.Heal = c.Fault(fault).Remove
	}
	if p.IDs == nil {
		p.IDs = func() (ids []string) {
			for _, r := range records(t, c) {
				ids = append(ids, header(r, "event.id"))
			}
			return ids
		}
	}
	return p
}

func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("seven seconds: the client gives up no sooner")
	}
	sinktest.Run(t, sinktest.Suite{
		Start: start,
		Open: func(t *testing.T, p *sinktest.Peer) sink.Sink {
			o := kafka.Options{Brokers: []string{p.Address}, Timeout: p.Timeout}
			if p.CA != "" {
				o.TLS = &secure.TLS{CAFile: p.CA}
			}
			return open(t, o)
		},
	})
}

// TestOutage: whether the broker breaks off before the events or at them, Send says
// so in time and ends with its context, and the first attempt after the outage arrives.
func TestOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("two seconds: the client gives up no sooner")
	}
	for _, key := range []kmsg.Key{kmsg.Metadata, kmsg.Produce} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			down := &atomic.Bool{}
			down.Store(true)
			defer time.AfterFunc(20*time.Second, func() { down.Store(false) }).Stop() // a Send that waits for ever succeeds then
			c.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				return nil, errors.New("down"), down.Load() // an error closes the connection
			})
			x := open(t, kafka.Options{Brokers: c.ListenAddrs(), Timeout: shortest})
			defer x.Close()
			for range 2 {
				err := x.Send(t.Context(), sinktest.Events(1))
				if class := sink.Class(err); class != sink.Connection && class != sink.Timeout {
					t.Errorf("while the broker is down: %v", err)
				}
			}
			patient := open(t, kafka.Options{Brokers: c.ListenAddrs(), Timeout: time.Hour})
			defer patient.Close()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			if err := patient.Send(ctx, sinktest.Events(1)); !errors.Is(err, context.Canceled) {
				t.Errorf("when the daemon ends: %v", err)
			}
			down.Store(false)
			if err := x.Send(t.Context(), sinktest.Events(1)); err != nil {
				t.Errorf("when the broker is back: %v", err)
			}
		})
	}
}

// TestRecords: what a record carries, and by what it is kept in order.
func TestRecords(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e := sinktest.Events(1)
	for key, want := range map[string]string{"": "user1", "subject": "user1", "code": "easemob-web/206", "file": "/var/log/chat/web.log"} {
		x := open(t, kafka.Options{Brokers: c.ListenAddrs(), Key: key, Compression: "zstd"})
		if err := x.Send(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		list := records(t, c)
		r := list[len(list)-1]
		if string(r.Key) != want || string(r.Value)+"\n" != string(e[0].JSON) || header(r, "event.id") != e[0].ID || header(r, "event.code") != "easemob-web/206" || header(r, "log.level") != "warn" {
			t.Errorf("key %q: %s %v", key, r.Key, r.Headers)
		}
	}
}

// TestSASL: each scheme with the right secret, and nothing with a wrong one,
// until the file has the right one. (This cluster closes the connection and does
// not say why; a real one says so.)
func TestSASL(t *testing.T) {
	if testing.Short() {
		t.Skip("two seconds: the client gives up no sooner")
	}
	for scheme, method := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic), kfake.EnableSASL(), kfake.Superuser(method, "me", "s3cret-word"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			file := sinktest.File(t, "secret", []byte("s3cret-wrong"))
			x := open(t, kafka.Options{Brokers: c.ListenAddrs(), Timeout: shortest, Auth: kafka.Auth{Scheme: scheme, Username: "me", Secret: &secure.Secret{File: file}}})
			defer x.Close()
			if err := x.Send(t.Context(), sinktest.Events(1)); err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("with a wrong secret: %v", err)
			}
			sinktest.Overwrite(t, file, "s3cret-word")
			if err := x.Send(t.Context(), sinktest.Events(1)); err != nil {
				t.Error(err)
			}
		})
	}
}

func BenchmarkSend(b *testing.B) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, topic))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	x := open(b, kafka.Options{Brokers: c.ListenAddrs(), Compression: "zstd"})
	defer x.Close()
	sinktest.Benchmark(b, x)
}
