package socket

import (
	"context"
	"net/netip"
)

// Addresses tells the numeric addresses of both ends. On a socket that is neither open nor shut down both are the
// addresses of the last connection, or zero if there was none.
type Addresses interface {
	LocalAddr() netip.AddrPort
	RemoteAddr() netip.AddrPort
}

// Binder fixes the local address. The next Connect, and every later one, uses it and fails with ErrAddressInUse
// if it cannot. A zero address or port in local is left to the system, so the zero value undoes Bind. Calling it on an open socket
// changes the next Connect only.
//
// Sockets of one process that are bound to the same port, each to a different peer, must be possible.
//
// A socket that is a Binder also keeps its local port over Connect, Close and Connect by itself, as long as nobody
// else has taken it: the binding in a NAT and the server's idea of the device survive a reconnect.
type Binder interface {
	Bind(local netip.AddrPort) error
}

// Alternates moves on to the next address of a host name that has several.
type Alternates interface {
	// ConnectNext reconnects an open or closed socket to the next address that the last Connect's host name resolved
	// to, as Connect does. When each was used once since that Connect, it leaves the socket as it is and returns
	// ErrAddressNotFound.
	ConnectNext(ctx context.Context) error
}

// Counters counts the bytes of all connections since the socket was made, as handed to and taken from the network: with the
// overhead of a security layer, without the headers of UDP, TCP and IP.
type Counters interface {
	BytesSent() uint64
	BytesReceived() uint64
}

// Handle gives the descriptor for poll, select, epoll or kqueue to f, and returns when f has returned. Readable means that Recv may
// have something. The descriptor belongs to the socket: it must be neither read, written nor closed, and is valid until the socket is
// closed, shut down or connected anew. On a socket that is not open the error is ErrClosed and f is not called.
type Handle interface {
	SystemHandle(f func(fd uintptr)) error
}

// Buffered reports whether Recv would return something at once that the descriptor of Handle does not show: data that the socket has
// read ahead or decrypted.
type Buffered interface {
	HasBuffered() bool
}

// Backlog tells how many bytes a stream's Send has taken over that the system has not. It is what ErrBusy depends on: a layer above that
// cannot take back what it has encrypted looks here before.
type Backlog interface {
	SendBacklog() int
}

// Notifier tells when data may be waiting, without taking it.
type Notifier interface {
	// NotifyReadable has ready called whenever Recv may have something to return: data, the end of the stream, a
	// failure, or the end of the connection by Close. It is called at least once for everything that arrives after Recv
	// returned ErrTimeout, possibly more often than needed; and before NotifyReadable returns, if something is waiting already. So a
	// caller that receives until ErrTimeout after each call misses nothing.
	//
	// ready is called from any goroutine, that of the caller of Send or Close included. It must not block and must not call the
	// socket: it marks and wakes. So no method of the socket but SetRecvDeadline is to be called with a lock held that ready takes.
	// It stays set over reconnects. nil ends it, apart from calls that other goroutines are making at that moment.
	NotifyReadable(ready func())
}

// ReceiverOff is a hint for queue mode: nothing is expected to arrive until the next call of Connect, Send, Recv or Close, which
// turn the receiver on again, so the radio may sleep. It may be called repeatedly, does not block and breaks
// nothing; doing nothing is a valid implementation. A Recv that is pending keeps the receiver on.
type ReceiverOff interface {
	ReceiverOff()
}

// Shutdowner suspends a connection.
type Shutdowner interface {
	// Shutdown ends the traffic without telling the peer: pending calls return ErrClosed, system resources and
	// goroutines are released as by Close, but the addresses and the security session stay for the next Connect, which goes on
	// with them where the peer agrees. The state is StateShutdown after it, whatever error is returned. On a
	// closed socket it is ErrClosed.
	Shutdown() error
}

// Session tells how a secured connection began. Sockets without security do not have it: what a reconnect means there
// is decided by the address alone.
type Session interface {
	// Resumption is about the current connection, or the last one on a socket that is not open.
	Resumption() Resumption
}

// Resumption is how much of an earlier security session a connection goes on with.
type Resumption uint8

// The kinds of resumption.
const (
	// NewSession: a full handshake. The server may have forgotten the device's registration.
	NewSession Resumption = iota
	// SessionResumed: an abbreviated handshake continued an earlier session (RFC 5246 §7.3, RFC 8446 §2.2).
	SessionResumed
	// ConnectionIDResumed: the connection went on without any handshake, by its Connection ID (RFC 9146).
	ConnectionIDResumed
)

// String returns what was resumed, in words.
func (r Resumption) String() string {
	switch r {
	case NewSession:
		return "new session"
	case SessionResumed:
		return "session resumed"
	case ConnectionIDResumed:
		return "connection ID resumed"
	}
	return "unknown"
}

// Abilities are the abilities of one socket: each field is the socket itself (or what it is built on) if it has the
// ability and nil if not. The table in the package documentation says what is lost without each.
type Abilities struct {
	Addresses   Addresses
	Binder      Binder
	Alternates  Alternates
	Counters    Counters
	Handle      Handle
	Buffered    Buffered
	Backlog     Backlog
	Notifier    Notifier
	ReceiverOff ReceiverOff
	Shutdowner  Shutdowner
	Session     Session
}

// A Describer is a socket that says itself what it is able to do. A decorator is one if its abilities depend on the socket below: it has all
// methods in its type, but, for instance, no addresses over a socket without any.
type Describer interface {
	Abilities() Abilities
}

// Detect finds the abilities of s: by asking a [Describer], by type assertion otherwise. They do not change during the life of a socket, so
// once is enough.
func Detect(s Socket) Abilities {
	if d, ok := s.(Describer); ok {
		return d.Abilities()
	}
	var a Abilities
	a.Addresses, _ = s.(Addresses)
	a.Binder, _ = s.(Binder)
	a.Alternates, _ = s.(Alternates)
	a.Counters, _ = s.(Counters)
	a.Handle, _ = s.(Handle)
	a.Buffered, _ = s.(Buffered)
	a.Backlog, _ = s.(Backlog)
	a.Notifier, _ = s.(Notifier)
	a.ReceiverOff, _ = s.(ReceiverOff)
	a.Shutdowner, _ = s.(Shutdowner)
	a.Session, _ = s.(Session)
	return a
}

// A Lack is an ability that a socket does not have.
type Lack struct {
	Ability string // the interface's name in this package, such as "Counters"
	Lost    string // what does not work without it, for a log
}

// Lacks lists the abilities that are missing and matter on a socket of kind k: Buffered only with Handle, Backlog only on
// a stream, Session only if secured.
func (a Abilities) Lacks(k Kind, secured bool) []Lack {
	var l []Lack
	add := func(missing bool, ability, lost string) {
		if missing {
			l = append(l, Lack{ability, lost})
		}
	}
	add(a.Addresses == nil, "Addresses", "knowing which address was reached: none in logs, none to try first after a restart, none to hold a stored DTLS connection to")
	add(a.Binder == nil, "Binder", "a fixed local port, and the same local port after a reconnect")
	add(a.Alternates == nil, "Alternates", "trying a host's other addresses when the first is silent")
	add(a.Counters == nil, "Counters", "the network's byte counters: only those of the messages are there")
	add(a.Handle == nil, "Handle", "waiting with poll() in a loop of one's own")
	add(a.Handle != nil && a.Buffered == nil, "Buffered", "serving after poll() only when needed: it is served after every wait")
	add(k == Stream && a.Backlog == nil, "Backlog", "TLS over it without trying again and again while there is no room")
	add(a.Notifier == nil, "Notifier", "readiness without a goroutine of its own or a shared poller")
	add(a.ReceiverOff == nil, "ReceiverOff", "putting the receiver to sleep in queue mode")
	add(a.Shutdowner == nil, "Shutdowner", "suspending without giving up the session: offline mode closes")
	add(secured && a.Session == nil, "Session", "telling a resumed session: every reconnect registers anew")
	return l
}
