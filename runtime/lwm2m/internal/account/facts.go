package account

import "time"

// Facts are the inputs of a decision that come from outside of the account, with their values at
// the time of the event.
type Facts struct {
	Removed, Disabled, Offline bool

	Turn              bool          // the account's turn to register has come (/1/x/13)
	Bootstrapping     bool          // a bootstrap sequence is running
	CanBootstrap      bool          // a bootstrap may follow after the last attempt (/1/x/16)
	OfferChanged      bool          // a Register would now contain something else
	Expired           bool          // the lifetime has passed
	Endless           bool          // the lifetime is 0: the registration never expires
	QueueMode         bool          // the receiver may be off between messages
	RegisteredBefore  bool          // the device was registered before; only View reads it
	Versions          uint8         // number of LwM2M versions that Register can offer
	UntilStart        time.Duration // rest of the initial delay (/1/x/14)
	UntilUpdate       time.Duration // until the Update before the lifetime ends
	UntilExpiry       time.Duration // rest of the lifetime, unless Endless
	TimerLeft         time.Duration // rest of the pending timer
	RegistrationRetry Policy
}

// Goal is the state that the account works towards.
type Goal uint8

// The goals. A later one takes precedence over an earlier one.
const (
	GoalRegistered   Goal = iota
	GoalWait              // start nothing: another server comes first, or a bootstrap is running
	GoalSuspended         // offline: keep the registration, end the connection
	GoalDeregistered      // disabled
	GoalRemoved           // removed
)

// Goal returns the goal that follows from the facts.
func (f *Facts) Goal() Goal {
	switch {
	case f.Removed:
		return GoalRemoved
	case f.Disabled:
		return GoalDeregistered
	case f.Offline:
		return GoalSuspended
	case !f.Turn, f.Bootstrapping:
		return GoalWait
	}
	return GoalRegistered
}
