package sockettest

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Bare returns a dialer whose sockets are those of d without any optional ability, to test the
// layers above a port with the least that a port offers.
func Bare(d socket.Dialer) socket.Dialer { return bareDialer{d} }

type bareDialer struct{ d socket.Dialer }

func (b bareDialer) Schemes() []string { return b.d.Schemes() }

func (b bareDialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if c.Local != (netip.AddrPort{}) {
		return nil, fmt.Errorf("a socket without abilities cannot bind a local address: %w", socket.ErrNotSupported)
	}
	s, err := b.d.NewSocket(c)
	if err != nil {
		return nil, err
	}
	return bare{s}, nil
}

// bare has only the mandatory methods. An embedded socket would have the same effect, but its type
// would change with socket.Socket.
type bare struct{ s socket.Socket }

func (b bare) Connect(ctx context.Context, remote socket.Endpoint) error {
	return b.s.Connect(ctx, remote)
}
func (b bare) Send(p []byte) error         { return b.s.Send(p) }
func (b bare) Recv(p []byte) (int, error)  { return b.s.Recv(p) }
func (b bare) SetRecvDeadline(t time.Time) { b.s.SetRecvDeadline(t) }
func (b bare) Close() error                { return b.s.Close() }
func (b bare) State() socket.State         { return b.s.State() }
func (b bare) InnerMTU() int               { return b.s.InnerMTU() }
func (b bare) Kind() socket.Kind           { return b.s.Kind() }
