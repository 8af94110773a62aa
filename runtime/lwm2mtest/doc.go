// Package lwm2mtest is a LwM2M management server for tests, as net/http/httptest is a web server for
// tests: it takes registrations, performs every operation on a device, receives notifications, and
// misbehaves when told to.
//
//	srv := lwm2mtest.NewServer(t)                       // coap://127.0.0.1:<port>
//	go device.Run(ctx)                                  // a client with srv.URI() as its server
//	dev := srv.WaitRegistered("urn:dev:ops:heater-7")
//	ans, err := dev.Read(ctx, "/3303/0/5700", content.SenMLCBOR)
//
// Over TCP, DTLS or a simulated network it is given listeners:
//
//	srv := lwm2mtest.NewServer(t, listener)
//
// Inside a testing/synctest bubble, on listeners of package simnet, all waiting is in the bubble's
// time. The server works with every client that speaks LwM2M, not only with this toolkit's.
//
// A Server and everything it hands out is safe for concurrent use. One goroutine of its own serves
// all connections; it ends with the test.
package lwm2mtest
