package lwm2m_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The client offers no version below Config.MinVersion, and the next attempt begins with the
// highest again.
func TestVersionBounds(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.MinVersion = registry.V(1, 1)
		srv := w.servers[0]
		srv.answers(func(request) answer { return answer{code: coap.PreconditionFailed} })
		w.start(cfg)
		for _, want := range []string{"lwm2m=1.2", "lwm2m=1.1", "lwm2m=1.2", "lwm2m=1.1"} {
			if r := srv.next(); !r.has(want) {
				t.Errorf("got %v, want %s", r, want)
			}
		}
	})
}

// Of the versions that a server supports (/1/x/25) those within the bounds of Config count. If
// there is none, the client offers the highest.
func TestServerVersionsWithinBounds(t *testing.T) {
	for _, c := range []struct {
		least, most registry.Version
		server      []string
		want        string
	}{
		{registry.V(1, 0), registry.V(1, 1), []string{"1.0", "1.1", "1.2"}, "lwm2m=1.1"},
		{registry.V(1, 0), registry.V(1, 1), []string{"1.2"}, "lwm2m=1.1"},
		{registry.V(1, 1), registry.V(1, 2), []string{"1.0"}, "lwm2m=1.2"},
		{registry.V(1, 1), registry.V(1, 2), []string{"1.0", "1.1"}, "lwm2m=1.1"},
		{registry.V(1, 0), registry.V(1, 0), []string{"1.0", "1.2"}, "lwm2m=1.0"},
	} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.MinVersion, cfg.MaxVersion = c.least, c.most
			cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.SupportedServerVersions = dm.List(c.server...) }
			w.start(cfg)
			if r := w.servers[0].next(); !r.has(c.want) {
				t.Errorf("%v to %v, and the server speaks %q: got %v, want %s", c.least, c.most, c.server, r, c.want)
			}
		})
	}
}

// A lower version is kept after refusals for other reasons, and the status shows these reasons.
func TestVersionIsKeptAfterRefusals(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		srv := w.servers[0]
		srv.answers(func(r request) answer {
			if r.has("lwm2m=1.2") {
				return answer{code: coap.PreconditionFailed}
			}
			return refuse(r)
		})
		w.start(w.config())
		for i, want := range []string{"lwm2m=1.2", "lwm2m=1.1", "lwm2m=1.1", "lwm2m=1.1"} {
			if r := srv.next(); !r.has(want) {
				t.Errorf("request %d: %v, want %s", i, r, want)
			}
		}
		if s := w.wantState(1, lwm2m.StateError); errors.Is(s.Err, lwm2m.ErrVersion) {
			t.Errorf("a refusal for another reason reads %v", s.Err)
		}
	})
}

// The registered version decides the default format of responses.
func TestVersionDecidesFormat(t *testing.T) {
	onBench(t, func(b *bench) {
		b.server.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			refused := strings.Contains(r.String(), "/rd") && !strings.Contains(r.String(), "lwm2m=1.0")
			return lwm2mtest.Reply{Code: coap.PreconditionFailed}, refused
		})
		b.start()
		ans, err := b.server.WaitRegistered("dev").Read(context.Background(), "/3/0", content.None)
		if err != nil || ans.Code != coap.Content || ans.Format != content.TLV {
			t.Errorf("with LwM2M 1.0 the device answered %v (%v), want TLV", ans, err)
		}
	})
}

// If /1/x/25 changes while the device is registered, the next registration uses the new value.
func TestServerVersionsChange(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.SupportedServerVersions = dm.List("1.2") }
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.update(dm.ResourceInstancePath(1, 0, 25, 0), dm.StringValue("1.1"))
		w.servers[0].quiet(time.Minute)
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].next(); !r.has("lwm2m=1.1") {
			t.Errorf("got %v", r)
		}
	})
}

// A profile needs LwM2M 1.2: with an older version the list of objects is sent.
func TestProfileNeedsVersion(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Profile.ID = "6:27354b9a"
		srv := w.servers[0]
		srv.answers(func(r request) answer {
			if r.has("lwm2m=1.2") {
				return answer{code: coap.PreconditionFailed}
			}
			return registrar(r)
		})
		w.start(cfg)
		if r := srv.next(); !r.has("pid=6:27354b9a") || r.body != "" {
			t.Errorf("got %v with %q", r, r.body)
		}
		if r := srv.next(); r.has("pid=6:27354b9a") || !strings.Contains(r.body, "</3/0>") {
			t.Errorf("got %v with %q, want the list and no profile", r, r.body)
		}
	})
}

// An object whose instances the profile contains is not listed, not even for its version. Its other
// instances are.
func TestProfileCoversInstances(t *testing.T) {
	for _, ids := range [][]dm.InstanceID{{0}, {0, 1}} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Objects = append(cfg.Objects, newSensor(t, ids...))
			cfg.Profile = lwm2m.Profile{ID: "6:27354b9a", Objects: []dm.Path{dm.ObjectPath(1), dm.ObjectPath(3),
				dm.InstancePath(3303, 0)}}
			w.start(cfg)
			want := ""
			if len(ids) > 1 {
				want = `,</3303>;ver=1.1,</3303/1>`
			}
			r := w.servers[0].next()
			if _, list, _ := strings.Cut(r.body, `11543"`); list != want {
				t.Errorf("listed %q, want %q at the end", r.body, want)
			}
		})
	}
}

// A Q in the binding of an account means queue mode.
func TestQueueModeByBinding(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Binding = "UQ"
		w.start(cfg)
		if r := w.servers[0].next(); !r.has("b=U") || !r.has("Q") {
			t.Errorf("got %v, want b=U&Q", r)
		}
	})
}

// A server at another URI is offered the highest version again.
func TestNewURIOffersHighestVersion(t *testing.T) {
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

func TestVersionFallBack(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.QueueMode = &lwm2m.QueueMode{}
		srv := w.servers[0]
		srv.answers(func(r request) answer {
			if r.path == "/rd" && !r.has("lwm2m=1.0") {
				return answer{code: coap.PreconditionFailed}
			}
			return registrar(r)
		})
		c := w.start(cfg)
		if r := srv.next(); !r.has("lwm2m=1.2") {
			t.Errorf("first %v", r)
		}
		want := `</>;rt="oma.lwm2m";ct="112 110 60 11542 11543",</1>;ver=1.2,</1/0>,</3>;ver=1.2,</3/0>`
		if r := srv.next(); !r.has("lwm2m=1.1") || !r.has("Q") || !r.has("b=UT") || r.body != want {
			t.Errorf("then %v with %s, want version 1.1 with Q and %s", r, r.body, want)
		}
		want = `</>;rt="oma.lwm2m";ct=11543,</1>;ver=1.2,</1/0>,</3>;ver=1.2,</3/0>`
		if r := srv.next(); !r.has("lwm2m=1.0") || r.has("Q") || !r.has("b=UQ") || r.body != want {
			t.Errorf("at last %v with %s, want version 1.0 with b=UQ and %s", r, r.body, want)
		}
		w.wantState(1, lwm2m.StateRegistered)
		// The client keeps this version.
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		if r := srv.next(); !r.has("lwm2m=1.0") {
			t.Errorf("registering again begins with %v", r)
		}
	})
}

func TestVersionExhausted(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.MinVersion, cfg.MaxVersion = registry.V(1, 1), registry.V(1, 1)
		srv := w.servers[0]
		srv.answers(func(request) answer { return answer{code: coap.PreconditionFailed, text: "only 1.0"} })
		w.start(cfg)
		if r := srv.next(); !r.has("lwm2m=1.1") {
			t.Errorf("got %v", r)
		}
		s := w.wantState(1, lwm2m.StateError)
		var refused *lwm2m.ResponseError
		if !errors.Is(s.Err, lwm2m.ErrVersion) || !errors.As(s.Err, &refused) || refused.Diagnostic != "only 1.0" {
			t.Errorf("error %v", s.Err)
		}
	})
}

func TestSupportedServerVersions(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.SupportedServerVersions = dm.List("1.0", "1.1.1", "2.0")
		}
		w.start(cfg)
		if r := w.servers[0].next(); !r.has("lwm2m=1.1") {
			t.Errorf("got %v, want the highest common version 1.1", r)
		}
	})
}
