package socket

import (
	"context"
	"time"
)

// A Socket is one connection to one peer: what every port of the network layer implements.
//
// A socket is made closed and without any input or output by a [Dialer]. It is connected, used, closed, and may then be
// connected again, any number of times; a closed socket holds no system resource and no goroutine, so there is
// nothing else to release.
//
// Concurrency: one goroutine at a time may call Connect and one at a time Recv. Send, SetRecvDeadline, Close, State,
// Kind, InnerMTU and the methods of every ability may be called at any time, from any goroutine, also while a Connect
// or Recv is pending.
//
// Errors wrap one of this package's sentinels wherever one fits, see [ErrTimeout].
type Socket interface {
	// Connect resolves remote and connects to it; a secured socket also completes its handshake. It returns when all of
	// that is done, or with an error and the socket as it was before: closed, or shut down if it was. A socket that
	// has a host name with several addresses tries each in turn as far as it can tell that one does not work.
	//
	// It may take as long as ctx allows, and ends early when ctx ends, with an error that wraps ctx.Err(), or when the
	// socket is closed, with ErrClosed. It may be called on a closed or a shut down socket; on any other it
	// is ErrConnected.
	Connect(ctx context.Context, remote Endpoint) error

	// Send sends all of p or nothing: on a datagram socket as exactly one datagram (an empty p is an empty datagram), on a
	// stream as the next len(p) bytes. It does not keep p. It does not wait for the peer or the network:
	// what cannot be taken over now is refused as a whole with ErrBusy, and the socket stays usable. A datagram that can
	// never be sent is ErrMessageTooLong. Success means that the system took the data, not that it arrived. On a socket that
	// is not connected Send is ErrClosed.
	Send(p []byte) error

	// Recv waits for data until the receive deadline, writes it to p and returns its length.
	//
	// On a datagram socket it is exactly one datagram; an empty one is (0, nil). If p is too small, p is filled, the rest
	// of the datagram is lost and the error is ErrMessageTooLong, with n = len(p). On a stream it is at least one byte (if p
	// has room for any), and io.EOF after the peer has ended the stream.
	//
	// The error is exactly ErrTimeout (not wrapped) when the deadline passed, and ErrClosed when the socket is
	// not connected or was closed meanwhile. ErrRefused reports a peer that refuses datagrams; the socket
	// stays connected and usable after it, as the peer may be restarting.
	Recv(p []byte) (n int, err error)

	// SetRecvDeadline sets when Recv stops waiting: the zero time means never, which is what a new socket starts with. It
	// applies to a pending Recv too, and stays set until the next call, over reconnects as well.
	//
	// With a deadline that has passed (NoWait is one) Recv does not wait: it returns what has arrived already and
	// ErrTimeout when there is nothing. A pending Recv is woken by setting such a deadline, by any goroutine.
	SetRecvDeadline(t time.Time)

	// Close ends the connection, telling the peer where the protocol can, without waiting for its answer. Pending calls return
	// ErrClosed, data not yet received is dropped, data that a stream's Send holds back may be lost, and no goroutine of the
	// socket is left when Close returns. Closing a closed socket does nothing and returns nil. The socket is closed even if an
	// error is returned.
	Close() error

	// State says what the socket can do now. It changes by the caller's own calls only: a peer that ends the
	// connection, or a network that fails, shows in Recv and Send.
	State() State

	// InnerMTU is the number of bytes that one Send can carry in one packet of the network, after every
	// header and any security overhead, as known now: the bound for the size of CoAP messages and blocks. It is at least 1 and on a
	// connected socket it is never more than Send accepts. On a stream it is a good size for one Send, not a limit.
	InnerMTU() int

	// Kind says whether the socket carries datagrams (CoAP as in RFC 7252) or a stream (CoAP as in RFC 8323). It
	// never changes.
	Kind() Kind
}

// NoWait is a receive deadline that has always passed: with it [Socket.Recv] returns at once.
func NoWait() time.Time { return time.Unix(1, 0) }

// Kind tells datagram sockets from streams.
type Kind uint8

// The kinds of sockets.
const (
	// Datagram sockets keep message boundaries and may lose, repeat and reorder messages.
	Datagram Kind = iota
	// Stream sockets carry bytes in order, without boundaries.
	Stream
)

// String returns "datagram" or "stream".
func (k Kind) String() string {
	if k == Stream {
		return "stream"
	}
	return "datagram"
}

// State is what a socket can do.
type State uint8

// The states of a socket. Send and Recv work in StateConnected and StateAccepted only.
const (
	// StateClosed: not connected; Connect may be called.
	StateClosed State = iota
	// StateBound: not connected, with a local address given to Bind that the next Connect will use.
	StateBound
	// StateConnected: Connect has succeeded.
	StateConnected
	// StateAccepted: connected, made by a Listener. Such a socket cannot be connected again after Close.
	StateAccepted
	// StateShutdown: no traffic, but addresses and the security session are kept for the next Connect.
	StateShutdown
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case StateClosed:
		return "closed"
	case StateBound:
		return "bound"
	case StateConnected:
		return "connected"
	case StateAccepted:
		return "accepted"
	case StateShutdown:
		return "shut down"
	}
	return "unknown"
}

// Open reports whether Send and Recv work in this state.
func (s State) Open() bool { return s == StateConnected || s == StateAccepted }
