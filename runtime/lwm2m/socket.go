package lwm2m

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
)

// A Socket is one connection of a client to a server. It belongs to the goroutine of its loop, and is over when the client closes
// the connection; serving it then does nothing.
type Socket struct {
	server *server
	link   *link.Socket
}

// ServerID returns the Short Server ID of the server at the other end.
func (s *Socket) ServerID() ShortServerID { return s.server.settings.shortID }

// URI returns the server's URI, whose scheme says which transport it is.
func (s *Socket) URI() string { return s.server.settings.uri }

// QueueMode reports whether the server was told that the device is not always reachable.
func (s *Socket) QueueMode() bool {
	return s.server.client.queued(&s.server.settings, s.server.registration.version)
}

// Net returns the socket itself: for its abilities, such as the system's handle for poll. It must be
// neither received from nor closed.
func (s *Socket) Net() socket.Socket { return s.link.Net() }

// Stats returns the counters of the connection.
func (s *Socket) Stats() coap.Stats { return s.link.Stats() }

// Serve handles what has arrived on s, up to a bound that keeps other sockets from starving: it is served again while it
// stays readable. It never waits. An error says why the connection ended, which the client has acted upon already, or that ctx has;
// it is [ErrRunning] where Serve is called from within a turn of the loop.
func (l *Loop) Serve(ctx context.Context, s *Socket) error {
	if !l.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer l.running.Store(false)
	if s == nil || s.server.client.loop != l {
		return errors.New("lwm2m: Serve of a socket of another loop")
	}
	return l.group.Serve(ctx, s.link)
}
