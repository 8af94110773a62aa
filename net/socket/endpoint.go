package socket

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Endpoint is the remote end of a connection before name resolution.
type Endpoint struct {
	// Host is a name or a numeric address, without brackets, with the zone of a link-local IPv6
	// address if it needs one ("fe80::1%eth0"). A network without IP defines its own meaning (a
	// telephone number, nothing).
	Host string
	// Port is the port number; zero where the network has no ports.
	Port uint16
}

// String returns host:port, with brackets around an IPv6 address, or just the host if the port is
// zero.
func (e Endpoint) String() string {
	if e.Port == 0 {
		return e.Host
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// maxHost is the length of the longest domain name in text form (RFC 1035 §2.3.4).
const maxHost = 255

// ParseURI splits a server URI (/0/x/0) into its scheme, in lower case, and the endpoint to connect
// to. Without a port in it the port is the scheme's default: 5683 for coap and coap+tcp, 5684 for
// coaps and coaps+tcp (RFC 7252 §6, RFC 8323 §8), 80 for http, 443 for https, otherwise zero. The
// path and the query are ignored. For a URI of another scheme without an authority part
// ("tel:+15550100") the host is the opaque part.
func ParseURI(uri string) (scheme string, remote Endpoint, err error) {
	fail := func(format string, args ...any) (string, Endpoint, error) {
		return "", Endpoint{}, fmt.Errorf("server URI %s: %s", quote(uri), fmt.Sprintf(format, args...))
	}
	switch {
	case strings.TrimSpace(uri) != uri:
		return fail("remove the white space around it")
	case bare(uri):
		return fail("no scheme; expected for example coap://host:port or coaps://host:port")
	}
	u, err := url.Parse(uri)
	if err != nil {
		if ue, ok := err.(*url.Error); ok { // its text repeats the URI without bound
			err = ue.Err
		}
		return "", Endpoint{}, fmt.Errorf("server URI %s: %w", quote(uri), err)
	}
	if u.Scheme == "" {
		return fail("no scheme; expected for example coap://host or coaps://host")
	}
	if u.User != nil {
		// It may hold a password.
		return "", Endpoint{}, fmt.Errorf("server URI of scheme %s: a user part is not allowed", u.Scheme)
	}
	remote.Port = defaultPort(u.Scheme)
	if u.Opaque != "" {
		if remote.Port != 0 {
			return fail("no host; expected %s://host", u.Scheme)
		}
		remote.Host = u.Opaque
	} else {
		remote.Host = u.Hostname()
	}
	switch {
	case remote.Host == "":
		return fail("no host; expected %s://host", u.Scheme)
	case len(remote.Host) > maxHost:
		return fail("the host has %d characters, at most %d are allowed", len(remote.Host), maxHost)
	case strings.ContainsFunc(remote.Host, notInHost):
		return fail("the host contains a blank or a control character")
	case u.Opaque == "" && strings.Contains(remote.Host, ":") && !strings.HasPrefix(u.Host, "["):
		return fail("an IPv6 address must be in brackets")
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return fail("port %s is not between 1 and 65535", p)
		}
		remote.Port = uint16(n)
	}
	return u.Scheme, remote, nil
}

// bare reports whether uri is a host and a port without a scheme, as in "localhost:5683".
func bare(uri string) bool {
	host, port, found := strings.Cut(uri, ":")
	_, err := strconv.ParseUint(port, 10, 16)
	return found && err == nil && !strings.EqualFold(host, "tel") && !strings.EqualFold(host, "sms")
}

func notInHost(r rune) bool { return r <= ' ' || r == 0x7f }

func defaultPort(scheme string) uint16 {
	switch scheme {
	case "coap", "coap+tcp":
		return 5683
	case "coaps", "coaps+tcp":
		return 5684
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// quote quotes a URI for a message and shortens it, because it may come from a server.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
