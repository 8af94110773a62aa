package account

import "time"

// Facts are what the account does not decide itself, as they are when an event happens.
type Facts struct {
	Removed, Disabled, Offline bool

	Turn              bool // the account's place in the order of registrations has come (/1/x/13)
	Bootstrapping     bool // a bootstrap sequence is running
	CanBootstrap      bool // a bootstrap may follow when registering is given up (/1/x/16)
	OfferChanged      bool // the server has been told something else than what is true now
	Expired           bool // the lifetime has passed
	Endless           bool // the lifetime is 0: the registration never expires
	QueueMode         bool // the receiver may be off between messages
	RegisteredBefore  bool // for the view alone
	Versions          uint8
	UntilStart        time.Duration // rest of the initial delay (/1/x/14)
	UntilUpdate       time.Duration
	UntilReceiverOff  time.Duration
	RegistrationRetry Policy
}

// Goal is what the facts ask for.
type Goal uint8

// The goals. A later one takes precedence over an earlier one.
const (
	GoalRegistered   Goal = iota
	GoalWait              // begin nothing: another server comes first, or a bootstrap is running
	GoalSuspended         // offline: keep the registration, end the connection
	GoalDeregistered      // disabled
	GoalRemoved           // removed
)

// Goal returns what the facts ask for.
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
