package lwm2m

import (
	"context"
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A Socket is one connection of a client to a server. It belongs to the goroutine of its loop, and is over when the client closes
// the connection; serving it then does nothing.
type Socket struct {
	server   *server
	loop     *Loop
	net      socket.Socket
	conn     *coap.Conn
	able     socket.Abilities
	since    time.Time  // connected
	notified bool       // tells by itself when it is readable
	deadline time.Time  // of Recv, as last set
	armed    sched.Time // the job that deadline was set for, or unarmed
	queued   bool       // in loop.ready, or over; guarded by loop.mu
	over     bool
}

// unarmed is no job's deadline.
const unarmed sched.Time = -1

// ServerID is the Short Server ID of the server at the other end.
func (s *Socket) ServerID() ShortServerID { return s.server.acct.short }

// Client is the client whose connection it is.
func (s *Socket) Client() *Client { return s.server.c }

// URI is the server's URI, whose scheme says which transport it is.
func (s *Socket) URI() string { return s.server.acct.uri }

// QueueMode reports whether the server was told that the device is not always reachable.
func (s *Socket) QueueMode() bool { return s.server.c.queued(&s.server.acct, s.server.version) }

// Net is the socket itself: for its abilities, such as the system's handle for poll. It must be neither received from nor closed.
func (s *Socket) Net() socket.Socket { return s.net }

// Stats are the counters of the connection.
func (s *Socket) Stats() coap.Stats { return s.conn.Stats() }

// Serve handles what has arrived on s, up to a bound that keeps other sockets from starving: it is served again while it
// stays readable. It never waits. An error says why the connection ended, which the client has acted upon already, or that ctx has;
// it is [ErrRunning] where Serve is called from within a turn of the loop.
func (l *Loop) Serve(ctx context.Context, s *Socket) error {
	if !l.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer l.running.Store(false)
	if s == nil || s.loop != l {
		return errors.New("lwm2m: Serve of a socket that is none of this loop's")
	}
	for range perServe {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.noWait()
		n, err := s.receive()
		if err != nil || n == 0 {
			return err
		}
	}
	l.markReady(s)
	return nil
}

// wire is what the exchange layer sees of a Socket, whose own one is replaced when it is watched.
type wire struct{ s *Socket }

func (w wire) Connect(ctx context.Context, to socket.Endpoint) error { return w.s.net.Connect(ctx, to) }
func (w wire) Send(p []byte) error                                   { return w.s.net.Send(p) }
func (w wire) Recv(p []byte) (int, error)                            { return w.s.net.Recv(p) }
func (w wire) SetRecvDeadline(t time.Time)                           { w.s.net.SetRecvDeadline(t) }
func (w wire) Close() error                                          { return w.s.net.Close() }
func (w wire) State() socket.State                                   { return w.s.net.State() }
func (w wire) InnerMTU() int                                         { return w.s.net.InnerMTU() }
func (w wire) Kind() socket.Kind                                     { return w.s.net.Kind() }

// open puts a connected socket to use.
func (l *Loop) open(s *Socket, cfg coap.ConnConfig) error {
	cfg.Socket = wire{s}
	var err error
	if s.conn, err = l.endpoint.NewConn(cfg); err != nil {
		return err
	}
	l.sockets = append(l.sockets, s)
	s.notified = s.able.Notifier != nil
	if s.notified {
		s.listen()
		return nil
	}
	if l.watching.Load() {
		if err := s.watch(); err != nil {
			l.drop(s)
			s.conn.Close(err)
			return err
		}
	}
	return nil
}

// drop takes a socket out of use; closing it is the caller's.
func (l *Loop) drop(s *Socket) {
	if s.over {
		return
	}
	s.over = true
	if s.notified {
		s.able.Notifier.NotifyReadable(nil)
		l.unmarkReady(s)
	}
	for i, o := range l.sockets {
		if o == s {
			l.sockets = append(l.sockets[:i], l.sockets[i+1:]...)
			break
		}
	}
}

// listen has the loop told when s may be readable.
func (s *Socket) listen() {
	s.deadline, s.armed = socket.NoWait(), unarmed
	s.net.SetRecvDeadline(s.deadline)
	s.able.Notifier.NotifyReadable(func() { s.loop.markReady(s) })
}

// watch has the loop's poller look after a socket that does not notify by itself.
func (s *Socket) watch() error {
	if s.notified || s.over {
		return nil
	}
	watched, err := s.loop.poller.Wrap(s.net)
	if err != nil {
		return err
	}
	s.net, s.server.sock = watched, watched
	s.able, s.notified = socket.Detect(watched), true
	s.listen()
	return nil
}

// receive handles one message, or one read of a stream. It waits as long as the deadline says.
func (s *Socket) receive() (n int, err error) {
	if s.over {
		return 0, nil
	}
	n, err = s.conn.Receive(1)
	switch {
	case err == nil:
	case errors.Is(err, socket.ErrRefused) && s.net.Kind() == socket.Datagram:
		return 1, nil // the server may be restarting: retransmission goes on
	default:
		s.server.broken(s, err)
	}
	return n, err
}

// noWait makes Recv return at once.
func (s *Socket) noWait() {
	if now := socket.NoWait(); !s.deadline.Equal(now) {
		s.deadline, s.armed = now, unarmed
		s.net.SetRecvDeadline(now)
	}
}

// setDeadline makes Recv return at t at the latest. A deadline that comes a little earlier is left as it is: setting one costs
// more than waking once too often.
func (s *Socket) setDeadline(t time.Time) {
	if left := t.Sub(s.deadline); left >= 0 && left < time.Second && time.Now().Before(s.deadline) {
		return
	}
	s.deadline = t
	s.net.SetRecvDeadline(t)
}
