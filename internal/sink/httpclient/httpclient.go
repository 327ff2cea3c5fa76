// Package httpclient is the part that all sinks share which speak HTTP: one
// POST with its timeouts, compression and credentials, and what the answer
// means for the events.
package httpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imwatch/imwatch/internal/redact"
	"github.com/imwatch/imwatch/internal/sink"
	"github.com/imwatch/imwatch/internal/sink/secure"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/net/http/httpproxy"
	"google.golang.org/protobuf/encoding/protowire"
)

// Options say where and how to post.
type Options struct {
	URL         string
	URLSecret   *secure.Secret // instead of URL, where the address itself lets one in
	Headers     map[string]string
	Auth        Auth
	TLS         secure.TLS
	Compression string        // gzip, zstd, or none
	Timeout     time.Duration // of each phase: connect, handshake, answer; default 10 s
	Agent       string        // User-Agent; default imwatch
	HTTP2       bool          // also without TLS, as gRPC wants it
}

// Auth is how we say who we are.
type Auth struct {
	Scheme   string // bearer, basic, apikey (Authorization: ApiKey …), header, or none
	Header   string // its name, of header
	Username string // of basic
	Secret   *secure.Secret
}

// MaxAnswer bounds what is read of an answer.
const MaxAnswer = 16 << 20

// phases of a request, each of which may take the timeout: connect, handshake,
// send, wait for the answer, read it.
const phases = 5

// A Client posts to one place, in one goroutine at a time.
type Client struct {
	o     Options
	fixed *url.URL
	http  *http.Client
	gz    *gzip.Writer
	zs    *zstd.Encoder
}

// An Answer is one of success.
type Answer struct {
	Status int
	Body   []byte
}

// New returns a client; it does not connect yet.
func New(o Options) (*Client, error) {
	c := &Client{o: o}
	if c.o.Timeout <= 0 {
		c.o.Timeout = 10 * time.Second
	}
	if c.o.Agent == "" {
		c.o.Agent = "imwatch"
	}
	var err error
	if !o.URLSecret.Set() {
		if c.fixed, err = parse(o.URL); err != nil {
			return nil, err
		}
	}
	tlsConfig, err := o.TLS.Config()
	if err != nil {
		return nil, err
	}
	switch o.Compression {
	case "gzip":
		c.gz, err = gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	case "zstd":
		c.zs, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	if err != nil {
		return nil, err
	}
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	dialer := &net.Dialer{Timeout: c.o.Timeout, KeepAlive: 15 * time.Second}
	var protocols *http.Protocols
	if o.HTTP2 {
		protocols = new(http.Protocols)
		protocols.SetHTTP2(true)
		protocols.SetUnencryptedHTTP2(true)
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Protocols:             protocols,
			Proxy:                 func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
			DialContext:           dialer.DialContext,
			TLSClientConfig:       tlsConfig,
			TLSHandshakeTimeout:   c.o.Timeout,
			ResponseHeaderTimeout: c.o.Timeout,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   1,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true,
		},
		// Not followed: another place is not meant to have the events, nor who we are.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func parse(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the url is none: write http://host:port/path or https://…")
	}
	return u, nil
}

// Post sends a body. change, if not nil, may alter the address and the headers.
// The error says what it means for the events: sink.ErrRejected or a
// *sink.Failure.
func (c *Client) Post(ctx context.Context, contentType string, body []byte, change func(*http.Request)) (*Answer, error) {
	// The transport bounds each phase but that of sending the body.
	ctx, cancel := context.WithTimeout(ctx, phases*c.o.Timeout)
	defer cancel()
	req, err := c.request(ctx, contentType, body)
	if err != nil {
		return nil, &sink.Failure{Class: sink.Auth, Err: err}
	}
	if change != nil {
		change(req)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failure(ctx, req, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if resp.StatusCode >= 300 {
		return nil, c.refusal(req, resp, answer)
	}
	if err != nil {
		return nil, c.failure(ctx, req, fmt.Errorf("read the answer %s: %w", resp.Status, err))
	}
	if len(answer) > MaxAnswer {
		return nil, &sink.Failure{Class: sink.Answer, Err: fmt.Errorf("%s answers more than %d bytes", req.URL.Host, MaxAnswer)}
	}
	return &Answer{resp.StatusCode, answer}, nil
}

func (c *Client) request(ctx context.Context, contentType string, body []byte) (*http.Request, error) {
	u := c.fixed
	if u == nil {
		s, err := c.o.URLSecret.Get()
		if err != nil {
			return nil, err
		}
		if u, err = parse(s); err != nil {
			return nil, err
		}
	}
	body, encoding, err := c.compress(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the url makes no request")
	}
	req.Header.Set("Content-Type", contentType)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	return req, c.complete(req)
}

// complete adds our headers and who we are.
func (c *Client) complete(req *http.Request) error {
	req.Header.Set("User-Agent", c.o.Agent)
	for _, k := range slices.Sorted(maps.Keys(c.o.Headers)) {
		req.Header.Set(k, c.o.Headers[k])
	}
	return c.sign(req)
}

// Do sends a request of a protocol that makes its own, with our headers and who
// we are. Its errors are those of Post; an answer is one of HTTP's success.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if err := c.complete(req); err != nil {
		return nil, &sink.Failure{Class: sink.Auth, Err: err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failure(req.Context(), req, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return nil, c.refusal(req, resp, answer)
}

// sign adds who we are.
func (c *Client) sign(req *http.Request) error {
	a := &c.o.Auth
	if !a.Secret.Set() {
		return nil
	}
	secret, err := a.Secret.Get()
	if err != nil {
		return err
	}
	switch a.Scheme {
	case "bearer":
		req.Header.Set("Authorization", "Bearer "+secret)
	case "apikey":
		req.Header.Set("Authorization", "ApiKey "+secret)
	case "basic":
		req.SetBasicAuth(a.Username, secret)
	case "header":
		req.Header.Set(a.Header, secret)
	}
	return nil
}

// compress returns a body of its own: a transport may read it after an early
// answer, when the caller's buffer is in use again.
func (c *Client) compress(body []byte) ([]byte, string, error) {
	switch {
	case c.gz != nil:
		out := bytes.NewBuffer(make([]byte, 0, len(body)/8+512))
		c.gz.Reset(out)
		if _, err := c.gz.Write(body); err != nil {
			return nil, "", err
		}
		err := c.gz.Close()
		return out.Bytes(), "gzip", err
	case c.zs != nil:
		return c.zs.EncodeAll(body, nil), "zstd", nil
	}
	return bytes.Clone(body), "", nil
}

var tags = regexp.MustCompile(`<[^>]*>`)

// plain makes one line of an answer, also of a proxy's page.
func plain(answer []byte) string {
	s := string(answer[:min(len(answer), 4096)])
	if strings.HasPrefix(strings.TrimSpace(s), "<") {
		s = tags.ReplaceAllString(s, " ")
	}
	return strings.Join(strings.Fields(s), " ")
}

// statusMessage is the message of a google.rpc.Status, as OTLP answers.
func statusMessage(b []byte) []byte {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return nil
		}
		b = b[size:]
		if size = protowire.ConsumeFieldValue(n, kind, b); size < 0 {
			return nil
		}
		if n == 2 && kind == protowire.BytesType {
			message, _ := protowire.ConsumeBytes(b)
			return message
		}
		b = b[size:]
	}
	return nil
}

// hide takes every secret out of a text.
func (c *Client) hide(s string) string {
	return redact.Clean(c.o.URLSecret.Hide(c.o.Auth.Secret.Hide(s)), 1024)
}

// failure is what no answer means.
func (c *Client) failure(ctx context.Context, req *http.Request, err error) error {
	var u *url.Error
	if errors.As(err, &u) { // it names the whole address
		err = u.Err
	}
	class := sink.Connection
	var timeout net.Error
	switch {
	case secure.Untrusted(err):
		class = sink.Trust
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		class = sink.Timeout
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return &sink.Failure{Class: class, Err: fmt.Errorf("%s: %s", req.URL.Host, c.hide(err.Error()))}
}

// refusal is what an answer other than success means.
func (c *Client) refusal(req *http.Request, resp *http.Response, answer []byte) error {
	if resp.Header.Get("Content-Type") == "application/x-protobuf" {
		answer = statusMessage(answer)
	}
	said := c.hide(plain(answer))
	text := fmt.Sprintf("%s answers %s", req.URL.Host, resp.Status)
	if said != "" {
		text += ": " + said
	}
	f := &sink.Failure{After: After(resp.Header.Get("Retry-After"), time.Now()), Err: errors.New(text)}
	switch s := resp.StatusCode; {
	case s < 400:
		f.Class = sink.Address
		to := "elsewhere"
		if l, err := resp.Location(); err == nil {
			to = l.Scheme + "://" + l.Host
		}
		f.Err = fmt.Errorf("%s answers %s, to %s: redirects are not followed, name the right url", req.URL.Host, resp.Status, to)
	case s == 401 || s == 403 || s == 407:
		f.Class = sink.Auth
	case s == 429:
		f.Class = sink.Throttled
	case s == 408:
		f.Class = sink.Timeout
	case s == 400 && strings.Contains(said, "SSL certificate"): // as nginx words it
		f.Class = sink.Trust
	case s == 400 && strings.Contains(said, "plain HTTP request was sent to HTTPS port"):
		f.Class = sink.Address
	case s == 400 || s == 413 || s == 422:
		return fmt.Errorf("%w: %s", sink.ErrRejected, text)
	case s < 500:
		f.Class = sink.Address
	default:
		f.Class = sink.Server
	}
	return f
}

// After reads a Retry-After header: seconds or a date.
func After(v string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && n > 0 {
		return time.Duration(min(n, 24*3600)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// Close ends idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}
