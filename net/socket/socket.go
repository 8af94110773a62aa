package socket

import (
	"context"
	"time"
)

// A Socket is one connection to one peer. Every port of the network layer implements it.
//
// A [Dialer] makes a socket closed and without input or output. It is connected, used and closed,
// any number of times. A closed socket holds no system resource and no goroutine, so there is
// nothing else to release.
//
// Concurrency: one goroutine at a time may call Connect, and one goroutine at a time may call Recv.
// Send, SetRecvDeadline, Close, State, Kind, InnerMTU and the methods of every ability may be
// called at any time, from any goroutine, also while a Connect or Recv is pending.
//
// Errors wrap one of this package's sentinels wherever one fits, see [ErrTimeout].
type Socket interface {
	// Connect resolves remote and connects to it; a secured socket also completes its handshake. It
	// returns when all of that is done. If it fails, the socket is as it was before: closed, or
	// shut down. If the host name has several addresses, the socket tries each in turn, as far as
	// it can tell that one does not work.
	//
	// It may take as long as ctx allows, and ends early when ctx ends, with an error that wraps
	// ctx.Err(), or when the socket is closed, with ErrClosed. It may be called on a closed or a
	// shut down socket; on any other the error is ErrConnected.
	Connect(ctx context.Context, remote Endpoint) error

	// Send sends all of p or nothing: on a datagram socket as exactly one datagram (an empty p is
	// an empty datagram), on a stream as the next len(p) bytes. It does not keep p. It does not
	// wait for the peer or the network: if p cannot be taken over now, the error is ErrBusy and the
	// socket stays usable. If a datagram can never be sent, the error is ErrMessageTooLong. Success
	// means that the system took the data, not that the data arrived. On a socket that is not
	// connected, the error is ErrClosed.
	Send(p []byte) error

	// Recv waits for data until the receive deadline, writes it to p and returns its length.
	//
	// On a datagram socket it is exactly one datagram of the peer; an empty one is (0, nil). What
	// comes from another address is dropped: anybody could have sent it. If p is too small,
	// p is filled, the rest of the datagram is lost and the error is ErrMessageTooLong, with n =
	// len(p). On a stream it is at least one byte (if p has room for any), and io.EOF after the
	// peer has ended the stream.
	//
	// The error is exactly ErrTimeout (not wrapped) when the deadline passed, and ErrClosed when
	// the socket is not connected or was closed during the call. ErrRefused reports a peer that
	// refuses datagrams; the socket stays connected and usable, because the peer may be restarting.
	Recv(p []byte) (n int, err error)

	// SetRecvDeadline sets when Recv stops waiting: the zero time, which a new socket starts with,
	// means never. The deadline also applies to a pending Recv. It holds until the next call, over
	// reconnects too.
	//
	// If the deadline has passed (NoWait is such a deadline), Recv does not wait: it returns data
	// that has arrived, or ErrTimeout if there is none. Any goroutine can wake a pending Recv by
	// setting such a deadline.
	SetRecvDeadline(t time.Time)

	// Close ends the connection, and informs the peer where the protocol can, without waiting for
	// an answer. Pending calls return ErrClosed, data not yet received is dropped, data in the send
	// buffer of a stream may be lost, and no goroutine of the socket is left when Close returns.
	// Closing a closed socket does nothing and returns nil. The socket is closed even if an error
	// is returned.
	Close() error

	// State returns what the socket can do now. Only calls of this interface change it: Recv and
	// Send report a peer that ends the connection and a network that fails.
	State() State

	// InnerMTU returns the number of bytes that one Send can carry in one packet of the network,
	// after all headers and security overhead, as known now. It bounds the size of CoAP messages
	// and blocks. It is at least 1, and on a connected socket it is never more than Send accepts.
	// On a stream it is a good size for one Send, not a limit.
	InnerMTU() int

	// Kind returns whether the socket carries datagrams (CoAP as in RFC 7252) or a stream (CoAP as
	// in RFC 8323). It never changes.
	Kind() Kind
}

// NoWait returns a receive deadline that has always passed: with it [Socket.Recv] returns at once.
func NoWait() time.Time { return time.Unix(1, 0) }

// Kind distinguishes datagram sockets and streams.
type Kind uint8

// The kinds of sockets.
const (
	// Datagram sockets keep message boundaries, and may lose, repeat and reorder messages.
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
	// StateAccepted: connected, made by a Listener. Such a socket cannot be connected again after
	// Close.
	StateAccepted
	// StateShutdown: no traffic, but addresses and the security session are kept for the next
	// Connect.
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
