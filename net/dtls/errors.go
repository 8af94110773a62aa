package dtls

import (
	"context"
	"errors"
	"fmt"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// pionAlert is the interface of an alert that pion received, whose type is not exported.
type pionAlert interface {
	error
	IsFatalOrCloseNotify() bool
	Marshal() ([]byte, error)
}

// handshakeError returns why a handshake failed, from pion's error and the progress that the guard
// saw.
func handshakeError(
	ctx context.Context, err error, g *guard, p *parameters, timedOut bool, waited time.Duration,
) error {
	g.mu.Lock()
	seen, sent, refused, failure := g.seen, g.alert, g.refused, g.failure
	seen.contradiction = g.contradictions.found
	g.mu.Unlock()
	var received pionAlert
	switch {
	case refused != nil: // before the reaction of the peer, or the end of the context
		return fmt.Errorf("handshake: %w", &socket.AlertError{
			Level: socket.AlertFatal, Description: refused.Alert, Err: refused,
		})
	case ctx.Err() != nil:
		return fmt.Errorf("handshake: %w: %s", context.Cause(ctx), explainSilence(&seen, p))
	case timedOut:
		return fmt.Errorf("handshake: %w after %s: %s", socket.ErrTimeout, waited, explainSilence(&seen, p))
	case failure != nil: // without what pion adds to it
		return fmt.Errorf("handshake: %w", failure)
	case errors.As(err, &received):
		return receivedAlert(received, p, &seen)
	case sent != nil:
		return fmt.Errorf("handshake: %w", &socket.AlertError{
			Level: sent.Level, Description: sent.Description, Err: withoutPrefixes(err),
		})
	}
	return fmt.Errorf("handshake: %w", withoutPrefixes(err))
}

// withoutPrefixes returns err without the errors of pion that add nothing but words.
func withoutPrefixes(err error) error {
	var h *pion.HandshakeError
	if errors.As(err, &h) && h.Err != nil {
		err = h.Err
	}
	var f *pion.FatalError
	var i *pion.InternalError
	switch {
	case errors.As(err, &f) && f.Err != nil:
		return f.Err
	case errors.As(err, &i) && i.Err != nil:
		return i.Err
	}
	return err
}

// explainSilence describes what was received from the server and what it probably means.
func explainSilence(s *progress, p *parameters) string {
	switch {
	case s.received == 0:
		return fmt.Sprintf("%d datagrams sent, none received: there is probably no DTLS server at "+
			"this address and port, or there is a firewall in between; "+
			"a server that still holds an earlier connection from the same local port may be silent as well", s.sent)
	case !s.handshake:
		return fmt.Sprintf("%d datagrams received, none of a DTLS handshake: this is probably no DTLS server",
			s.received)
	case !s.serverHello:
		return "the server asked for a cookie and sent nothing more: it probably ignores this client, " +
			"for instance for its identity or its version of DTLS, " +
			"or large datagrams are lost on the way"
	case s.contradiction:
		return errContradiction.Error()
	case s.sentFinished && !s.gotFinished && p.credential == nil:
		return "the server answered but never accepted our Finished: the key is probably wrong for this " +
			"identity, or the identity is unknown, which many servers do not report"
	case s.sentFinished && !s.gotFinished:
		return "the server answered but never accepted our Finished: it probably does not accept our " +
			"certificate, or our large datagrams are lost on the way"
	case s.gotFinished && !s.sentFinished:
		return "the server tried to resume a session that it knows differently"
	case s.gotFinished:
		return "the server's Finished could not be decrypted: the key is probably wrong"
	}
	return "the server's flight never arrived as a whole: its large datagrams are probably lost on the way"
}

// withAlertOfVerify tells the guard why the peer's certificate is refused, so that it sends the
// right alert.
func (p *parameters) withAlertOfVerify(g *guard) *parameters {
	if p.verify == nil {
		return p
	}
	out := *p
	out.verify = func(certs [][]byte) error {
		err := p.verify(certs)
		g.verified(err)
		return err
	}
	return &out
}

// receivedAlert adds to an alert of the server what it probably means.
func receivedAlert(a pionAlert, p *parameters, seen *progress) error {
	e := &socket.AlertError{Level: socket.AlertFatal, Received: true}
	if b, err := a.Marshal(); err == nil && len(b) == 2 {
		e.Level, e.Description = socket.AlertLevel(b[0]), socket.Alert(b[1])
	}
	known := secured.Progress{
		Certificate: p.credential != nil, SuiteChosen: seen.serverHello, NoCertificate: seen.noCertificate,
		VersionHint: "it does not speak DTLS 1.2", Offered: namesOf(p.suites), ServerName: p.serverName,
	}
	hint := known.Hint(e.Description)
	if hint == "" {
		return fmt.Errorf("handshake: %w", e)
	}
	return fmt.Errorf("handshake: %w: %s", e, hint)
}

// noCommonSuite reports whether a handshake failed because the server accepts none of the suites
// that were offered.
func noCommonSuite(err error) bool {
	var a *socket.AlertError
	return errors.As(err, &a) && a.Received && (a.Description == socket.AlertHandshakeFailure ||
		a.Description == socket.AlertInsufficientSecurity)
}
