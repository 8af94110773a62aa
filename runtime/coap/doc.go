// Package coap speaks CoAP: it encodes and decodes the messages of RFC 7252 (UDP) and RFC 8323
// (TCP), and exchanges requests and responses over a socket.
//
// A device does not use this package: package lwm2m does. It is public for people who write tools,
// and it carries no promise of compatibility before version 1.0.
//
// # Exchanges
//
// A [Conn] is the exchange layer over one socket towards one peer. It retransmits, recognizes
// duplicates, transfers large bodies in blocks and manages tokens. An [Endpoint] holds what the
// connections of a process share: the scheduler and the memory budget.
//
//   - [Conn.Do] sends a request, a [Call]. Each has exactly one outcome, a [Result].
//   - A [Handler] answers the requests of the peer, each a [Request], at once or later.
//   - An [Observation] is a peer's interest in a resource. [Observation.Notify] tells the peer a
//     new value. A Call with Observe set is an interest in a resource of the peer.
//   - A [Layer] protects whole messages, such as OSCORE does.
//
// Nothing waits, and nothing starts a goroutine. The owner calls [Conn.Receive] when the socket may
// be readable, and runs the scheduler:
//
//	s := sched.New()
//	endpoint, err := coap.NewEndpoint(coap.Config{Scheduler: s})
//	...
//	conn, err := endpoint.NewConn(coap.ConnConfig{Socket: sock, Handler: handler})
//	...
//	call := &coap.Call{Code: coap.GET, Done: func(r coap.Result) {
//		fmt.Println(r.Code, string(r.Body), r.Err)
//	}}
//	call.Options.AddPath("/3/0/0")
//	err = conn.Do(call)
//	...
//	for ctx.Err() == nil {
//		sock.SetRecvDeadline(time.Now().Add(s.Wait(time.Minute)))
//		if _, err := conn.Receive(1); err != nil {
//			return err
//		}
//		s.Run()
//	}
//
// Thousands of connections can share one endpoint, one scheduler and one goroutine. What peers can
// make an endpoint keep is bounded by [Config.MaxMemory] for all connections together, and by the
// fields of [ConnConfig] for each.
//
// # Messages
//
// A [Message] is parsed without copying and appended to the caller's memory. Reading and writing
// [Options] does not allocate. A tool that needs no exchanges can use these alone.
//
// docs/coap.md lists which section of which RFC is shown by which test.
package coap
