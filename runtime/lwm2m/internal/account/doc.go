// Package account decides what a device does about one LwM2M server: when it connects, registers,
// updates the registration and de-registers (Core 1.2.2 §6.2).
//
// [Next] is a pure function from a state, an event and facts to the next state and the actions to
// take. It knows no socket, timer, log or data model. The caller executes the actions and reports
// how they end as further events.
//
//	state, actions = account.Next(state, account.Event{Kind: account.DialSucceeded}, facts)
//
// Next works in two steps that never mix. The first takes over what the event says and begins
// nothing (learn.go). The second compares what is known with the [Goal] and takes one step towards
// it (decide.go).
//
// [Turns] is a second pure function: it decides in which order several accounts may begin.
//
// The tests of the package visit every state that can be reached with every event and every
// combination of facts. docs/registration.md shows the decisions as a table, which a test writes
// from Next.
package account
