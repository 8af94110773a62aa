// Package simnet is a network in memory for tests of code that uses a [socket.Socket]: hosts, links
// that lose, repeat, delay and reorder packets, partitions, hosts that move, and routers that
// rebind.
//
//	n := simnet.New(1)
//	device, server := n.NewHost("device"), n.NewHost("server")
//	l, err := server.Listen(5683)
//	...
//	s, remote, err := socket.Open([]socket.Dialer{device.Dialer()}, "coap://server", socket.Config{})
//
// [New] makes a [Network] from a seed. With the same seed and the same traffic everything happens
// in the same way. A [Host] makes sockets with Dialer and StreamDialer, and servers with Listen,
// ListenStream and ListenPacket. A [Link] describes the way between two hosts, a [NAT] a router in
// front of hosts. The sockets have every ability of package socket but Handle, Buffered and
// Session; a datagram to a port without a listener is refused, as by ICMP.
//
// A Network starts no goroutine; what takes time is done by a timer. So tests run inside
// testing/synctest bubbles, where hours pass in milliseconds. Without delays a packet has arrived
// when Send returns, and no timer is used.
package simnet
