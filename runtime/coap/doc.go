// Package coap speaks CoAP: the messages of RFC 7252 over UDP and of RFC 8323
// over TCP, and the exchange layer between sockets and requests.
//
// A [Message] is parsed without copying and appended to the caller's memory.
// Reading and writing options allocates nothing.
package coap
