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

// Nothing below Config.MinVersion is offered, and the next attempt begins from the highest again.
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

// Of the versions that a server speaks (/1/x/25) those count that the client may use; where there is none, the highest is tried.
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

// A lower version is kept over refusals for other reasons, which are told as they are.
func TestVersionOutlivesRefusals(t *testing.T) {
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

// The version that was agreed upon decides how requests are answered.
func TestVersionDecidesFormat(t *testing.T) {
	onBench(t, func(b *bench) {
		b.server.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			return lwm2mtest.Reply{Code: coap.PreconditionFailed}, strings.Contains(r.String(), "/rd") && !strings.Contains(r.String(), "lwm2m=1.0")
		})
		b.start()
		ans, err := b.server.WaitRegistered("dev").Read(context.Background(), "/3/0", content.None)
		if err != nil || ans.Code != coap.Content || ans.Format != content.TLV {
			t.Errorf("with LwM2M 1.0 the device answered %v (%v), want TLV", ans, err)
		}
	})
}

// What the server speaks (/1/x/25) may change while the device is registered; the next registration goes by it.
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

// A profile is LwM2M 1.2's: a server of another version gets the list.
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

// An object whose instances the profile covers is not listed, not even for its version; others of it are.
func TestProfileCoversInstances(t *testing.T) {
	for _, ids := range [][]dm.InstanceID{{0}, {0, 1}} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Objects = append(cfg.Objects, newSensor(t, ids...))
			cfg.Profile = lwm2m.Profile{ID: "6:27354b9a", Objects: []dm.Path{dm.ObjectPath(1), dm.ObjectPath(3), dm.InstancePath(3303, 0)}}
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

// Queue mode may be a letter of the account's binding.
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
