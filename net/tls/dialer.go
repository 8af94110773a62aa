package tls

import (
	"cmp"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes TLS sockets for the scheme coaps+tcp. The zero value is ready to use with
// socket.Open, which finds the dialer for the sockets below.
type Dialer struct {
	// Below makes the sockets below. The zero value means Config.Below.
	Below socket.Dialer
}

// Schemes returns "coaps+tcp".
func (Dialer) Schemes() []string { return []string{"coaps+tcp"} }

// Over returns "coap+tcp".
func (Dialer) Over() string { return "coap+tcp" }

// NewSocket makes a socket over a new one of the dialer below. It refuses a Security for which
// every handshake would fail: a mode other than X.509, a private key that cannot sign, ciphersuites
// and versions that crypto/tls does not have.
func (d Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	return layer().NewSocket(d.Below, c)
}

// New makes a TLS socket over the closed stream socket below and owns it from then on. It uses only
// Security, SendBuffer and Logger of c.
func New(below socket.Socket, c socket.Config) (socket.Socket, error) {
	return layer().Over(below, c)
}

const defaultSendBuffer = 64 << 10

// layer says what TLS runs over.
func layer() *secured.Layer {
	return &secured.Layer{
		Package: "tls", Protocol: "TLS", Kind: socket.Stream, Scheme: "coap+tcp", Dialer: "tcp.Dialer",
		Instead: "net/dtls",
		Prepare: func(c socket.Config) (func(socket.Socket) socket.Socket, error) {
			p, err := newProfile(c.Security)
			if err != nil {
				return nil, err
			}
			return func(below socket.Socket) socket.Socket {
				s := &conn{profile: p, log: c.Logger, buffer: cmp.Or(c.SendBuffer, defaultSendBuffer)}
				s.Init(s, below)
				return s
			}, nil
		},
	}
}
