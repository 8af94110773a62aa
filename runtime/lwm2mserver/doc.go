// Package lwm2mserver is a LwM2M management and bootstrap server. It accepts registrations over any
// transport, performs every operation on a device, and receives notifications and Sends.
// [Server.ScriptBootstrap] bootstraps devices.
//
//	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:5683"))
//	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
//	dev, err := srv.WaitRegistered(ctx, "urn:dev:ops:heater-7")
//	ans, err := dev.Read(ctx, "/3303/0/5700", content.SenMLCBOR)
//
// The five names to know:
//
//   - [New] starts a server, with a [Config].
//   - [Server.WaitRegistered] waits for a device and returns it as a [Client].
//   - [Client] has a method for every operation: Read, Write, Execute, Observe and the rest.
//   - [Answer] is a response of the device: a code, a payload and its decoded values.
//   - [Server.WaitEvent] waits for devices that register, update, de-register or expire.
//
// A request to a device in queue mode is held until the device wakes up, see [Client].
//
// The server is for tools and for development: it keeps everything in memory and authorizes every
// device that its listeners accept. Command lwm2mserver is built on it. Tests use package
// lwm2mtest, which fails a test where this package returns an error.
//
// Inside a testing/synctest bubble, with listeners of package simnet, all waiting uses the bubble's
// virtual time. The server works with every client that speaks LwM2M, not only with this toolkit's.
//
// A Server and the Clients and Observations that it returns are safe for concurrent use. One
// goroutine serves all connections of a Server; it ends with Close.
package lwm2mserver
