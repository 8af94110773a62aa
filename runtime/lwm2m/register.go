package lwm2m

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

const linkFormat = 40 // application/link-format

// path is the location as text.
func (r *registration) path() string { return "/" + strings.Join(r.location, "/") }

// expired reports whether the server has forgotten the device by now.
func (s *server) expired() bool {
	return s.reg.offer.lifetime > 0 && s.c.loop.sched.Now() >= s.reg.expires
}

// greet is what a fresh connection begins with: an Update where the server still knows the device, otherwise a Register.
func (s *server) greet() {
	if s.reg.active && !s.expired() {
		s.state = StateRegistered
		s.update(true)
		return
	}
	s.reg.active = false
	s.register()
}

// request sends a request of the registration interface. done gets its outcome unless something else has begun meanwhile.
func (s *server) request(call *coap.Call, done func(coap.Result)) {
	s.call = call
	call.Done = func(r coap.Result) {
		if s.call != call {
			return
		}
		s.call = nil
		done(r)
	}
	if err := s.link.conn.Do(call); err != nil && s.call == call {
		s.call = nil
		done(coap.Result{Err: err, Last: true})
	}
}

func (s *server) register() {
	off := s.c.offerFor(s.c.model.Snapshot(), &s.acct, s.version)
	sent, version := s.c.loop.sched.Now(), s.version
	call := &coap.Call{Code: coap.POST, Body: []byte(off.links)}
	call.Options.AddPath("rd")
	s.c.addRegister(&call.Options, &s.acct, version, &off)
	if len(off.links) > 0 {
		call.Options.SetContentFormat(linkFormat)
	}
	s.lookAgain, s.forced = false, false
	// A registration begins without observations, and the server's first requests may overtake its answer.
	s.peer.Reset()
	s.peer.SetVersion(version)
	state := StateRegistering
	if s.ever {
		state = StateReregistering
	}
	s.enter(state, s.err, "")
	s.request(call, func(r coap.Result) {
		accepted := r.Err == nil && r.Code == coap.Created
		if accepted {
			location := locationOf(r.Options)
			s.reg = registration{active: len(location) > 0, location: location, version: version, offer: off}
		}
		switch {
		case s.leaving: // it is not wanted any more
			s.leaving = false
			s.steer()
		case s.reg.active:
			s.registered(sent)
		case accepted:
			s.failed(ErrNoLocation, false)
		default:
			s.refusedRegister(r)
		}
	})
}

// refusedRegister goes on after a Register that did not succeed.
func (s *server) refusedRegister(r coap.Result) {
	if r.Err == nil && r.Code == coap.PreconditionFailed && s.lowerVersion() {
		s.log.Info("the server does not speak this version of LwM2M, a lower one is tried", "version", s.version)
		s.register()
		return
	}
	err := refusal("Register", r)
	if r.Err == nil && r.Code == coap.PreconditionFailed {
		err = fmt.Errorf("%w: %w", ErrVersion, err)
		s.chooseVersion() // the next attempt begins from the highest again
	}
	s.failed(err, r.Err != nil)
}

// lowerVersion goes on to the next lower version; what the server accepts is remembered that way.
func (s *server) lowerVersion() bool {
	for i := len(versions) - 1; i >= 0; i-- {
		v := versions[i]
		if v.Compare(s.version) < 0 && v.Compare(s.c.cfg.MinVersion) >= 0 {
			s.version = v
			return true
		}
	}
	return false
}

// registered is the success of a Register or an Update that was sent at the instant sent.
func (s *server) registered(sent sched.Time) {
	lifetime := s.reg.offer.lifetime
	now := s.c.loop.sched.Now()
	s.reg.expires, s.reg.until = sent.Add(lifetime), time.Time{}
	if lifetime > 0 {
		s.reg.until = time.Now().Add(s.reg.expires.Sub(now))
	}
	s.retry = retry{}
	s.ever, s.outcome = true, outcomeRegistered
	if wait, ends := updateIn(lifetime, s.c.cfg.Transmission); ends {
		s.schedule(max(0, sent.Add(wait).Sub(now)), "update", func() { s.update(true) })
	}
	s.enter(StateRegistered, nil, "")
	s.c.advance()
	if s.lookAgain {
		s.update(s.forced)
	}
}

// update sends what has changed since the server was told last, and with force an Update even if nothing has.
func (s *server) update(force bool) {
	if s.state != StateRegistered {
		s.lookAgain, s.forced = true, s.forced || force
		return
	}
	s.lookAgain, s.forced = false, false
	off := s.c.offerFor(s.c.model.Snapshot(), &s.acct, s.reg.version)
	if off == s.reg.offer && !force {
		return
	}
	sent := s.c.loop.sched.Now()
	call := &coap.Call{Code: coap.POST}
	s.reg.address(&call.Options)
	addUpdate(&call.Options, &s.reg.offer, &off)
	if off.links != s.reg.offer.links {
		call.Body = []byte(off.links)
		call.Options.SetContentFormat(linkFormat)
	}
	s.cancelTimer()
	s.enter(StateUpdating, nil, "")
	s.request(call, func(r coap.Result) {
		if r.Err == nil && r.Code == coap.Changed {
			s.reg.offer = off
			s.registered(sent)
			return
		}
		// Whatever was wrong, a Register puts it right.
		err := refusal("Update", r)
		s.reg.active = false
		s.err = err
		s.log.Info("the update failed, the device registers again", "reason", err.Error())
		if r.Err != nil {
			s.disconnect(err, false)
			s.connect()
			return
		}
		s.register()
	})
}

func (r *registration) address(o *coap.Options) {
	for _, segment := range r.location {
		o.AddString(coap.OptionURIPath, segment)
	}
}

// deregister tells the server that the device is gone; what it answers makes no difference.
func (s *server) deregister() {
	call := &coap.Call{Code: coap.DELETE}
	s.reg.address(&call.Options)
	reason := ErrDisabled
	if s.gone {
		reason = ErrClosed
	}
	s.leaving = true
	s.enter(StateDeregistering, reason, "")
	s.request(call, func(r coap.Result) {
		if r.Err != nil || r.Code != coap.Deleted {
			s.log.Info("the de-registration was not confirmed", "reason", refusal("De-register", r).Error())
		}
		s.reg.active, s.leaving = false, false
		s.steer()
	})
}

func locationOf(o *coap.Options) []string {
	var location []string
	for segment := range o.Values(coap.OptionLocationPath) {
		location = append(location, string(segment))
	}
	return location
}

const maxDiagnostic = 200

// refusal is the error of a request that did not succeed.
func refusal(operation string, r coap.Result) error {
	if r.Err != nil {
		return fmt.Errorf("%s: %w", operation, r.Err)
	}
	e := &ResponseError{Operation: operation, Code: r.Code}
	if text := r.Body; utf8.Valid(text) {
		e.Diagnostic = strings.ToValidUTF8(string(text[:min(len(text), maxDiagnostic)]), "")
	}
	if wait, ok := r.Options.Uint(coap.OptionMaxAge); ok && (r.Code == coap.ServiceUnavailable || r.Code == coap.TooManyRequests) {
		return &busyError{e, seconds(uint64(wait))}
	}
	return e
}

// busyError is the answer of a server that asks to be left alone for a while (RFC 7252 §5.9.3.4, RFC 8516).
type busyError struct {
	*ResponseError
	wait time.Duration
}

func (e *busyError) Unwrap() error { return e.ResponseError }

// maxAge is how long the server asked to be left alone.
func maxAge(err error) time.Duration {
	var busy *busyError
	if errors.As(err, &busy) {
		return busy.wait
	}
	return 0
}
