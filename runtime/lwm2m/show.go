package lwm2m

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// shown is the state that Status, OnStatus and the log have last shown.
type shown struct {
	state State
	since time.Time
}

// reason returns why the account is in its state. It is computed from the intent and the last
// failure, so that no reason outlives its cause.
func (s *server) reason() error {
	switch {
	case s.intent.removed && s.client.closing:
		return s.departureReason(ErrClosed)
	case s.intent.removed:
		return s.departureReason(ErrRemoved)
	case s.intent.disabled:
		return s.departureReason(ErrDisabled)
	case s.intent.offline:
		return ErrOffline
	case !s.intent.turn:
		return waitReason(s.intent.after)
	}
	return s.err
}

// departureReason returns the reason of an account that has left its server or is leaving it.
func (s *server) departureReason(why error) error {
	if s.state.ServerUnaware {
		return fmt.Errorf("%w; the server was not told and learns of it when the registration expires", why)
	}
	return why
}

// plan returns the next action that the account takes by itself, in words, and its time. Both are
// zero if nothing is planned.
func (s *server) plan() (string, time.Time) {
	plan := ""
	switch {
	case s.intent.disabled && s.enabling.Pending():
		return "enabled again", s.enableAt
	case s.state.Timer == account.InitialDelay:
		plan = "first attempt"
	case s.state.Timer == account.NextAttempt && s.state.Effort == account.GivenUp:
		plan = "next sequence of attempts"
	case s.state.Timer == account.NextAttempt:
		plan = "next attempt"
	case s.state.Timer == account.UpdateRetry:
		plan = "update again"
	case s.state.Timer == account.NextUpdate:
		plan = "update"
	default:
		return "", time.Time{}
	}
	return plan, s.timerAt
}

// viewFacts returns the facts that Status and the order of registrations depend on. It does not
// compare the offer, which takes building it.
func (s *server) viewFacts() account.Facts {
	return account.Facts{
		Removed: s.intent.removed, Disabled: s.intent.disabled, Offline: s.intent.offline, Turn: s.intent.turn,
		RegisteredBefore:  s.registration.before,
		QueueMode:         s.maySleep(),
		CanBootstrap:      s.settings.bootstrap && s.client.boot.account.present,
		Bootstrapping:     s.client.boot.serving(),
		Endless:           s.registration.offer.lifetime == 0,
		RegistrationRetry: s.settings.retry,
	}
}

// show publishes the status. It logs a changed state and calls Config.OnStatus.
func (s *server) show() {
	old := s.shown.state
	s.shown.state = State(s.state.View(s.viewFacts()))
	changed := s.shown.state != old
	if changed {
		s.shown.since = time.Now()
	}
	s.client.publish()
	if !changed {
		return
	}
	s.logState(old)
	if fn := s.client.cfg.OnStatus; fn != nil {
		s.client.guard("Config.OnStatus", func() { fn(s.describe()) })
	}
}

func (s *server) logState(old State) {
	level := slog.LevelInfo
	attrs := []any{"endpoint", s.client.cfg.Endpoint, "from", old.String(), "to", s.shown.state.String()}
	if err := s.reason(); err != nil {
		attrs = append(attrs, "reason", err.Error())
		if !isIntended(err) {
			level = slog.LevelWarn
		}
	}
	if plan, at := s.plan(); !at.IsZero() {
		attrs = append(attrs, "plan", plan, "at", at)
	}
	s.log.Log(s.client.ctx, level, "registration state", attrs...)
}

// describe returns the status of the account.
func (s *server) describe() ServerStatus {
	st := ServerStatus{
		ShortID: s.settings.shortID, URI: s.settings.uri, State: s.shown.state, Since: s.shown.since, Err: s.reason(),
		Attempts: s.failures, Secured: s.link.Session(), Slowed: s.slowed,
	}
	st.Stored, st.Dropped = s.peer.Stored()
	st.Plan, st.Next = s.plan()
	st.Awaits = s.state.Awaits(s.viewFacts())
	if s.state.Registration != account.Unknown {
		st.Version, st.Location = s.registration.version, s.registration.path()
		st.Reduced = s.reductions()
		st.Lifetime, st.Expires = s.registration.offer.lifetime, s.registration.until
	}
	return st
}

// reductions returns what the registration omits because the server refused a complete one.
func (s *server) reductions() string {
	var parts []string
	if s.state.VersionStep > 0 {
		parts = append(parts, fmt.Sprintf("LwM2M %s instead of %s", s.registration.version, s.versions[0]))
	}
	if s.state.NoFormats {
		parts = append(parts, "without ct")
	}
	return strings.Join(parts, ", ")
}

// isSecured reports whether connections to a server have a security session.
func isSecured(uri string) bool { return strings.HasPrefix(schemeOf(uri), "coaps") }
