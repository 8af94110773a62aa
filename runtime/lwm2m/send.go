package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/send"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/series"
)

// A Batch collects what one Send reports to a server (Core 1.2.2 §6.4.6): nodes whose values are
// read at the call, values that the program gives, and histories. The same resource may be in it
// several times with different times. A Batch can be sent repeatedly, and to several servers. It
// must not change during the call of Send or StartSend. The zero value is an empty batch.
type Batch struct {
	// Format is SenML CBOR, SenML JSON or LwM2M CBOR. LwM2M CBOR carries no times. The zero value
	// means Config.Format if that is one of them and carries the batch, otherwise SenML CBOR.
	Format content.Format
	// Defer has the Send wait while the server cannot be reached or does not know the device, and
	// repeats it if the connection ends before the response. In queue mode it waits until the
	// device is awake for another reason: an Update, a notification, a Send that does not wait. The
	// values of Add are read at the call nevertheless, and are then reported with their time. The
	// zero value means that such a Send is dropped.
	Defer bool

	paths     []dm.Path
	values    []send.Value
	histories []*History
}

// Add adds nodes of any level, whose values are read when the batch is sent, with the rights of the
// server that receives them.
func (b *Batch) Add(paths ...dm.Path) { b.paths = append(b.paths, paths...) }

// AddValue adds a value of a resource or a resource instance that was measured at the given time.
// The zero value of at means that the value is reported without a time.
func (b *Batch) AddValue(p dm.Path, v dm.Value, at time.Time) {
	b.values = append(b.values, send.Value{Path: p, Value: v, At: at})
}

// AddHistory adds the values that a history has when the batch is sent. Those that the server
// acknowledges leave the history. If they do not fit one message, further ones follow.
func (b *Batch) AddHistory(histories ...*History) { b.histories = append(b.histories, histories...) }

// History keeps the values of one resource with their times until a server has acknowledged them:
// the program adds values at its own pace, and reports them with [Batch.AddHistory] when it suits.
// A report that fails leaves the history as it was. The values of a history are for one server;
// make a history for each server that shall receive all values. A History is safe for concurrent
// use.
type History struct {
	path   dm.Path
	series *series.Series
}

// NewHistory returns an empty history of a resource or a resource instance. It holds at most limit
// values: a further one replaces the oldest.
func NewHistory(p dm.Path, limit int) *History { return &History{p, series.New(limit)} }

// Add adds a value that was measured at the given time.
func (h *History) Add(v dm.Value, at time.Time) {
	if v.Type() == registry.Opaque {
		v = dm.OpaqueValue(slices.Clone(v.Opaque()))
	}
	h.series.Add(series.Sample{Value: v, At: at})
}

// Path returns the resource that the values belong to.
func (h *History) Path() dm.Path { return h.path }

// Len returns how many values the history holds.
func (h *History) Len() int { return h.series.Len() }

// Dropped returns how many values were replaced by newer ones before a server had acknowledged
// them.
func (h *History) Dropped() uint64 { return h.series.Dropped() }

// SendOutcome is what became of a Send.
type SendOutcome uint8

// The outcomes of a Send.
const (
	// SendAcknowledged: the server has confirmed every message of the Send.
	SendAcknowledged SendOutcome = iota
	// SendRefused: the server has answered with an error code; the error is a *[ResponseError]. Or
	// it has rejected the message with a Reset; the error is [coap.ErrReset].
	SendRefused
	// SendLost: the Send left the device, and no response came; the server may have the values. A
	// lost Send says nothing about the registration: the client does not register again.
	SendLost
	// SendMuted: the server wants no Send (/1/x/23). The error is [ErrMuted].
	SendMuted
	// SendDropped: the Send never left the device. The error says why.
	SendDropped
)

var sendOutcomes = [...]string{
	SendAcknowledged: "acknowledged", SendRefused: "refused", SendLost: "lost", SendMuted: "muted", SendDropped: "dropped",
}

// String returns the outcome in words.
func (o SendOutcome) String() string {
	if int(o) < len(sendOutcomes) {
		return sendOutcomes[o]
	}
	return "unknown"
}

// SendResult is the outcome of a Send.
type SendResult struct {
	// Outcome is what became of the Send. A Send of several messages ends with the first one that
	// is not acknowledged.
	Outcome SendOutcome
	// Values is how many values the server has acknowledged.
	Values int
	// LeftOut are the nodes of the batch that were not reported. It is nil if the Send was dropped
	// before they were known.
	LeftOut []LeftOut
}

// LeftOut is a node that a Send does not report.
type LeftOut struct {
	// Path is the node.
	Path dm.Path
	// Err is the reason. Compare it with errors.Is: [dm.Unauthorized], if the server may not read
	// the node; [dm.NotFound], if it does not exist; [dm.MethodNotAllowed], if it is not readable;
	// [dm.ErrNoValue]; [ErrNotRegistered], if the server does not know the instance.
	Err error
}

var (
	// ErrMuted is the error of a Send that the server does not want: /1/x/23 is true or absent
	// (Core 1.2.2 Appendix E.2). The short form [Server] sets it to false.
	ErrMuted = errors.New("lwm2m: Send is muted")
	// ErrNotRegistered: the server does not know the device, or not the instance.
	ErrNotRegistered = errors.New("lwm2m: not registered with the server")
	// ErrTooManySends: 64 Sends to the server have no outcome yet.
	ErrTooManySends = send.ErrTooMany
)

// sendError is the error of a Send to a server.
type sendError struct {
	server ShortServerID
	err    error
}

// Error returns the server and the reason.
func (e *sendError) Error() string {
	return fmt.Sprintf("lwm2m: Send to server %d: %s", e.server, strings.TrimPrefix(e.err.Error(), "lwm2m: "))
}

// Unwrap returns the reason.
func (e *sendError) Unwrap() error { return e.err }

// Send reports the values of a batch to a server and waits for the outcome. The error is nil if the
// server has acknowledged the values. If ctx ends first, the Send is given up. Further errors are
// [ErrUnknownServer], [ErrMuted], [ErrNotRegistered], [ErrOffline], [ErrDisabled], [ErrClosed] and
// [ErrTooManySends].
//
// Sends to one server go out one after the other, in the order of the calls. They wait for requests
// of the registration interface, a first Register that is in flight included, and share the rest of
// the connection with notifications. A Send that names an instance that was just added follows the
// Update that registers the instance.
//
// Send may be called from any goroutine but that of the loop; there, use [Client.StartSend].
func (c *Client) Send(ctx context.Context, id ShortServerID, b *Batch) (SendResult, error) {
	type outcome struct {
		result SendResult
		err    error
	}
	done := make(chan outcome, 1)
	r := b.request(func(x SendResult, err error) { done <- outcome{x, err} })
	if err := c.startSend(id, r); err != nil {
		return SendResult{Outcome: SendDropped}, err
	}
	select {
	case x := <-done:
		return x.result, x.err
	case <-c.done:
		select {
		case x := <-done:
			return x.result, x.err
		default:
			return SendResult{Outcome: SendDropped}, &sendError{id, ErrClosed}
		}
	case <-ctx.Done():
	}
	result, err := SendResult{Outcome: SendDropped}, error(&sendError{id, context.Cause(ctx)})
	if r.InFlight() {
		result.Outcome = SendLost
	}
	c.postAll(func(s *server) {
		if s.settings.shortID == id && s.sends != nil {
			s.sends.Cancel(r, err)
		}
	})
	return result, err
}

// StartSend is Send without waiting. It calls done with the outcome on the loop, exactly once,
// unless it returns an error. A nil done means that the outcome does not matter. The error is
// [ErrUnknownServer]. StartSend may be called from any goroutine.
func (c *Client) StartSend(id ShortServerID, b *Batch, done func(SendResult, error)) error {
	if done == nil {
		done = func(SendResult, error) {}
	}
	return c.startSend(id, b.request(func(x SendResult, err error) {
		c.loop.sched.Post(func() { c.guard("the function of StartSend", func() { done(x, err) }) })
	}))
}

// request returns the request of a batch. done is called on the loop with the outcome.
func (b *Batch) request(done func(SendResult, error)) *send.Request {
	r := &send.Request{Format: b.Format, Defer: b.Defer, Paths: slices.Clone(b.paths), Values: slices.Clone(b.values)}
	for _, h := range b.histories {
		r.Histories = append(r.Histories, send.History{Path: h.path, Series: h.series})
	}
	r.Done = func(x send.Result) {
		result := SendResult{Outcome: SendOutcome(x.Outcome), Values: x.Values}
		for _, l := range x.LeftOut {
			if errors.Is(l.Err, send.ErrNotRegistered) {
				l.Err = fmt.Errorf("%w: %w", ErrNotRegistered, l.Err)
			}
			result.LeftOut = append(result.LeftOut, LeftOut(l))
		}
		done(result, x.Err)
	}
	return r
}

// startSend passes a request to the queue of a server.
func (c *Client) startSend(id ShortServerID, r *send.Request) error {
	finish := r.Done
	r.Done = func(x send.Result) {
		var refused *ResponseError
		if x.Err != nil && !errors.As(x.Err, &refused) {
			x.Err = &sendError{id, x.Err}
		}
		finish(x)
	}
	if !slices.ContainsFunc(c.accountsIn(c.model.Snapshot()), func(v settings) bool { return v.shortID == id }) {
		return ErrUnknownServer
	}
	c.loop.sched.Post(func() {
		s := c.server(id)
		switch {
		case c.closing:
			r.Done(send.Result{Outcome: send.Dropped, Err: ErrClosed})
		case s == nil, s.intent.removed:
			r.Done(send.Result{Outcome: send.Dropped, Err: ErrUnknownServer})
		default:
			s.sendQueue().Add(r)
		}
	})
	return nil
}

// server returns the account with a Short Server ID, nil if there is none.
func (c *Client) server(id ShortServerID) *server {
	for _, s := range c.servers {
		if s.settings.shortID == id {
			return s
		}
	}
	return nil
}

// maxSends is how many Sends to one server may be without an outcome.
const maxSends = 64

// sendQueue returns the queue of the Sends, which exists from the first Send on.
func (s *server) sendQueue() *send.Queue {
	if s.sends == nil {
		cfg := &s.client.cfg
		size := cfg.BlockSize
		if size == 0 {
			size = 1024
		}
		s.sends = send.New(send.Config{
			Account: sendAccount{s}, Peer: s.peer, Root: cfg.AlternatePath, Format: cfg.Format, Part: size,
			Limit: maxSends,
		})
	}
	return s.sends
}

// settleSends sends what waits for the account to be in its present state.
func (s *server) settleSends() {
	if s.sends != nil {
		s.sends.Settle()
	}
}

// closeSends gives up the Sends of an account that is removed.
func (s *server) closeSends(reason error) {
	if s.sends != nil {
		s.sends.Close(reason)
	}
}

// sendAccount is what the queue of the Sends needs to know about an account.
type sendAccount struct{ s *server }

// State implements send.Account.
func (a sendAccount) State() (send.State, error) {
	s := a.s
	facts := s.viewFacts()
	switch known := s.state.Registration != account.Unknown; {
	case facts.Goal() > account.GoalWait:
		return send.Away, s.reason()
	case s.state.Request == account.Register && s.link.Conn() != nil:
		return send.Busy, nil // the server may know the device before the response arrives
	case s.link.Conn() == nil || !known:
		return send.Away, notReachable(s.reason())
	case s.state.Connection == account.Asleep:
		return send.Asleep, nil
	case s.peer.Releasing(): // notifications that have waited come first
		return send.Busy, nil
	case s.state.Request != account.NoRequest, s.state.Registration == account.Outdated:
		return send.Busy, nil
	}
	return send.Ready, nil
}

// notReachable returns the error of a Send to a server that is not reachable or does not know the
// device. The reason may be nil.
func notReachable(reason error) error {
	if reason == nil {
		return ErrNotRegistered
	}
	return fmt.Errorf("%w: %w", ErrNotRegistered, reason)
}

// Wake implements send.Account.
func (a sendAccount) Wake() { a.s.wake() }

// Muted implements send.Account. An absent /1/x/23 means that Send is muted.
func (a sendAccount) Muted() error {
	s := a.s
	p := dm.ResourcePath(serverID, s.settings.instance, genserver.MuteSendID)
	v, ok := s.client.valuesOf(s.client.model.Snapshot(), serverID, s.settings.instance).get(genserver.MuteSendID)
	switch {
	case !ok:
		return fmt.Errorf("%w by %s, which has no value: set it to false", ErrMuted, p)
	case v.Boolean():
		return fmt.Errorf("%w by %s", ErrMuted, p)
	}
	return nil
}

// Version implements send.Account.
func (a sendAccount) Version() registry.Version { return a.s.registration.version }

// Conn implements send.Account.
func (a sendAccount) Conn() *coap.Conn { return a.s.link.Conn() }

// Refusal implements send.Account.
func (a sendAccount) Refusal(r coap.Result) error { return refusal("Send", r) }

// Registered implements send.Account. An instance is registered if the server has confirmed a list
// that contains it.
func (a sendAccount) Registered(p dm.Path) (known, soon bool) {
	s := a.s
	r, c := &s.registration, s.client
	c.mu.Lock()
	soon = r.stale || c.dirty
	c.mu.Unlock()
	if profile := c.profileFor(r.version); profile != nil {
		if len(profile.Objects) == 0 || slices.ContainsFunc(profile.Objects, func(q dm.Path) bool { return q.Contains(p) }) {
			return true, soon
		}
	}
	if !soon && s.state.Registration == account.Known && !s.state.UpdateDue {
		return c.model.Snapshot().Has(p), false // the list is that of the present instances
	}
	return strings.Contains(r.offer.links, "<"+c.cfg.AlternatePath+p.String()+">"), soon
}
