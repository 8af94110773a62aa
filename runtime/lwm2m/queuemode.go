package lwm2m

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/send"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// QueueMode says when a device is reachable that sleeps between messages (queue mode, Transport
// 1.2.2 §6.5). Servers hold their requests until it wakes up. The zero value means queue mode with
// every server, and the awake time that servers assume.
type QueueMode struct {
	// AwakeTime is how long the device stays reachable after the last message to or from a server.
	// A shorter time than servers assume saves energy, and loses requests unless the servers are
	// configured with it, too. The zero value means MAX_TRANSMIT_WAIT of the transmission
	// parameters for the server, which is 93 s with those of RFC 7252.
	AwakeTime time.Duration
	// Schemes are the URI schemes of the servers with queue mode, such as "coap" and "coaps" for
	// the transports over UDP only. The zero value means all.
	Schemes []string
	// Servers are the servers with queue mode. The zero value means all.
	Servers []ShortServerID
}

// check returns the faults of the configuration.
func (q *QueueMode) check(dialers []socket.Dialer) []error {
	if q == nil {
		return nil
	}
	if dialers == nil {
		dialers = defaultDialers()
	}
	var faults []error
	if q.AwakeTime < 0 {
		faults = append(faults, fmt.Errorf("lwm2m: Config.QueueMode.AwakeTime is %v, it must not be negative", q.AwakeTime))
	}
	for i, scheme := range q.Schemes {
		serves := func(d socket.Dialer) bool { return d != nil && slices.Contains(d.Schemes(), strings.ToLower(scheme)) }
		if !slices.ContainsFunc(dialers, serves) {
			faults = append(faults, fmt.Errorf("lwm2m: Config.QueueMode.Schemes[%d] is %.40q, which no dialer serves", i, scheme))
		}
	}
	for i, id := range q.Servers {
		if id == 0 || id > maxShortID {
			faults = append(faults, fmt.Errorf("lwm2m: Config.QueueMode.Servers[%d] is %d, it must be from 1 to %d", i, id, maxShortID))
		}
	}
	return faults
}

// covers reports whether the configuration has queue mode for an account. A nil q has none.
func (q *QueueMode) covers(a *settings) bool {
	if q == nil {
		return false
	}
	byScheme := func(scheme string) bool { return strings.EqualFold(scheme, schemeOf(a.uri)) }
	return (len(q.Schemes) == 0 || slices.ContainsFunc(q.Schemes, byScheme)) &&
		(len(q.Servers) == 0 || slices.Contains(q.Servers, a.shortID))
}

// usesQueueMode reports whether an account registers with queue mode: by the configuration, or by a
// Q in its binding (/1/x/7).
func (c *Client) usesQueueMode(a *settings) bool {
	return c.cfg.QueueMode.covers(a) || strings.Contains(a.binding, "Q")
}

// maySleep reports whether the receiver may be off between messages to the server: the server knows
// that the device is in queue mode, or does not know the device.
func (s *server) maySleep() bool {
	known := s.state.Registration == account.Unknown || s.registration.offer.queue
	return known && s.client.usesQueueMode(&s.settings) && s.client.awake == 0
}

// queueModeChanged reports whether the account has entered or left queue mode since it registered,
// and an Update cannot say so: from LwM2M 1.1 on, Q is a parameter of Register only (Core 1.2.2
// §6.2.2). In LwM2M 1.0 it is a part of the binding.
func (s *server) queueModeChanged() bool {
	r := &s.registration
	return s.state.Registration != account.Unknown && r.version.Compare(registry.V(1, 1)) >= 0 &&
		s.client.usesQueueMode(&s.settings) != r.offer.queue
}

// awakeTime returns how long the device is reachable after the last message.
func (s *server) awakeTime() time.Duration {
	if q := s.client.cfg.QueueMode; q != nil && q.AwakeTime > 0 {
		return q.AwakeTime
	}
	p := s.params()
	return p.MaxTransmitWait()
}

// startWindow starts the awake window, which ends when the last message is as long ago as the awake
// time. No timer is set for a message: onWindow looks when the last one was.
func (s *server) startWindow() {
	s.link.WatchMessages()
	s.client.loop.sched.At(&s.window, s.link.LastMessage().Add(s.awakeTime()))
}

// onWindow ends the awake window, or has it last as long as messages and what is under way demand.
func (s *server) onWindow() {
	loop := s.client.loop.sched
	now, last := loop.Now(), s.link.LastMessage()
	end := last.Add(s.awakeTime())
	exchange, transfer := s.link.Conn().Busy()
	switch {
	case exchange || s.peer.Busy() || s.isSending():
		end = max(end, now.Add(s.awakeTime())) // what ends it is a message, as a rule
	case transfer: // the server may have abandoned it
		p := s.params()
		end = max(end, last.Add(p.MaxTransmitWait()))
	}
	if end > now {
		loop.At(&s.window, end)
		return
	}
	s.handle(account.Event{Kind: account.WindowEnded})
}

// isSending reports whether a Send is in flight, or follows without waiting for the server.
func (s *server) isSending() bool {
	if s.sends == nil || s.sends.Len() == 0 {
		return false
	}
	state, _ := sendAccount{s}.State()
	return state >= send.Busy
}

// sleep turns the receiver off.
func (s *server) sleep() {
	s.peer.Hold()
	s.link.ReceiverOff()
}

// OnReceiverOn is called when a message has passed although the receiver was off, which not every
// network can do.
func (s *server) OnReceiverOn() { s.handle(account.Event{Kind: account.MessagePassed}) }

// wake has the device wake up, because something is to be sent.
func (s *server) wake() { s.handle(account.Event{Kind: account.WakeRequested}) }

// settleSleep releases the notifications that have waited, when the device is awake and the server
// has confirmed it.
func (s *server) settleSleep() {
	if s.state.Connection != account.Asleep && s.state.Request == account.NoRequest {
		s.peer.Release()
	}
}

// onReleased has Sends follow the notifications that have waited.
func (s *server) onReleased() { s.client.loop.sched.Post(s.settleSends) }

// Awake keeps the device reachable until ctx ends: servers with queue mode for which it sleeps get
// an Update, and no awake window ends. Use it while the device expects requests, for example with
// the door of a machine open. The awake windows end at the earliest when ctx does, and as usual
// after the last message. Awake returns at once. It may be called from any goroutine, also while
// an earlier call is in effect.
func (c *Client) Awake(ctx context.Context) {
	c.loop.sched.Post(func() {
		if c.closing || ctx.Err() != nil {
			return
		}
		c.awake++
		for _, s := range slices.Clone(c.servers) {
			s.wake()
		}
		stop := context.AfterFunc(ctx, func() { c.loop.sched.Post(c.endAwake) })
		context.AfterFunc(c.ctx, func() { stop() }) // what ctx refers to outlives the client
	})
}

// endAwake ends the effect of one call of Awake.
func (c *Client) endAwake() {
	c.awake--
	for _, s := range slices.Clone(c.servers) {
		s.handle(account.Event{Kind: account.FactsChanged})
	}
}

// NextWake says whether the machine may be put to sleep, and until when. ok is true if the client
// needs neither processor nor network now: each server is asleep (queue mode), offline, disabled or
// waits for its next attempt, and no exchange, slow function, store, handshake or bootstrap is
// under way. at is when the client has something to do next, such as an Update or the sample of an
// observed value. The zero value of at means that it has nothing to do until the application or a
// hook wakes it. docs/lifecycle.md shows how to put a machine to sleep.
//
// Call NextWake on the goroutine of the loop: between two calls of ServeAny, in a callback, or
// through Sched().Post.
func (c *Client) NextWake() (at time.Time, ok bool) {
	if c.finished {
		return time.Time{}, true
	}
	if !c.isIdle() {
		return time.Time{}, false
	}
	next := attr.Never
	consider := func(jobs ...*sched.Job) {
		for _, j := range jobs {
			if t, ok := j.Deadline(); ok {
				next = min(next, t)
			}
		}
	}
	consider(&c.updates, &c.boot.timer, &c.boot.purge, &c.boot.renewal)
	for _, s := range c.servers {
		consider(&s.timer, &s.enabling, &s.verify)
		next = min(next, s.peer.NextSample())
	}
	if next == attr.Never {
		return time.Time{}, true
	}
	return time.Now().Add(next.Sub(c.loop.sched.Now())), true
}

// isIdle reports whether nothing needs the processor or the network now.
func (c *Client) isIdle() bool {
	c.mu.Lock()
	dirty := c.dirty
	c.mu.Unlock()
	switch {
	case dirty, c.closing, c.awake > 0, c.pending > 0, c.pool.busy > 0, c.isStoring(), !c.manager.Idle(), !c.boot.isIdle(),
		c.loop.sched.Wait(1) == 0: // a job is due, or something was posted
		return false
	}
	return !slices.ContainsFunc(c.servers, (*server).isActive)
}

// isActive reports whether the account needs the processor or the network now.
func (s *server) isActive() bool {
	resting := s.state.Connection == account.Asleep || s.state.Connection == account.Disconnected
	return !resting || s.state.Request != account.NoRequest || s.peer.Busy() && s.state.Connection == account.Asleep
}
