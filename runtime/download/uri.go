package download

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// maxURI bounds a URI in bytes.
const maxURI = 2048

// target is a parsed URI.
type target struct {
	text   string // as given
	url    *url.URL
	scheme string
	name   string // the host, unless it is an address
	path   []string
	query  []string
}

// isHTTP reports whether the content is fetched by HTTP.
func (t *target) isHTTP() bool { return t.scheme == "http" || t.scheme == "https" }

// String returns the URI without its query, which may hold a token.
func (t *target) String() string {
	u := *t.url
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	return u.String()
}

// parseURI parses the URI of a download. The error is an *Error.
func parseURI(uri string) (*target, error) {
	invalid := func(err error) (*target, error) { return nil, &Error{Kind: InvalidURI, Err: err} }
	if len(uri) > maxURI {
		return invalid(errors.New("the URI has more than 2048 bytes"))
	}
	scheme, _, err := socket.ParseURI(uri)
	if err != nil {
		return invalid(err)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return invalid(errors.New("the URI cannot be parsed"))
	}
	t := &target{text: uri, url: u, scheme: scheme}
	switch scheme {
	case "coap", "coaps", "coap+tcp", "coaps+tcp":
		if u.Fragment != "" {
			return invalid(errors.New("a CoAP URI has no fragment (RFC 7252 §6.1)"))
		}
	case "http", "https":
		return t, nil
	default:
		return nil, &Error{Kind: UnsupportedProtocol, Err: errors.New("the scheme " + scheme + " is none of coap, coaps, coap+tcp, coaps+tcp, http and https")}
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		t.name = strings.ToLower(u.Hostname())
	}
	if t.path, err = split(strings.TrimPrefix(u.EscapedPath(), "/"), "/", url.PathUnescape); err != nil {
		return invalid(err)
	}
	if t.query, err = split(u.RawQuery, "&", url.PathUnescape); err != nil {
		return invalid(err)
	}
	return t, nil
}

// split splits a part of a URI into options (RFC 7252 §6.4).
func split(s, by string, unescape func(string) (string, error)) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, by)
	for i, p := range parts {
		p, err := unescape(p)
		if err != nil {
			return nil, errors.New("the URI has an escape sequence that is not valid")
		}
		if len(p) > 255 {
			return nil, errors.New("a part of the URI has more than 255 bytes (RFC 7252 §5.10)")
		}
		parts[i] = p
	}
	return parts, nil
}

// addOptions adds the options of a request for the target.
func (t *target) addOptions(o *coap.Options) {
	if t.name != "" {
		o.AddString(coap.OptionURIHost, t.name)
	}
	for _, p := range t.path {
		o.AddString(coap.OptionURIPath, p)
	}
	for _, q := range t.query {
		o.AddQuery(q)
	}
}
