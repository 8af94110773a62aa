package dtls

import (
	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes DTLS sockets for the scheme coaps. The zero value is ready to use with socket.Open,
// which finds the dialer for the sockets below.
type Dialer struct {
	// Below makes the sockets below. The zero value means Config.Below.
	Below socket.Dialer
}

// Schemes returns "coaps".
func (Dialer) Schemes() []string { return []string{"coaps"} }

// Over returns "coap".
func (Dialer) Over() string { return "coap" }

// NewSocket makes a socket over a new one of the dialer below. It refuses a Security for which
// every handshake would fail: no credentials, mode RPK, no ciphersuite that the mode can use, a
// private key that cannot sign.
func (d Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	return layer().NewSocket(d.Below, c)
}

// New makes a DTLS socket over the closed datagram socket below and owns it from then on. It uses
// only Security and Logger of c.
func New(below socket.Socket, c socket.Config) (socket.Socket, error) {
	return layer().Over(below, c)
}

// layer says what DTLS runs over.
func layer() *secured.Layer {
	return &secured.Layer{
		Package: "dtls", Protocol: "DTLS", Kind: socket.Datagram, Scheme: "coap", Dialer: "udp.Dialer",
		Instead: "net/tls",
		Prepare: func(c socket.Config) (func(socket.Socket) socket.Socket, error) {
			p, err := newProfile(c.Security)
			if err != nil {
				return nil, err
			}
			return func(below socket.Socket) socket.Socket {
				s := &conn{profile: p, engine: pionEngine{}, log: c.Logger}
				s.Init(s, below)
				return s
			}, nil
		},
	}
}
