package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Socket is one connection of a [Link].
type Socket struct {
	link     *Link
	group    *Group
	net      socket.Socket
	conn     *coap.Conn
	able     socket.Abilities
	bytes    *messageBytes // nil if the network counts
	since    time.Time     // connected
	notified bool          // the socket tells by itself when it is readable
	deadline time.Time     // of Recv, as last set
	armed    sched.Time    // the job that deadline was set for, or unarmed
	queued   bool          // in the group's queue, or closed; guarded by group.mu
	closed   bool
	receiver receiver
}

// unarmed is no job's deadline.
const unarmed sched.Time = -1

// Net returns the socket itself.
func (s *Socket) Net() socket.Socket { return s.net }

// Stats returns the counters of the connection.
func (s *Socket) Stats() coap.Stats { return s.conn.Stats() }

// exchange is what the exchange layer sees of a Socket, whose net is replaced when it is watched.
type exchange struct{ s *Socket }

func (x exchange) Connect(ctx context.Context, to socket.Endpoint) error {
	return x.s.net.Connect(ctx, to)
}

func (x exchange) Send(p []byte) error {
	err := x.s.net.Send(p)
	switch {
	case err == nil:
		x.s.bytes.count(len(p), 0)
		x.s.link.cfg.Traffic.message(len(p), 0)
		x.s.onMessage()
	case x.s.net.Kind() != socket.Datagram, isHarmless(err):
	case errors.Is(err, socket.ErrRefused): // of an earlier datagram; Recv does not report it again
		x.s.group.sched.Post(func() { x.s.link.onRefused(x.s) })
	default:
		err = fmt.Errorf("%w: %w", ErrNotSent, err)
		x.s.group.sched.Post(func() { x.s.link.onSendFailed(x.s, err) })
	}
	return err
}

// ErrNotSent is the error of a request whose datagram the system has refused to send, as when the
// local address is gone.
var ErrNotSent = errors.New("the datagram could not be sent")

// isHarmless reports whether an error of Send says nothing about the connection.
func isHarmless(err error) bool {
	return errors.Is(err, socket.ErrBusy) || errors.Is(err, socket.ErrMessageTooLong) || errors.Is(err, socket.ErrClosed)
}

func (x exchange) Recv(p []byte) (int, error) {
	n, err := x.s.net.Recv(p)
	x.s.bytes.count(0, n)
	x.s.link.cfg.Traffic.message(0, n)
	if err == nil {
		x.s.onMessage()
	}
	return n, err
}

func (x exchange) SetRecvDeadline(t time.Time) { x.s.net.SetRecvDeadline(t) }
func (x exchange) Close() error                { return x.s.net.Close() }
func (x exchange) State() socket.State         { return x.s.net.State() }
func (x exchange) InnerMTU() int               { return x.s.net.InnerMTU() }
func (x exchange) Kind() socket.Kind           { return x.s.net.Kind() }

// listen has the group told when s may be readable.
func (s *Socket) listen() {
	s.deadline, s.armed = socket.NoWait(), unarmed
	s.net.SetRecvDeadline(s.deadline)
	s.able.Notifier.NotifyReadable(func() { s.group.markReady(s) })
}

// watch has the group's poller look after a socket that does not notify by itself.
func (s *Socket) watch() error {
	if s.notified || s.closed {
		return nil
	}
	watched, err := s.group.poller.Wrap(s.net)
	if err != nil {
		return err
	}
	s.net, s.link.opened.Socket = watched, watched
	s.able, s.notified = socket.Detect(watched), true
	s.listen()
	return nil
}

// receive handles one message, or one read of a stream. It waits as long as the deadline says.
func (s *Socket) receive() (n int, err error) {
	if s.closed {
		return 0, nil
	}
	n, err = s.conn.Receive(1)
	switch {
	case err == nil:
	case errors.Is(err, socket.ErrRefused) && s.net.Kind() == socket.Datagram:
		s.link.owner.OnRefused()
		return 1, nil
	default:
		s.link.lost(s, err)
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

// setDeadline makes Recv return at t at the latest. A deadline that comes a little earlier is left
// as it is: setting one costs more than waking once too often.
func (s *Socket) setDeadline(t time.Time) {
	if left := t.Sub(s.deadline); left >= 0 && left < time.Second && time.Now().Before(s.deadline) {
		return
	}
	s.deadline = t
	s.net.SetRecvDeadline(t)
}
