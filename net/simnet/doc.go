// Package simnet is a network in memory: hosts, links that lose, repeat, delay and reorder, partitions, and routers that rebind, for testing
// whatever uses a [socket.Socket].
//
// A [Network] is made from a seed, and given the same seed and the same traffic everything happens in the same way. It starts
// no goroutine; what takes time is done by a timer. So tests run inside testing/synctest bubbles, where hours pass in
// milliseconds. Without delays a packet has arrived when Send returns, and no timer is used at all.
//
// Sockets come from [Host.Dialer] and [Host.StreamDialer], servers from [Host.Listen], [Host.ListenStream] and [Host.ListenPacket]. They have every
// ability of package socket but Handle and Session; a datagram to a port where nobody listens is refused, as ICMP does it.
package simnet
