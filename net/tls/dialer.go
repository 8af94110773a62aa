package tls

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes TLS sockets for the scheme coaps+tcp. The zero value is ready; socket.Open finds the dialer for the sockets below.
type Dialer struct {
	// Below makes the sockets below. Zero: what Config.Below says.
	Below socket.Dialer
}

// Schemes returns "coaps+tcp".
func (Dialer) Schemes() []string { return []string{"coaps+tcp"} }

// Over returns "coap+tcp".
func (Dialer) Over() string { return "coap+tcp" }

// NewSocket makes a socket over a new one of the dialer below. It refuses a Security that no handshake could be done with: every mode but
// X.509, a private key that cannot sign, ciphersuites and versions that crypto/tls does not have.
func (d Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	below := d.Below
	if below == nil {
		below = c.Below
	}
	if below == nil {
		return nil, errors.New("tls: there is no dialer for the streams below: set Dialer.Below or Config.Below, or use socket.Open with one for the scheme coap+tcp, such as tcp.Dialer")
	}
	p, err := newProfile(c.Security)
	if err != nil {
		return nil, err
	}
	plain := c
	plain.Security, plain.Below = socket.Security{}, nil
	s, err := below.NewSocket(plain)
	if err != nil {
		return nil, err
	}
	return newSocket(s, p, c)
}

// New makes a TLS socket over the closed stream socket below, which belongs to it from then on. Of c only Security, SendBuffer and Logger
// matter.
func New(below socket.Socket, c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p, err := newProfile(c.Security)
	if err != nil {
		return nil, err
	}
	return newSocket(below, p, c)
}

const defaultSendBuffer = 64 << 10

func newSocket(below socket.Socket, p *profile, c socket.Config) (socket.Socket, error) {
	if k := below.Kind(); k != socket.Stream {
		return nil, fmt.Errorf("tls: %w: TLS over a %s socket; use net/dtls there", socket.ErrNotSupported, k)
	}
	if below.State().Open() {
		return nil, fmt.Errorf("tls: %w: the socket below must be closed", socket.ErrConnected)
	}
	s := &conn{below: below, able: socket.Detect(below), profile: p, log: c.Logger, buffer: c.SendBuffer}
	if s.buffer == 0 {
		s.buffer = defaultSendBuffer
	}
	return s, nil
}
