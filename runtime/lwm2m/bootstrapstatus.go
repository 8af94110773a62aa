package lwm2m

import (
	"fmt"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/bootstrap"
)

// BootstrapState is what a client does about its bootstrap.
type BootstrapState uint8

// The states of a bootstrap.
const (
	// BootstrapIdle: no bootstrap is needed, or none is possible.
	BootstrapIdle BootstrapState = iota
	// BootstrapWaiting: the next attempt follows at Next, after the Client Hold Off Time (/0/x/11)
	// or the pause after a failed attempt.
	BootstrapWaiting
	// BootstrapRequesting: the client connects, or has sent its request.
	BootstrapRequesting
	// BootstrapApplying: the client applies a Bootstrap-Pack.
	BootstrapApplying
	// BootstrapServing: the server configures the device.
	BootstrapServing
	// BootstrapFinished: the device is bootstrapped. The connection ends soon.
	BootstrapFinished
)

var bootstrapStateNames = [...]string{
	BootstrapIdle: "idle", BootstrapWaiting: "waiting", BootstrapRequesting: "requesting", BootstrapApplying: "applying",
	BootstrapServing: "serving", BootstrapFinished: "finished",
}

// String returns the state in words.
func (s BootstrapState) String() string {
	if int(s) < len(bootstrapStateNames) {
		return bootstrapStateNames[s]
	}
	return "unknown"
}

// BootstrapStatus is what a client does about its bootstrap, and why.
type BootstrapStatus struct {
	// URI names the bootstrap server. It is empty if there is no account of one.
	URI string
	// State is the state, and Since when the client got into it.
	State BootstrapState
	Since time.Time
	// Reason says why a bootstrap is needed: a server or the application has requested it,
	// registering has failed (/1/x/16), or there is no server to register with. It is nil if none
	// is needed.
	Reason error
	// Err is the last failure, nil after a success. A *[ResponseError] is the server's own answer.
	Err error
	// Attempts is how many attempts in a row have failed.
	Attempts int
	// Next is the time of the next attempt. It is zero if none is planned.
	Next time.Time
	// Awaits says what the client waits for, in words.
	Awaits string
	// Finished is when the last bootstrap finished. It is zero if none has since the start.
	Finished time.Time
	// Secured says how the security session of the connection began, as in ServerStatus.
	Secured string
}

// String returns one line with the state and its reason, without any secret. It is empty if there
// is no account of a bootstrap server.
func (s BootstrapStatus) String() string {
	if s.URI == "" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "bootstrap server (%s): %s", s.URI, s.State)
	if s.Reason != nil {
		fmt.Fprintf(&b, ": a bootstrap is needed: %v", s.Reason)
	}
	if s.Err != nil {
		fmt.Fprintf(&b, "; the last attempt: %v", s.Err)
	}
	if s.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", s.Attempts)
	}
	switch {
	case !s.Next.IsZero():
		fmt.Fprintf(&b, "; next attempt at %s", s.Next.Format(time.RFC3339))
	case s.State != BootstrapIdle && s.Awaits != "":
		fmt.Fprintf(&b, "; waits for %s", s.Awaits)
	}
	return b.String()
}

// describe returns the status of the bootstrap.
func (b *bootstrapper) describe() BootstrapStatus {
	facts := b.facts()
	s := BootstrapStatus{
		URI: b.account.uri, State: BootstrapState(b.state.Phase), Since: b.shown.Since, Reason: b.cause, Err: b.err,
		Attempts: b.failures, Awaits: b.state.Awaits(facts), Finished: b.finished, Secured: b.link.Session(),
	}
	if b.state.Phase == bootstrap.Waiting {
		s.Next = b.timerAt
	}
	return s
}

// show publishes the status. It logs a changed state and calls Config.OnBootstrap.
func (b *bootstrapper) show() {
	old := b.shown.State
	now := b.describe()
	if now.State != old {
		now.Since = time.Now()
	}
	b.shown = now
	b.client.publish()
	if now.State == old {
		return
	}
	attrs := []any{"endpoint", b.client.cfg.Endpoint, "from", old.String(), "to", now.State.String()}
	if now.Err != nil {
		attrs = append(attrs, "reason", now.Err.Error())
	}
	if !now.Next.IsZero() {
		attrs = append(attrs, "at", now.Next)
	}
	b.log.Info("bootstrap state", attrs...)
	if fn := b.client.cfg.OnBootstrap; fn != nil {
		b.client.guard("Config.OnBootstrap", func() { fn(now) })
	}
}
