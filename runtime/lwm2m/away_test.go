package lwm2m_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// Offline, no planned attempt is made; with Resume it is made at once.
func TestSuspendCancelsPlans(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(refuse)
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateError)
		schemes := []string{"coap"}
		c.Suspend(schemes...)
		schemes[0] = "coaps"
		if s := w.wantState(1, lwm2m.StateSuspended); !s.Next.IsZero() || s.Plan != "" {
			t.Errorf("status %v", s)
		}
		w.servers[0].quiet(time.Hour)
		w.servers[0].answers(nil)
		c.Resume()
		w.servers[0].within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// Who was disabled while offline registers anew: the server may have been told otherwise meanwhile.
func TestDisabledWhileSuspended(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		if s := w.wantState(1, lwm2m.StateDeregistered); s.Location != "" {
			t.Errorf("status %+v", s)
		}
		c.Resume()
		w.servers[0].quiet(time.Minute)
		if err := c.Enable(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
	})
}

// With Enable the attempts are counted anew.
func TestEnableCountsAnew(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(refuse)
		c := w.start(w.config())
		w.servers[0].intervals(2)
		if s := w.wantState(1, lwm2m.StateError); s.Attempts != 3 {
			t.Errorf("status %+v", s)
		}
		if err := errors.Join(c.Disable(1, 0), c.Enable(1)); err != nil {
			t.Fatal(err)
		}
		w.servers[0].within(time.Second)
		if s := w.wantState(1, lwm2m.StateError); s.Attempts != 1 || time.Until(s.Next) != time.Minute || time.Since(s.Since) != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// A bootstrap that a server or the application asks for is wanted, also while all is well; one that nobody may ask for is not.
func TestBootstrapIsAskedFor(t *testing.T) {
	for _, by := range []string{"application", "server", "failure that may not"} {
		inWorld(t, 2, func(w *world) {
			cfg := w.config()
			cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
			cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
				i.CommunicationRetryCount = dm.Uint(1)
				i.BootstrapOnRegistrationFailure = dm.Bool(by != "failure that may not")
			}
			c := w.start(cfg)
			srv := w.servers[0]
			switch by {
			case "application":
				srv.next()
				if err := c.RequestBootstrap(); err != nil {
					t.Fatal(err)
				}
			case "server":
				srv.next()
				w.wantState(1, lwm2m.StateRegistered)
				if code := srv.do(coap.POST, "/1/0/9", "", -1); code != coap.Changed {
					t.Errorf("the trigger is %v", code)
				}
			default:
				srv.answers(refuse)
				srv.intervals(2)
				w.wantState(1, lwm2m.StateFailed)
			}
			synctest.Wait()
			why := c.Status().BootstrapWanted
			if by == "failure that may not" {
				if why != nil {
					t.Errorf("a bootstrap is wanted because of %v", why)
				}
				return
			}
			if why == nil || !strings.Contains(c.Status().String(), "a bootstrap is wanted") {
				t.Errorf("%s: a bootstrap is wanted because of %v", by, why)
			}
			w.wantState(1, lwm2m.StateRegistered)
		})
	}
}

// A client without a server is offline as it is told to be, and ends at once.
func TestNoServerAtAll(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		c := w.start(w.config())
		c.Suspend()
		synctest.Wait()
		if !c.Status().Offline {
			t.Error("the client is not offline")
		}
		c.Resume()
		synctest.Wait()
		if c.Status().Offline {
			t.Error("the client is offline")
		}
		at := time.Now()
		w.shutdown()
		if d := time.Since(at); d != 0 {
			t.Errorf("the shut-down took %v", d)
		}
	})
}

// A status is the caller's own.
func TestStatusIsACopy(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Status().Servers[0].State = lwm2m.StateFailed
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// What goes wrong inside the data model shows in the status.
func TestStatusOfTheModel(t *testing.T) {
	var no error
	sensor, err := temperature.New(temperature.Config{Hooks: temperature.Hooks{
		Commit:   func(context.Context, *temperature.Tx) error { return no },
		Rollback: func(context.Context, *temperature.Tx) error { return errors.New("cannot") },
	}})
	if err == nil {
		err = sensor.Add(0, temperature.Instance{SensorValue: dm.Float(1)})
	}
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, 0, func(w *world) {
		cfg := w.config()
		cfg.Objects = append(cfg.Objects, sensor)
		c := w.start(cfg)
		no = errors.New("no")
		err := sensor.Update(context.Background(), 0, func(i *temperature.Instance) error { i.SensorValue.Set(2); return nil })
		if s := c.Status().Model; err == nil || s.RollbackFailures != 1 || s.LastRollbackError == nil {
			t.Errorf("the Update is %v, the status %+v", err, s)
		}
	})
}

// Notify has observers told of what a function stands behind, without a sample.
func TestNotify(t *testing.T) {
	celsius := 20.0
	sensor, err := temperature.New(temperature.Config{})
	if err == nil {
		err = sensor.Add(0, temperature.Instance{SensorValue: dm.Func(func(context.Context) (float64, error) { return celsius, nil })})
	}
	if err != nil {
		t.Fatal(err)
	}
	onBench(t, func(b *bench) {
		b.cfg.Objects = append(b.cfg.Objects, sensor)
		b.start()
		o, a, err := b.server.WaitRegistered("dev").Observe(context.Background(), "/3303/0/5700", content.Text, "pmax=86400")
		if err != nil || o == nil {
			t.Fatalf("Observe is answered %v (%v)", a, err)
		}
		synctest.Wait()
		celsius = 21
		b.client.Notify(dm.ObjectPath(3303))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if a, err := o.Next(ctx); err != nil || a.Text() != "21" {
			t.Errorf("notified of %v (%v)", a, err)
		}
	})
}

// A connection outlives what was lost on it: a notification that times out is no reason for another one.
func TestLostNotification(t *testing.T) {
	onBench(t, func(b *bench) {
		b.start()
		o, a, err := b.server.WaitRegistered("dev").Observe(context.Background(), "/1/0/1", content.Text, "con=1")
		if err != nil || o == nil {
			t.Fatalf("Observe is answered %v (%v)", a, err)
		}
		b.net.Cut(b.device, b.place)
		b.write(dm.ResourcePath(1, 0, 2), 7)
		b.client.Notify(dm.ResourcePath(1, 0, 1))
		tx := make(chan struct{})
		time.AfterFunc(5*time.Minute, func() { close(tx) })
		<-tx
		b.net.Heal(b.device, b.place)
		if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered || s.Err != nil {
			t.Errorf("status %v", s)
		}
		if n := len(b.server.Requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// Of several addresses the one that answered is kept over a reconnect.
func TestAddressIsKept(t *testing.T) {
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

// A stream that ends before Register was answered is a failed attempt; one that ends while the next attempt is planned changes nothing.
func TestStreamEndsEarly(t *testing.T) {
	for name, c := range map[string]struct {
		answers        func(request) answer
		attempts       int
		earliest, last time.Duration
	}{
		"unanswered": {func(request) answer { return answer{} }, 0, time.Second, 2 * time.Second}, // the quick retry
		"refused":    {refuse, 1, time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				cfg := w.config()
				cfg.Servers[0].URI = "coap+tcp://s1"
				srv := w.servers[0]
				srv.answers(c.answers)
				w.start(cfg)
				first := srv.next()
				synctest.Wait()
				srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
				s := w.wantState(1, lwm2m.StateError)
				if name == "unanswered" && !strings.Contains(s.Err.Error(), "the connection ended") || s.Attempts != c.attempts {
					t.Errorf("status %+v", s)
				}
				if n := len(w.sockets()); n != 0 {
					t.Errorf("%d sockets", n)
				}
				srv.answers(nil)
				if r := srv.next(); r.path != "/rd" || r.at.Sub(first.at) < c.earliest || r.at.Sub(first.at) > c.last {
					t.Errorf("%v after %v", r, r.at.Sub(first.at))
				}
				w.wantState(1, lwm2m.StateRegistered)
			})
		})
	}
}

// While a connection that ended is made anew, the status says why.
func TestWhyConnectingAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		srv := w.servers[0]
		w.start(cfg)
		srv.next()
		<-time.After(time.Minute)
		w.seen()
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		if s := <-w.states; s.State != lwm2m.StateConnecting || s.Err == nil || !strings.Contains(s.Err.Error(), "the connection ended") {
			t.Errorf("status %v", s)
		}
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// An account that moves while its old place is being looked up does not wait for that.
func TestMovesWhileConnecting(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg, _, _ := own(w)
		w.net.SetLookupDelay(30 * time.Second)
		w.start(cfg)
		w.wantState(1, lwm2m.StateConnecting)
		w.net.SetLookupDelay(0)
		w.update(dm.ResourcePath(0, 1, 0), dm.StringValue("coap://s2"))
		w.servers[1].within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].quiet(time.Minute)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// A server at another place may speak another version.
func TestMovesToANewerServer(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg, _, _ := own(w)
		w.servers[0].answers(func(r request) answer {
			if r.path == "/rd" && !r.has("lwm2m=1.0") {
				return answer{code: coap.PreconditionFailed}
			}
			return registrar(r)
		})
		w.start(cfg)
		for range 3 {
			w.servers[0].next()
		}
		if s := w.wantState(1, lwm2m.StateRegistered); s.Version != registry.V(1, 0) {
			t.Errorf("status %+v", s)
		}
		w.update(dm.ResourcePath(0, 1, 0), dm.StringValue("coap://s2"))
		if r := w.servers[1].within(time.Second); !r.has("lwm2m=1.2") {
			t.Errorf("got %v", r)
		}
	})
}

// Accounts are in the status by ascending Short Server ID, in whatever order they come.
func TestStatusIsInOrder(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		cfg := w.config()
		sec, srv := accounts(t, 0)
		cfg.Servers = nil
		cfg.Objects = append(cfg.Objects, sec, srv)
		c := w.start(cfg)
		for _, id := range []dm.InstanceID{3, 1, 2} {
			addAccount(t, sec, srv, id, "coap://s"+string(rune('0'+id)))
			w.servers[id-1].next()
			w.wantState(lwm2m.ShortServerID(id), lwm2m.StateRegistered)
		}
		for i, s := range c.Status().Servers {
			if s.ShortID != lwm2m.ShortServerID(i+1) {
				t.Errorf("at %d is server %d", i, s.ShortID)
			}
		}
	})
}

// A request that waits for its turn when the device goes offline is not carried out: nobody waits for its answer.
func TestWaitingRequestEndsWithConnection(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		tx, err := c.Model().Begin(context.Background(), dm.Application)
		if err != nil {
			t.Fatal(err)
		}
		srv.send(coap.PUT, "/1/0/2", "7")
		synctest.Wait()
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		tx.Rollback()
		synctest.Wait()
		v, err := c.Model().Snapshot().Value(context.Background(), dm.Application, dm.ResourcePath(1, 0, 2))
		if err == nil {
			t.Errorf("now it is %v", v)
		}
	})
}

// A slow function's context ends with the client, which then ends at once.
func TestShutdownEndsFunctions(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		ended := make(chan error, 1)
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.Disable = dm.SlowExec(func(ctx context.Context, _ dm.Args) error {
				<-ctx.Done()
				ended <- ctx.Err()
				return nil
			})
		}
		w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].send(coap.POST, "/1/0/4", "")
		synctest.Wait()
		at := time.Now()
		w.shutdown()
		if d := time.Since(at); d != 0 || len(ended) != 1 {
			t.Errorf("the shut-down took %v, %d functions have ended", d, len(ended))
		}
	})
}

// New holds no socket, and sockets log to the client's logger where they have none of their own.
func TestNewHoldsNoSocket(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		logger := &loggers{sessions: d}
		cfg.Dialers = []socket.Dialer{logger}
		if _, err := lwm2m.New(cfg); err != nil {
			t.Fatal(err)
		}
		if got := d.ends(); got != "close" {
			t.Errorf("the socket that New made to see whether it can be was ended by %q", got)
		}
		if logger.with != cfg.Logger {
			t.Errorf("it was made with the logger %v", logger.with)
		}
	})
}
