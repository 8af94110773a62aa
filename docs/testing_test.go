package docs_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// newBoiler returns the device that docs/testing.md tests.
func newBoiler(uri string, dialers ...socket.Dialer) (*lwm2m.Client, *setpoint.Object, error) {
	goals, err := setpoint.New(setpoint.Config{})
	if err != nil {
		return nil, nil, err
	}
	err = goals.Add(0, setpoint.Instance{SetPointValue: dm.Float(21), SensorUnits: dm.Str("Cel")})
	if err != nil {
		return nil, nil, err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "boiler-7",
		Servers:  []lwm2m.Server{{URI: uri, Lifetime: 10 * time.Minute}},
		Objects:  []dm.Object{goals},
		Dialers:  dialers,
	})
	return client, goals, err
}

func TestGoal(t *testing.T) {
	srv := lwm2mtest.NewServer(t)
	boiler, goals, err := newBoiler(srv.URI())
	if err != nil {
		t.Fatal(err)
	}
	srv.Run(boiler.Run)

	dev := srv.WaitRegistered("boiler-7")
	ans, err := dev.Write(t.Context(), "/3308/0/5900", content.Text, []byte("60"))
	if err != nil || ans.Code != coap.Changed {
		t.Errorf("Write: %v, %v", ans, err)
	}
	obs, _, err := dev.Observe(t.Context(), "/3308/0/5900", content.Text)
	if err != nil {
		t.Fatal(err)
	}
	err = goals.Update(t.Context(), 0, func(i *setpoint.Instance) error {
		i.SetPointValue.Set(55)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if note, err := obs.Next(t.Context()); err != nil || note.Text() != "55" {
		t.Errorf("notified of %v, %v", note, err)
	}
}

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		site, cloud := n.NewHost("site"), n.NewHost("cloud")
		l, err := cloud.Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		boiler, _, err := newBoiler("coap://cloud", site.Dialer())
		if err != nil {
			t.Fatal(err)
		}
		srv.Run(boiler.Run)
		srv.WaitRegistered("boiler-7")

		n.Cut(site, cloud)
		<-time.After(time.Hour)
		if s, _ := boiler.Status().Server(1); s.State.Registered() {
			t.Errorf("after an hour without network: %v", s)
		}
		n.Heal(site, cloud)
		if err := boiler.Register(1); err != nil {
			t.Fatal(err)
		}
		srv.WaitRegistered("boiler-7")
	})
}

func TestRestartedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l, err := n.NewHost("cloud").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		boiler, _, err := newBoiler("coap://cloud", n.NewHost("site").Dialer())
		if err != nil {
			t.Fatal(err)
		}
		srv.Run(boiler.Run)
		srv.WaitRegistered("boiler-7")

		srv.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			return lwm2mtest.Reply{Code: coap.NotFound}, r.Path != "/rd" // 4.04 to every Update
		})
		<-time.After(10 * time.Minute)
		again := slices.ContainsFunc(srv.Events()[1:], func(e lwm2mtest.Event) bool { return e.Kind == lwm2mtest.Registered })
		if !again {
			t.Error("the device did not register again")
		}
	})
}

func TestWakaama(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l, err := n.NewHost("cloud").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		srv.Disturb(2, lwm2mtest.Fault{Drop: true}, func(r lwm2mtest.Request) bool { return r.Path == "/dp" })
		srv.Intercept(lwm2mtest.Wakaama)
		boiler, _, err := newBoiler("coap://cloud", n.NewHost("site").Dialer())
		if err != nil {
			t.Fatal(err)
		}
		srv.Run(boiler.Run)
		if v := srv.WaitRegistered("boiler-7").Registration().Version; v != "1.1" {
			t.Errorf("registered with %s", v)
		}
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l, err := n.NewHost("cloud").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		goals, err := setpoint.New(setpoint.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := goals.Add(0, setpoint.Instance{SetPointValue: dm.Float(21)}); err != nil {
			t.Fatal(err)
		}
		boiler, err := lwm2m.New(lwm2m.Config{
			Endpoint: "boiler-7", Objects: []dm.Object{goals}, QueueMode: &lwm2m.QueueMode{},
			Servers: []lwm2m.Server{{URI: "coap://cloud", Lifetime: 10 * time.Minute}},
			Dialers: []socket.Dialer{n.NewHost("site").Dialer()},
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Run(boiler.Run)
		srv.WaitRegistered("boiler-7")

		dev := srv.WaitAsleep("boiler-7")
		asleep := time.Now()
		// Sent after the next Update of the device:
		ans, err := dev.Read(t.Context(), "/3308/0/5900", content.Text)
		if err != nil || ans.Text() != "21" {
			t.Errorf("Read: %v, %v", ans, err)
		}
		if waited := time.Since(asleep); waited < time.Minute {
			t.Errorf("the Read took %v", waited)
		}
	})
}

func TestServerRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l, err := n.NewHost("cloud").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		boiler, _, err := newBoiler("coap://cloud", n.NewHost("site").Dialer())
		if err != nil {
			t.Fatal(err)
		}
		srv.Run(boiler.Run)
		srv.WaitRegistered("boiler-7")

		srv.Restart(lwm2mtest.LoseSessions | lwm2mtest.LoseRegistrations) // nothing is on disk
		<-time.After(10 * time.Minute)
		if _, registered := srv.Client("boiler-7"); !registered {
			t.Error("the device did not register again")
		}
	})
}

func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l, err := n.NewHost("cloud").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		boiler, _, err := newBoiler("coap://cloud", n.NewHost("site").Dialer())
		if err != nil {
			t.Fatal(err)
		}
		srv.Run(boiler.Run)
		dev := srv.WaitRegistered("boiler-7")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var b lwm2m.Batch
		b.AddValue(dm.ResourcePath(3308, 0, setpoint.SetPointValueID), dm.FloatValue(50), time.Unix(1.7e9, 0))
		if _, err := boiler.Send(ctx, 1, &b); err != nil {
			t.Fatal(err)
		}
		for report := range dev.Sends(ctx) {
			entries, err := report.Entries()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				t.Log(e.Path, e.Value, e.Time)
			}
		}
		if n := len(dev.Sent()); n != 1 {
			t.Errorf("the device has reported %d times, want once", n)
		}
	})
}

var _ = bootstrapBoiler // compiled and never called

func bootstrapBoiler(t *testing.T, srv *lwm2mtest.Server) {
	srv.ScriptBootstrap("boiler-7",
		lwm2mtest.BootstrapDelete("/0"),
		lwm2mtest.BootstrapDelete("/1"),
		lwm2mtest.BootstrapAccount(1, lwm2m.Server{URI: "coap://cloud", ShortID: 101, Lifetime: time.Hour}),
		lwm2mtest.BootstrapFinish(),
	)
	for _, r := range srv.RequireBootstrapped("boiler-7").Results() {
		t.Log(r) // PUT /1/1: 2.04
	}
	srv.ScriptPack("boiler-7", lwm2mtest.BootstrapPack{Steps: []lwm2mtest.BootstrapStep{
		lwm2mtest.BootstrapAccount(1, lwm2m.Server{URI: "coap://cloud", ShortID: 101}),
	}})
}
