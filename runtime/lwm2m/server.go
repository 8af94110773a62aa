package lwm2m

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// server is one account of the client. It decides nothing itself: it reports events to
// [account.Next], with the facts, and executes the actions. See handle.
type server struct {
	client   *Client
	settings settings
	log      *slog.Logger

	state        account.State
	wishes       wishes
	versions     []registry.Version // to offer, the highest first
	registration registration
	events       []account.Event // that wait for handle
	handling     bool

	link   *link.Link
	socket *Socket // of the connection, while there is one
	peer   *manage.Peer
	call   *coap.Call // the request in flight

	transmission coap.Params
	slow         sched.Job // an attempt that takes longer than a first transmission should
	timer        sched.Job
	timerAt      time.Time
	enabling     sched.Job // ends a Disable
	enableAt     time.Time

	err      error // the last failure, nil after a success
	failures int   // attempts that have failed in a row
	shown    shown
}

// wishes are what others want of an account.
type wishes struct {
	removed, disabled, offline bool
	update                     bool // an Update, with the next of the client's Updates

	turn    bool       // the account's place in the order of registrations has come
	startAt sched.Time // when the initial delay is over, once the turn has come
	after   *server    // the account that comes first, until the turn has come
}

// newServer adds an account. Nothing begins until its turn comes.
func (c *Client) newServer(v settings) (*server, error) {
	s := &server{client: c, settings: v, versions: c.versionsFor(v.versions)}
	s.log = c.log.With("server", v.shortID)
	s.shown.since = time.Now()
	s.transmission = c.cfg.Transmission
	s.wishes.offline = c.offline.covers(&v)
	s.timer.Func = s.timerFired
	s.slow.Func = s.onSlow
	s.enabling.Func = func() { s.setDisabled(false, 0) }
	var err error
	s.peer, err = c.manager.AddPeer(manage.PeerConfig{
		ShortServerID: v.shortID, Version: s.versions[0], Format: c.cfg.Format, Root: c.cfg.AlternatePath,
	})
	if err != nil {
		return nil, err
	}
	s.link = link.New(link.Config{
		Group: c.loop.group, Open: s.open, Context: c.ctx, Timeout: c.cfg.ConnectTimeout, Logger: s.log,
		Conn: coap.ConnConfig{
			Handler: s.peer, Params: s.transmission, BlockSize: c.cfg.BlockSize, MaxBody: c.cfg.MaxPayload,
			KeepOnTimeout: true,
		},
		Connected: s.onConnected, Failed: s.onConnectFailed, Lost: s.onConnectionLost, Refused: s.onRefused,
		Closing: s.onClosing, DialEnded: c.onPendingEnded,
	})
	return s, nil
}

// versionsFor returns the versions to offer to a server, the highest first: those of the client,
// from the highest one that the server is known to support (/1/x/25).
func (c *Client) versionsFor(supported []registry.Version) []registry.Version {
	var all []registry.Version
	for i := len(versions) - 1; i >= 0; i-- {
		if v := versions[i]; v.Compare(c.cfg.MinVersion) >= 0 && v.Compare(c.cfg.MaxVersion) <= 0 {
			all = append(all, v)
		}
	}
	var common []registry.Version
	for _, v := range all {
		if slices.Contains(supported, v) {
			common = append(common, v)
		}
	}
	if common != nil {
		return common
	}
	return all
}

// handle is what every event of an account comes to: an answer, a connection, a timer, a call of
// the application. Events that executing an action produces wait until its own event is done with.
func (s *server) handle(e account.Event) {
	s.events = append(s.events, e)
	if s.handling {
		return
	}
	s.handling = true
	for len(s.events) > 0 {
		e, s.events = s.events[0], s.events[1:]
		s.step(e)
	}
	s.handling = false
	if s.state.Connection != account.Connecting && s.state.Request == account.NoRequest {
		s.client.loop.sched.Cancel(&s.slow)
	}
	s.show()
	if s.state.Effort == account.Removed {
		s.client.dismiss(s)
	}
	s.client.giveTurns()
}

// step decides about one event and executes the decision.
func (s *server) step(e account.Event) {
	facts := s.facts()
	before := s.state
	var actions []account.Action
	s.state, actions = account.Next(before, e, facts)
	s.count(before)
	for _, a := range actions {
		s.execute(a)
	}
}

// count keeps the number of failed attempts for Status.
func (s *server) count(before account.State) {
	now := s.state
	switch {
	case now.Effort == account.GivenUp && before.Effort != account.GivenUp, now.Retry != before.Retry && now.Retry != account.Retry{}:
		s.failures++
	case now.Outcome != account.Failed && now.Retry == account.Retry{}:
		s.failures = 0
	}
}

// facts are what the account does not decide itself.
func (s *server) facts() account.Facts {
	now := s.client.loop.sched.Now()
	f := s.wished()
	f.CanBootstrap = s.settings.bootstrap && bootstrapAccount(s.client.model.Snapshot())
	f.OfferChanged = s.offerChanged()
	f.Endless = s.registration.offer.lifetime == 0
	f.Expired = s.registration.expired(now)
	f.Versions = uint8(len(s.versions))
	f.UntilStart = s.wishes.startAt.Sub(now)
	f.UntilUpdate = s.registration.untilUpdate(now)
	f.RegistrationRetry = s.settings.retry
	return f
}

// execute takes one action of a decision.
func (s *server) execute(a account.Action) {
	switch a.Do {
	case account.Dial:
		s.attemptBegins()
		s.connect()
	case account.Send:
		s.show() // before the server can answer
		s.attemptBegins()
		s.send(a)
	case account.CancelRequest:
		call := s.call
		s.call = nil
		call.Cancel()
	case account.SuspendConnection:
		s.link.Suspend(s.reason())
	case account.CloseConnection:
		s.link.Close(s.reason())
	case account.StartTimer:
		wait := a.After
		if a.Spread > 0 {
			wait += rand.N(a.Spread)
		}
		s.client.loop.sched.After(&s.timer, wait)
		s.timerAt = time.Now().Add(wait)
	case account.StopTimer:
		s.client.loop.sched.Cancel(&s.timer)
		s.timerAt = time.Time{}
	case account.ReceiverOff:
		s.link.ReceiverOff()
	case account.ReceiverOn: // sending turns it on
	case account.RequestBootstrap:
		s.client.requestBootstrap(s.err, s)
	case account.Remove: // when all events are handled
	}
}

// attemptBegins starts the job that speaks up when an attempt gets no answer.
func (s *server) attemptBegins() {
	s.client.loop.sched.After(&s.slow, firstTimeout(s.transmission))
}

// firstTimeout returns the time after which the first transmission of a message is lost: the
// longest first retransmission time-out (RFC 7252 §4.2).
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

// onSlow shows that an attempt has no answer yet.
func (s *server) onSlow() {
	s.sign(&signError{text: "no answer yet from " + s.link.RemoteAddr()})
	s.show()
}

// onRefused handles a refusal by the network.
func (s *server) onRefused() {
	if s.state.Request == account.NoRequest && s.state.Connection != account.Connecting {
		return // the refused message was not an attempt's
	}
	s.sign(&signError{text: "no answer yet: " + s.link.RemoteAddr() + " refuses datagrams", cause: socket.ErrRefused})
	s.handle(account.Event{Kind: account.NetworkRefused})
}

// signError is an early sign that an attempt is going wrong.
type signError struct {
	text  string
	cause error
}

func (e *signError) Error() string { return e.text }
func (e *signError) Unwrap() error { return e.cause }

// sign shows an early sign of an attempt that is going wrong.
func (s *server) sign(err error) {
	if s.err == nil || s.err.Error() != err.Error() {
		s.log.Info("an attempt gets no answer", "reason", err.Error())
	}
	s.err = err
}

func (s *server) timerFired() {
	s.timerAt = time.Time{}
	s.handle(account.Event{Kind: account.TimerFired})
}

// connect begins to connect.
func (s *server) connect() {
	s.client.pending++
	silent := errors.Is(s.err, coap.ErrTimeout) || errors.Is(s.err, socket.ErrRefused)
	if err := s.link.Connect(silent); err != nil {
		s.client.pending--
		s.err = err
		s.handle(account.Event{Kind: account.DialImpossible})
	}
}

// open makes the socket for the account as it is now.
func (s *server) open() (link.Opened, error) {
	sock, remote, err := s.client.newSocket(s.client.model.Snapshot(), s.settings.security)
	return link.Opened{Socket: sock, Remote: remote, Secured: secured(s.settings.uri)}, err
}

func (s *server) onConnected(survives bool) {
	s.socket = &Socket{server: s, link: s.link.Socket()}
	s.peer.Attach(s.link.Conn())
	s.handle(account.Event{Kind: account.DialSucceeded, Survives: survives})
}

func (s *server) onConnectFailed(err error) {
	s.noteAlert(err)
	s.err = err
	s.handle(account.Event{Kind: account.DialFailed})
}

// onClosing is called before a connection ends, whatever ends it.
func (s *server) onClosing() {
	s.call, s.socket = nil, nil // the outcome of the request is not of interest any more
	s.peer.Detach()
}

func (s *server) onConnectionLost(err error, short bool) {
	s.noteAlert(err)
	s.err = connectionLost(err, short)
	s.handle(account.Event{Kind: account.ConnectionLost, Short: short})
}

// onPendingEnded counts what has ended: a Connect of which nothing runs any more, or a storeValue.
func (c *Client) onPendingEnded() {
	if c.finished {
		return
	}
	c.pending--
	c.finish()
}
