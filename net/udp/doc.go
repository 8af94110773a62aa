// Package udp is the network layer over the operating system's UDP sockets.
//
// Its sockets have the abilities Addresses, Binder, Alternates, Counters, Handle and Shutdowner of package socket;
// [socket.Poller] adds Notifier. Nothing is held back in the process, so they need no Buffered, and there is no receiver to turn
// off.
//
// A datagram that arrives is reported cut off if it does not fit, never silently. A peer that refuses datagrams (ICMP port
// unreachable) is reported by Recv as [socket.ErrRefused]; Send does not fail for an earlier datagram's sake. Send hands the
// datagram to the system without waiting; what the system has no room for is [socket.ErrBusy].
package udp
