package lwm2m

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

const linkFormat = 40 // application/link-format

// registration is the last registration with a server: what the device sent and the server
// answered.
type registration struct {
	location []string // path segments
	version  registry.Version
	offer    offer      // that the server has confirmed
	expires  sched.Time // meaningless if the lifetime is 0
	updateAt sched.Time // when the next Update is due; meaningless if the lifetime is 0
	until    time.Time  // expires as wall-clock time, zero if the lifetime is 0
	before   bool       // the device has registered since the account last changed
	stale    bool       // the data model has changed since it was compared with offer
	compare  bool       // compare now: Config.UpdateDelay has passed
}

// path returns the location as text, escaped as in a URI: a server chooses the location, and
// control characters could forge lines of a log.
func (r *registration) path() string {
	var b strings.Builder
	for _, segment := range r.location {
		b.WriteString("/" + url.PathEscape(segment))
	}
	return b.String()
}

// expired reports whether the lifetime has passed, so that the server has forgotten the device.
func (r *registration) expired(now sched.Time) bool {
	return r.offer.lifetime > 0 && now >= r.expires
}

// untilUpdate returns the time until the next Update. It is at least a second, or half of a
// lifetime below two seconds: otherwise, with a round trip almost as long as the lifetime, Updates
// would follow each other without a pause.
func (r *registration) untilUpdate(now sched.Time) time.Duration {
	return max(r.updateAt.Sub(now), min(time.Second, r.offer.lifetime/2))
}

// address adds the location to a request.
func (r *registration) address(o *coap.Options) {
	for _, segment := range r.location {
		o.AddString(coap.OptionURIPath, segment)
	}
}

// offerChanged reports whether the registration differs from what the device would register now.
// It compares only after a change of the data model.
func (s *server) offerChanged() bool {
	r := &s.registration
	if r.compare && r.location != nil && s.call == nil {
		r.compare = s.client.offerFor(s.client.model.Snapshot(), &s.settings, r.version, s.state.NoFormats) != r.offer
		r.stale = r.compare
	}
	return r.compare
}

// send sends a request of the registration interface.
func (s *server) send(a account.Action) {
	switch a.Request {
	case account.Register:
		s.sendRegister(s.versions[a.VersionStep], a.NoFormats)
	case account.Update:
		s.sendUpdate(a.Full)
	case account.Deregister:
		s.sendDeregister()
	}
}

// request sends a request and calls done with the result, unless the request is cancelled.
func (s *server) request(call *coap.Call, done func(coap.Result)) {
	s.do(s.link.Conn(), call, s.patience(), func(r coap.Result) {
		if r.Err == nil {
			s.answered()
		}
		done(r)
	})
}

// patience returns how long a whole response may take. A message has a time-out of its own, but
// without this bound a server that sends its response in small and slow blocks could keep the
// device waiting for days, and past the end of its registration.
func (s *server) patience() time.Duration {
	d := s.client.cfg.MaxServerPause
	if r := &s.registration; s.state.Request == account.Update && r.offer.lifetime > 0 {
		d = min(d, r.expires.Sub(s.client.loop.sched.Now()))
	}
	p := s.params()
	return max(d, 2*p.MaxTransmitWait()) // retransmission, and a separate response
}

func (s *server) sendRegister(version registry.Version, noFormats bool) {
	c := s.client
	off := c.offerFor(c.model.Snapshot(), &s.settings, version, noFormats)
	sent := c.loop.sched.Now()
	call := &coap.Call{Code: coap.POST, Body: []byte(off.links), Priority: coap.PriorityHigh}
	call.Options.AddPath("rd")
	c.addRegister(&call.Options, &s.settings, version, &off)
	if len(off.links) > 0 {
		call.Options.SetContentFormat(linkFormat)
	}
	s.registration.stale, s.registration.compare = false, false
	// A new registration has no observations. The server's first requests may arrive before its
	// response to Register.
	s.peer.Reset()
	s.peer.SetVersion(version)
	s.request(call, func(r coap.Result) {
		e := s.responseEvent(r)
		e.Formats = strings.Contains(off.links, ";ct=")
		switch {
		case e.Code == account.Created && e.Location:
			s.registration.location, _ = locationOf(r.Options)
			s.registration.version = version
			s.link.SetRegisteredFrom(s.link.LocalIP())
			s.onRegistered(off, sent)
		case e.Code == account.Created:
			_, s.err = locationOf(r.Options)
		case e.Code == account.PreconditionFailed && int(s.state.VersionStep)+1 < len(s.versions):
			s.log.Info("the server does not support this version of LwM2M; trying the next lower version", "version", version)
		case e.Code == account.BadRequest && e.Formats:
			s.log.Info("the server refused the registration; trying again without the list of Content-Formats (ct)",
				"reason", refusal("Register", r).Error())
		case e.Code == account.PreconditionFailed:
			s.err = fmt.Errorf("%w: %w", ErrVersion, refusal("Register", r))
		default:
			s.err = refusal("Register", r)
		}
		s.handle(e)
	})
}

// sendUpdate sends an Update with what has changed since the last confirmed Register or Update, or
// with everything if full is set.
func (s *server) sendUpdate(full bool) {
	c := s.client
	off := c.offerFor(c.model.Snapshot(), &s.settings, s.registration.version, s.state.NoFormats)
	sent := c.loop.sched.Now()
	call := &coap.Call{Code: coap.POST, Priority: coap.PriorityHigh}
	s.registration.address(&call.Options)
	known := s.registration.offer
	if full {
		known = offer{lifetime: -1}
	}
	addUpdate(&call.Options, &known, &off)
	if off.links != known.links {
		call.Body = []byte(off.links)
		call.Options.SetContentFormat(linkFormat)
	}
	s.registration.stale, s.registration.compare = false, false
	s.request(call, func(r coap.Result) {
		e := s.responseEvent(r)
		if e.Code == account.Changed {
			s.onRegistered(off, sent)
		} else {
			s.err = refusal("Update", r)
			s.log.Info("the Update failed", "reason", s.err.Error())
		}
		s.handle(e)
	})
}

// sendDeregister sends a De-register. The response is logged and otherwise ignored.
func (s *server) sendDeregister() {
	s.peer.Reset() // a de-registration ends the observations (Core 1.2.2 §6.2.3)
	call := &coap.Call{Code: coap.DELETE, Priority: coap.PriorityHigh}
	s.registration.address(&call.Options)
	s.request(call, func(r coap.Result) {
		if r.Err != nil || r.Code != coap.Deleted {
			s.log.Info("the de-registration was not confirmed", "reason", refusal("De-register", r).Error())
		}
		s.handle(s.responseEvent(r))
	})
}

// onRegistered is called when a server has confirmed a Register or an Update. offered is what the
// request contained, sent is when it was sent.
func (s *server) onRegistered(offered offer, sent sched.Time) {
	r := &s.registration
	r.offer, r.before, r.until, s.err = offered, true, time.Time{}, nil
	if offered.lifetime == 0 {
		return
	}
	r.expires = sent.Add(offered.lifetime)
	wait, _ := updateIn(offered.lifetime, s.params())
	r.updateAt = sent.Add(wait)
	r.until = time.Now().Add(r.expires.Sub(s.client.loop.sched.Now()))
}

// responseEvent returns the event for the result of a request.
func (s *server) responseEvent(r coap.Result) account.Event {
	switch {
	case errors.Is(r.Err, link.ErrNotSent) && !errors.Is(r.Err, socket.ErrUnreachable) &&
		s.state.Request != account.Deregister && s.mayReconnect(s.client.loop.sched.Now()):
		return account.Event{Kind: account.ReconnectRequested}
	case r.Err != nil:
		return account.Event{Kind: account.NoResponse}
	}
	_, err := locationOf(r.Options)
	return account.Event{
		Kind: account.ResponseReceived, Code: account.Code(r.Code), Location: err == nil, MaxAge: s.client.pauseAskedFor(r),
	}
}

// The bounds of a location that the client accepts, in bytes.
const (
	maxSegment  = 255  // of a Uri-Path option (RFC 7252 §5.10)
	maxLocation = 1024 // of all segments; far above what any server needs
)

// locationOf returns the Location-Path of a response. It returns an error if there is none, or if
// it cannot be sent back as a Uri-Path.
func locationOf(o *coap.Options) ([]string, error) {
	var location []string
	total := 0
	for segment := range o.Values(coap.OptionLocationPath) {
		total += len(segment) + 1
		s := string(segment)
		switch {
		case len(segment) > maxSegment || total > maxLocation:
			return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrNoLocation, maxLocation)
		case s == "." || s == "..": // RFC 7252 §5.10.7
			return nil, fmt.Errorf("%w: it has the segment %q", ErrNoLocation, s)
		case !utf8.Valid(segment):
			return nil, fmt.Errorf("%w: it is not UTF-8", ErrNoLocation)
		}
		location = append(location, s)
	}
	if location == nil {
		return nil, ErrNoLocation
	}
	return location, nil
}

// maxDiagnostic is how much of a diagnostic payload is kept, in bytes.
const maxDiagnostic = 200

// refusal returns the error of a failed request.
func refusal(operation string, r coap.Result) error {
	if r.Err != nil {
		return fmt.Errorf("%s: %w", operation, r.Err)
	}
	e := &ResponseError{Operation: operation, Code: r.Code}
	if text := r.Body; utf8.Valid(text) {
		e.Diagnostic = strings.ToValidUTF8(string(text[:min(len(text), maxDiagnostic)]), "")
	}
	return e
}

// connectionLostError returns the error of a connection that the network or the server has ended.
func connectionLostError(err error, short bool) error {
	if short {
		return fmt.Errorf("the connection ended within seconds: %w", err)
	}
	return fmt.Errorf("the connection ended: %w", err)
}

// isIntended reports whether an account is not registered because the application or the server
// wants so, rather than because of a failure.
func isIntended(err error) bool {
	return errors.Is(err, ErrClosed) || errors.Is(err, ErrRemoved) || errors.Is(err, ErrDisabled) || errors.Is(err, ErrOffline)
}
