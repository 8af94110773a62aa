package bootstrap

import "time"

// Facts are the inputs of a decision that come from outside, with their values at the time of the
// event.
type Facts struct {
	Closing bool // the client shuts down
	Offline bool // the client, or the scheme of the bootstrap server, is suspended
	Account bool // there is the account of a bootstrap server

	// Needed: there is no management server that the device can register with, or a registration
	// has failed for good (/1/x/16).
	Needed      bool
	Pack        bool // ask for a Bootstrap-Pack first
	Format      bool // the Bootstrap-Request names a preferred Content-Format (pct)
	Unsolicited bool // the server may begin a sequence without a request
	Overlong    bool // the server has kept its sequence going for longer than any server needs
	Finishing   bool // the device checks or stores what the server has written, after its Finish

	HoldOff   time.Duration // /0/x/11
	Procedure time.Duration // EXCHANGE_LIFETIME
	Linger    time.Duration // how long repeated requests are answered after Finish; 0 over a stream
	SinceLast time.Duration // since the end of the last attempt; MaxPause or more if there was none
}

// blocked reports whether the client may do nothing about its bootstrap.
func (f *Facts) blocked() bool { return f.Closing || f.Offline || !f.Account }

// needs reports whether the device needs a bootstrap.
func (s *State) needs(f *Facts) bool { return f.Needed || s.Asked != NotAsked }

// FirstPause is the pause after the first attempt. It doubles after each further one, up to
// MaxPause. A random time of up to half of it is added, so that the devices of a bootstrap server
// that was down do not all come back at once. Core 1.2.2 leaves these times open.
const (
	FirstPause = 15 * time.Second
	MaxPause   = time.Hour
)

// Rest is how long no attempt must have been made for the pauses to begin with the first one again.
// A finished bootstrap counts like a failed one: otherwise a device whose new account does not work
// would bootstrap again and again without a pause.
const Rest = 24 * time.Hour

// maxAttempts is the number of attempts after which pauses do not grow any more.
const maxAttempts = 12

// pause returns the pause after a number of attempts.
func pause(attempts uint8) time.Duration {
	if attempts == 0 {
		return 0
	}
	return min(FirstPause<<(min(attempts, maxAttempts)-1), MaxPause)
}

// listenPause is the pause before the connection for unsolicited bootstraps is made again.
const listenPause = 5 * time.Minute
