package lwm2m_test

import (
	"context"
	"errors"
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

// The loop that waits in the Recv of its only socket does everything else in time as well, and sleeps in between: virtual time would
// stand still otherwise.
func TestWaitInRecv(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Dialers = []socket.Dialer{unnotified{w.host.Dialer()}}
		c := w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		in := func(d time.Duration) time.Duration { // how long a job takes that is to run after d
			at := time.Now()
			done := make(chan time.Duration, 1)
			c.Sched().Post(func() { c.Sched().AfterFunc(d, func() { done <- time.Since(at) }) })
			return <-done
		}
		for range 3 {
			for _, d := range []time.Duration{0, 300 * time.Millisecond, 1500 * time.Millisecond, 90 * time.Second} {
				if took := in(d); took != d {
					t.Errorf("a job after %v was run after %v", d, took)
				}
				srv.served()
			}
			if err := c.Update(1); err != nil {
				t.Fatal(err)
			}
			if r := srv.next(); r.path != "/rd/5a3f" {
				t.Errorf("got %v", r)
			}
		}
		if r := srv.next(); time.Since(r.at) != 0 || r.path != "/rd/5a3f" { // the planned one
			t.Errorf("got %v", r)
		}
	})
}

// Every turn of an own loop waits as long as it says, whatever the one before has waited for.
func TestServeAnyWaitsAsTold(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Dialers = []socket.Dialer{unnotified{w.host.Dialer()}}
		c, err := lwm2m.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		turn := func(d time.Duration) time.Duration {
			at := time.Now()
			if err := c.ServeAny(ctx, d); err != nil {
				t.Fatal(err)
			}
			return time.Since(at)
		}
		for st, _ := c.Status().Server(1); st.State != lwm2m.StateRegistered; st, _ = c.Status().Server(1) {
			turn(time.Minute)
		}
		w.servers[0].next()
		answered := make(chan struct{})
		go func() {
			for range 2 { // of which the second leaves the next job what it is
				<-time.After(10 * time.Second)
				w.servers[0].served()
			}
			close(answered)
		}()
		for begin := time.Now(); time.Since(begin) < 20*time.Second; {
			turn(time.Minute)
		}
		<-answered
		for _, d := range []time.Duration{5 * time.Second, 0, time.Millisecond} {
			if got := turn(d); got != d {
				t.Errorf("ServeAny waited for %v, want %v", got, d)
			}
		}
		c.Shutdown()
		for turning := true; turning; {
			select {
			case <-c.Done():
				turning = false
			default:
				turn(time.Second)
			}
		}
	})
}

// What Serve leaves behind is announced again.
func TestServeLeavesTheRest(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c, err := lwm2m.New(w.config())
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		until := func(done func() bool) {
			for !done() {
				if err := c.ServeAny(ctx, time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
		until(func() bool { st, _ := c.Status().Server(1); return st.State == lwm2m.StateRegistered })
		w.servers[0].next()
		until(func() bool {
			select {
			case <-c.Readable():
				return false
			default:
				return true
			}
		})
		w.servers[0].ask(100)
		synctest.Wait()
		<-c.Readable()
		if err := c.Serve(ctx, c.Sockets()[0]); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.Readable():
		default:
			t.Error("there are requests left, and Readable does not say so")
		}
		at := time.Now()
		until(func() bool { return c.Sockets()[0].Stats().MessagesReceived >= 101 })
		if d := time.Since(at); d != 0 {
			t.Errorf("the rest was served after %v", d)
		}
		c.Shutdown()
		until(func() bool {
			select {
			case <-c.Done():
				return true
			default:
				return false
			}
		})
	})
}

// Nothing that another goroutine leaves in the scheduler waits for something else to wake the loop, in whatever moment it comes.
func TestWakeUpsAreNotLost(t *testing.T) {
	noGoroutinesLeft(t)
	s, uri := realServer(t)
	c, err := lwm2m.New(realConfig(t, uri))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s.within(10 * time.Second)
	for i := range 2000 {
		if i%4 != 0 { // the loop has just answered, or slept
			s.do(coap.GET, "/3/0/16", "", -1)
		}
		done := make(chan struct{})
		c.Sched().Post(func() { close(done) })
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("wake-up %d was lost", i)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A client whose context has ended before it began ends as well.
func TestRunOfEndedContext(t *testing.T) {
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

// A client that has ended does not hear of its Model any more.
func TestEndedClientIsQuiet(t *testing.T) {
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

// A port that nobody listens at, as while a server starts, ends nothing: the Register is sent again.
func TestRefusedPort(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		cfg := w.config()
		cfg.Servers = []lwm2m.Server{{URI: "coap://late", Lifetime: time.Hour}}
		host := w.net.NewHost("late")
		w.start(cfg)
		<-time.After(time.Second)
		if s := w.wantState(1, lwm2m.StateRegistering); !errors.Is(s.Err, socket.ErrRefused) {
			t.Errorf("status %v", s)
		}
		l, err := host.Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		serverOn(w.t, l).within(10 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// obstinate is a dialer whose sockets do not hear of the end of their context, and connect in the end.
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

// A connection that comes about after it was given up is closed, and the client is not done before, but waits for it no longer than for
// a slow function.
func TestConnectionNobodyWaitsFor(t *testing.T) {
	for _, late := range []bool{false, true} {
		inWorld(t, 1, func(w *world) { connectUnasked(w, late) })
	}
}

func connectUnasked(w *world, late bool) {
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

// Whatever many goroutines ask of a client at once, it ends where they leave it.
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
	go func() { // the server's requests are not looked at
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

// deaf is a dialer whose sockets connect never, and return when their context ends, but not when they are closed.
type deaf struct {
	socket.Dialer
	returned chan error
}

func (d deaf) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return deafSocket{s, d.returned}, err
}

type deafSocket struct {
	socket.Socket
	returned chan error
}

func (s deafSocket) Connect(ctx context.Context, _ socket.Endpoint) error {
	<-ctx.Done()
	s.returned <- ctx.Err()
	return ctx.Err()
}

// A connection that is not wanted any more is given up at once, and not when its time is over.
func TestUnwantedConnectionIsGivenUp(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		d := deaf{w.host.Dialer(), make(chan error, 10)}
		cfg := w.config()
		cfg.Dialers = []socket.Dialer{d}
		c := w.start(cfg)
		w.wantState(1, lwm2m.StateConnecting)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		if n := len(d.returned); n != 1 {
			t.Errorf("%d connections have been given up", n)
		}
	})
}

// A device that connects anew has nothing planned for the connection before.
func TestNothingPlannedWhileConnecting(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		if s := w.wantState(1, lwm2m.StateRegistered); s.Plan != "update" {
			t.Errorf("status %v", s)
		}
		<-time.After(time.Minute)
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		w.slowLink(time.Second) // for the end of the connection, and for each way of the next
		<-time.After(1500 * time.Millisecond)
		if s := w.wantState(1, lwm2m.StateConnecting); s.Plan != "" || !s.Next.IsZero() {
			t.Errorf("status %v", s)
		}
	})
}
