// Package lwm2mtest is a LwM2M management server for tests, as net/http/httptest is a web server
// for tests. It accepts registrations, performs every operation on a device, receives
// notifications, and misbehaves on request.
//
//	srv := lwm2mtest.NewServer(t)           // coap://127.0.0.1:<port>
//	srv.Run(device.Run)                     // a client with srv.URI() as its server
//	dev := srv.WaitRegistered("urn:dev:ops:heater-7")
//	ans, err := dev.Read(ctx, "/3303/0/5700", content.SenMLCBOR)
//
// The five names to know:
//
//   - [NewServer] starts a server that ends with the test.
//   - [Server.Run] runs the device until the test ends, and fails the test with the device's error.
//   - [Server.WaitRegistered] waits for a device and returns it as a [Client].
//   - [Client] has a method for every operation: Read, Write, Execute, Observe and the rest.
//   - [Answer] is a response of the device: a code, a payload and its decoded values.
//
// [NewDTLSServer] starts a server with a pre-shared key. For TCP, certificates or a simulated
// network, pass listeners:
//
//	srv := lwm2mtest.NewServer(t, listener)
//
// [Server.RequireBootstrapped] waits for a device that the server has bootstrapped by a script
// (ScriptBootstrap).
//
// Inside a testing/synctest bubble, with listeners of package simnet, all waiting uses the bubble's
// virtual time. The server works with every client that speaks LwM2M, not only with this toolkit's.
//
// The server is that of package lwm2mserver, whose documentation lists all methods. This package
// ends it with the test, and fails the test where that one returns an error.
//
// A Server and the Clients and Observations that it returns are safe for concurrent use. One
// goroutine serves all connections of a Server; it ends with the test.
package lwm2mtest
