package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// Shutdown ends the context of a slow function, and the client ends at once.
func TestShutdownCancelsSlowFunctions(t *testing.T) {
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

// A client that is made while its loop shuts down is shut down with the others.
func TestClientMadeDuringShutdown(t *testing.T) {
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

func TestShutdownWhileConnecting(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.net.SetLookupDelay(10 * time.Second)
		w.start(w.config())
		w.wantState(1, lwm2m.StateConnecting)
		at := time.Now()
		w.shutdown()
		if d := time.Since(at); d != 0 {
			t.Errorf("the shut-down took %v", d)
		}
	})
}

// A server that does not answer delays the shutdown by ShutdownTimeout, and no longer.
func TestShutdownTimeout(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.ShutdownTimeout = 3 * time.Second
		w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].silent()
		at := time.Now()
		w.shutdown()
		if d := time.Since(at); d != 3*time.Second {
			t.Errorf("the shut-down took %v, want 3s", d)
		}
		if r := w.servers[0].next(); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("got %v", r)
		}
	})
}

// A shutdown does not wait for a server that closes the connection instead of answering
// De-register.
func TestServerHangsUpDuringDeregistration(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.answers(func(request) answer {
			_ = srv.conn.Socket().Close() // on the server's loop
			return answer{}
		})
		at := time.Now()
		if w.shutdown(); time.Since(at) != 0 {
			t.Errorf("the shut-down took %v", time.Since(at))
		}
		if r := srv.next(); r.code != coap.DELETE {
			t.Errorf("got %v", r)
		}
	})
}

// Disable and Shutdown wait for a Register in flight, so that the server keeps no registration that
// is not wanted.
func TestLeaveWhileRegistering(t *testing.T) {
	for name, answers := range map[string]func(request) answer{"accepted": nil, "refused": refuse} {
		for _, disable := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, disable %v", name, disable), func(t *testing.T) {
				inWorld(t, 1, func(w *world) {
					if err := w.net.SetDefaultLink(linkDelay(time.Second)); err != nil {
						t.Fatal(err)
					}
					c := w.start(w.config())
					srv := w.servers[0]
					srv.answers(answers)
					srv.next()
					if disable {
						if err := c.Disable(1, 0); err != nil {
							t.Fatal(err)
						}
					} else {
						w.stop()
					}
					w.wantState(1, lwm2m.StateDeregistering)
					if answers == nil {
						if r := srv.within(3 * time.Second); r.String() != "DELETE /rd/5a3f" {
							t.Errorf("got %v", r)
						}
					}
					srv.quiet(10 * time.Second)
					if disable {
						w.wantState(1, lwm2m.StateDeregistered)
					} else {
						<-c.Done()
					}
				})
			})
		}
	}
}

func TestShutdownFromCallback(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			if s.State == lwm2m.StateRegistered {
				w.client.Shutdown()
			}
		}
		c := w.start(cfg)
		w.servers[0].next()
		if r := w.servers[0].within(time.Second); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("got %v", r)
		}
		<-c.Done()
		if err := c.Run(context.Background()); !errors.Is(err, lwm2m.ErrClosed) {
			t.Errorf("a second Run: %v", err)
		}
	})
}

// Shutdown ends Run of a client with its own loop.
func TestShutdownEndsRun(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Shutdown()
		if err := <-w.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		w.ended <- nil // for the end of the test
	})
}

// Run ends the client and returns if its context has ended before.
func TestRunWithEndedContext(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		ended, end := context.WithCancel(context.Background())
		end()
		c, err := lwm2m.New(w.config())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(ended); err != nil {
			t.Error(err)
		}
		select {
		case <-c.Done():
		default:
			t.Error("Run has returned, but the client is not done")
		}
	})
}

// A client that has ended does not react to changes of its Model.
func TestEndedClientIgnoresModel(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.shutdown()
		c.Sched().Run()
		w.client = c
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(50))
		w.client = nil
		if d := c.Sched().Wait(time.Minute); d != time.Minute {
			t.Error("a change of the Model has woken the loop of a client that is done")
		}
	})
}

// obstinate is a dialer whose sockets ignore the end of their context and connect later.
type obstinate struct {
	socket.Dialer
	release chan struct{}
	open    *atomic.Int32
}

func (d obstinate) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return &obstinateSocket{Socket: s, d: d}, err
}

type obstinateSocket struct {
	socket.Socket
	d    obstinate
	mu   sync.Mutex
	made bool
}

func (s *obstinateSocket) Connect(_ context.Context, to socket.Endpoint) error {
	<-s.d.release
	err := s.Socket.Connect(context.Background(), to)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && !s.made {
		s.made = true
		s.d.open.Add(1)
	}
	return err
}

func (s *obstinateSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made {
		s.made = false
		s.d.open.Add(-1)
	}
	return s.Socket.Close()
}

// A connection that is made after it was cancelled is closed. The client is not done before, but it
// waits no longer than for a slow function.
func TestLateConnectionIsClosed(t *testing.T) {
	for _, late := range []bool{false, true} {
		inWorld(t, 1, func(w *world) { testLateConnection(w, late) })
	}
}

func testLateConnection(w *world, late bool) {
	d := obstinate{w.host.Dialer(), make(chan struct{}), new(atomic.Int32)}
	cfg := w.config()
	cfg.Dialers, cfg.ShutdownTimeout = []socket.Dialer{d}, 3*time.Second
	c := w.start(cfg)
	w.wantState(1, lwm2m.StateConnecting)
	at := time.Now()
	w.stop()
	synctest.Wait()
	select {
	case <-c.Done():
		w.t.Error("the client is done while it still connects")
	default:
	}
	if late {
		if <-c.Done(); time.Since(at) != 6*time.Second {
			w.t.Errorf("the shut-down took %v, want 6s", time.Since(at))
		}
	}
	close(d.release)
	<-c.Done()
	synctest.Wait()
	if n := d.open.Load(); n != 0 {
		w.t.Errorf("%d connections are left open", n)
	}
}

// After Shutdown, what the application asks for can be neither done nor remembered: it is refused.
func TestCallsAfterShutdown(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Shutdown()
		for name, err := range map[string]error{
			"Register": c.Register(1), "Update": c.Update(1), "Disable": c.Disable(1, 0), "Enable": c.Enable(1),
			"Reconnect": c.Reconnect(1), "SuspendServer": c.SuspendServer(1), "ResumeServer": c.ResumeServer(1),
			"SetTransmission": c.SetTransmission(1, coap.Params{}), "RequestBootstrap": c.RequestBootstrap(),
		} {
			if !errors.Is(err, lwm2m.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, err)
			}
		}
	})
}

// What the application asks for during the shutdown that Run begins is refused, too.
func TestCallsAfterRun(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.shutdown()
		if err := c.Register(1); !errors.Is(err, lwm2m.ErrClosed) {
			t.Errorf("Register: %v, want ErrClosed", err)
		}
	})
}
