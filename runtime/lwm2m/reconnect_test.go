package lwm2m_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// Reconnect while Register is in flight connects again at once. It is no failed attempt.
func TestReconnectWhileRegistering(t *testing.T) {
	for _, uri := range []string{"coap://s1", "coap+tcp://s1"} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Servers[0].URI = uri
			srv := w.servers[0]
			srv.silent()
			c := w.start(cfg)
			srv.next()
			w.wantState(1, lwm2m.StateRegistering)
			srv.answers(nil)
			w.must(c.Reconnect(1))
			if r := srv.within(time.Second); r.path != "/rd" {
				t.Errorf("got %v, want the Register over the new connection", r)
			}
			if s := w.wantState(1, lwm2m.StateRegistered); s.Attempts != 0 {
				t.Errorf("status %v", s)
			}
		})
	}
}

// Reconnect during the last attempt before a bootstrap does not end the process.
func TestReconnectDuringLastAttempt(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.CommunicationRetryCount = dm.Uint(1) }
		srv := w.servers[0]
		srv.silent()
		c := w.start(cfg)
		srv.next()
		srv.answers(nil)
		w.must(c.Reconnect(1))
		srv.within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// Reconnect while De-register is in flight does not keep the server from being told.
func TestReconnectWhileDeregistering(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(500 * time.Millisecond)
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		<-time.After(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		w.must(c.Disable(1, 0))
		w.wantState(1, lwm2m.StateDeregistering)
		w.must(c.Reconnect(1))
		<-time.After(2 * time.Second)
		if s := w.wantState(1, lwm2m.StateDeregistered); s.Err != lwm2m.ErrDisabled {
			t.Errorf("status %v", s)
		}
	})
}

// Reconnect during the pause of a failed attempt leaves the plan as it is.
func TestReconnectDuringPause(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		srv := w.servers[0]
		srv.answers(refuse)
		c := w.start(w.config())
		first := srv.next()
		w.wantState(1, lwm2m.StateError)
		w.must(c.Reconnect(1))
		if s := w.wantState(1, lwm2m.StateError); s.Err == nil || s.Plan != "next attempt" {
			t.Errorf("status %v", s)
		}
		if r := srv.next(); r.at.Sub(first.at) != time.Minute {
			t.Errorf("the next attempt came after %v", r.at.Sub(first.at))
		}
	})
}

// Reconnect during an Update has the next one say everything.
func TestReconnectDuringUpdate(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(50))
		srv.next()
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(3600))
		srv.answers(nil)
		w.must(c.Reconnect(1))
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=3600&b=UT" || r.body != links12 {
			t.Errorf("got %v with %q, want an Update with everything", r, r.body)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// noSend is a dialer whose sockets cannot send, as behind a firewall of the device itself.
type noSend struct {
	socket.Dialer
	connects *atomic.Int32
}

type noSendSocket struct {
	socket.Socket
	connects *atomic.Int32
}

func (d noSend) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return noSendSocket{s, d.connects}, err
}

func (s noSendSocket) Abilities() socket.Abilities { return socket.Detect(s.Socket) }
func (s noSendSocket) Send([]byte) error           { return errors.New("operation not permitted") }

func (s noSendSocket) Connect(ctx context.Context, to socket.Endpoint) error {
	s.connects.Add(1)
	return s.Socket.Connect(ctx, to)
}

// A system that refuses to send makes the device reconnect once a minute at most: otherwise the
// pauses of the attempts apply.
func TestSystemRefusesToSend(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		d := noSend{w.host.Dialer(), new(atomic.Int32)}
		cfg.Dialers = []socket.Dialer{d}
		w.start(cfg)
		<-time.After(10 * time.Minute)
		// At 0, 1, 3 and 7 minutes, twice each.
		if n := d.connects.Load(); n != 8 {
			t.Errorf("%d connections", n)
		}
		if s := w.wantState(1, lwm2m.StateError); s.Attempts != 4 || !strings.Contains(s.Err.Error(), "not permitted") {
			t.Errorf("status %+v", s)
		}
	})
}
