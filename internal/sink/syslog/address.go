package syslog

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
)

// An Address is where a syslog server listens.
type Address struct {
	Network string // unixgram, udp, tcp or tls
	Address string // a path, or host:port
}

// ports are those that the RFCs name.
var ports = map[string]string{"udp": "514", "tcp": "601", "tls": "6514"}

// ParseAddress reads unix:///dev/log, udp://host:514, tcp://host:601 or
// tls://host:6514; the port may be left out.
func ParseAddress(s string) (Address, error) {
	scheme, rest, found := strings.Cut(s, "://")
	port, network := ports[scheme]
	switch {
	case found && scheme == "unix":
		if !filepath.IsAbs(rest) {
			return Address{}, fmt.Errorf("%q names no socket by its whole path", s)
		}
		return Address{"unixgram", rest}, nil
	case !found || !network:
		return Address{}, fmt.Errorf("%q does not begin with unix://, udp://, tcp:// or tls://", s)
	}
	host, given, err := net.SplitHostPort(rest)
	if err != nil { // without a port
		host, given = strings.Trim(rest, "[]"), port
	}
	if host == "" || given == "" || strings.ContainsAny(host, "/?#@ ") || strings.ContainsAny(given, "/?#@ ") {
		return Address{}, fmt.Errorf("%q names no host and port", s)
	}
	return Address{scheme, net.JoinHostPort(host, given)}, nil
}

// Facilities are the names of the facilities, each at its number.
var Facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

func facility(name string) (int, error) {
	if n := slices.Index(Facilities, name); n >= 0 {
		return n, nil
	}
	return 0, fmt.Errorf("no facility is called %q", name)
}
