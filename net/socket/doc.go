// Package socket is the network compatibility layer: it defines what a port of the toolkit to a
// network must implement, and what it may implement.
//
// If you use the toolkit, you choose networks by their [Dialer] and configure [Security]:
//
//	dialers := []socket.Dialer{udp.Dialer{}, dtls.Dialer{}}
//	s, remote, err := socket.Open(dialers, "coaps://server.example", socket.Config{
//		Security: socket.Security{Mode: socket.ModePSK, Identity: id, Key: socket.NewSecret(key)},
//	})
//	if err != nil {
//		return err
//	}
//	err = s.Connect(ctx, remote)
//
// If your network comes as a dial function (a VPN, an SSH tunnel, a multiplexer on a serial line),
// [NewConnDialer] makes a Dialer of it:
//
//	dialers := []socket.Dialer{socket.NewConnDialer(vpn.DialContext), dtls.Dialer{}}
//
// If you bring a network of another form (AT commands of a modem, an operating system whose sockets
// package net does not know, a simulator), you implement [Socket] and [Dialer], then as many of the
// optional abilities as the network has. In both cases, run package sockettest on the result. The
// page docs/porting.md is a guide. Packages udp and tcp implement Socket for the operating system's
// sockets, simnet in memory, and dtls and tls on top of any other socket.
//
// # Mandatory
//
// The methods of [Socket]: Connect, Send, Recv, SetRecvDeadline, Close, State, InnerMTU, Kind.
//
// # Optional abilities
//
// An ability is a small interface that a socket implements in addition. [Detect] finds the
// abilities, once per socket. The client logs in one line what is lost without the others.
//
//	ability      what it is                       lost without it
//	Addresses    numeric addresses of both ends   the address that was reached is not known:
//	                                              none in logs, none to try first after a
//	                                              restart (Config.Sticky), none to bind a
//	                                              stored DTLS connection to; without security
//	                                              every reconnect registers again
//	Binder       local address and port           no fixed local port; a new port after each
//	                                              reconnect, so NATs and servers see a new device
//	Alternates   the host name's next address     a host whose first address is silent is never
//	                                              reached
//	Counters     bytes sent and received          only the bytes of messages are counted, above
//	                                              security
//	Handle       descriptor for poll()            no poll() in your own loop; Poller uses a
//	                                              goroutine per socket, unless there is a Notifier
//	Buffered     data that poll() does not show   every socket must be served after a poll()
//	                                              (Handle only)
//	Backlog      bytes that Send holds back       (streams) TLS over it retries while the send
//	                                              buffer is full
//	Notifier     a call when data may be waiting  as for Handle: one goroutine per socket when
//	                                              there are several
//	ReceiverOff  a hint to turn the receiver off  an application in queue mode cannot let the
//	                                              radio sleep
//	Shutdowner   suspend, keep the session        going offline closes: downloads and sessions
//	                                              restart
//	Session      was the session resumed?         (secured sockets) every reconnect registers
//	                                              again
//	Forgetter    remove stored sessions           (secured sockets) sessions of old credentials
//	                                              stay in the store
//
// # Time-outs and waking
//
// There is one deadline, for receiving. The loop that owns the socket sets the deadline when it
// changes, and calls Recv. Another goroutine wakes the loop by setting NoWait, under a lock that
// also guards a flag, so that the loop does not overwrite NoWait with a later deadline:
//
//	waker: lock; woken = true; s.SetRecvDeadline(socket.NoWait()); unlock
//	loop:  lock; if woken { woken = false; d = NoWait }; s.SetRecvDeadline(d); unlock; s.Recv(buf)
//
// To receive everything that is waiting without waiting for more, set NoWait once and call Recv
// until it returns ErrTimeout.
//
// # Waiting for several sockets
//
// For one socket, call Recv with a deadline, as above; this is the cheapest way. For several, a
// [Poller] reports which of them are ready. It uses the socket's own notification, or one
// descriptor group for all (Linux), or otherwise a goroutine per socket that reads ahead.
package socket
