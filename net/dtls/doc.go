// Package dtls is DTLS 1.2 (RFC 6347) over any datagram socket: the operating system's, a modem's or a simulated one. It serves the scheme
// coaps.
//
//	dialers := []socket.Dialer{udp.Dialer{}, dtls.Dialer{}}
//
// The credentials are a pre-shared key (RFC 4279) or an X.509 certificate with certificate usages 0-3 (RFC 6698); see
// [socket.Security]. Raw public keys (RFC 7250) are refused: the handshake engine has no such extension. docs/security.md says what is
// refused and why.
//
// # How it works
//
// The handshake is done by pion/dtls/v3, the only thing that is taken from there besides ciphers. When it has ended, pion is stopped and a record
// layer of this package goes on: it reads and writes in the goroutine that calls Recv or Send, so a connected socket has no
// goroutine, a receive deadline is that of the socket below, and every sequence number, which is the nonce of the ciphers, is
// given out in one place.
//
// Between pion and the network is a guard. After the handshake nothing that is not authenticated has any effect, wherever in a datagram it is
// and wherever it comes from, but one: a repeated handshake message has the last flight repeated, which pion itself does not do when an
// abbreviated handshake loses it.
//
// # Connection ID and resumption
//
// A Connection ID (RFC 9146) is offered in every full handshake. If the server takes it up, Shutdown exports the live state to
// Security.Sessions, and the next Connect goes on with it without any handshake, also in another process. If the server does not, the session is
// stored instead, and the next Connect does an abbreviated handshake. The two are never offered together.
//
// What is stored is authenticated with the credentials, bound to them and to the peer, and used once: the store removes it before it is
// used. After a crash there is no live state in the store, so no sequence number can ever be used twice.
package dtls
