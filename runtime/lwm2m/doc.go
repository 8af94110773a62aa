// Package lwm2m is the client: a device that registers with its LwM2M servers and serves them.
//
//	client, err := lwm2m.New(lwm2m.Config{
//		Endpoint: "urn:dev:ops:probe-7",
//		Servers:  []lwm2m.Server{{URI: "coap://lwm2m.example.com"}},
//		Objects:  []dm.Object{device.Object(), temperature},
//	})
//	err = client.Run(ctx) // registers, serves, reports; de-registers when ctx ends
//
// # Loop
//
// Everything happens on one goroutine, the loop's: Run is the whole loop, and these are its parts, for a loop with events of one's own:
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
// A loop that polls the system's handles of [Client.Sockets] calls [Client.Serve] for those that are readable instead. Many clients
// share one [Loop]. Name resolution, connecting and handshakes happen on goroutines of their own and slow functions on workers; nothing
// in the loop waits but the loop itself. A slow function behind a resource of Security or Server counts as absent.
//
// # Registration
//
// Every pair of a Security instance (0) and a Server instance (1) with the same Short Server ID is an account, from when it appears in
// the Model until it disappears. Where the specification leaves a choice:
//
//   - An Update is sent at half the lifetime, or MAX_TRANSMIT_WAIT (93 s with the usual parameters) before its end if the lifetime
//     is at least twice that, counted from when the last Register or Update was sent. A lifetime of 0 needs none.
//   - What changes is sent at once: lifetime, binding, and the list of objects and instances; several changes within one turn of the loop
//     with one Update. An Update carries what has changed and nothing else.
//   - An Update that fails in any way is followed by a Register at once. A Register that fails is tried again as /1/x/17 to 20
//     say, with the specification's defaults: 5 attempts, after 60, 120, 240 and 480 s. A server that answers 5.03 with a longer Max-Age
//     is left alone for that long.
//   - When every sequence has failed, a bootstrap is wanted if /1/x/16 allows it and there is a bootstrap server. Without one the
//     sequences begin anew after /1/x/19 (24 h), unless that says never.
//   - A server that answers 4.12 is offered the next lower version at once, and only that from then on.
//   - A new connection without security, and one that resumes a session, is followed by an Update; one with a new session, and every
//     stream, by a Register.
//   - The version of an object is listed (`ver`) unless it is the one that the registered version of LwM2M implies.
//
// [Client.Status] says for each server where it stands and why, and Config.Logger receives every change.
package lwm2m
