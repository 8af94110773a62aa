package lwm2m

import (
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// verifyPause is the shortest time between two Updates that verify a registration, because Resets
// and refusals by the network can be forged.
const verifyPause = time.Minute

// verifyRegistration sends an Update soon, because the server may be gone or may have forgotten the
// device: a message to it was refused, rejected, or not acknowledged. Without the Update the device
// would notice only when the next one is due, up to a lifetime later.
func (s *server) verifyRegistration() {
	if s.verify.Pending() || s.state.Request != account.NoRequest || s.state.Connection == account.Connecting {
		return
	}
	s.verify.Func = s.sendVerification
	now := s.client.loop.sched.Now()
	s.client.loop.sched.At(&s.verify, max(now, s.verifyFrom))
}

func (s *server) sendVerification() {
	if s.state.Request != account.NoRequest || s.state.Connection < account.Connected || s.state.Registration == account.Unknown {
		return // the outcome of the request tells, or a Register follows
	}
	s.verifyFrom = s.client.loop.sched.Now().Add(verifyPause)
	s.log.Info("verifying the registration, because the server has not taken a message")
	s.handle(account.Event{Kind: account.UpdateRequested})
}

// verification is what an account remembers of messages that the server has not taken.
type verification struct {
	verify     sched.Job
	verifyFrom sched.Time // sooner no Update verifies the registration
	// reconnectFrom is the time before which a failed Send does not make the device reconnect.
	reconnectFrom sched.Time
}

// forgottenAfter is the shortest suspension of the machine after which a NAT may have forgotten a
// connection: the shortest lifetime of a UDP mapping that RFC 4787 §4.3 allows.
const forgottenAfter = 2 * time.Minute

// onResume is called when the machine was suspended. The servers could not reach the device in the
// meantime, and may not be able to afterwards: an Update tells, and makes a new mapping in a NAT.
// In queue mode servers do not expect to reach the device.
func (l *Loop) onResume(suspended time.Duration) {
	if suspended < forgottenAfter {
		return
	}
	for _, c := range l.clients {
		for _, s := range c.servers {
			if f := s.viewFacts(); !f.QueueMode {
				s.verifyRegistration()
			}
		}
	}
}

// mayReconnect reports whether the device may reconnect because the system has refused to send, and
// counts that it does. Where the system goes on to refuse, as a firewall does, the pauses of the
// attempts apply.
func (v *verification) mayReconnect(now sched.Time) bool {
	if now < v.reconnectFrom {
		return false
	}
	v.reconnectFrom = now.Add(verifyPause)
	return true
}
