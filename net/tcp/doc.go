// Package tcp carries CoAP (RFC 8323) over the operating system's TCP sockets.
//
//	client, err := lwm2m.New(lwm2m.Config{
//		Dialers: []socket.Dialer{tcp.Dialer{}}, // serves coap+tcp://
//		...
//	})
//
// [Dialer] makes the sockets of a device. They have the abilities Addresses, Binder, Alternates,
// Backlog, Counters, Handle and Shutdowner of package socket; [socket.Poller] adds Notifier.
// Received data is not read ahead, so the sockets do not need Buffered.
//
// [Listen] accepts peers, for tests and tools.
//
// Send takes all of the data or nothing, and never waits. It keeps what the system does not take at
// once, up to Config.SendBuffer; a goroutine that exists only while data is kept writes it. If the
// peer takes no data for the Dialer's StallTimeout, the connection is broken, because such a late
// answer is of no use.
package tcp
