package lwm2m_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// An account that loses its place in the order (/1/x/13) waits for no turn any more.
func TestPlaceIsTakenAway(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		with := cfg.Servers[0].Instance
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			with(i)
			i.RegistrationFailureBlock = dm.Bool(true)
		}
		w.servers[0].answers(refuse)
		w.start(cfg)
		w.servers[0].intervals(1)
		w.wantState(2, lwm2m.StateInitial)
		tx, err := w.client.Model().Begin(context.Background(), dm.Application)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		instance := dm.InstancePath(1, 1)
		entries := []dm.Entry{
			{Path: dm.ResourcePath(1, 1, 1), Value: dm.IntegerValue(3600)},
			{Path: dm.ResourcePath(1, 1, 6), Value: dm.BooleanValue(true)},
			{Path: dm.ResourcePath(1, 1, 7), Value: dm.StringValue("U")},
			{Path: dm.ResourcePath(1, 1, 0), Value: dm.IntegerValue(2)},
		}
		if err := tx.Write(instance, dm.Replace, entries); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[1].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(2, lwm2m.StateRegistered)
	})
}

// A client that is made while its loop ends is shut down with the others.
func TestClientMadeAtTheEnd(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		l, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var late *lwm2m.Client
		cfg := w.config()
		cfg.Loop = l
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			if s.State != lwm2m.StateDeregistering {
				return
			}
			again := w.config()
			again.Loop = l
			var err error
			if late, err = lwm2m.New(again); err != nil {
				t.Error(err)
			}
		}
		if _, err := lwm2m.New(cfg); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		w.servers[0].next()
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Hour):
			t.Error("the loop has not ended")
			late.Shutdown()
			<-ended
		}
		<-late.Done()
	})
}

// The loop turns on one goroutine: who would turn it from within, or beside Run, is told so.
func TestLoopTurnsOnce(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		var inside []error
		cfg := w.config()
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			ctx := context.Background()
			inside = append(inside, w.client.ServeAny(ctx, 0), w.client.Run(ctx))
			for _, sock := range w.client.Sockets() {
				inside = append(inside, w.client.Serve(ctx, sock))
			}
		}
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.ServeAny(context.Background(), 0); !errors.Is(err, lwm2m.ErrRunning) {
			t.Errorf("ServeAny beside Run: %v", err)
		}
		w.shutdown()
		if len(inside) < 6 {
			t.Errorf("%d calls from within", len(inside))
		}
		for _, err := range inside {
			if !errors.Is(err, lwm2m.ErrRunning) {
				t.Errorf("from within a callback: %v", err)
			}
		}
	})
}

// Accounts are added and removed by what runs on the loop: a function that a server executes, be it about that server itself. From a
// hook, which is within a transaction, it is refused at once instead of waited for.
func TestAccountsFromWithin(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg, sec, srv := own(w)
		var inHook error
		var hooked time.Duration
		sensor, err := temperature.New(temperature.Config{Hooks: temperature.Hooks{Changed: func(ctx context.Context, _ *temperature.Tx) {
			if lwm2m.FromContext(ctx) == nil {
				return // that is the Add below
			}
			at := time.Now()
			inHook = srv.Remove(ctx, 1)
			hooked = time.Since(at)
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := sensor.Add(0, temperature.Instance{
			SensorValue: dm.Float(20), ApplicationType: dm.Str("x"),
			ResetMinAndMaxMeasuredValues: func(ctx context.Context, _ dm.Args) error {
				addAccount(t, sec, srv, 2, "coap://s2")
				return errors.Join(srv.Remove(ctx, 1), sec.Remove(ctx, 1))
			},
		}); err != nil {
			t.Fatal(err)
		}
		cfg.Objects = append(cfg.Objects, sensor)
		w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if code := w.servers[0].do(coap.PUT, "/3303/0/5750", "boiler", 0); code != coap.Changed {
			t.Errorf("Write: %v", code)
		}
		w.wantState(1, lwm2m.StateRegistered) // the hook comes behind the answer
		if !errors.Is(inHook, dm.ErrInTransaction) || hooked != 0 {
			t.Errorf("within a hook: %v after %v", inHook, hooked)
		}
		if code := w.servers[0].do(coap.POST, "/3303/0/5605", "", -1); code != coap.Changed {
			t.Errorf("Execute: %v", code)
		}
		if r := w.servers[0].within(time.Second); r.code != coap.DELETE {
			t.Errorf("the server that removed itself got %v", r)
		}
		w.servers[1].within(time.Second)
		w.wantState(2, lwm2m.StateRegistered)
		if n := len(w.client.Status().Servers); n != 1 {
			t.Errorf("%d servers", n)
		}
	})
}

// Every method that may be called from any goroutine may be called when the state changes, at any state.
func TestMethodsInCallbacks(t *testing.T) {
	for name, call := range map[string]func(*lwm2m.Client) error{
		"Update":    func(c *lwm2m.Client) error { c.UpdateAll(); return nil },
		"Register":  func(c *lwm2m.Client) error { return c.Register(1) },
		"Disable":   func(c *lwm2m.Client) error { return c.Disable(1, time.Second) },
		"Enable":    func(c *lwm2m.Client) error { return c.Enable(1) },
		"Suspend":   func(c *lwm2m.Client) error { c.Suspend(); c.Resume(); return nil },
		"bootstrap": func(c *lwm2m.Client) error { _ = c.RequestBootstrap(); return nil },
		"Notify":    func(c *lwm2m.Client) error { c.Notify(dm.ObjectPath(3)); _ = c.Status().String(); return nil },
		"Sched":     func(c *lwm2m.Client) error { c.Sched().Run(); c.Sched().Leap(time.Second); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.slowLink(10 * time.Millisecond)
				cfg := w.config()
				calls := 0
				cfg.OnStatus = func(lwm2m.ServerStatus) {
					if calls++; calls <= 50 {
						if err := call(w.client); err != nil {
							t.Error(err)
						}
					}
				}
				w.start(cfg)
				w.servers[0].next()
				<-time.After(5 * time.Minute)
				w.wantState(1, lwm2m.StateRegistered)
			})
		})
	}
}
