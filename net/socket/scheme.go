package socket

import "cmp"

// A SchemeListener is a Listener that knows the scheme of its URIs. The listeners of net/udp,
// net/tcp, net/dtls, net/tls and net/simnet do; a listener of your own may.
type SchemeListener interface {
	Listener
	// Scheme returns the scheme in lower case: "coap", "coaps", "coap+tcp", "coaps+tcp" or another,
	// "" if it is not known.
	Scheme() string
}

// ListenerURI returns the URI at which devices reach a listener, such as "coaps://[::1]:5684". The
// scheme is "coap" if the listener is no SchemeListener. A listener at an unspecified address has a
// URI that only its own host can use.
func ListenerURI(l Listener) string {
	scheme := ""
	if s, ok := l.(SchemeListener); ok {
		scheme = s.Scheme()
	}
	return cmp.Or(scheme, "coap") + "://" + l.Addr().String()
}
