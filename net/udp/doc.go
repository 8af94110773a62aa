// Package udp carries CoAP (RFC 7252) over the operating system's UDP sockets.
//
//	client, err := lwm2m.New(lwm2m.Config{
//		Dialers: []socket.Dialer{udp.Dialer{}}, // serves coap://
//		...
//	})
//
// [Dialer] makes the sockets of a device. They have the abilities Addresses, Binder, Alternates,
// Counters, Handle and Shutdowner of package socket; [socket.Poller] adds Notifier. The process
// does not read ahead, so the sockets do not need Buffered, and there is no receiver to turn off.
//
// [Listen] accepts peers, for tests and tools.
//
// Send passes the datagram to the system without waiting; if the system has no room, the error is
// [socket.ErrBusy]. Recv reports a datagram that is larger than the buffer, never silently
// truncates it. If a peer refuses datagrams (ICMP port unreachable), Recv returns
// [socket.ErrRefused]; Send does not fail because of an earlier datagram.
package udp
