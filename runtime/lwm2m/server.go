package lwm2m

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/send"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// server is one account of the client. It makes no decisions: it passes events and facts to
// [account.Next] and executes the actions that Next returns. See handle.
type server struct {
	attempt
	verification
	client   *Client
	settings settings

	state        account.State
	intent       intent
	versions     []registry.Version // that Register offers, highest first
	registration registration
	events       []account.Event // that handle has not processed
	handling     bool

	link   *link.Link
	socket *Socket // nil without a connection
	peer   *manage.Peer
	gate   gate      // in front of peer
	slowed bool      // notifications are sent more slowly than they come
	window sched.Job // the awake window (queue mode)

	transmission *coap.Params // nil means those of Config
	enabling     sched.Job    // ends a Disable
	enableAt     time.Time
	later        []func(*server) // for the account added again with the same ID
	sends        *send.Queue     // nil until the first Send

	failures int // consecutive failed attempts

	// What settleBootstrap has last seen.
	asked       bool
	shownEffort account.Effort

	failedForGood bool  // the last attempt has failed, and no registration has succeeded since
	finalErr      error // of that attempt
	shown         shown
}

// intent is what the application, the servers and the order of registrations ask of an account.
type intent struct {
	removed, disabled, offline bool
	update                     bool // an Update is requested; sendUpdates sends it

	turn    bool       // the account's turn in the order of registrations has come
	startAt sched.Time // end of the initial delay, set when the turn comes
	after   *server    // the account that this one waits for, until its turn comes
}

// newServer creates the server of an account. It starts nothing: the account waits for its turn.
func (c *Client) newServer(v settings) (*server, error) {
	s := &server{client: c, settings: v, versions: c.versionsFor(v.versions)}
	s.attempt.sched, s.log = c.loop.sched, c.log.With("server", v.shortID)
	s.shown.since = time.Now()
	s.gate.server = s
	s.intent.offline = c.offline.covers(&v)
	s.timer.Func = s.onTimer
	s.slow.Func = s.onSlow
	s.window.Func = s.onWindow
	s.enabling.Func = func() { s.setDisabled(false, 0) }
	var err error
	s.peer, err = c.manager.AddPeer(manage.PeerConfig{
		ShortServerID: v.shortID, Version: s.versions[0], Format: c.cfg.Format, PlainText: c.cfg.PlainText,
		Root: c.cfg.AlternatePath, Authorize: c.access.authorizer(v.shortID), Unsent: s.unsentHandler(),
		Undelivered: s.verifyRegistration, Wake: s.wake, Released: s.onReleased,
	})
	if err != nil {
		return nil, err
	}
	s.link = link.New(&c.links, s, s.log)
	s.resume()
	return s, nil
}

// versionsFor returns the versions to offer to a server, highest first: those of the client that
// the server lists in /1/x/25, or all of the client's if the server lists none of them.
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

// handle processes an event: a response, a change of the connection, a timer or a call of the
// application. An event that an action causes is queued and processed after the present one.
func (s *server) handle(e account.Event) {
	s.events = append(s.events, e)
	if s.handling {
		return
	}
	s.handleAll()
	s.gate.settle()
	s.settleSleep()
	s.settleSends()
	s.settleBootstrap()
	s.stopWaiting(s.state.Request != account.NoRequest, s.state.Connection == account.Connecting)
	s.show()
	if s.state.Effort == account.Removed {
		s.client.remove(s)
	}
	s.client.startInOrder()
}

// handleAll processes the waiting events. Whatever user code does in the middle of it, the account
// can process the next event.
func (s *server) handleAll() {
	s.handling = true
	defer func() { s.handling = false }()
	for len(s.events) > 0 {
		e := s.events[0]
		s.events = s.events[1:]
		s.step(e)
	}
}

// step processes one event: it asks account.Next what to do and executes the actions.
func (s *server) step(e account.Event) {
	facts := s.facts()
	before := s.state
	var actions []account.Action
	s.state, actions = account.Next(before, e, facts)
	s.countFailures(before)
	for _, a := range actions {
		s.execute(a)
	}
}

// countFailures updates the number of consecutive failed attempts that Status shows.
func (s *server) countFailures(before account.State) {
	now := s.state
	switch {
	case now.Effort == account.GivenUp && before.Effort != account.GivenUp, now.Retry != before.Retry && now.Retry != account.Retry{}:
		s.failures++
	case now.Outcome != account.Failed && now.Retry == account.Retry{}:
		s.failures = 0
	}
}

// facts returns the present facts for account.Next.
func (s *server) facts() account.Facts {
	now := s.client.loop.sched.Now()
	f := s.viewFacts()
	f.OfferChanged = s.offerChanged()
	f.Expired = s.registration.expired(now)
	f.UntilExpiry = s.registration.expires.Sub(now)
	f.TimerLeft = time.Until(s.timerAt)
	f.Versions = uint8(len(s.versions))
	f.UntilStart = s.intent.startAt.Sub(now)
	f.UntilUpdate = s.registration.untilUpdate(now)
	return f
}

// execute executes one action.
func (s *server) execute(a account.Action) {
	switch a.Do {
	case account.Dial:
		s.startSlowTimer()
		s.connect()
	case account.Send:
		s.startSlowTimer()
		s.show() // before the response can change the state
		s.send(a)
	case account.CancelRequest:
		s.cancelRequest()
	case account.SuspendConnection:
		s.link.Suspend(s.reason())
	case account.CloseConnection:
		s.link.Close(s.reason())
	case account.StartTimer:
		s.startTimer(a.After, a.Spread)
	case account.StopTimer:
		s.stopTimer()
	case account.StartWindow:
		s.startWindow()
	case account.StopWindow:
		s.client.loop.sched.Cancel(&s.window)
	case account.ReceiverOff:
		s.sleep()
	case account.ReceiverOn:
		// The link turns the receiver on when it sends.
	case account.RequestBootstrap:
		s.failedForGood, s.finalErr = true, s.err
	case account.Remove:
		// handle removes the account after the last event.
	}
}

func (s *server) onTimer() {
	s.timerAt = time.Time{}
	s.handle(account.Event{Kind: account.TimerFired})
}

// connect starts to connect.
func (s *server) connect() {
	s.client.pending++
	if err := s.link.Connect(s.isSilent()); err != nil {
		s.client.pending--
		s.err = err
		s.handle(account.Event{Kind: account.DialImpossible})
	}
}

// Open creates a socket with the account's present URI and credentials.
func (s *server) Open(sticky netip.Addr) (link.Opened, error) {
	if s.settings.fault != nil {
		return link.Opened{}, s.settings.fault
	}
	return s.client.open(s.settings.uri, s.settings.security, sticky)
}

// open creates a socket for a Security instance.
func (c *Client) open(uri string, id dm.InstanceID, sticky netip.Addr) (link.Opened, error) {
	o := link.Opened{Secured: isSecured(uri)}
	err := fmt.Errorf("lwm2m: Config.Secure or a dialer of Config.Dialers: %w", errPanic)
	var keys ownKeys
	c.guard("Config.Secure or a dialer", func() { o.Socket, o.Remote, keys, err = c.newSocket(c.model.Snapshot(), id, sticky) })
	if err != nil {
		keys.wipe()
	}
	o.Released = keys.wipe
	return o, err
}

// ConnConfig configures the exchange layer of a connection. Observations outlive a confirmable
// notification that is not acknowledged: Core 1.2.2 §6.4.1 has a client remember them as long as it
// is registered, and the registration notices a server that is gone.
func (s *server) ConnConfig() coap.ConnConfig {
	cfg := &s.client.cfg
	return coap.ConnConfig{
		Handler: &s.gate, Params: s.params(), BlockSize: cfg.BlockSize, MaxBody: cfg.MaxPayload, KeepOnTimeout: true,
		OnSlowdown: func(slow bool) { s.client.loop.sched.Post(func() { s.setSlowed(slow) }) },
	}
}

// setSlowed shows that notifications are sent more slowly than they come.
func (s *server) setSlowed(slowed bool) {
	if s.slowed == slowed {
		return
	}
	s.slowed = slowed
	if slowed {
		s.log.Warn("notifications are slowed down: CoAP's message IDs would run out", "endpoint", s.client.cfg.Endpoint)
	} else {
		s.log.Info("notifications are no longer slowed down", "endpoint", s.client.cfg.Endpoint)
	}
	s.client.publish()
}

// params returns the transmission parameters for the server.
func (s *server) params() coap.Params {
	if s.transmission != nil {
		return *s.transmission
	}
	return s.client.cfg.Transmission
}

func (s *server) OnConnected(survives bool) {
	s.answered()
	s.socket = &Socket{client: s.client, server: s, link: s.link.Socket(), uri: s.settings.uri}
	s.peer.Attach(s.link.Conn())
	if !survives && s.state.Registration != account.Unknown {
		s.log.Info("the registration is not valid over the new connection", "reason", s.link.RegistrationLoss())
	}
	s.handle(account.Event{Kind: account.DialSucceeded, Survives: survives})
}

func (s *server) OnConnectFailed(err error) {
	s.noteAlert(err)
	s.err = err
	s.handle(account.Event{Kind: account.DialFailed})
}

// OnClosing is called before a connection ends, for every reason.
func (s *server) OnClosing() {
	s.gate.early, s.slowed = nil, false
	s.call, s.socket = nil, nil // the result of the request in flight is discarded
	s.peer.Detach()
}

func (s *server) OnConnectionLost(err error, short bool) {
	s.noteAlert(err)
	s.err = connectionLostError(err, short)
	s.handle(account.Event{Kind: account.ConnectionLost, Short: short})
}

// OnDialEnded counts a Connect of which nothing runs any more.
func (s *server) OnDialEnded() { s.client.onPendingEnded() }

// onPendingEnded is called when a Connect or a storeValue has ended, including its goroutines.
func (c *Client) onPendingEnded() {
	if c.finished {
		return
	}
	c.pending--
	c.finish()
}
