package download

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// maxRedirects bounds the redirects of one request.
const maxRedirects = 5

// newHTTPClient returns the client for http and https.
func (c *Client) newHTTPClient() *http.Client {
	var h http.Client
	if c.cfg.HTTP != nil {
		h = *c.cfg.HTTP
	} else {
		h.Transport = &http.Transport{
			DialContext: c.dialHTTP, DialTLSContext: c.dialHTTPS, MaxIdleConns: c.cfg.MaxConcurrent, IdleConnTimeout: 30 * time.Second,
			DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
		}
	}
	h.Transport = locationChecker{cmp.Or(h.Transport, http.DefaultTransport)}
	user := h.CheckRedirect
	h.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if err := checkRedirect(r, via); err != nil {
			return err
		}
		if user != nil {
			return user(r, via)
		}
		return nil
	}
	return &h
}

// locationChecker refuses redirects to URIs that are not valid. The error of http.Client shows the
// URI, whose query may hold a token.
type locationChecker struct{ http.RoundTripper }

func (l locationChecker) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil || resp.StatusCode/100 != 3 {
		return resp, err
	}
	if _, err := r.URL.Parse(resp.Header.Get("Location")); err != nil {
		_ = resp.Body.Close() // nothing of it is used
		return nil, fault(InvalidURI, "a redirect to a URI that is not valid")
	}
	return resp, nil
}

// CloseIdleConnections is for http.Client.CloseIdleConnections.
func (l locationChecker) CloseIdleConnections() {
	if t, ok := l.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// checkRedirect refuses redirects that a server has no good reason for.
func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fault(InvalidURI, "more than %d redirects", maxRedirects)
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fault(InvalidURI, "a redirect to the scheme %q", r.URL.Scheme)
	case r.URL.Scheme == "http" && via[len(via)-1].URL.Scheme == "https":
		return fault(InvalidURI, "a redirect from https to http")
	case r.URL.User != nil:
		return fault(InvalidURI, "a redirect to a URI with a user name")
	}
	r.Header.Del("Referer") // its query may hold a token
	return nil
}

// dialHTTP connects for http.
func (c *Client) dialHTTP(ctx context.Context, _, addr string) (net.Conn, error) {
	return c.dial(ctx, "coap+tcp", addr, socket.Security{})
}

// dialHTTPS connects for https: without credentials of the device by crypto/tls, with them as
// coaps+tcp does.
func (c *Client) dialHTTPS(ctx context.Context, _, addr string) (net.Conn, error) {
	sec, err := c.credentials("https", addr)
	if err != nil {
		return nil, err
	}
	if sec.Mode != socket.ModeNoSec {
		return c.dial(ctx, "coaps+tcp", addr, sec)
	}
	below, err := c.dial(ctx, "coap+tcp", addr, socket.Security{})
	if err != nil {
		return nil, err
	}
	name := sec.ServerName
	if name == "" {
		name, _, _ = net.SplitHostPort(addr)
	}
	conn := tls.Client(below, &tls.Config{RootCAs: sec.TrustStore, ServerName: name, MinVersion: tls.VersionTLS12})
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = below.Close() // it is closed whatever the error
		return nil, err
	}
	return conn, nil
}

// dial connects by one of the dialers.
func (c *Client) dial(ctx context.Context, scheme, addr string, sec socket.Security) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	sock, remote, err := c.newSocket(scheme, addr, sec)
	if err != nil {
		return nil, err
	}
	if err := sock.Connect(ctx, remote); err != nil {
		_ = sock.Close() // it is closed whatever the error
		return nil, err
	}
	return socket.NetConn(sock), nil
}
