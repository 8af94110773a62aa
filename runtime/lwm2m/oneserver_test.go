package lwm2m_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

func TestSuspendOneServer(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.servers[1].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.SuspendServer(1); err != nil {
			t.Fatal(err)
		}
		w.wantState(1, lwm2m.StateSuspended)
		w.wantState(2, lwm2m.StateRegistered)
		w.servers[0].quiet(time.Minute)
		if err := c.ResumeServer(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(time.Second); r.path != "/rd/5a3f" {
			t.Errorf("after ResumeServer %v, want an Update", r)
		}
		w.servers[1].quiet(time.Minute)
		for name, err := range map[string]error{
			"SuspendServer": c.SuspendServer(9), "ResumeServer": c.ResumeServer(9), "Reconnect": c.Reconnect(9),
			"SetTransmission": c.SetTransmission(9, coap.Params{}), "RemoveServer": c.RemoveServer(t.Context(), 9),
		} {
			if !errors.Is(err, lwm2m.ErrUnknownServer) {
				t.Errorf("%s of an unknown server: %v", name, err)
			}
		}
	})
}

// Reconnect makes a new connection, over which an Update tells the server where the device is.
func TestReconnect(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		before := w.sockets()[0]
		if err := c.Reconnect(1); err != nil {
			t.Fatal(err)
		}
		if r := srv.within(time.Second); r.path != "/rd/5a3f" {
			t.Errorf("after Reconnect %v, want an Update", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		if now := w.sockets(); len(now) != 1 || now[0] == before {
			t.Errorf("sockets %v, want a new one", now)
		}
	})
}

// The counters of an account go on over its connections.
func TestStatsOutliveConnections(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		stats := func() coap.Stats {
			t.Helper()
			got := make(chan coap.Stats, 1)
			c.Sched().Post(func() {
				s, ok := c.Stats(1)
				if !ok {
					t.Error("there are no counters")
				}
				got <- s
			})
			return <-got
		}
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		first := stats()
		if first.MessagesSent != 1 || first.BytesSent == 0 || first.MessagesReceived != 1 {
			t.Errorf("after the Register %+v", first)
		}
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		if s := stats(); s != first {
			t.Errorf("after Suspend %+v, want %+v", s, first)
		}
		c.Resume()
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		if s := stats(); s.MessagesSent != 2 || s.BytesSent <= first.BytesSent {
			t.Errorf("after the Update over a new connection %+v", s)
		}
	})
}

// The bytes of the client go on over connections and removed accounts, from any goroutine, whether
// the network counts or not.
func TestTraffic(t *testing.T) {
	for name, bare := range map[string]bool{"network that counts": false, "network that does not": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, func(w *world) {
				cfg := w.config()
				if bare {
					cfg.Dialers = []socket.Dialer{sockettest.Bare(w.host.Dialer())}
				}
				var sent, received uint64
				w.net.SetFilter(func(p simnet.Packet) bool {
					if slices.Contains(w.host.Addrs(), p.From.Addr()) {
						sent += uint64(len(p.Data))
					} else {
						received += uint64(len(p.Data))
					}
					return true
				})
				c := w.start(cfg)
				check := func(when string) {
					t.Helper()
					synctest.Wait()
					if s, r := c.Traffic(); s != sent || r != received || s == 0 || r == 0 {
						t.Errorf("%s: sent %d and received %d bytes, want %d and %d", when, s, r, sent, received)
					}
				}
				w.servers[0].next()
				w.servers[1].next()
				w.wantState(1, lwm2m.StateRegistered)
				check("after the Register")
				var watchedOut, watchedIn atomic.Uint64
				stop := c.WatchMessages(func(s, r int) {
					watchedOut.Add(uint64(s))
					watchedIn.Add(uint64(r))
				})
				before := [2]uint64{sent, received}
				c.Suspend()
				w.wantState(1, lwm2m.StateSuspended)
				c.Resume()
				w.servers[0].next()
				w.wantState(1, lwm2m.StateRegistered)
				check("after another connection")
				stop()
				if o, i := watchedOut.Load(), watchedIn.Load(); o != sent-before[0] || i != received-before[1] || o == 0 {
					t.Errorf("the messages had %d and %d bytes, want %d and %d", o, i, sent-before[0], received-before[1])
				}
				w.must(c.RemoveServer(t.Context(), 1))
				<-time.After(time.Second)
				check("after the account was removed")
				if o := watchedOut.Load(); o == sent-before[0] {
					t.Error("the messages are watched after stop")
				}
			})
		})
	}
}

// Transmission parameters change at run time: a shorter ACK_TIMEOUT shows at the next request.
func TestSetTransmission(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.SetTransmission(1, coap.Params{AckTimeout: -1}); err == nil {
			t.Error("a negative ACK_TIMEOUT is accepted")
		}
		if err := c.SetTransmission(1, coap.Params{AckTimeout: 100 * time.Millisecond, AckRandomFactor: 1, MaxRetransmit: 1}); err != nil {
			t.Fatal(err)
		}
		w.net.Cut(w.host, srv.host)
		c.UpdateAll()
		<-time.After(350 * time.Millisecond) // 100 ms and, after the retransmission, 200 ms
		if s := w.status(1); s.State == lwm2m.StateUpdating {
			t.Errorf("status %v, want the Update to have timed out", s)
		}
		w.net.Heal(w.host, srv.host)
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// An account is removed as a whole, and the server is told.
func TestRemoveServer(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.servers[1].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.RemoveServer(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(time.Second); r.code != coap.DELETE {
			t.Errorf("got %v, want De-register", r)
		}
		w.wantState(2, lwm2m.StateRegistered)
		if _, ok := c.Status().Server(1); ok {
			t.Errorf("status %v", c.Status())
		}
		snap := c.Model().Snapshot()
		if snap.Has(dm.InstancePath(0, 0)) || snap.Has(dm.InstancePath(1, 0)) || !snap.Has(dm.InstancePath(0, 1)) {
			t.Error("the instances of the account are not the ones that are gone")
		}
	})
}

// A Register whose outcome nobody knows may have reached the server: Status of an account that is
// disabled then does not say that the server was told.
func TestDisableAfterRegisterWithoutOutcome(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		w.must(c.Register(1))
		srv.next()
		c.Suspend()
		w.must(c.Disable(1, 0))
		if s := w.wantState(1, lwm2m.StateDeregistered); !errors.Is(s.Err, lwm2m.ErrDisabled) || !strings.Contains(s.Err.Error(), "was not told") {
			t.Errorf("status %v", s)
		}
		srv.answers(nil)
		c.Resume()
		w.must(c.Enable(1))
		srv.next()
		w.must(c.Disable(1, 0))
		srv.next()
		if s := w.wantState(1, lwm2m.StateDeregistered); s.Err != lwm2m.ErrDisabled {
			t.Errorf("status %v", s)
		}
	})
}
