package dtls

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes DTLS sockets for the scheme coaps. The zero value is ready; socket.Open finds the dialer for the sockets below.
type Dialer struct {
	// Below makes the sockets below. Zero: what Config.Below says.
	Below socket.Dialer
}

// Schemes returns "coaps".
func (Dialer) Schemes() []string { return []string{"coaps"} }

// Over returns "coap".
func (Dialer) Over() string { return "coap" }

// NewSocket makes a socket over a new one of the dialer below. It refuses a Security that no handshake could be done with: no
// credentials, mode RPK, no ciphersuite that the mode can use, a private key that cannot sign.
func (d Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	below := d.Below
	if below == nil {
		below = c.Below
	}
	if below == nil {
		return nil, errors.New("dtls: there is no dialer for the datagrams below: set Dialer.Below or Config.Below, or use socket.Open with one for the scheme coap, such as udp.Dialer")
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

// New makes a DTLS socket over the closed datagram socket below, which belongs to it from then on. Of c only Security and Logger matter.
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

func newSocket(below socket.Socket, p *profile, c socket.Config) (socket.Socket, error) {
	if k := below.Kind(); k != socket.Datagram {
		return nil, fmt.Errorf("dtls: %w: DTLS over a %s socket; use net/tls there", socket.ErrNotSupported, k)
	}
	if below.State().Open() {
		return nil, fmt.Errorf("dtls: %w: the socket below must be closed", socket.ErrConnected)
	}
	s := &conn{below: below, able: socket.Detect(below), profile: p, engine: pionEngine{}, log: c.Logger}
	return s, nil
}
