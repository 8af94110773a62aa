package lwm2m_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// registered starts a client and returns what it sends in the first seconds, without the queries.
func (l *lives) registered(cfg lwm2m.Config) []string {
	l.t.Helper()
	n := len(l.server.Requests())
	c := l.start(cfg)
	time.Sleep(5 * time.Second)
	if s, ok := c.Status().Server(1); !ok || !s.State.Registered() {
		l.t.Fatalf("the device is not registered: %v", c.Status())
	}
	return l.since(n)
}

// next returns the next notification, which must come within a minute.
func (l *lives) next(obs *lwm2mserver.Observation) (lwm2mserver.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return obs.Next(ctx)
}

// wire records what the device sends and receives.
type wire struct {
	mu         sync.Mutex
	handshakes int // datagrams with a DTLS record of content type handshake
	bytes      int
}

func (l *lives) watch() *wire {
	w := &wire{}
	l.net.SetFilter(func(p simnet.Packet) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bytes += len(p.Data)
		if p.Data[0] == 22 {
			w.handshakes++
		}
		return true
	})
	return w
}

func (w *wire) reset() (handshakes, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	handshakes, bytes = w.handshakes, w.bytes
	w.handshakes, w.bytes = 0, 0
	return handshakes, bytes
}

// isUpdate reports whether requests are a single Update.
func isUpdate(all []string) bool { return len(all) == 1 && strings.HasPrefix(all[0], "POST /rd/") }

// A client that starts after a Detach goes on with the registration, its observations and
// attributes, over the same security session.
func TestRestartWithoutRegistering(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprintf("secured=%v", secured), func(t *testing.T) {
			inLives(t, secured, func(l *lives) {
				w := l.watch()
				sensor := newSensor(t, 0, 1)
				cfg := l.config()
				cfg.Objects = append(cfg.Objects, sensor)
				if got := l.registered(cfg); !slices.Equal(got, []string{"POST /rd"}) {
					t.Fatalf("the first start sends %q", got)
				}
				d, ctx := l.server.WaitRegistered("dev"), context.Background()
				a, err := d.WriteAttributes(ctx, "/3303/1/5700", "pmin=10", "gt=50")
				changed(t, a, a.Code, coap.Changed, err)
				obs, first, err := d.Observe(ctx, "/3303/0/5700", content.SenMLJSON)
				if err != nil || first.Code != coap.Content {
					t.Fatal(first, err)
				}
				_, _, err = d.ObserveComposite(ctx, content.SenMLJSON, []string{"/3303/1/5700", "/3/0/16"})
				if err != nil {
					t.Fatal(err)
				}
				w.reset()
				l.detach()
				time.Sleep(10 * time.Minute)

				sensor = newSensor(t, 0, 1)
				cfg = l.config()
				cfg.Objects = append(cfg.Objects, sensor)
				if got := l.registered(cfg); !isUpdate(got) {
					t.Fatalf("after the restart the device sends %q, want an Update alone", got)
				}
				if n, bytes := w.reset(); n > 0 || bytes > 2000 {
					t.Errorf("the restart takes %d handshake messages and %d bytes", n, bytes)
				}
				if a, err := l.next(obs); err != nil || !strings.Contains(a.Text(), "20") {
					t.Errorf("after the restart the server is told %v (%v), want the value of now", a, err)
				}
				if err := sensor.Update(ctx, 0, func(i *temperature.Instance) error { i.SensorValue = dm.Float(42); return nil }); err != nil {
					t.Fatal(err)
				}
				if a, err := l.next(obs); err != nil || !strings.Contains(a.Text(), "42") {
					t.Errorf("after a change the server is told %v (%v)", a, err)
				}
				a, err = d.Discover(ctx, "/3303/1/5700")
				if err != nil || !strings.Contains(a.Text(), "pmin=10;gt=50") {
					t.Errorf("attributes after the restart: %v (%v)", a.Text(), err)
				}
				if got := l.client.Status().Servers[0].Location; got != d.Registration().Location {
					t.Errorf("the location is %q, the server has %q", got, d.Registration().Location)
				}
			})
		})
	}
}

// The device registers again where nothing says that the server still knows it as it was.
func TestRestartThatRegisters(t *testing.T) {
	for _, test := range []struct {
		name string

		end func(l *lives)
		set func(l *lives, c *lwm2m.Config)
	}{
		{name: "killed", end: (*lives).kill},
		{name: "power cycle", set: func(_ *lives, c *lwm2m.Config) { c.BootID = "boot-2" }},
		{name: "expired", end: func(l *lives) { l.detach(); time.Sleep(time.Hour) }},
		{name: "another name", set: func(_ *lives, c *lwm2m.Config) { c.Endpoint = "other" }},
		{name: "other versions", set: func(_ *lives, c *lwm2m.Config) { c.MaxVersion = registry.V(1, 1) }},
		{name: "rebooted by the server", end: func(l *lives) {
			a, err := l.server.WaitRegistered("dev").Execute(context.Background(), "/3/0/4", "")
			changed(l.t, a, a.Code, coap.Changed, err)
			l.detach()
		}},
		{name: "used once", end: func(l *lives) {
			l.detach()
			if _, err := lwm2m.New(l.config()); err != nil { // it never runs
				l.t.Fatal(err)
			}
		}},
		{name: "damaged record", end: func(l *lives) {
			l.detach()
			l.store.records["registrations"] = []byte("{")
		}},
		{name: "store that is full", end: func(l *lives) {
			l.store.fail(errKilled)
			l.detach()
			l.store.fail(nil)
		}},
	} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/secured=%v", test.name, secured), func(t *testing.T) {
				inLives(t, secured, func(l *lives) {
					l.registered(l.config())
					if test.end == nil {
						l.detach()
					} else {
						test.end(l)
					}
					cfg := l.config()
					if test.set != nil {
						test.set(l, &cfg)
					}
					if got := l.registered(cfg); len(got) != 1 || got[0] != "POST /rd" {
						t.Errorf("the next client sends %q, want a Register", got)
					}
				})
			})
		}
	}
}

// A client that is shut down while it is suspended cannot tell its server. The next one goes on
// with the connection, and registers.
func TestShutdownWhileSuspended(t *testing.T) {
	inLives(t, true, func(l *lives) {
		l.registered(l.config())
		l.client.Suspend()
		time.Sleep(time.Second)
		l.shutdown()
		if got := l.registered(l.config()); len(got) != 1 || got[0] != "POST /rd" {
			t.Errorf("the next client sends %q, want a Register", got)
		}
		if s, _ := l.client.Status().Server(1); s.Secured != "connection ID resumed" {
			t.Errorf("the connection began with %q", s.Secured)
		}
	})
}

// The session of a client that was killed is not used, although Suspend has stored it: nobody knows
// which messages were exchanged over it.
func TestKillWhileSuspended(t *testing.T) {
	inLives(t, true, func(l *lives) {
		w := l.watch()
		l.registered(l.config())
		l.client.Suspend()
		time.Sleep(time.Second)
		if len(l.store.names("session/")) == 0 {
			t.Error("Suspend stores no session")
		}
		l.kill()
		w.reset()
		if got := l.registered(l.config()); len(got) != 1 || got[0] != "POST /rd" {
			t.Errorf("the next client sends %q, want a Register", got)
		}
		if handshakes, _ := w.reset(); handshakes == 0 {
			t.Error("the next client goes on with the session")
		}
	})
}

// After a reboot by a server the connection goes on, and with it the memory of what was executed.
func TestRebootIsExecutedOnce(t *testing.T) {
	inLives(t, true, func(l *lives) {
		l.registered(l.config())
		var lost atomic.Bool
		l.net.SetFilter(func(p simnet.Packet) bool { return !lost.Load() || p.From.Port() == 5684 })
		executed := make(chan error, 1)
		lost.Store(true)
		go func() {
			_, err := l.server.WaitRegistered("dev").Execute(context.Background(), "/3/0/4", "")
			executed <- err
		}()
		time.Sleep(time.Second)
		l.detach()
		lost.Store(false)
		cfg := l.config()
		if got := l.registered(cfg); len(got) != 1 || got[0] != "POST /rd" {
			t.Errorf("the next client sends %q, want a Register", got)
		}
		time.Sleep(2 * time.Minute)
		l.detach()
		var log bytes.Buffer
		cfg = l.config()
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		_, err := lwm2m.New(cfg)
		if err != nil || strings.Contains(log.String(), "reboot") {
			t.Errorf("the repetition was executed (%v): %s", err, log.String())
		}
		<-executed
	})
}

// After a reboot by a server the next client says so.
func TestReasonOfRegisteringAgain(t *testing.T) {
	for _, test := range []struct {
		want string
		end  func(l *lives)
	}{
		{"the last client was killed", (*lives).kill},
		{"the last client has de-registered", (*lives).shutdown},
		{"a server has asked for a reboot", func(l *lives) {
			a, err := l.server.WaitRegistered("dev").Execute(context.Background(), "/3/0/4", "")
			changed(l.t, a, a.Code, coap.Changed, err)
			l.detach()
		}},
		{"the registration has expired", func(l *lives) { l.detach(); time.Sleep(time.Hour) }},
	} {
		inLives(t, false, func(l *lives) {
			l.registered(l.config())
			test.end(l)
			var log bytes.Buffer
			var mu sync.Mutex
			cfg := l.config()
			cfg.Servers[0].URI = "coap://another" // it is not used
			cfg.Logger = slog.New(slog.NewTextHandler(writer(func(p []byte) { mu.Lock(); log.Write(p); mu.Unlock() }), nil))
			l.registered(cfg)
			l.shutdown()
			for _, want := range []string{test.want, "Config.Servers is not used"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, log.String())
				}
			}
		})
	}
}

// A changed list of objects, a changed lifetime and a changed binding need an Update only.
func TestRestartWithAnotherObject(t *testing.T) {
	inLives(t, true, func(l *lives) {
		l.registered(l.config())
		l.detach()
		cfg := l.config()
		cfg.Objects = append(cfg.Objects, newSensor(t, 4))
		if got := l.registered(cfg); !isUpdate(got) {
			t.Errorf("the device sends %q, want an Update", got)
		}
		if o := l.server.WaitRegistered("dev").Registration().Objects; !o.Has(dm.InstancePath(3303, 4)) {
			t.Errorf("the server knows %v", o)
		}
	})
}

// What was stored for an observation while the device was offline is sent by the next client.
func TestStoredNotificationsSurviveARestart(t *testing.T) {
	for _, format := range []content.Format{content.SenMLJSON, content.Text} {
		inLives(t, true, func(l *lives) {
			sensor := newSensor(t, 0)
			cfg := l.config()
			cfg.Objects = append(cfg.Objects, sensor)
			l.registered(cfg)
			d, ctx := l.server.WaitRegistered("dev"), context.Background()
			obs, _, err := d.Observe(ctx, "/3303/0/5700", format)
			if err != nil {
				t.Fatal(err)
			}
			l.client.Suspend()
			for i := range 5 {
				time.Sleep(time.Minute)
				if err := sensor.Update(ctx, 0, func(x *temperature.Instance) error { x.SensorValue = dm.Float(float64(i)); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			l.detach()
			time.Sleep(time.Minute)
			sensor = newSensor(t, 0)
			cfg = l.config()
			cfg.Objects = append(cfg.Objects, sensor)
			if got := l.registered(cfg); !isUpdate(got) {
				t.Fatalf("the device sends %q", got)
			}
			a, err := l.next(obs)
			if err != nil {
				t.Fatal(err)
			}
			if format == content.Text {
				if a.Text() != "20" {
					t.Errorf("the server is told %v", a)
				}
				return
			}
			entries, err := a.Entries()
			if err != nil || len(entries) != 5 {
				t.Fatalf("the server is told %v (%v), want five values", entries, err)
			}
			for i, e := range entries {
				if e.Value.String() != fmt.Sprint(i) || i > 0 && math.Abs(e.Time-entries[i-1].Time-60) > 0.001 {
					t.Errorf("value %d is %v at %v", i, e.Value, e.Time)
				}
			}
			if a, err = l.next(obs); err != nil || !strings.Contains(a.Text(), "20") {
				t.Errorf("then it is told %v (%v), want the value of now", a, err)
			}
		})
	}
}

// A restart within a running Update sends everything again, because its outcome is unknown.
func TestRestartDuringUpdate(t *testing.T) {
	inLives(t, false, func(l *lives) {
		l.registered(l.config())
		n := len(l.server.Requests())
		l.net.SetFilter(func(p simnet.Packet) bool { return p.From.Port() != 5683 }) // no responses
		if err := l.client.Update(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		l.detach()
		l.net.SetFilter(nil)
		if got := l.since(n); !isUpdate(got) {
			t.Fatalf("the first client sends %q", got)
		}
		n = len(l.server.Requests())
		if got := l.registered(l.config()); !isUpdate(got) {
			t.Fatalf("the next client sends %q", got)
		}
		if r := l.server.Requests()[n]; len(r.Query) == 0 || len(r.Payload) == 0 {
			t.Errorf("%v, want an Update with everything", r)
		}
	})
}

// Two servers: each goes on or registers for reasons of its own.
func TestRestartOfSeveralServers(t *testing.T) {
	inLives(t, false, func(l *lives) {
		other, err := l.net.NewHost("o").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		second := serverOn(l.t, other)
		cfg := l.config()
		cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: "coap://o", Lifetime: time.Minute})
		l.registered(cfg)
		if r := second.within(time.Second); r.path != "/rd" {
			t.Fatal(r)
		}
		l.detach()
		time.Sleep(2 * time.Minute)
		cfg = l.config()
		if got := l.registered(cfg); !isUpdate(got) {
			t.Errorf("server 1 gets %q", got)
		}
		if r := second.within(time.Second); r.path != "/rd" {
			t.Errorf("server 2, whose registration has expired, gets %v", r)
		}
	})
}
