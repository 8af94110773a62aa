package secured

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Layer says what a protocol runs over.
type Layer struct {
	Package  string      // of the protocol, such as "dtls"
	Protocol string      // its name, such as "DTLS"
	Kind     socket.Kind // of the sockets below
	Scheme   string      // of the dialer that makes them
	Dialer   string      // such a dialer, for an error
	Instead  string      // the package for the other kind of socket
	// Prepare checks the security settings of a configuration and returns the function that makes a
	// socket with them. below is a closed socket of the right kind.
	Prepare func(c socket.Config) (func(below socket.Socket) socket.Socket, error)
}

// NewSocket makes a socket over a new one of the dialer below, or, if that is nil, of c.Below.
func (l *Layer) NewSocket(below socket.Dialer, c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if below == nil {
		below = c.Below
	}
	if below == nil {
		return nil, fmt.Errorf("%s: no dialer for the sockets below: set Dialer.Below or Config.Below, or use "+
			"socket.Open with a dialer for the scheme %s, such as %s",
			l.Package, l.Scheme, l.Dialer)
	}
	secure, err := l.Prepare(c)
	if err != nil {
		return nil, err
	}
	plain := c
	plain.Scheme, plain.Security, plain.Below = l.Scheme, socket.Security{}, nil
	s, err := below.NewSocket(plain)
	if err != nil {
		return nil, err
	}
	return l.over(s, secure)
}

// Over makes a socket over below, which belongs to it afterwards.
func (l *Layer) Over(below socket.Socket, c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	secure, err := l.Prepare(c)
	if err != nil {
		return nil, err
	}
	return l.over(below, secure)
}

func (l *Layer) over(below socket.Socket, secure func(socket.Socket) socket.Socket) (socket.Socket, error) {
	if k := below.Kind(); k != l.Kind {
		return nil, fmt.Errorf("%s: %w: %s over a %s socket; use %s", l.Package, socket.ErrNotSupported,
			l.Protocol, k, l.Instead)
	}
	if below.State().Open() {
		return nil, fmt.Errorf("%s: %w: the socket below must be closed", l.Package, socket.ErrConnected)
	}
	return secure(below), nil
}
