// Package link is the connection of a client to one server: it makes the socket, connects, keeps
// the security session and the addresses over reconnects, suspends, and serves what arrives.
//
// A [Link] belongs to one server and lasts as long as its account. A [Socket] is one connection of
// a Link. A [Group] is what the sockets of one event loop share: the queue of those that may have
// something to read, and the ways to wait for them.
//
// Everything here belongs to the goroutine of the loop; what may be called from any goroutine says
// so. Connecting runs on a goroutine of its own, which reports back through the scheduler.
package link
