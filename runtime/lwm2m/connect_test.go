package lwm2m_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A reconnect uses the address of the host that answered last.
func TestReconnectKeepsAddress(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers = cfg.Servers[:1]
		cfg.Servers[0].URI = "coap://both"
		w.net.SetName("both", w.servers[0].host.Addrs()[0], w.servers[1].host.Addrs()[0])
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		for range 3 {
			c.Suspend()
			w.wantState(1, lwm2m.StateSuspended)
			c.Resume()
			w.servers[0].within(time.Second)
			w.wantState(1, lwm2m.StateRegistered)
		}
		if n := len(w.servers[1].requests); n != 0 {
			t.Errorf("the other address got %d requests", n)
		}
	})
}

// A refused port, as during the start of a server, does not end the connection: the Register is
// sent again.
func TestRefusedPortKeepsConnection(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		cfg := w.config()
		cfg.Servers = []lwm2m.Server{{URI: "coap://late", Lifetime: time.Hour}}
		host := w.net.NewHost("late")
		w.start(cfg)
		<-time.After(time.Second)
		if s := w.wantState(1, lwm2m.StateRegistering); !errors.Is(s.Err, socket.ErrRefused) {
			t.Errorf("status %v", s)
		}
		l, err := host.Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		serverOn(w.t, l).within(10 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// If the first address of a host does not answer, the client tries the second.
func TestSecondAddressIsTried(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers = cfg.Servers[:1]
		cfg.Servers[0].URI = "coap://both"
		w.net.SetName("both", w.servers[0].host.Addrs()[0], w.servers[1].host.Addrs()[0])
		w.servers[0].host.SetDown(true)
		w.start(cfg)
		w.servers[1].next()
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// An Update without a response is followed by a new connection, to the next address if there is
// one.
func TestUnansweredUpdateTriesNextAddress(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers = cfg.Servers[:1]
		cfg.Servers[0].URI = "coap://both"
		w.net.SetName("both", w.servers[0].host.Addrs()[0], w.servers[1].host.Addrs()[0])
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].host.SetDown(true)
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[1].within(2 * time.Minute); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}
