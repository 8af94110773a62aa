// Package est enrols a device through EST-coaps (RFC 9148): it asks an EST server for the
// certificates of its authority (/crts), makes a key pair and a certification request (PKCS #10),
// has it signed (/sen, or /sren for a further certificate), and checks the result. It knows nothing
// of when a device enrols, of the data model and of sockets.
//
// # Parts
//
//   - enrolment.go sends the requests and waits where the server asks for patience.
//   - request.go makes the key pair and the certification request.
//   - check.go decides whether a certificate is what was asked for.
//   - pkcs7.go reads certs-only containers of PKCS #7.
//
// # Left out
//
// /skg and /skc, with which the server makes the key, are optional in RFC 9148. A key that crosses
// the network is what EST avoids, and Security Mode 2 offers the same (Transport 1.2.2 §5.2.4).
// /att is optional, too: the bootstrap server that says how a device enrols knows the attributes
// already (Transport 1.2.2 §5.2.4).
package est
