// Package lwm2m is the LwM2M client of a device: it registers the device with its servers, keeps
// the registrations alive, answers the servers' requests and notifies them of changes.
//
//	dev, err := device.New(device.Config{})
//	...
//	client, err := lwm2m.New(lwm2m.Config{
//		Endpoint: "urn:dev:ops:probe-7",
//		Servers:  []lwm2m.Server{{URI: "coap://lwm2m.example.com"}},
//		Objects:  []dm.Object{dev, temp}, // of packages that lwm2mgen has made, and others
//	})
//	if err != nil {
//		return err // names every fault of the configuration
//	}
//	return client.Run(ctx) // de-registers when ctx ends
//
// The most important names:
//
//   - [Client] is the device. [New] makes it, [Client.Run] runs it.
//   - [Config] says what the device is: its name, objects, networks and limits.
//   - [Server] is the account of one server: URI, credentials, lifetime.
//   - [Status], from [Client.Status], says for each server what the client does, and why.
//   - [Loop] is the event loop. Many clients can share one; a program can also run it in parts.
//
// The objects of a device come from generated packages and from runtime/objects. The client makes
// the Security (0) and Server (1) objects itself if Config.Servers is set.
//
// # Loop
//
// A client does everything on one goroutine, that of its loop. Client.Run is the whole loop. A
// program with an event loop of its own calls the parts instead:
//
//	for ctx.Err() == nil {
//		timer.Reset(client.Sched().Wait(time.Minute))
//		select {
//		case <-client.Readable():
//			_ = client.ServeAny(ctx, 0)
//		case <-client.Sched().Woken():
//		case e := <-events:
//			handle(e)
//		case <-timer.C:
//		}
//		client.Sched().Run()
//	}
//
// A program that polls the system handles of [Client.Sockets] calls [Client.Serve] for the sockets
// that are readable, instead of Readable and ServeAny.
//
// Nothing blocks the loop: name resolution, connecting and handshakes run on goroutines of their
// own, and functions that are marked as slow run on workers. A slow function behind a resource of
// the Security or the Server object is not called; the resource counts as absent. All other
// functions, hooks and callbacks run on the loop and must be quick.
//
// # Registration
//
// An account is a pair of a Security instance (0) and a Server instance (1) with the same Short
// Server ID. The client registers with the server of an account as soon as the account is in the
// Model, and de-registers when the account is removed. Where the specification leaves a choice, the
// client does this:
//
//   - It sends an Update MAX_TRANSMIT_WAIT before the lifetime ends (93 s with the parameters of
//     RFC 7252), or at half of a lifetime that is shorter than twice that time. The lifetime counts
//     from when the last Register or Update was sent. A lifetime of 0 needs no Update.
//   - It sends an Update at once when the lifetime, the binding, or the list of objects and
//     instances changes. Further changes within Config.UpdateDelay make one Update. An Update
//     contains what has changed, or everything if the outcome of the previous Update is not known.
//   - A 4.xx response to an Update is followed by a Register at once, except 4.08 and 4.29. After
//     these, 5.xx and other responses the registration stays, and the Update is repeated with the
//     pauses of /1/x/18, or after Max-Age if that is longer. An Update without a response is
//     followed by a Register over a new connection.
//   - A Register that fails is repeated as /1/x/17 to /1/x/20 say. The defaults of the
//     specification are 5 attempts with pauses of 60, 120, 240 and 480 s. If the server answers
//     5.03 or 4.29 with a longer Max-Age, the pause is that long, up to Config.MaxServerPause.
//   - When every sequence of attempts has failed, the client reports that a bootstrap is needed, if
//     /1/x/16 allows it and the device has the account of a bootstrap server. Otherwise the
//     sequences restart after /1/x/19, or after one hour if the account does not have that
//     resource. They never restart if /1/x/19 is 4294967295.
//   - If a server answers a Register with 4.12, the client registers with the next lower version at
//     once. If it answers 4.00, the client registers without the Content-Formats (`ct`). It keeps
//     to what the server has accepted, and the status shows it.
//   - The server keeps the registration over a new connection without security, or if the security
//     session is resumed: the client sends an Update. After a new session, and over every stream,
//     it sends a Register.
//   - The list of objects names the version of an object (`ver`) unless the registered version of
//     LwM2M implies it.
//
// Config.Logger logs every change of [State] with its reason.
package lwm2m
