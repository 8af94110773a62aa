// Package dtls secures datagrams with DTLS 1.2 (RFC 6347), over any datagram socket: the operating
// system's, a modem's or a simulated one.
//
//	client, err := lwm2m.New(lwm2m.Config{
//		Dialers: []socket.Dialer{udp.Dialer{}, dtls.Dialer{}}, // serves coap:// and coaps://
//		...
//	})
//
// [Dialer] makes the sockets of a device, over those of the dialer for the scheme coap; [New]
// secures a socket that exists. The credentials are a pre-shared key (RFC 4279) or an X.509
// certificate with certificate usages 0 to 3 (RFC 6698), see [socket.Security]. Raw public keys
// (RFC 7250) are refused, because the handshake engine does not have that extension.
// docs/security.md says what is refused and why.
//
// [Listen] accepts devices, with a [ServerConfig]; [PeerOf] returns the identity of a device. They
// are for tests and tools.
//
// # How it works
//
// pion/dtls/v3 does the handshake; apart from ciphers nothing else of it is used. After the
// handshake pion is stopped, and the record layer of this package takes over. It reads and writes
// in the goroutine that calls Recv or Send, so a connected socket has no goroutine, and the receive
// deadline is that of the socket below. Every sequence number, from which the nonce of the ciphers
// is made, is assigned in one place.
//
// A guard sits between pion and the network. After the handshake, data that is not authenticated
// has no effect, wherever it is in a datagram and wherever it comes from, with one exception: a
// repeated handshake message makes the socket repeat its last flight, which pion itself does not do
// when an abbreviated handshake loses it.
//
// # Connection ID and resumption
//
// Every full handshake offers a Connection ID (RFC 9146). If the server accepts it, Shutdown
// exports the live state to Security.Sessions, and the next Connect continues without a handshake,
// also in another process. If the server does not, the session is stored instead, and the next
// Connect does an abbreviated handshake. The two are never offered together.
//
// A stored session is authenticated with the credentials, bound to them and to the peer, and used
// once: the store removes it before it is used. After a crash the store holds no live state, so no
// sequence number can be used twice.
package dtls
