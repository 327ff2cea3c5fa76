//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/annotator"
	"github.com/imwatch/imwatch/internal/config"
	"github.com/imwatch/imwatch/internal/finding"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/elasticsearch"
	"github.com/imwatch/imwatch/internal/sink/httpclient"
	"github.com/imwatch/imwatch/internal/sink/httpsink"
	"github.com/imwatch/imwatch/internal/sink/journald"
	"github.com/imwatch/imwatch/internal/sink/kafka"
	"github.com/imwatch/imwatch/internal/sink/loki"
	"github.com/imwatch/imwatch/internal/sink/otlp"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/imwatch/imwatch/internal/sink/syslog"
	"github.com/imwatch/imwatch/internal/terminal"
)

// networkWait is how long a sink over the network waits for a batch to fill.
const networkWait = 200 * time.Millisecond

// attempt is how many of a sink's timeouts one attempt may take: it has phases,
// and now and then more than one request.
const attempt = 6

// delivery makes one of the configured sinks, and what delivers to it.
func (d *daemon) delivery(c *config.Sink, set *ruleSet) (*sink.Delivery, error) {
	ann := newAnnotator(c, set)
	s, err := d.openSink(c, ann)
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", c.Name, err)
	}
	x := &sink.Delivery{Name: c.Name, Sink: s, Notice: d.notice, Letters: &sink.Letters{Path: sink.LettersPath(set.config.StateDir, c.Name)},
		Batch:  sink.Batch{Events: c.Batch.Events, Bytes: int(c.Batch.Bytes), Wait: time.Duration(c.Batch.Wait)},
		Retry:  sink.Retry{First: time.Duration(c.Retry.First), Last: time.Duration(c.Retry.Last)},
		Encode: func(f *finding.Finding) (sink.Event, bool) { return encode(ann, c, f) },
	}
	if t := attempt * time.Duration(c.Timeout); t > time.Minute { // a minute is the default
		x.Retry.Timeout = t
	}
	if c.Batch.Wait == 0 && c.Type != "stdout" && c.Type != "file" {
		x.Batch.Wait = networkWait
	}
	if c.Template != "" { // the other side's pace is its own
		x.Batch.Events, x.Batch.Wait = 1, 0
	}
	return x, nil
}

func newAnnotator(c *config.Sink, set *ruleSet) *annotator.Annotator {
	return annotator.New(set.codes, annotator.Options{Language: set.config.Language, Brief: c.Detail == "brief", Host: host()})
}

// openSink makes a sink of a configured type.
func (d *daemon) openSink(c *config.Sink, ann *annotator.Annotator) (sink.Sink, error) {
	var text func(*sink.Event) string
	if c.Format == "text" {
		style := terminal.Of(d.out)
		text = func(e *sink.Event) string { return ann.Text(e.Finding, style) }
	}
	switch c.Type {
	case "stdout":
		return &sink.Writer{W: d.out, Text: text}, nil
	case "file":
		return sink.OpenFile(c.Path, int64(c.MaxBytes), text)
	case "http":
		return httpsink.New(httpsink.Options{HTTP: overHTTP(c), Single: c.Format == "event", Template: c.Template})
	case "loki":
		return loki.New(loki.Options{HTTP: overHTTP(c), LabelFields: c.LabelFields})
	case "elasticsearch":
		return elasticsearch.New(elasticsearch.Options{HTTP: overHTTP(c), Index: c.Index})
	case "kafka":
		o := kafka.Options{Brokers: c.Brokers, Topic: c.Topic, Key: c.Key, Compression: c.Compression, Timeout: time.Duration(c.Timeout),
			Auth: kafka.Auth{Scheme: c.Auth.Scheme, Username: c.Auth.Username, Secret: secret(c)}}
		if t := trust(c); c.TLS != (config.TLS{}) {
			o.TLS = &t
		}
		return kafka.New(o)
	case "otlp":
		return otlp.New(otlp.Options{HTTP: overHTTP(c), GRPC: c.Protocol == "grpc", Version: version()})
	case "syslog":
		return syslog.New(syslog.Options{Address: c.Address, Facility: c.Facility, AppName: c.AppName, TLS: trust(c), Timeout: time.Duration(c.Timeout)})
	case "journald":
		return journald.New(c.Address, time.Duration(c.Timeout)), nil
	}
	return nil, fmt.Errorf("this build has no sink of type %s", c.Type)
}

// overHTTP are the options of a sink that speaks HTTP.
func overHTTP(c *config.Sink) httpclient.Options {
	o := httpclient.Options{URL: c.URL, Headers: c.Headers, TLS: trust(c), Compression: c.Compression, Timeout: time.Duration(c.Timeout),
		Auth: httpclient.Auth{Scheme: c.Auth.Scheme, Header: c.Auth.Header, Username: c.Auth.Username, Secret: secret(c)}, Agent: "imwatch/" + version()}
	if c.Compression == "" && (c.Type == "loki" || c.Type == "elasticsearch") {
		o.Compression = "gzip"
	}
	if c.URL == "" {
		o.URLSecret = &secure.Secret{File: c.URLFile, Env: c.URLEnv}
	}
	return o
}

// secret is what a sink says who it is by.
func secret(c *config.Sink) *secure.Secret {
	return &secure.Secret{File: c.Auth.File, Env: c.Auth.Env}
}

// trust is whom a sink trusts, and its own certificate.
func trust(c *config.Sink) secure.TLS {
	return secure.TLS{CAFile: c.TLS.CAFile, CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, ServerName: c.TLS.ServerName}
}

// encode makes an event of a finding; false when the sink's filters leave it out.
func encode(ann *annotator.Annotator, c *config.Sink, f *finding.Finding) (sink.Event, bool) {
	level := ann.Level(f)
	if c.MinLevel != "" && codes.LevelRank(level) < codes.LevelRank(c.MinLevel) || len(c.Families) > 0 && !slices.Contains(c.Families, f.Family) {
		return sink.Event{}, false
	}
	if e := ann.Entry(f); len(c.Scope) > 0 && (e == nil || !slices.Contains(c.Scope, e.Scope)) {
		return sink.Event{}, false
	}
	if len(c.Labels) > 0 {
		labels := map[string]string{}
		for k, v := range f.Labels {
			labels[k] = v
		}
		for k, v := range c.Labels {
			labels[k] = v
		}
		f.Labels = labels
	}
	return sink.NewEvent(ann, f), true
}
