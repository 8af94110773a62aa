package lwm2m

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// shown is what Status, OnStatus and the log say about an account at present.
type shown struct {
	state State
	since time.Time
}

// reason returns why the account is where it is. It follows from the wishes and, where nobody
// wishes anything else, from the last failure, so that no reason outlives its cause.
func (s *server) reason() error {
	switch {
	case s.wishes.removed && s.client.closing:
		return s.left(ErrClosed)
	case s.wishes.removed:
		return s.left(ErrRemoved)
	case s.wishes.disabled:
		return s.left(ErrDisabled)
	case s.wishes.offline:
		return ErrOffline
	case !s.wishes.turn:
		return waitsFor(s.wishes.after)
	}
	return s.err
}

// left is the reason of an account that has left, or is leaving.
func (s *server) left(why error) error {
	if s.state.Untold {
		return fmt.Errorf("%w; the server was not told and learns of it when the registration expires", why)
	}
	return why
}

// plan returns what the account does next by itself, in words, and when. It is empty where nothing
// is planned.
func (s *server) plan() (string, time.Time) {
	plan := ""
	switch {
	case s.wishes.disabled && s.enabling.Pending():
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

// wished returns the facts that Status and the order of registrations depend on. It does not
// compare the offer, which takes building it.
func (s *server) wished() account.Facts {
	return account.Facts{
		Removed: s.wishes.removed, Disabled: s.wishes.disabled, Offline: s.wishes.offline, Turn: s.wishes.turn,
		RegisteredBefore:  s.registration.before,
		CanBootstrap:      s.settings.bootstrap && bootstrapAccount(s.client.model.Snapshot()),
		Endless:           s.registration.offer.lifetime == 0,
		RegistrationRetry: s.settings.retry,
	}
}

// show publishes the status, and logs and reports a changed state.
func (s *server) show() {
	old := s.shown.state
	s.shown.state = State(s.state.View(s.wished()))
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
		fn(s.describe())
	}
}

func (s *server) logState(old State) {
	level := slog.LevelInfo
	attrs := []any{"endpoint", s.client.cfg.Endpoint, "from", old.String(), "to", s.shown.state.String()}
	if err := s.reason(); err != nil {
		attrs = append(attrs, "reason", err.Error())
		if !isWish(err) {
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
		Attempts: s.failures, Secured: s.link.Session(),
	}
	st.Plan, st.Next = s.plan()
	st.Awaits = s.state.Awaits(s.wished())
	if s.state.Registration != account.Unknown {
		st.Version, st.Location = s.registration.version, s.registration.path()
		st.Reduced = s.reduced()
		st.Lifetime, st.Expires = s.registration.offer.lifetime, s.registration.until
	}
	return st
}

// reduced returns what the registration leaves out because the server refused it otherwise.
func (s *server) reduced() string {
	var parts []string
	if s.state.VersionStep > 0 {
		parts = append(parts, fmt.Sprintf("LwM2M %s instead of %s", s.registration.version, s.versions[0]))
	}
	if s.state.NoFormats {
		parts = append(parts, "without ct")
	}
	return strings.Join(parts, ", ")
}

// secured reports whether connections to a server have a security session.
func secured(uri string) bool { return strings.HasPrefix(schemeOf(uri), "coaps") }
