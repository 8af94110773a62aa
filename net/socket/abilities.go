package socket

import (
	"context"
	"net/netip"
)

// Addresses returns the numeric addresses of both ends. On a socket that is neither open nor shut
// down they are those of the last connection, or zero if there was none.
type Addresses interface {
	LocalAddr() netip.AddrPort
	RemoteAddr() netip.AddrPort
}

// Binder fixes the local address. The next Connect, and every later one, uses local and fails with
// ErrAddressInUse if it cannot. The system chooses a zero address or port, so the zero value undoes
// Bind. On an open socket, Bind only affects the next Connect.
//
// Several sockets of one process must be able to share a port, each for a different peer.
//
// A Binder also keeps its local port over Connect, Close and Connect, as long as no other socket
// has taken it: the binding in a NAT survives a reconnect, and the server sees the same address.
type Binder interface {
	Bind(local netip.AddrPort) error
}

// Alternates connects to the next address of a host name that has several.
type Alternates interface {
	// ConnectNext reconnects an open or closed socket to the next address that the last Connect's
	// host name resolved to, as Connect does. When all were used since that Connect, it leaves the
	// socket as it is and returns ErrAddressNotFound. If the last Connect was long ago, it may ask
	// the name service again: the server may have moved in the meantime.
	ConnectNext(ctx context.Context) error
}

// Counters returns the bytes of all connections since the socket was made, as sent to and received
// from the network: with the overhead of a security layer, without the headers of UDP, TCP and IP.
type Counters interface {
	BytesSent() uint64
	BytesReceived() uint64
}

// Handle calls f with the descriptor for poll, select, epoll or kqueue. If the descriptor is
// readable, Recv may have something. The socket owns the descriptor: f must neither read, write nor
// close it. It is valid until the socket is closed, shut down or connected again. On a socket that
// is not open the error is ErrClosed and f is not called.
type Handle interface {
	SystemHandle(f func(fd uintptr)) error
}

// Buffered reports whether Recv would return at once although the descriptor of Handle is not
// readable: with data that the socket has read ahead or decrypted.
type Buffered interface {
	HasBuffered() bool
}

// Backlog returns how many bytes a stream's Send has accepted that the system has not. ErrBusy
// depends on this number: a layer above that cannot undo an encryption checks it first.
type Backlog interface {
	SendBacklog() int
}

// Notifier reports that data may be waiting, without receiving it.
type Notifier interface {
	// NotifyReadable sets the function ready, which is called whenever Recv may have something to
	// return: data, the end of the stream, a failure, or the end of the connection by Close. It is
	// called at least once for everything that arrives after Recv returned ErrTimeout, possibly
	// more often than needed, and before NotifyReadable returns if something is waiting. A caller
	// that receives until ErrTimeout after each call misses nothing.
	//
	// ready is called from any goroutine, including that of the caller of Send or Close. It must
	// not block and must not call the socket: it sets a flag and wakes a goroutine. Do not call a
	// method of the socket other than SetRecvDeadline while holding a lock that ready takes. ready
	// stays set over reconnects. nil removes it; calls that other goroutines have begun may still
	// be running.
	NotifyReadable(ready func())
}

// ReceiverOff is a hint for queue mode: no data is expected until the next call of Connect, Send,
// Recv or Close, which turn the receiver on again, so the radio may sleep. It may be called
// repeatedly and does not block. Doing nothing is a valid implementation. A pending Recv keeps the
// receiver on.
type ReceiverOff interface {
	ReceiverOff()
}

// Shutdowner suspends a connection.
type Shutdowner interface {
	// Shutdown ends the traffic without informing the peer. Pending calls return ErrClosed. System
	// resources and goroutines are released as by Close, but the addresses and the security session
	// are kept, and the next Connect continues with them if the peer agrees. Afterwards the state
	// is StateShutdown, even if there was an error. On a closed socket the error is ErrClosed.
	Shutdown() error
}

// Session returns how a secured connection was established. Sockets without security do not have
// it: there only the address decides what a reconnect means.
type Session interface {
	// Resumption is that of the current connection, or of the last one on a socket that is not
	// open.
	Resumption() Resumption
}

// Forgetter removes stored sessions.
type Forgetter interface {
	// ForgetSession removes what the socket has stored to resume a session with remote, for
	// credentials that are no longer used. Call it after Close. It may block as a SessionStore
	// does.
	ForgetSession(remote Endpoint) error
}

// Resumption says how much of an earlier security session a connection continues.
type Resumption uint8

// The kinds of resumption.
const (
	// NewSession: a full handshake. The server may have forgotten the device's registration.
	NewSession Resumption = iota
	// SessionResumed: an abbreviated handshake continued an earlier session (RFC 5246 §7.3, RFC
	// 8446 §2.2).
	SessionResumed
	// ConnectionIDResumed: the connection continued without a handshake, by its Connection ID (RFC
	// 9146).
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

// Abilities are the abilities of one socket: each field is the socket itself (or what it is built
// on) if it has the ability and nil if not. The table in the package documentation says what is
// lost without each.
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
	Forgetter   Forgetter
}

// A Describer is a socket that returns its abilities. A decorator whose abilities depend on the
// socket below implements it: its type has all methods, but over a socket without addresses, for
// instance, it has none.
type Describer interface {
	Abilities() Abilities
}

// Detect finds the abilities of s: by asking a [Describer], by type assertion otherwise. The
// abilities of a socket never change, so call Detect once.
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
	a.Forgetter, _ = s.(Forgetter)
	return a
}

// A Lack is an ability that a socket is missing.
type Lack struct {
	Ability string // the interface's name in this package, such as "Counters"
	Lost    string // what does not work without the ability, for a log
}

// Lacks lists the abilities that are missing and matter on a socket of kind k: Buffered only with
// Handle, Backlog only on a stream, Session only if secured.
func (a Abilities) Lacks(k Kind, secured bool) []Lack {
	var l []Lack
	add := func(missing bool, ability, lost string) {
		if missing {
			l = append(l, Lack{ability, lost})
		}
	}
	add(a.Addresses == nil, "Addresses", "knowing which address was reached: none in logs, none to try first "+
		"after a restart, none to hold a stored DTLS connection to, and without security every reconnect registers again")
	add(a.Binder == nil, "Binder", "a fixed local port, and the same local port after a reconnect")
	add(a.Alternates == nil, "Alternates", "trying a host's other addresses when the first is silent")
	add(a.Counters == nil, "Counters", "the network's byte counters: only the bytes of messages are counted")
	add(a.Handle == nil, "Handle", "waiting with poll() in your own loop")
	add(a.Handle != nil && a.Buffered == nil, "Buffered",
		"serving after poll() only when needed: it is served after every wait")
	add(k == Stream && a.Backlog == nil, "Backlog", "TLS over it without trying again and again while there is no room")
	add(a.Notifier == nil, "Notifier", "readiness without a goroutine per socket or a shared poller")
	add(a.ReceiverOff == nil, "ReceiverOff", "putting the receiver to sleep in queue mode")
	add(a.Shutdowner == nil, "Shutdowner", "suspending without giving up the session: offline mode closes")
	add(secured && a.Session == nil, "Session", "telling a resumed session: every reconnect registers again")
	add(secured && a.Forgetter == nil, "Forgetter", "removing the sessions of old credentials from the session store")
	return l
}
