// Package tls secures streams with TLS 1.2 and 1.3 and X.509 certificates, over any stream socket.
//
//	client, err := lwm2m.New(lwm2m.Config{
//		Dialers: []socket.Dialer{tcp.Dialer{}, tls.Dialer{}}, // serves coap+tcp:// and coaps+tcp://
//		...
//	})
//
// [Dialer] makes the sockets of a device, over those of the dialer for the scheme coap+tcp; [New]
// secures a socket that exists. [Listen] accepts devices, for tests and tools.
//
// The package uses crypto/tls, and adds the certificate usages of LwM2M (RFC 6698), the trust
// store, the revocation lists and the names of [socket.Security]. What crypto/tls does not have is
// refused when a socket is made: pre-shared keys and CCM ciphersuites (golang.org/issue/6379), and
// raw public keys (RFC 7250).
//
// A connected socket has no goroutine: Recv and Send work in the caller's, and the receive deadline
// is that of the socket below. If the socket below is busy after data was encrypted, a timer
// retries. Sessions are resumed after Close and Shutdown, and across restarts with
// Security.Sessions.
package tls
