// Package coap speaks CoAP: the messages of RFC 7252 over UDP and of RFC 8323
// over TCP, and the exchange layer between sockets and requests.
//
// # Messages
//
// A [Message] is parsed without copying and appended to the caller's memory.
// Reading and writing options allocates nothing.
//
// # Exchanges
//
// An [Endpoint] holds what the connections of a process share. A [Conn] is the
// exchange layer over one socket towards one peer; it knows of retransmission,
// de-duplication, block-wise transfer and tokens, so that nobody above has to.
//
//   - The peer's requests go to a [Handler], which answers each once, at once or
//     later.
//   - Requests of ours are a [Call]; each has exactly one outcome.
//   - An [Observation] is a peer's interest in a resource, which is told of by
//     [Observation.Notify]. A Call with Observe is our own interest in the peer's.
//
// Nothing here waits, and nothing starts a goroutine. The owner calls
// [Conn.Receive] when the socket may be readable, and runs the scheduler:
//
//	for ctx.Err() == nil {
//		sock.SetRecvDeadline(time.Now().Add(s.Wait(time.Minute)))
//		if _, err := conn.Receive(1); err != nil {
//			return err
//		}
//		s.Run()
//	}
//
// Thousands of connections can share one endpoint, one scheduler and one
// goroutine. What peers can make an endpoint keep is bounded by
// [Config.MaxMemory] in all, and by the fields of [ConnConfig] for each.
//
// docs/coap.md lists which part of which RFC is shown by which test.
package coap
