// Package socket is the network compatibility layer: what a port of the toolkit to a network must implement, and what it may.
//
// Who only uses the toolkit meets [Dialer], when choosing networks, and [Security]. Who brings a network of their own (a modem's AT
// commands, an operating system without package net, a simulator) implements [Socket] and [Dialer], then as many of the optional abilities
// as the network has, and runs package sockettest on the result. The packages udp and tcp do the same for the
// operating system's sockets, simnet does it in memory, dtls and tls on top of any other socket; the page docs/porting.md goes through it step
// by step.
//
// # Mandatory
//
// The methods of [Socket]: Connect, Send, Recv, SetRecvDeadline, Close, State, InnerMTU, Kind. Nothing works without one of them.
//
// # Optional abilities
//
// An ability is a small interface that a socket implements besides. [Detect] finds them, once per socket; the client logs what is lost in one line.
//
//	ability      what it is                             lost without it
//	Addresses    numeric addresses of both ends         the address that was reached is not known: none in logs, none
//	                                                    to try first after a restart (Config.Sticky), none to hold a
//	                                                    stored DTLS connection to
//	Binder       local address and port                 no fixed local port; a new port after each reconnect, so NATs
//	                                                    and servers see a new device
//	Alternates   the host name's next address           a host whose first address is silent is never reached
//	Counters     bytes sent and received                only the bytes of messages are counted, above security
//	Handle       descriptor for poll()                  no poll() in a loop of one's own; Poller uses a goroutine per
//	                                                    socket, unless there is a Notifier
//	Buffered     data that poll() does not show         after a poll() every socket has to be served (Handle only)
//	Backlog      bytes that Send holds back             (streams) TLS over it tries again and again while there is no room
//	Notifier     a call when data may be waiting        as for Handle: one goroutine per socket when there are several
//	ReceiverOff  a hint to turn the receiver off        an application in queue mode cannot have the radio sleep
//	Shutdowner   suspend, keep the session              going offline closes: downloads and sessions start anew
//	Session      was the session resumed?               (secured sockets) every reconnect registers anew
//
// # Time-outs and waking
//
// There is one deadline, for receiving. A loop that owns the socket sets it when it changes and calls Recv. Another goroutine wakes it by setting
// NoWait, under a lock that also guards a flag, so that the loop does not set a later deadline over it:
//
//	waker: lock; woken = true; s.SetRecvDeadline(socket.NoWait()); unlock
//	loop:  lock; if woken { woken = false; d = NoWait }; s.SetRecvDeadline(d); unlock; s.Recv(buf)
//
// To take everything that waits without waiting, set NoWait once and call Recv until ErrTimeout.
//
// # Waiting for several sockets
//
// One socket: Recv with a deadline, as above; this is the cheapest. Several: a [Poller] tells which of them are ready. It uses the
// socket's own notification, or one descriptor group for all (Linux), and otherwise a goroutine per socket that receives ahead.
package socket
