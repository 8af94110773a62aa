package dtls

import (
	"context"
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// establish makes a secured connection over the connected socket below: it continues a live
// connection, or does an abbreviated or a full handshake.
func (s *conn) establish(ctx context.Context, t secured.Target) (*link, error) {
	st, err := s.profile.take(t)
	if err != nil {
		secured.LogDebug(s.log, "dtls: stored session not used", err)
		st = nil
	}
	if st != nil && st.live != nil {
		return continueLink(s.Below, st.live)
	}
	params, err := s.profile.parameters(t)
	if err != nil {
		return nil, err
	}
	params.log, params.mtu = s.log, handshakeMTU(s.Below)
	if st != nil {
		l, err := s.resume(ctx, t, params, st.session)
		var alert *socket.AlertError
		if err == nil || !errors.As(err, &alert) || ctx.Err() != nil {
			return l, err
		}
		secured.LogDebug(s.log, "dtls: session not resumed", err)
	}
	return s.full(ctx, t, params)
}

// handshakeMTU returns the size of the fragments of handshake messages, which must fit with their
// headers, and which every implementation must accept.
func handshakeMTU(below socket.Socket) int {
	const headers, usual, least = headerLen + 12 + 48, 1200, 64
	return max(least, min(usual, below.InnerMTU()-headers))
}

// resume offers a session, and no Connection ID: pion forgets one in an abbreviated handshake.
func (s *conn) resume(ctx context.Context, t secured.Target, p *parameters, old *session) (*link, error) {
	params := *p
	params.session = old
	e, err := s.handshake(ctx, &params)
	if err != nil {
		return nil, err
	}
	// Otherwise the next handshake should ask for a Connection ID again.
	if e.resumed || s.profile.sec.NoConnectionID {
		s.storeSession(t, e)
	}
	return newLink(s.Below, e)
}

// full does a full handshake and offers a Connection ID unless the configuration forbids that. CBC
// suites are not offered together with a Connection ID, because pion's MAC then differs from RFC
// 9146. If the server has only CBC suites, a second handshake offers them without a Connection ID.
func (s *conn) full(ctx context.Context, t secured.Target, p *parameters) (*link, error) {
	params := *p
	if !s.profile.sec.NoConnectionID {
		if some := withoutCBC(p.suites); len(some) > 0 {
			params.offerCID, params.suites = true, some
		}
	}
	e, err := s.handshake(ctx, &params)
	if err != nil && len(params.suites) < len(p.suites) && noCommonSuite(err) && ctx.Err() == nil {
		params.offerCID, params.suites = false, p.suites
		e, err = s.handshake(ctx, &params)
	}
	if err != nil {
		return nil, err
	}
	if len(e.sendCID) == 0 {
		s.storeSession(t, e)
	}
	return newLink(s.Below, e)
}

// storeSession stores the session for an abbreviated handshake.
func (s *conn) storeSession(t secured.Target, e *established) {
	if e.session == nil {
		return
	}
	secured.LogDebug(s.log, "dtls: session not stored", s.profile.put(t, &stored{session: e.session}))
}

var errTimers = errors.New("the handshake timers have run out")

// handshakeOnce does one handshake within the handshake timers, which restart with each flight of
// the server. restarts says that another one may follow.
func (s *conn) handshakeOnce(ctx context.Context, p *parameters, restarts bool) (*established, *guard, error) {
	first, total := s.profile.timers()
	p.interval = first
	g := newGuard(s.Below, packetAddr("peer"))
	g.restarts = restarts
	p = p.withAlertOfVerify(g)
	reportSigns(ctx, g, p)
	timed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(total, func() { cancel(errTimers) })
	defer timer.Stop()
	g.progress = func() { timer.Reset(total) }
	e, err := s.engine.handshake(timed, g, p)
	if err != nil {
		return nil, g, handshakeError(ctx, err, g, p, errors.Is(context.Cause(timed), errTimers), total)
	}
	return e, g, nil
}
