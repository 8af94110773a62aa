// Package account decides what a device does about one LwM2M server: when it connects, registers,
// updates the registration and de-registers (Core 1.2.2 §6.2).
//
// [Next] is a pure function from a state, an event and facts to the next state and the actions to
// take. It knows no socket, timer, log or data model. The caller executes the actions and reports
// how they end as further events.
//
//	state, actions = account.Next(state, account.Event{Kind: account.DialSucceeded}, facts)
//
// Next works in two separate steps. The first updates the state with the event and starts nothing
// (learn.go). The second compares the state with the [Goal] and takes one step towards it
// (decide.go).
//
// [Turns] is a second pure function. It decides in which order several accounts register.
//
// The tests of the package visit every reachable state with every event and every combination of
// facts. docs/registration.md shows the decisions as a table, which a test writes from Next.
package account
