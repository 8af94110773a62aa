package lwm2m

import (
	"cmp"
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
)

// startSlowTimer starts the job that shows that an attempt has no response yet. The silence of an
// earlier attempt does not count any more; a refusal stays the reason until there is an answer.
func (s *server) startSlowTimer() {
	var sign *stallError
	if errors.As(s.err, &sign) && sign.cause == nil {
		s.err = nil
	}
	s.client.loop.sched.After(&s.slow, firstTimeout(s.params()))
}

// firstTimeout returns the longest time until the first retransmission of a message (RFC 7252
// §4.2). Without a response by then, the first transmission or its response is lost.
func firstTimeout(p coap.Params) time.Duration {
	timeout, factor := p.AckTimeout, p.AckRandomFactor
	if timeout == 0 {
		timeout = 2 * time.Second
	}
	if factor == 0 {
		factor = 1.5
	}
	return time.Duration(float64(timeout) * factor)
}

// onSlow shows in Status and in the log that an attempt has no response yet.
func (s *server) onSlow() {
	if s.link.Sign() != nil {
		return // a sign that says more
	}
	s.noteStall(silenceSign(s.link, s.settings.uri, s.registration.before))
	s.show()
}

// silenceSign is the sign that a server does not respond. before says whether it has responded
// since its account last changed.
func silenceSign(l *link.Link, uri string, before bool) *stallError {
	text := "no response yet from " + l.RemoteAddr()
	if l.Kind() == socket.Datagram && !isSecured(uri) && !before {
		text += "; a server for coaps does not answer coap"
	}
	return &stallError{text: text}
}

// OnRefused is called when the network refuses a datagram.
func (s *server) OnRefused() {
	if s.state.Request == account.NoRequest && s.state.Connection != account.Connecting {
		// No attempt is running: the datagram was a response or a notification.
		s.verifyRegistration()
		return
	}
	if s.countsRefusal(s.state.Refused, s.params()) {
		s.noteStall(connectSign(s.link, socket.ErrRefused))
		s.handle(account.Event{Kind: account.NetworkRefused})
	}
}

// countsRefusal reports whether a refusal by the network counts for the attempt that is running.
// The second one, which ends the attempt, must be one of the retransmission: two at once say no
// more than one, and both may be forged.
func (a *attempt) countsRefusal(second bool, p coap.Params) bool {
	now := a.sched.Now()
	if second && now.Sub(a.refusedAt) < cmp.Or(p.AckTimeout/2, time.Second) {
		return false
	}
	a.refusedAt = now
	return true
}

// OnSendFailed is called when a datagram could not be sent. Without a route the device is offline
// for the moment; any other reason is in the socket, such as a local address that is gone.
func (s *server) OnSendFailed(err error) {
	switch {
	case errors.Is(err, socket.ErrUnreachable):
		s.verifyRegistration()
	case s.state.Request == account.NoRequest && s.mayReconnect(s.client.loop.sched.Now()):
		s.handle(account.Event{Kind: account.ReconnectRequested})
	}
}

// OnSign shows an early sign that connecting may fail. Connecting goes on, and fails by itself.
func (s *server) OnSign(err error) {
	s.noteStall(connectSign(s.link, err))
	s.show()
}

// connectSign is an early sign that connecting may fail.
func connectSign(l *link.Link, err error) *stallError {
	text := l.RemoteAddr() + ": " + err.Error()
	if errors.Is(err, socket.ErrRefused) {
		text = "no response yet: " + l.RemoteAddr() + " refuses " + refusedUnits[l.Kind()]
	}
	return &stallError{text: text, cause: err}
}

// refusedUnits names what a port refuses.
var refusedUnits = map[socket.Kind]string{socket.Datagram: "datagrams", socket.Stream: "connections"}

// stallError is an early sign that an attempt fails.
type stallError struct {
	text  string
	cause error
}

func (e *stallError) Error() string { return e.text }
func (e *stallError) Unwrap() error { return e.cause }
