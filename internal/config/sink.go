package config

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
	"github.com/imwatch/imwatch/codes"
	"github.com/imwatch/imwatch/internal/sink/httpsink"
	"github.com/imwatch/imwatch/internal/sink/syslog"
)

// A Sink is where events go. Which keys a type has says sinkKeys.
type Sink struct {
	Name     string            `yaml:"name"` // default: its type
	Type     string            `yaml:"type"`
	MinLevel string            `yaml:"min_level"`
	Families []string          `yaml:"families"`
	Scope    []string          `yaml:"scope"`
	Labels   map[string]string `yaml:"labels"`
	Detail   string            `yaml:"detail"`
	WhenFull string            `yaml:"when_full"`

	Format   string `yaml:"format"`
	Path     string `yaml:"path"`
	MaxBytes Size   `yaml:"max_bytes"`

	URL         string            `yaml:"url"`
	URLFile     string            `yaml:"url_file"`
	URLEnv      string            `yaml:"url_env"`
	Address     string            `yaml:"address"`
	Brokers     []string          `yaml:"brokers"`
	Timeout     Duration          `yaml:"timeout"`
	Compression string            `yaml:"compression"`
	Headers     map[string]string `yaml:"headers"`
	Auth        Auth              `yaml:"auth"`
	TLS         TLS               `yaml:"tls"`
	Batch       Batch             `yaml:"batch"`
	Retry       Retry             `yaml:"retry"`

	Template    string   `yaml:"template"`     // http
	LabelFields []string `yaml:"label_fields"` // loki
	Index       string   `yaml:"index"`        // elasticsearch
	Facility    string   `yaml:"facility"`     // syslog
	AppName     string   `yaml:"app_name"`     // syslog
	Protocol    string   `yaml:"protocol"`     // otlp
	Topic       string   `yaml:"topic"`        // kafka
	Key         string   `yaml:"key"`          // kafka

	Place Place `yaml:"-"`
}

// Auth says who we are. The secret lies in a file or an environment variable.
type Auth struct {
	Scheme   string `yaml:"scheme"`
	Header   string `yaml:"header"`
	Username string `yaml:"username"`
	File     string `yaml:"file"`
	Env      string `yaml:"env"`
}

// TLS says whom to trust and who we are.
type TLS struct {
	CAFile     string `yaml:"ca_file"`
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	ServerName string `yaml:"server_name"`
}

// Batch bounds what is sent at once.
type Batch struct {
	Events int      `yaml:"events"`
	Bytes  Size     `yaml:"bytes"`
	Wait   Duration `yaml:"wait"`
}

// Retry says how long to wait after a failure.
type Retry struct {
	First Duration `yaml:"first"`
	Last  Duration `yaml:"last"`
}

var (
	everySink = []string{"name", "type", "min_level", "families", "scope", "labels", "detail", "when_full", "batch", "retry"}
	overHTTP  = []string{"url", "headers", "auth", "tls", "timeout", "compression"}
)

// sinkKeys are the keys that a type has beside those of every sink.
var sinkKeys = map[string][]string{
	"stdout":        {"format"},
	"file":          {"format", "path", "max_bytes"},
	"http":          append([]string{"url_file", "url_env", "format", "template"}, overHTTP...),
	"loki":          append([]string{"label_fields"}, overHTTP...),
	"elasticsearch": append([]string{"index"}, overHTTP...),
	"syslog":        {"address", "facility", "app_name", "tls", "timeout"},
	"journald":      {"address"},
	"otlp":          append([]string{"protocol"}, overHTTP...),
	"kafka":         {"brokers", "topic", "key", "auth", "tls", "timeout", "compression"},
}

// authSchemes are how a type can say who we are.
var authSchemes = map[string][]string{
	"http":          {"bearer", "basic", "header", "dingtalk", "feishu"},
	"loki":          {"bearer", "basic", "header"},
	"elasticsearch": {"apikey", "basic", "bearer", "header"},
	"otlp":          {"bearer", "basic", "header"},
	"kafka":         {"plain", "scram-sha-256", "scram-sha-512"},
}

// sinkName is what a sink may be called: its dead letters' file has the name.
var sinkName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
})

// sinkAt is a sink that is being checked, and its place in the file.
type sinkAt struct {
	*checker
	*Sink
	where string
}

func (k *checker) sink(n int, s *Sink, seen map[string]bool) {
	x := sinkAt{k, s, fmt.Sprintf("$.sinks[%d]", n)}
	s.Place = Place{k, x.where}
	if s.Name == "" {
		s.Name = s.Type
	}
	types := slices.Sorted(maps.Keys(sinkKeys))
	if _, known := sinkKeys[s.Type]; !known {
		if s.Type == "" {
			x.say("", "a sink without a type", "one of: "+strings.Join(types, ", "))
		} else {
			x.say("type", fmt.Sprintf("type is %q", s.Type), "one of: "+strings.Join(types, ", "))
		}
		return
	}
	if seen[s.Name] {
		x.say("type", "sink "+s.Name+" stands here twice", "give each a name: of its own")
	}
	seen[s.Name] = true
	if !sinkName().MatchString(s.Name) {
		x.say("name", fmt.Sprintf("name is %q", s.Name), "letters, digits, _ . and -: files are named after it")
	}
	x.keys()
	x.oneOf("min_level", s.MinLevel, codes.Levels...)
	x.oneOf("detail", s.Detail, "full", "brief")
	x.oneOf("when_full", s.WhenFull, "drop_oldest", "block")
	for _, v := range s.Scope {
		x.oneOf("scope", v, codes.Scopes...)
	}
	x.numbers()
	x.byType()
}

// say complains about one of the sink's keys.
func (x *sinkAt) say(key, what, hint string) {
	path := x.where
	if key != "" {
		path += "." + key
	}
	x.at(path, what, hint)
}

func (x *sinkAt) oneOf(key, v string, allowed ...string) {
	if v != "" && !slices.Contains(allowed, v) {
		x.say(key, fmt.Sprintf("%s is %q", key, v), "one of: "+strings.Join(allowed, ", "))
	}
}

// keys refuses those that the sink's type does not have.
func (x *sinkAt) keys() {
	own := sinkKeys[x.Type]
	for _, v := range x.values() {
		key := v.Key.GetToken()
		if slices.Contains(everySink, key.Value) || slices.Contains(own, key.Value) {
			continue
		}
		p := codes.Problem{File: x.path, Line: key.Position.Line, Column: key.Position.Column, Snippet: strings.TrimSpace(x.src[key.Position.Line-1]),
			What: fmt.Sprintf("a %s sink has no key %q", x.Type, key.Value), Hint: "it has: " + strings.Join(slices.Sorted(slices.Values(own)), ", ") + "; and those of every sink"}
		x.list = append(x.list, p)
	}
}

// values are the members of the sink in the file.
func (x *sinkAt) values() []*ast.MappingValueNode {
	n := x.node(x.where)
	if m, ok := n.(*ast.MappingNode); ok {
		return m.Values
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		return []*ast.MappingValueNode{v}
	}
	return nil
}

func (x *sinkAt) numbers() {
	if x.Batch.Events < 0 || x.Batch.Bytes < 0 || x.Batch.Wait < 0 {
		x.say("batch", "batch: a value is negative", "leave it out for the default")
	}
	if x.Batch.Bytes > 0 && x.Batch.Bytes < 16<<10 {
		x.say("batch.bytes", "batch: bytes is less than 16 KiB", "one event has up to 8 KiB")
	}
	if x.Retry.First < 0 || x.Retry.Last < 0 || x.Retry.Last > 0 && x.Retry.Last < x.Retry.First {
		x.say("retry", "retry: a value is negative, or last is less than first", "for example {first: 100ms, last: 30s}")
	}
	if x.Timeout < 0 {
		x.say("timeout", "timeout is negative", "leave it out for 10s")
	}
}

// byType checks what the types need.
func (x *sinkAt) byType() {
	switch x.Type {
	case "stdout", "file":
		x.oneOf("format", x.Format, "ndjson", "text")
		if x.Type == "file" {
			x.need("path", x.Path, "path: /var/log/imwatch/events.ndjson")
		}
	case "http":
		x.oneOf("format", x.Format, "ndjson", "event")
		x.template()
		x.url()
	case "loki", "elasticsearch", "otlp":
		if len(x.LabelFields) > 10 {
			x.say("label_fields", "label_fields has more than 10", "Loki takes 15 labels; each set of their values is a stream of its own, so few are better")
		}
		x.url()
	case "syslog":
		x.syslog()
	case "journald":
		if x.Address != "" && !filepath.IsAbs(x.Address) {
			x.say("address", fmt.Sprintf("address is %q, which is no whole path of a socket", x.Address), "leave it out for this machine's journal")
		}
	case "kafka":
		if len(x.Brokers) == 0 {
			x.say("type", "sink "+x.Name+" has no brokers", "brokers: [kafka1:9092, kafka2:9092]")
		}
		x.need("topic", x.Topic, "topic: imwatch")
		x.oneOf("key", x.Key, "subject", "code", "file")
		x.oneOf("compression", x.Compression, "none", "gzip", "snappy", "lz4", "zstd")
	}
	if x.Type == "otlp" {
		x.otlp()
	}
	switch x.Type {
	case "loki", "elasticsearch":
		x.oneOf("compression", x.Compression, "none", "gzip")
	case "http", "otlp":
		x.oneOf("compression", x.Compression, "none", "gzip", "zstd")
	}
	x.auth()
	x.tls()
}

// template checks an http sink's template, and the signature that goes with it.
func (x *sinkAt) template() {
	s := x.Auth.Scheme
	if (s == "dingtalk" || s == "feishu") && s != x.Template {
		x.say("auth.scheme", "scheme "+s+" signs the messages of template: "+s+", which this sink does not have", "template: "+s)
	}
	if x.Template == "" {
		return
	}
	if x.Format == "ndjson" {
		x.say("format", "a template makes one request of each event, which format: ndjson is not", "leave format out")
	}
	if err := httpsink.CheckTemplate(x.Template); err != nil {
		x.say("template", err.Error(), "slack, dingtalk, feishu, wecom, or a text/template such as '{\"text\": {{json .Message}}}'")
	}
}

// syslog checks what only that sink has.
func (x *sinkAt) syslog() {
	const form = "unix:///dev/log, udp://host:514, tcp://host:601 or tls://host:6514"
	x.need("address", x.Address, form)
	if x.Address != "" {
		to, err := syslog.ParseAddress(x.Address)
		switch {
		case err != nil:
			x.say("address", "address: "+err.Error(), form)
		case to.Network != "tls" && x.TLS != (TLS{}):
			x.say("tls", "tls stands beside an address that is not tls://", "tls://host:6514")
		}
	}
	x.oneOf("facility", x.Facility, syslog.Facilities...)
	if x.AppName != "" && !appName().MatchString(x.AppName) {
		x.say("app_name", fmt.Sprintf("app_name is %q", x.AppName), "up to 48 visible ASCII characters without spaces, as RFC 5424 has it")
	}
}

var appName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[!-~]{1,48}$`)
})

// otlp checks what only that sink has.
func (x *sinkAt) otlp() {
	x.oneOf("protocol", x.Protocol, "http", "grpc")
	if x.Protocol != "grpc" {
		return
	}
	if u, err := url.Parse(x.URL); err == nil && strings.Trim(u.Path, "/") != "" {
		x.say("url", "url has a path, and protocol is grpc", "http://host:4317 or https://host:4317: gRPC has a path of its own")
	}
	if x.Compression == "zstd" {
		x.say("compression", "compression is zstd, and protocol is grpc", "gzip or none; zstd goes by protocol: http")
	}
}

// need refuses an empty value.
func (x *sinkAt) need(key, v, example string) {
	if v == "" {
		x.say("type", "sink "+x.Name+" has no "+key, example)
	}
}

// secretURL is an address that lets in whoever knows it.
var secretURL = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)hooks\.slack\.com/services/|/bot/v2/hook/|[?&](access_token|token|key|api_key|sign|secret)=`)
})

func (x *sinkAt) url() {
	given := 0
	for _, v := range []string{x.URL, x.URLFile, x.URLEnv} {
		if v != "" {
			given++
		}
	}
	switch {
	case given == 0:
		x.say("type", "sink "+x.Name+" has no url", "url: https://host/path")
		return
	case given > 1:
		x.say("url", "sink "+x.Name+" has its url twice", "url, url_file or url_env: one of them")
		return
	case x.URL == "":
		return
	}
	u, err := url.Parse(x.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		x.say("url", "url is no address", "http://host:port/path or https://host/path")
	case u.User != nil:
		x.say("url", "url has a user or a password in it", "auth: {scheme: basic, username: …, file: …}: secrets come from a file or an environment variable only")
	case secretURL().MatchString(x.URL):
		x.say("url", "whoever reads this url can send in your name", "put the whole url into a file that only imwatch can read, and name it with url_file:")
	}
	for k := range x.Headers {
		if slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key"}, http.CanonicalHeaderKey(k)) {
			x.say("headers", "headers: "+k+" is a secret", "auth: {scheme: header, header: "+k+", file: …}: secrets come from a file or an environment variable only")
		}
	}
}

func (x *sinkAt) auth() {
	a := x.Auth
	if a == (Auth{}) {
		return
	}
	x.oneOf("auth.scheme", a.Scheme, authSchemes[x.Type]...)
	switch {
	case a.Scheme == "":
		x.say("auth", "auth has no scheme", "one of: "+strings.Join(authSchemes[x.Type], ", "))
	case (a.File == "") == (a.Env == ""):
		x.say("auth", "auth needs file or env, and only one of them", "the secret comes from a file or an environment variable, never from here")
	case a.Scheme == "header" && a.Header == "":
		x.say("auth", "auth: scheme: header needs the name of the header", "for example header: X-Api-Key")
	case a.Scheme != "header" && a.Header != "":
		x.say("auth.header", "auth: header stands beside scheme: "+a.Scheme, "only scheme: header has one")
	case slices.Contains([]string{"basic", "plain", "scram-sha-256", "scram-sha-512"}, a.Scheme) != (a.Username != ""):
		x.say("auth", "auth: username goes with basic, plain and scram, and only with them", "for example {scheme: basic, username: imwatch, file: …}")
	}
	if x.URL != "" && strings.HasPrefix(x.URL, "http://") && !local(x.URL) && a.Scheme != "dingtalk" && a.Scheme != "feishu" {
		x.say("url", "auth would send a secret in the clear", "https://")
	}
}

// local tells whether an address is on this machine.
func local(s string) bool {
	u, err := url.Parse(s)
	return err == nil && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}

func (x *sinkAt) tls() {
	t := x.TLS
	if (t.CertFile == "") != (t.KeyFile == "") {
		x.say("tls", "tls: cert_file and key_file go together", "name both, or neither")
	}
	if t != (TLS{}) && strings.HasPrefix(x.URL, "http://") {
		x.say("tls", "tls stands beside an http:// url", "https://")
	}
	for key, path := range map[string]string{"ca_file": t.CAFile, "cert_file": t.CertFile, "key_file": t.KeyFile} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); os.IsNotExist(err) {
			x.say("tls."+key, fmt.Sprintf("tls: %s: no such file: %s", key, filepath.Clean(path)), "is the path right?")
		}
	}
}
