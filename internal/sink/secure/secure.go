// Package secure holds what every network sink needs to be trusted and to
// trust: secrets that come from a file or an environment variable, and TLS.
package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// A Secret lies in a file or an environment variable; it is never printed. The
// zero Secret is none.
type Secret struct {
	File, Env string

	mu    sync.Mutex
	value string
	when  time.Time
	size  int64
}

// Set tells whether there is one.
func (s *Secret) Set() bool { return s != nil && (s.File != "" || s.Env != "") }

// Get returns the secret without the space around it. A file is read again
// when it changes.
func (s *Secret) Get() (string, error) {
	if !s.Set() {
		return "", nil
	}
	if s.File == "" {
		v := strings.TrimSpace(os.Getenv(s.Env))
		if v == "" {
			return "", fmt.Errorf("the environment variable %s is empty: it should hold the secret", s.Env)
		}
		return v, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.File)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	if s.value != "" && info.ModTime().Equal(s.when) && info.Size() == s.size {
		return s.value, nil
	}
	b, err := os.ReadFile(s.File)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("%s is empty: it should hold the secret", s.File)
	}
	s.value, s.when, s.size = v, info.ModTime(), info.Size()
	return v, nil
}

// String hides the secret from every way of printing it.
func (s *Secret) String() string { return "(a secret)" }

// GoString hides it from %#v.
func (s *Secret) GoString() string { return "(a secret)" }

// Hide replaces the secret in a text, such as an answer that repeats it.
func (s *Secret) Hide(text string) string {
	if !s.Set() {
		return text
	}
	v, err := s.Get()
	if err != nil || len(v) < 4 {
		return text
	}
	return strings.ReplaceAll(text, v, "***")
}

// TLS says whom to trust and who we are. The zero value trusts the machine's
// authorities.
type TLS struct {
	CAFile            string // PEM; instead of the machine's
	CertFile, KeyFile string // PEM; ours. Read again for each connection
	ServerName        string // in the certificate, if not the address's
}

// Config returns the configuration of a client.
func (t TLS) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls: ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls: ca_file %s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile == "" && t.KeyFile == "" {
		return c, nil
	}
	load := func() (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls: cert_file %s with key_file %s: %w", t.CertFile, t.KeyFile, err)
		}
		return &cert, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, nil
}

// Untrusted tells whether an error is about certificates.
func Untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var alert *net.OpError // what the other side says of ours
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	return errors.As(err, &verify) || errors.As(err, &alert) && alert.Op == "remote error" || errors.As(err, &unknown) || errors.As(err, &invalid) || errors.As(err, &host) || errors.As(err, &record)
}
