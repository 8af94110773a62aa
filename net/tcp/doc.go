// Package tcp is the network layer over the operating system's TCP sockets, as CoAP over TCP (RFC 8323) needs them.
//
// Its sockets have the abilities Addresses, Binder, Alternates, Backlog, Counters, Handle and Shutdowner of package socket;
// [socket.Poller] adds Notifier. What has arrived is not read ahead, so they need no Buffered.
//
// Send takes all of the data or nothing, and never waits: what the system does not take at once is kept, up to Config.SendBuffer,
// and written by a goroutine that lives only as long as there is something to write. A connection whose peer takes nothing for
// the Dialer's StallTimeout is broken, as an answer that late is of no use.
package tcp
