// Package tls is TLS 1.2 and 1.3 over any stream socket, with X.509 certificates. It serves the scheme coaps+tcp.
//
//	dialers := []socket.Dialer{tcp.Dialer{}, tls.Dialer{}}
//
// It is crypto/tls, with the certificate usages of LwM2M (RFC 6698), trust store, revocation lists and names of [socket.Security]. What crypto/tls
// does not have is refused when a socket is made: pre-shared keys and CCM ciphersuites (golang.org/issue/6379), and raw public keys (RFC 7250).
//
// A connected socket has no goroutine: Recv and Send work in that of the caller, and the receive deadline is that of the socket below. What the
// socket below was too busy for after it had been encrypted is tried again by a timer. Sessions are resumed after Close and Shutdown, and across
// restarts with Security.Sessions.
package tls
