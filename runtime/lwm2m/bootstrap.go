package lwm2m

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/bootstrap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/provision"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// bootstrapper bootstraps a client. It makes no decisions: it passes events and facts to
// [bootstrap.Next] and executes the actions that Next returns, as server does for a registration.
// What the bootstrap server writes is the matter of package provision.
type bootstrapper struct {
	attempt
	client  *Client
	account bootstrapAccount // the zero value without one

	state    bootstrap.State
	events   []bootstrap.Event // that handle has not processed
	handling bool

	link     *link.Link
	socket   *Socket                          // nil without a connection
	sequence *provision.Sequence              // what the server writes; nil without
	last     *provision.Sequence              // may still be stored, although aborted
	fresh    atomic.Pointer[freshCertificate] // of sequence
	renewal  sched.Job
	pack     pack // the last Bootstrap-Pack

	servedSince sched.Time // when the server began its sequence
	timeouts    int        // how often timer has fired since the last request of the server
	purge       sched.Job  // deletes the account (/0/x/12)

	ended    bool       // an attempt has ended before
	endedAt  sched.Time // the last one
	finished time.Time  // the last one with success
	purging  bool       // purge is pending, or its time is over
	settling bool       // a bootstrap is published, and its end is not handled yet
	replaced bool       // it has written the account of the bootstrap server

	failures int   // consecutive failed attempts
	cause    error // why a bootstrap is needed, nil if none is
	causeBy  *server
	shown    BootstrapStatus
}

// newBootstrapper creates the bootstrapper of a client. It starts nothing.
func newBootstrapper(c *Client) *bootstrapper {
	b := &bootstrapper{client: c, attempt: attempt{sched: c.loop.sched, log: c.log.With("server", "bootstrap")}}
	b.link = link.New(&c.links, b, b.log)
	b.timer.Func = b.onTimer
	b.slow.Func = b.onSlow
	b.purge.Func = b.onPurge
	b.renewal.Func = b.onRenewal
	b.shown.Since = time.Now()
	return b
}

// maxSequence is how long a server can put the procedure time-out off with its requests. Without it
// a server that never finishes could keep the device from registering for ever.
const maxSequence = time.Hour

// maxTimeouts is how many times the procedure time-out may pass while a Finish is checked and
// stored: a hook, an enrolment or a store that hangs does not keep the client in an attempt.
const maxTimeouts = 10

func (b *bootstrapper) onTimer() {
	b.timerAt = time.Time{}
	b.timeouts++
	b.handle(bootstrap.Event{Kind: bootstrap.TimerFired})
}

// handle processes an event. An event that an action causes is queued and processed after the
// present one.
func (b *bootstrapper) handle(e bootstrap.Event) {
	b.events = append(b.events, e)
	if b.handling {
		return
	}
	serving := b.serving()
	b.handleAll()
	b.stopWaiting(b.state.Request != bootstrap.NoRequest, b.state.Connection == bootstrap.Connecting)
	b.updateCause()
	b.show()
	if serving != b.serving() {
		b.client.factsChanged()
	}
}

// handleAll processes the waiting events, also those that come while user code runs.
func (b *bootstrapper) handleAll() {
	b.handling = true
	defer func() { b.handling = false }()
	for len(b.events) > 0 {
		e := b.events[0]
		b.events = b.events[1:]
		facts := b.facts()
		var actions []bootstrap.Action
		served := b.serving()
		b.state, actions = bootstrap.Next(b.state, e, facts)
		if !served && b.serving() {
			b.servedSince = b.client.loop.sched.Now()
		}
		for _, a := range actions {
			b.execute(a)
		}
	}
}

// serving reports whether the bootstrap server is configuring the device. Registrations begin
// nothing new then.
func (b *bootstrapper) serving() bool {
	return b.state.Phase == bootstrap.Serving || b.state.Phase == bootstrap.Applying
}

// facts returns the present facts for bootstrap.Next.
func (b *bootstrapper) facts() bootstrap.Facts {
	c := b.client
	params := c.cfg.Transmission
	f := bootstrap.Facts{
		Closing: c.closing, Account: b.account.present, Offline: c.offline.coversURI(b.account.uri),
		Needed: c.needsBootstrap(), Pack: c.asksForPack(), Format: c.namesBootstrapFormat(), Unsolicited: c.cfg.ServerBootstrap,
		HoldOff: b.account.holdOff, Procedure: params.ExchangeLifetime(), SinceLast: bootstrap.Rest,
	}
	f.Overlong = b.serving() && c.loop.sched.Now().Sub(b.servedSince) > maxSequence
	if b.sequence != nil && b.timeouts < maxTimeouts {
		f.Finishing = b.sequence.Finishing()
	}
	if b.ended {
		f.SinceLast = c.loop.sched.Now().Sub(b.endedAt)
	}
	if b.link.Kind() == socket.Datagram {
		f.Linger = params.MaxTransmitWait()
	}
	return f
}

// execute executes one action.
func (b *bootstrapper) execute(a bootstrap.Action) {
	switch a.Do {
	case bootstrap.Dial:
		b.client.loop.sched.After(&b.slow, firstTimeout(b.client.cfg.Transmission))
		b.connect()
	case bootstrap.Send:
		b.client.loop.sched.After(&b.slow, firstTimeout(b.client.cfg.Transmission))
		b.show() // before the response can change the state
		b.send(a)
	case bootstrap.CancelRequest:
		b.cancelRequest()
	case bootstrap.SuspendConnection:
		b.link.Suspend(b.closeReason())
	case bootstrap.CloseConnection:
		b.link.Close(b.closeReason())
	case bootstrap.StartTimer:
		b.startTimer(a.After, a.Spread)
	case bootstrap.StopTimer:
		b.stopTimer()
	case bootstrap.ApplyPack:
		b.applyPack()
	case bootstrap.AbortSequence:
		if c := b.client; b.err == nil && !c.closing && !c.offline.coversURI(b.account.uri) {
			b.err = errNoFinish
		}
		b.abort()
	case bootstrap.EndAttempt:
		b.onAttemptEnded(a.Success)
	}
}

// errNoFinish is the failure of a sequence that the server has begun and not finished in time.
var errNoFinish = errors.New("the bootstrap server has not sent Bootstrap-Finish in time")

// closeReason returns why a connection ends.
func (b *bootstrapper) closeReason() error {
	switch {
	case b.client.closing:
		return ErrClosed
	case !b.account.present:
		return ErrNoBootstrap
	case b.client.offline.coversURI(b.account.uri):
		return ErrOffline
	case b.err != nil:
		return b.err
	}
	return errBootstrapOver
}

// errBootstrapOver is why a connection ends after a bootstrap.
var errBootstrapOver = errors.New("lwm2m: the bootstrap is over")

// onAttemptEnded records the end of an attempt and lets the accounts continue.
func (b *bootstrapper) onAttemptEnded(success bool) {
	c := b.client
	b.ended, b.endedAt = true, c.loop.sched.Now()
	if !success {
		b.failures++
		b.log.Warn("the bootstrap has failed", "endpoint", c.cfg.Endpoint, "reason", fmt.Sprint(b.err))
	} else {
		b.failures, b.err, b.finished = 0, nil, time.Now()
		b.log.Info("bootstrapped", "endpoint", c.cfg.Endpoint)
		b.startPurge()
	}
	for _, s := range c.copyServers() {
		// A server whose account forbids a second sequence (/1/x/19) gets one with new data only.
		if success || !s.settings.retry.NoneAfter {
			s.handle(account.Event{Kind: account.BootstrapEnded})
		}
	}
}

// updateCause computes why a bootstrap is needed. The first cause remains until it is gone.
func (b *bootstrapper) updateCause() {
	c := b.client
	switch {
	case !b.account.present || c.closing:
		b.cause, b.causeBy = nil, nil
		return
	case b.causeBy != nil && !b.causeBy.asksForBootstrap():
		b.cause, b.causeBy = nil, nil
	case errors.Is(b.cause, errNoServer) && c.hasUsableServer(), b.state.Asked == bootstrap.NotAsked && isAsked(b.cause):
		b.cause = nil
	}
	if b.cause != nil {
		return
	}
	switch b.state.Asked {
	case bootstrap.ByApplication:
		b.cause = errAskedByApplication
	case bootstrap.ByServer:
		b.cause = errAskedByServer
	default:
		b.causeBy, b.cause = c.bootstrapCause()
	}
	if b.cause != nil {
		b.log.Warn("a bootstrap is needed", "endpoint", c.cfg.Endpoint, "reason", b.cause.Error())
	}
}

// The causes of a bootstrap other than the failure of a registration.
var (
	errNoServer           = errors.New("there is no management server that the device can register with")
	errAskedByApplication = errors.New("the application requested it")
	errRenewal            = errors.New("a certificate is to be renewed")
	errAskedByServer      = errors.New("a management server requested it (/1/x/9)")
)

func isAsked(cause error) bool {
	return cause == errAskedByApplication || cause == errAskedByServer || cause == errRenewal
}

// onSlow shows in Status and in the log that an attempt has no response yet.
func (b *bootstrapper) onSlow() {
	if b.link.Sign() == nil {
		b.noteStall(silenceSign(b.link, b.account.uri, !b.finished.IsZero()))
		b.show()
	}
}

// connect starts to connect.
func (b *bootstrapper) connect() {
	b.client.pending++
	if err := b.link.Connect(b.isSilent()); err != nil {
		b.client.pending--
		b.err = err
		b.handle(bootstrap.Event{Kind: bootstrap.DialImpossible})
	}
}

// Open implements link.Owner: it creates a socket with the account's present URI and credentials.
func (b *bootstrapper) Open(sticky netip.Addr) (link.Opened, error) {
	return b.client.open(b.account.uri, b.account.instance, sticky)
}

// ConnConfig implements link.Owner.
func (b *bootstrapper) ConnConfig() coap.ConnConfig {
	cfg := &b.client.cfg
	return coap.ConnConfig{Handler: bootstrapGate{b}, Params: cfg.Transmission, BlockSize: cfg.BlockSize, MaxBody: cfg.MaxPayload}
}

// OnConnected implements link.Owner.
func (b *bootstrapper) OnConnected(bool) {
	b.answered()
	b.socket = &Socket{client: b.client, link: b.link.Socket(), uri: b.account.uri}
	b.handle(bootstrap.Event{Kind: bootstrap.DialSucceeded})
}

// OnConnectFailed implements link.Owner.
func (b *bootstrapper) OnConnectFailed(err error) {
	b.err = err
	b.handle(bootstrap.Event{Kind: bootstrap.DialFailed})
}

// OnClosing implements link.Owner: it is called before a connection ends, for every reason.
func (b *bootstrapper) OnClosing() { b.call, b.socket = nil, nil }

// OnConnectionLost implements link.Owner.
func (b *bootstrapper) OnConnectionLost(err error, short bool) {
	if b.state.Attempting() {
		b.err = connectionLostError(err, short)
	}
	b.handle(bootstrap.Event{Kind: bootstrap.ConnectionLost})
}

// OnRefused implements link.Owner: the network refuses a datagram.
func (b *bootstrapper) OnRefused() {
	if b.state.Phase == bootstrap.Requesting && b.countsRefusal(b.state.Refused, b.client.cfg.Transmission) {
		b.noteStall(connectSign(b.link, socket.ErrRefused))
		b.handle(bootstrap.Event{Kind: bootstrap.NetworkRefused})
	}
}

// OnSendFailed implements link.Owner: the time-out of the request ends the attempt.
func (b *bootstrapper) OnSendFailed(error) {}

// OnReceiverOn implements link.Owner. The connection has no queue mode.
func (b *bootstrapper) OnReceiverOn() {}

// isIdle reports whether no attempt is under way and there is no connection.
func (b *bootstrapper) isIdle() bool {
	return b.state.Connection == bootstrap.Disconnected && b.state.Phase != bootstrap.Applying
}

// OnSign implements link.Owner: it shows an early sign that connecting may fail.
func (b *bootstrapper) OnSign(err error) {
	b.noteStall(connectSign(b.link, err))
	b.show()
}

// OnDialEnded implements link.Owner.
func (b *bootstrapper) OnDialEnded() { b.client.onPendingEnded() }
