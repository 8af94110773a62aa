package lwm2m_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A loop runs on one goroutine: a turn from within a turn, or in parallel with Run, is ErrRunning.
func TestLoopRefusesNestedTurns(t *testing.T) {
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

// A function that a server executes can add and remove accounts on the loop, including the account
// of that server. A Commit hook runs inside a transaction: it is refused at once and does not wait.
func TestAccountsChangeOnTheLoop(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg, sec, srv := own(w)
		var inHook error
		var hooked time.Duration
		sensor, err := temperature.New(temperature.Config{Hooks: temperature.Hooks{Commit: func(ctx context.Context, _ *temperature.Tx) error {
			if lwm2m.FromContext(ctx) == nil {
				return nil // the Add below
			}
			at := time.Now()
			inHook = srv.Remove(ctx, 1)
			hooked = time.Since(at)
			return nil
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
		w.wantState(1, lwm2m.StateRegistered)
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

// OnStatus may call every method that is safe from any goroutine, in every state.
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
						if err := call(w.client); err != nil && !errors.Is(err, lwm2m.ErrClosed) {
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

// A function finds the client in its context.
func TestFromContext(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		got := make(chan *lwm2m.Client, 1)
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.Disable = func(ctx context.Context, _ dm.Args) error {
				got <- lwm2m.FromContext(ctx)
				return nil
			}
		}
		c := w.start(cfg)
		w.servers[0].next()
		w.status(1)
		w.execute(dm.ResourcePath(1, 0, 4))
		if found := <-got; found != c {
			t.Errorf("the client in the context is %p, want %p", found, c)
		}
		if lwm2m.FromContext(context.Background()) != nil {
			t.Error("there is a client in an empty context")
		}
	})
}

// Many goroutines call the methods of a client at the same time. Afterwards it registers.
func TestManyGoroutines(t *testing.T) {
	s, uri := realServer(t)
	cfg := realConfig(t, uri)
	cfg.Objects = append(cfg.Objects, newSensor(t, 0))
	sensor := cfg.Objects[1].(interface {
		Remove(context.Context, dm.InstanceID) error
	})
	c, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	go func() { // the requests are not checked
		for range s.requests {
		}
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.stop()
		<-s.done
		close(s.requests)
	}()
	var wg sync.WaitGroup
	for _, call := range []func(i int) error{
		func(int) error { return c.Update(1) },
		func(int) error { c.RegisterAll(); return nil },
		func(i int) error { return c.Disable(1, time.Duration(i%3)*time.Millisecond) },
		func(int) error { return c.Enable(1) },
		func(int) error { c.Suspend(); return nil },
		func(int) error { c.Resume(); return nil },
		func(int) error { c.Suspend("coap"); c.Resume("coap"); return nil },
		func(int) error { c.Notify(dm.ObjectPath(3303)); _ = c.Status().String(); return nil },
		func(i int) error { return sensor.Remove(ctx, dm.InstanceID(i+1)) },
	} {
		wg.Go(func() {
			for i := range 200 {
				if err := call(i); err != nil && !errors.Is(err, dm.NotFound) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	c.Resume()
	if err := c.Enable(1); err != nil {
		t.Fatal(err)
	}
	registered := func() bool { st, _ := c.Status().Server(1); return st.State == lwm2m.StateRegistered }
	for end := time.Now().Add(20 * time.Second); !registered(); {
		if time.Now().After(end) {
			t.Fatalf("in the end: %v", c.Status())
		}
		done := make(chan struct{})
		c.Sched().Post(func() { close(done) })
		<-done
	}
}
