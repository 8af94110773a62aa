package lwm2m_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// An Update whose response is lost may have reached the server. The next Update says everything, so
// that a change which was taken back in the meantime does not stay with the server.
func TestLostUpdateSaysEverythingAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(50))
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=50" {
			t.Fatalf("got %v, want the Update", r)
		}
		w.wantState(1, lwm2m.StateUpdating)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(3600))
		srv.answers(nil)
		c.Resume()
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=3600&b=UT" || r.body != links12 {
			t.Errorf("got %v with %q, want an Update with everything", r, r.body)
		}
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f" || r.body != "" {
			t.Errorf("got %v with %q, want a bare Update", r, r.body)
		}
	})
}

// A server that has no time for an Update knows the device all the same: the client stays
// registered and sends the Update again, after Max-Age where that is longer than the pause of
// /1/x/18. After as many refusals as /1/x/17 says it registers again.
func TestUpdateRefusedForTheMoment(t *testing.T) {
	for _, code := range []coap.Code{coap.ServiceUnavailable, coap.TooManyRequests, coap.InternalServerError, coap.GatewayTimeout} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Servers[0].Lifetime = 24 * time.Hour
			c := w.start(cfg)
			srv := w.servers[0]
			srv.next()
			w.wantState(1, lwm2m.StateRegistered)
			var maxAge atomic.Uint32
			maxAge.Store(900)
			srv.answers(func(r request) answer {
				if r.path == "/rd" {
					return registrar(r)
				}
				return answer{code: code, maxAge: maxAge.Load()}
			})
			if err := c.Update(1); err != nil {
				t.Fatal(err)
			}
			first := srv.next()
			s := w.wantState(1, lwm2m.StateRegistered)
			var refused *lwm2m.ResponseError
			if !errors.As(s.Err, &refused) || refused.Code != code || s.Plan != "update again" || s.Location != "/rd/5a3f" {
				t.Errorf("status %v after %v", s, code)
			}
			want := 900 * time.Second
			if code != coap.ServiceUnavailable && code != coap.TooManyRequests {
				want = time.Minute
			}
			maxAge.Store(0)
			for _, pause := range []time.Duration{want, 120 * time.Second, 240 * time.Second, 480 * time.Second} {
				again := srv.next()
				if got := again.at.Sub(first.at); again.path != "/rd/5a3f" || got != pause {
					t.Errorf("%v: %v after %v, want an Update after %v", code, again, got, pause)
				}
				first = again
			}
			if r := srv.next(); r.path != "/rd" || r.at.Sub(first.at) != 0 {
				t.Errorf("%v: %v after %v, want a Register at once", code, r, r.at.Sub(first.at))
			}
			if s := w.wantState(1, lwm2m.StateRegistered); s.Err != nil || s.Attempts != 0 {
				t.Errorf("status %v", s)
			}
		})
	}
}

// No server silences a device for years: Max-Age counts up to Config.MaxServerPause, for a Register
// and for an Update.
func TestMaxAgeIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		bound, want time.Duration
	}{"default": {0, 24 * time.Hour}, "configured": {2 * time.Hour, 2 * time.Hour}} {
		for _, path := range []string{"/rd", "/rd/5a3f"} {
			inWorld(t, 1, func(w *world) {
				cfg := w.config()
				cfg.Servers[0].Lifetime = -time.Second
				cfg.MaxServerPause = c.bound
				srv := w.servers[0]
				srv.answers(func(r request) answer {
					if r.path == path {
						return answer{code: coap.ServiceUnavailable, maxAge: 1<<32 - 1}
					}
					return registrar(r)
				})
				client := w.start(cfg)
				first := srv.next()
				if path != "/rd" {
					w.wantState(1, lwm2m.StateRegistered)
					if err := client.Update(1); err != nil {
						t.Fatal(err)
					}
					first = srv.next()
				}
				if again := srv.within(48 * time.Hour); again.path != path || again.at.Sub(first.at) != c.want {
					t.Errorf("%s, %s: %v after %v, want it again after %v", name, path, again, again.at.Sub(first.at), c.want)
				}
			})
		}
	}
}

// runLoop returns a loop that runs until stop is called.
func runLoop(t *testing.T) (l *lwm2m.Loop, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	loops, ended := make(chan *lwm2m.Loop), make(chan error)
	go func() {
		l, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		loops <- l
		if err == nil {
			err = l.Run(ctx)
		}
		ended <- err
	}()
	return <-loops, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// A change and an Update that is asked for in the same turn are one Update, and so are the changes
// that follow within Config.UpdateDelay.
func TestChangesAreFewUpdates(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		sensor := newSensor(t, 0)
		cfg := w.config()
		loop, stop := runLoop(t)
		defer func() { w.shutdown(); stop() }()
		cfg.Objects, cfg.Loop = append(cfg.Objects, sensor), loop
		c := w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		add := func(id dm.InstanceID) {
			t.Helper()
			if err := sensor.Add(id, temperature.Instance{SensorValue: dm.Float(20)}); err != nil {
				t.Fatal(err)
			}
		}
		loop.Sched().Post(func() {
			add(1)
			c.UpdateAll()
		})
		if r := srv.within(time.Second); r.path != "/rd/5a3f" || !strings.Contains(r.body, "</3303/1>") {
			t.Errorf("got %v with %q, want one Update with the new instance", r, r.body)
		}
		srv.quiet(time.Minute)
		for id := range dm.InstanceID(256) {
			add(id + 2)
			<-time.After(time.Millisecond)
		}
		n, last := 0, request{}
		for ; !strings.Contains(last.body, "</3303/257>"); n++ {
			last = srv.within(time.Second)
		}
		if n > 4 {
			t.Errorf("256 instances within 256 ms are %d Updates, want one for each 100 ms", n)
		}
		srv.quiet(time.Minute)
	})
}

// What the application asks for while it cannot be done is done later.
func TestRegisterIsRemembered(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		srv.quiet(time.Minute)
		c.Resume()
		if r := srv.within(time.Second); r.path != "/rd" {
			t.Errorf("after Resume %v, want the Register that was asked for", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		srv.quiet(time.Minute)
	})
}

// Register during a Register, and during an Update, sends one request and not several at a time.
func TestRegisterWhileRequestIsInFlight(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		srv := w.servers[0]
		srv.silent()
		c := w.start(w.config())
		srv.next()
		c.RegisterAll()
		c.RegisterAll()
		srv.quiet(90 * time.Second)
		srv.answers(nil)
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		c.UpdateAll()
		srv.next()
		c.RegisterAll()
		if r := srv.within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register in place of the Update", r)
		}
		srv.answers(nil)
		srv.quiet(time.Second)
	})
}

// The application can register with a server that a failed one holds back.
func TestRegisterHeldBackServer(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		with := cfg.Servers[0].Instance
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			with(i)
			i.RegistrationFailureBlock = dm.Bool(true)
			i.CommunicationRetryCount = dm.Uint(1)
		}
		w.servers[0].answers(refuse)
		c := w.start(cfg)
		w.servers[0].next()
		w.servers[1].quiet(time.Minute)
		if s := w.wantState(2, lwm2m.StateInitial); !strings.Contains(s.Err.Error(), "holds back") || !strings.Contains(s.Awaits, "turn") {
			t.Errorf("status %v", s)
		}
		if err := c.Register(2); err != nil {
			t.Fatal(err)
		}
		w.servers[1].within(time.Second)
		w.wantState(2, lwm2m.StateRegistered)
	})
}

// Status says when a Disable ends, and where the server could not be told.
func TestStatusOfDisabledServer(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(c.Disable(1, time.Hour))
		srv.next()
		s := w.wantState(1, lwm2m.StateDeregistered)
		if s.Plan != "enabled again" || time.Until(s.Next) != time.Hour || s.Err != lwm2m.ErrDisabled {
			t.Errorf("status %v", s)
		}
		must(c.Enable(1))
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		must(c.Disable(1, 0))
		s = w.wantState(1, lwm2m.StateDeregistered)
		if !errors.Is(s.Err, lwm2m.ErrDisabled) || !strings.Contains(s.Err.Error(), "was not told") {
			t.Errorf("status %v", s)
		}
		c.Resume()
		must(c.Enable(1))
		srv.next()
		if s := w.wantState(1, lwm2m.StateRegistered); s.Err != nil {
			t.Errorf("status %v", s)
		}
	})
}

// The request for a bootstrap ends when the account that made it is registered.
func TestBootstrapRequestEndsWithRegistration(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.CommunicationRetryCount = dm.Uint(1) }
		srv := w.servers[0]
		srv.answers(refuse)
		c := w.start(cfg)
		srv.next()
		if s := w.wantState(1, lwm2m.StateFailed); s.Awaits != "a bootstrap" || c.Status().Bootstrap.Reason == nil {
			t.Errorf("status %v", c.Status())
		}
		srv.answers(nil)
		c.RegisterAll()
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Status().Bootstrap.Reason; err != nil {
			t.Errorf("a bootstrap is still wanted: %v", err)
		}
	})
}

// The initial delay goes on while the device is offline.
func TestInitialDelayOverSuspend(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.InitialRegistrationDelayTimer = dm.Uint(60) }
		c := w.start(cfg)
		w.wantState(1, lwm2m.StateInitial)
		c.Suspend()
		<-time.After(20 * time.Second)
		c.Resume()
		w.servers[0].quiet(40*time.Second - time.Millisecond)
		w.servers[0].within(2 * time.Millisecond)
	})
}

// A server that says which versions it supports (/1/x/25) is offered no other.
func TestLowerVersionRespectsSupportedVersions(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.SupportedServerVersions = dm.List("1.2", "1.0") }
		srv := w.servers[0]
		srv.answers(func(r request) answer {
			if r.has("lwm2m=1.0") {
				return registrar(r)
			}
			return answer{code: coap.PreconditionFailed}
		})
		w.start(cfg)
		for _, want := range []string{"lwm2m=1.2", "lwm2m=1.0"} {
			if r := srv.within(time.Second); !r.has(want) {
				t.Errorf("got %v, want %s", r, want)
			}
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// A lifetime that is hardly longer than the round trip does not make Updates follow each other
// without a pause.
func TestUpdatesKeepAPause(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		if err := w.net.SetDefaultLink(linkDelay(time.Second)); err != nil {
			t.Fatal(err)
		}
		cfg := w.config()
		cfg.Servers[0].Lifetime = 3 * time.Second
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		last := srv.next()
		for range 5 {
			r := srv.next()
			if pause := r.at.Sub(last.at); pause < 3*time.Second {
				t.Errorf("%v after %v, want a second after the response at least", r, pause)
			}
			last = r
		}
	})
}

// One unusable account among stored ones does not keep the others from working.
func TestNewWithOneUnusableAccount(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		sec, srv := accounts(t, 2)
		if err := sec.Update(t.Context(), 2, func(i *lwm2m.SecurityInstance) error { i.ServerURI.Set("coaps://s2"); return nil }); err != nil {
			t.Fatal(err)
		}
		cfg := w.config()
		cfg.Servers, cfg.Objects = nil, append(cfg.Objects, sec, srv)
		w.start(cfg)
		w.servers[0].within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		if s := w.wantState(2, lwm2m.StateInvalid); s.Err == nil || !strings.Contains(s.Err.Error(), "coaps") || s.Awaits != "a change of the account" {
			t.Errorf("status %v", s)
		}
	})
	sec, srv := accounts(t, 1)
	if err := sec.Update(t.Context(), 1, func(i *lwm2m.SecurityInstance) error { i.ServerURI.Set("coaps://s2"); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := lwm2m.New(lwm2m.Config{Objects: []dm.Object{sec, srv, newDevice(t)}}); err == nil {
		t.Error("a client none of whose accounts can be used is made")
	}
}

// A location is taken back to the server as a Uri-Path, and printed: one that cannot be is refused,
// and no control character of it forges a line.
func TestLocationsThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		location, want string
	}{
		"dots":               {"/rd/..", ""},
		"a dot":              {"/rd/./5", ""},
		"a long segment":     {"/rd/" + strings.Repeat("x", 256), ""},
		"many segments":      {"/rd" + strings.Repeat("/segment", 130), ""},
		"no UTF-8":           {"/rd/\xff\xfe", ""},
		"control characters": {"/rd/5\nserver 2: registered", "/rd/5%0Aserver%202:%20registered"},
		"the longest":        {"/rd/" + strings.Repeat("x", 255), "/rd/" + strings.Repeat("x", 255)},
	} {
		inWorld(t, 1, func(w *world) {
			w.servers[0].answers(func(r request) answer {
				if r.path == "/rd" {
					return answer{code: coap.Created, location: c.location}
				}
				return answer{code: coap.Deleted}
			})
			w.start(w.config())
			w.servers[0].next()
			s := w.status(1)
			if c.want == "" && (s.State != lwm2m.StateError || !errors.Is(s.Err, lwm2m.ErrNoLocation)) {
				t.Errorf("%s: %v", name, s)
			}
			if c.want != "" && (s.State != lwm2m.StateRegistered || s.Location != c.want || strings.Contains(s.String(), "\n")) {
				t.Errorf("%s: %v", name, s)
			}
		})
	}
}

// A server URI has scheme, host and port: nothing else gets lost without a word.
func TestServerURIWithMoreThanHostAndPort(t *testing.T) {
	for uri, want := range map[string]string{
		"coap://s1/rd": `the path "/rd"`, "coap://s1?x=1": "a query", "coap://s1/?": "a query", "coap://s1#f": "a fragment", "coap+tcp://s1:5683/a/b": "the path",
	} {
		_, err := lwm2m.New(lwm2m.Config{Servers: []lwm2m.Server{{URI: uri}}, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that names %s", uri, err, want)
		}
	}
	inWorld(t, 1, func(w *world) {
		cfg, sec, _ := own(w)
		cfg.Servers = nil
		w.start(cfg)
		w.servers[0].next()
		if err := sec.Update(t.Context(), 1, func(i *lwm2m.SecurityInstance) error { i.ServerURI.Set("coap://s1/path"); return nil }); err != nil {
			t.Fatal(err)
		}
		if s := w.wantState(1, lwm2m.StateInvalid); !strings.Contains(s.Err.Error(), "/path") {
			t.Errorf("status %v", s)
		}
	})
}

// A registration that ends during the pause that the server asked for does not show as one.
func TestRegistrationEndsDuringPause(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Lifetime = 10 * time.Minute
		srv := w.servers[0]
		srv.answers(func(r request) answer {
			if r.path == "/rd" {
				return registrar(r)
			}
			return answer{code: coap.ServiceUnavailable, maxAge: 3600}
		})
		w.start(cfg)
		srv.next()
		srv.next()
		<-time.After(30 * time.Minute)
		if s := w.status(1); s.Location != "" && time.Until(s.Expires) <= 0 {
			t.Errorf("20 minutes after the end of the registration: %v (expires %v)", s, time.Until(s.Expires))
		}
		for r := range srv.requests {
			if r.path == "/rd" {
				break // the Register after the end of the lifetime
			}
		}
	})
}
