// Package bootstrap decides when a device bootstraps and how an attempt goes on: when it connects
// to the bootstrap server, asks it to bootstrap the device, waits for the end of the sequence, and
// tries again (Core 1.2.2 §6.1).
//
// [Next] is a pure function from a state, an event and facts to the next state and the actions to
// take, as account.Next is for a registration. It knows no socket, timer, log or data model, and
// not what the server writes: package provision serves the requests of a sequence.
//
//	state, actions = bootstrap.Next(state, bootstrap.Event{Kind: bootstrap.DialSucceeded}, facts)
//
// Next works in two separate steps. The first updates the state with the event (learn.go). The
// second compares the state with the facts and takes one step (decide.go).
//
// The tests of the package visit every reachable state with every event and every combination of
// facts.
package bootstrap
