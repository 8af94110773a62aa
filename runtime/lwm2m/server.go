package lwm2m

import (
	"errors"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// server is the client's side of one account: a state machine whose transitions are the methods below and in register.go and connect.go.
//
// What it is to do follows from a few flags, not from the state: [server.wanted] says whether to be registered, and steer takes the
// first step from where it is. Whatever ends (an answer, a connection, a timer) ends in steer or begins the next step itself.
type server struct {
	c    *Client
	acct account
	log  *slog.Logger

	turn     bool // its place in the order has come
	disabled bool
	offline  bool
	gone     bool // removed, or the client is shutting down
	leaving  bool // De-register was sent, or waits for the answer to Register

	state  State
	since  time.Time
	err    error
	sock   socket.Socket
	remote socket.Endpoint
	link   *Socket // while connected
	dial   *dial   // while connecting
	call   *coap.Call
	peer   *manage.Peer

	version   registry.Version // to register with
	reg       registration
	retry     retry
	outcome   outcome
	ever      bool // was registered once
	forced    bool // an update is to be sent although nothing has changed
	lookAgain bool // what was offered may have changed

	timer    sched.Job
	due      func()
	plan     string
	next     time.Time
	enabling sched.Job // ends a Disable
}

// registration is what the server knows of the device.
type registration struct {
	active   bool
	location []string
	version  registry.Version
	offer    offer
	expires  sched.Time // meaningless with a lifetime without end
	until    time.Time
}

// outcome is how the account's turn in the order ended, if it has.
type outcome uint8

const (
	outcomeNone outcome = iota
	outcomeRegistered
	outcomeFailed
)

func (c *Client) newServer(a account) (*server, error) {
	s := &server{c: c, acct: a, since: time.Now()}
	s.log = c.log.With("server", a.short)
	s.timer.Func = s.fire
	s.enabling.Func = func() { s.setDisabled(false, 0) }
	s.offline = c.offline.covers(a.uri)
	s.chooseVersion()
	var err error
	s.peer, err = c.manager.AddPeer(manage.PeerConfig{
		ShortServerID: a.short, Version: s.version, Format: c.cfg.Format, Root: c.cfg.AlternatePath,
	})
	return s, err
}

// chooseVersion takes the highest version that client and server have in common, as far as /1/x/25 says.
func (s *server) chooseVersion() {
	cfg := &s.c.cfg
	s.version = cfg.MaxVersion
	for i := len(versions) - 1; i >= 0; i-- {
		v := versions[i]
		if v.Compare(cfg.MinVersion) < 0 || v.Compare(cfg.MaxVersion) > 0 {
			continue
		}
		for _, w := range s.acct.versions {
			if v == w {
				s.version = v
				return
			}
		}
	}
}

// wanted reports whether to be registered.
func (s *server) wanted() bool { return s.turn && !s.disabled && !s.offline && !s.gone }

// steer takes the next step towards what is wanted. It may be called at any time.
func (s *server) steer() {
	switch {
	case s.leaving && s.offline:
		s.forsake()
	case s.leaving:
		// It goes on when the answer is there.
	case s.gone, s.disabled:
		s.leave()
	case s.offline:
		s.suspend()
	case !s.wanted(), s.state.Registered(), s.call != nil, s.dial != nil, s.timer.Pending(),
		s.state == StateInvalid, s.state == StateFailed:
		// There is nothing to begin.
	default:
		s.attempt()
	}
}

// leave de-registers where the server can be told, and ends the connection.
func (s *server) leave() {
	s.cancelTimer()
	s.dropDial()
	if s.reg.active && s.link != nil {
		s.deregister()
		return
	}
	reason := ErrDisabled
	if s.gone {
		reason = ErrClosed
	}
	if s.call != nil { // a Register: only its answer tells what to de-register
		s.leaving = true
		s.enter(StateDeregistering, reason, "the answer to Register is awaited")
		return
	}
	s.reg.active = false
	s.disconnect(reason, false)
	s.enter(StateDeregistered, reason, "")
	if s.gone {
		s.c.dismiss(s)
	}
}

// forsake is leave without telling the server.
func (s *server) forsake() {
	s.reg.active = false
	s.disconnect(ErrClosed, false)
	s.leaving = false
	s.steer()
}

// suspend ends the connection and keeps the registration.
func (s *server) suspend() {
	s.cancelTimer()
	s.dropDial()
	s.disconnect(ErrOffline, true)
	if s.state != StateSuspended {
		s.enter(StateSuspended, ErrOffline, "")
	}
}

// attempt makes the first or the next attempt to be registered.
func (s *server) attempt() {
	s.cancelTimer()
	if s.link == nil {
		s.connect()
		return
	}
	s.greet()
}

// failed ends an attempt. Where the connection itself is in doubt, it is made anew by the next one.
func (s *server) failed(err error, broken bool) {
	if broken {
		s.disconnect(err, false)
	}
	pause, more := s.retry.failed(s.acct.retry)
	if wait := maxAge(err); wait > pause {
		pause = wait
	}
	if more {
		s.schedule(pause, "next attempt", s.attempt)
		s.enter(StateError, err, "")
		return
	}
	s.outcome = outcomeFailed
	s.disconnect(err, false)
	bootstrap := s.acct.bootstrap && bootstrapAccount(s.c.model.Snapshot())
	if !bootstrap && !s.acct.retry.lastOne {
		// There is nobody to ask for another server: a device that gave up for good would be lost.
		s.schedule(pause, "next sequence of attempts", s.attempt)
	}
	s.enter(StateFailed, err, "every attempt has failed")
	if bootstrap {
		s.c.wantBootstrap(err)
	}
	s.c.advance()
}

// enter changes the state, and tells of it.
func (s *server) enter(st State, err error, why string) {
	old := s.state
	changed := old != st
	s.state, s.err = st, err
	if changed {
		s.since = time.Now()
	}
	s.c.publish()
	if !changed {
		return
	}
	s.report(old, why)
	if fn := s.c.cfg.OnStatus; fn != nil {
		fn(s.describe())
	}
}

func (s *server) report(old State, why string) {
	level := slog.LevelInfo
	attrs := []any{"endpoint", s.c.cfg.Endpoint, "from", old.String(), "to", s.state.String()}
	if s.err != nil {
		attrs = append(attrs, "reason", s.err.Error())
		if !errors.Is(s.err, ErrClosed) && !errors.Is(s.err, ErrDisabled) && !errors.Is(s.err, ErrOffline) {
			level = slog.LevelWarn
		}
	}
	if why != "" {
		attrs = append(attrs, "because", why)
	}
	if !s.next.IsZero() {
		attrs = append(attrs, "plan", s.plan, "at", s.next)
	}
	s.log.Log(s.c.ctx, level, "registration state", attrs...)
}

func (s *server) describe() ServerStatus {
	st := ServerStatus{
		ShortID: s.acct.short, URI: s.acct.uri, State: s.state, Since: s.since, Err: s.err,
		Attempts: s.retry.total, Next: s.next, Plan: s.plan,
	}
	if s.reg.active {
		st.Version, st.Location = s.reg.version, s.reg.path()
		st.Lifetime, st.Expires = s.reg.offer.lifetime, s.reg.until
	}
	if s.link != nil && s.link.able.Session != nil {
		st.Secured = s.link.able.Session.Resumption().String()
	}
	return st
}

// plan1 has fn called after d; it takes the place of what was planned before.
func (s *server) schedule(d time.Duration, plan string, fn func()) {
	s.due, s.plan, s.next = fn, plan, time.Now().Add(d)
	s.c.loop.sched.After(&s.timer, d)
}

func (s *server) fire() {
	fn := s.due
	s.cancelTimer()
	fn()
}

func (s *server) cancelTimer() {
	s.c.loop.sched.Cancel(&s.timer)
	s.due, s.plan, s.next = nil, "", time.Time{}
}
