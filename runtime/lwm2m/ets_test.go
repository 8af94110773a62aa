package lwm2m_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// The tests here are OMA's enabler test cases for the registration interface, named by their ids.

func TestETS_1_1_int_101_InitialRegistration(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		r := w.servers[0].next()
		for _, param := range []string{"ep=dev", "lt=3600", "lwm2m=1.2", "b=U"} {
			if !r.has(param) {
				t.Errorf("%v lacks %s", r, param)
			}
		}
		if r.code != coap.POST || r.path != "/rd" || r.format != 40 {
			t.Errorf("got %v with format %d", r, r.format)
		}
		for _, link := range []string{"</1/0>", "</3/0>"} {
			if !strings.Contains(r.body, link) {
				t.Errorf("links %s lack %s", r.body, link)
			}
		}
		for _, link := range []string{"</0", "</21", "</23"} {
			if strings.Contains(r.body, link) {
				t.Errorf("links %s show %s", r.body, link)
			}
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestETS_1_1_int_102_Update(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		srv := w.servers[0]
		srv.next()
		if code := srv.do(coap.PUT, "/1/0/1", "20", 0); code != coap.Changed {
			t.Errorf("Write of the lifetime: %v", code)
		}
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=20" {
			t.Errorf("got %v, want an update with lt=20", r)
		}
		if r := srv.next(); r.String() != "POST /rd/5a3f" {
			t.Errorf("got %v, want the next update", r)
		}
		// When the lifetime passes unnoticed, the server has forgotten the device.
		w.net.Cut(w.host, srv.host)
		time.Sleep(30 * time.Second)
		srv.answers(func(r request) answer {
			if r.path != "/rd" {
				return answer{code: coap.NotFound}
			}
			return registrar(r)
		})
		w.net.Heal(w.host, srv.host)
		for r := srv.next(); r.path != "/rd"; r = srv.next() {
			if r.code != coap.POST {
				t.Errorf("got %v", r)
			}
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestETS_1_1_int_103_Deregistration(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.DisableTimeout = dm.Int(600) }
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		at := time.Now()
		if code := srv.do(coap.POST, "/1/0/4", "", -1); code != coap.Changed {
			t.Errorf("Execute of Disable: %v", code)
		}
		if r := srv.within(time.Second); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("got %v, want the de-registration", r)
		}
		w.wantState(1, lwm2m.StateDeregistered)
		if len(w.sockets()) != 0 {
			t.Error("the connection is still there")
		}
		if r := srv.next(); r.path != "/rd" || r.at.Sub(at) != 600*time.Second {
			t.Errorf("%v after %v, want a Register after the Disable Timeout of 600 s", r, r.at.Sub(at))
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestETS_1_1_int_104_UpdateTrigger(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		srv := w.servers[0]
		srv.next()
		if code := srv.do(coap.POST, "/1/0/8", "", -1); code != coap.Changed {
			t.Errorf("Execute of Registration Update Trigger: %v", code)
		}
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f" || r.body != "" {
			t.Errorf("got %v with %q, want an update without parameters", r, r.body)
		}
	})
}

func TestETS_1_1_int_105_UpdateDiscarded(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		srv := w.servers[0]
		srv.next()
		srv.answers(func(r request) answer {
			if r.path == "/rd" {
				return answer{code: coap.Created, location: "/rd/again"}
			}
			return answer{code: coap.NotFound}
		})
		if r := srv.next(); r.String() != "POST /rd/5a3f" {
			t.Errorf("got %v, want the update", r)
		}
		if r := srv.within(time.Second); r.path != "/rd" || !r.has("ep=dev") {
			t.Errorf("got %v, want a Register", r)
		}
		if s := w.wantState(1, lwm2m.StateRegistered); s.Location != "/rd/again" {
			t.Errorf("location %s", s.Location)
		}
	})
}

func TestETS_1_1_int_107_LongerLifetime(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Lifetime = time.Minute
		w.start(cfg)
		srv := w.servers[0]
		if r := srv.next(); !r.has("lt=60") {
			t.Errorf("got %v", r)
		}
		if code := srv.do(coap.PUT, "/1/0/1", "120", 0); code != coap.Changed {
			t.Errorf("Write of the lifetime: %v", code)
		}
		r := srv.within(time.Second)
		if r.String() != "POST /rd/5a3f?lt=120" {
			t.Errorf("got %v, want an update with lt=120 at once", r)
		}
		if next := srv.next(); next.at.Sub(r.at) != time.Minute {
			t.Errorf("the next update comes after %v, want half of the new lifetime", next.at.Sub(r.at))
		}
	})
}

func TestETS_1_2_int_110_ProfileID(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Profile.ID = "6:27354b9a"
		w.start(cfg)
		r := w.servers[0].next()
		if !r.has("pid=6:27354b9a") || !r.has("lwm2m=1.2") || r.body != "" || r.format != -1 {
			t.Errorf("got %v with %q and format %d, want the profile and no objects", r, r.body, r.format)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestETS_1_2_int_111_ProfileIDAndList(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Objects = append(cfg.Objects, newSensor(t, 0))
		cfg.Profile = lwm2m.Profile{ID: "6:27354b9a", Objects: []dm.Path{dm.InstancePath(1, 0), dm.InstancePath(3, 0)}}
		c := w.start(cfg)
		r := w.servers[0].next()
		want := `</>;rt="oma.lwm2m";ct="60 110 112 11542 11543 11544",</3303>;ver=1.1,</3303/0>`
		if !r.has("pid=6:27354b9a") || r.body != want {
			t.Errorf("got %v with %s, want the profile and %s", r, r.body, want)
		}
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Model().Unregister(context.Background(), 3303); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(time.Second); r.body != `</>;rt="oma.lwm2m";ct="60 110 112 11542 11543 11544"` {
			t.Errorf("after the object was removed %q", r.body)
		}
	})
}
