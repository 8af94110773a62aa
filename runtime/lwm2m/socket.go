package lwm2m

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
)

// A Socket is one connection of a client to a server, for programs that wait for sockets
// themselves. It belongs to the goroutine of its loop. After the client has closed the connection,
// serving the Socket does nothing.
type Socket struct {
	client *Client
	server *server // nil for the bootstrap server
	link   *link.Socket
	uri    string
}

// ServerID returns the Short Server ID of the server, and 0 for the bootstrap server, which has
// none.
func (s *Socket) ServerID() ShortServerID {
	if s.server == nil {
		return 0
	}
	return s.server.settings.shortID
}

// URI returns the URI of the server. Its scheme says which transport the connection uses.
func (s *Socket) URI() string { return s.uri }

// QueueMode reports whether the device is registered with queue mode, so that it need not be
// reachable at all times.
func (s *Socket) QueueMode() bool {
	return s.server != nil && s.server.registration.offer.queue
}

// Net returns the socket of the network layer, for its abilities, such as the system handle for
// poll. The caller must neither receive from it nor close it.
func (s *Socket) Net() socket.Socket { return s.link.Net() }

// Serve handles messages that have arrived on s and never waits. It handles a bounded number, so
// that other sockets are served, too: call it again while s stays readable. The error says why the
// connection has ended, which the client has handled already, or is ctx.Err(). It is [ErrRunning]
// if Serve is called from within a turn of the loop.
func (l *Loop) Serve(ctx context.Context, s *Socket) error {
	if !l.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer l.running.Store(false)
	if s == nil || s.client.loop != l {
		return errors.New("lwm2m: Serve: the socket belongs to another loop")
	}
	return l.group.Serve(ctx, s.link)
}
