package lwm2m_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// A loop that waits in Recv of its only socket runs jobs and serves requests in time. It sleeps in
// between: otherwise virtual time would not pass.
func TestWaitInRecv(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Dialers = []socket.Dialer{unnotified{w.host.Dialer()}}
		c := w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		in := func(d time.Duration) time.Duration { // returns when a job with the delay d runs
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
				srv.wantServed()
			}
			if err := c.Update(1); err != nil {
				t.Fatal(err)
			}
			if r := srv.next(); r.path != "/rd/5a3f" {
				t.Errorf("got %v", r)
			}
		}
		if r := srv.next(); time.Since(r.at) != 0 || r.path != "/rd/5a3f" { // the planned Update
			t.Errorf("got %v", r)
		}
	})
}

// Every ServeAny waits as long as its limit says, whatever the previous one has waited for.
func TestServeAnyKeepsLimit(t *testing.T) {
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
			for range 2 { // the second one does not change the next job
				<-time.After(10 * time.Second)
				w.servers[0].wantServed()
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

// Readable reports the messages that Serve has left.
func TestReadableReportsRemainingMessages(t *testing.T) {
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
		until(func() bool { st, _ := c.Stats(1); return st.MessagesReceived >= 101 })
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

// A function that another goroutine posts runs at once, at whatever moment it is posted.
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
		if i%4 != 0 { // the loop has just sent a response, or sleeps
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

// crowd is a loop with many clients, which are registered with one server.
type crowd struct {
	loop    *lwm2m.Loop
	devices []*lwm2mtest.Client
}

// inCrowd runs fn in a bubble with n clients that share a loop. drive runs the loop until its
// context ends.
func inCrowd(t *testing.T, n int, drive func(context.Context, *lwm2m.Loop) error, fn func(*crowd)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(1)
		l, err := net.NewHost("s1").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		s := lwm2mtest.NewServer(t, l)
		loop, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var clients []*lwm2m.Client
		for i := range n {
			c, err := lwm2m.New(lwm2m.Config{
				Endpoint: fmt.Sprint("dev", i), Servers: []lwm2m.Server{{URI: "coap://s1"}}, Loop: loop,
				Logger:  quiet(),
				Dialers: []socket.Dialer{net.NewHost("").Dialer()}, Objects: []dm.Object{newDevice(t)},
			})
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- drive(ctx, loop) }()
		c := &crowd{loop: loop}
		for i := range n {
			c.devices = append(c.devices, s.WaitRegistered(fmt.Sprint("dev", i)))
		}
		fn(c)
		for _, c := range clients {
			c.Shutdown()
		}
		for _, c := range clients {
			<-c.Done()
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// hold stops the loop until the returned function is called.
func (c *crowd) hold() (release func()) {
	held, released := make(chan struct{}), make(chan struct{})
	c.loop.Sched().Post(func() { close(held); <-released })
	<-held
	return func() { close(released) }
}

func (c *crowd) read(t *testing.T, d *lwm2mtest.Client) {
	t.Helper()
	if ans, err := d.Read(context.Background(), "/3/0/16", content.Text); err != nil || ans.Code != coap.Content {
		t.Errorf("Read: %v, %v", ans, err)
	}
}

// No wake-up is lost if more sockets were read until they were empty than one turn handles: the
// next message is answered at once, and not when something else wakes the loop.
func TestManyReadySockets(t *testing.T) {
	loops := map[string]func(context.Context, *lwm2m.Loop) error{
		"Run": func(ctx context.Context, l *lwm2m.Loop) error { return l.Run(ctx) },
		"Readable": func(ctx context.Context, l *lwm2m.Loop) error {
			for {
				timer := time.NewTimer(l.Sched().Wait(time.Hour))
				select {
				case <-ctx.Done():
					return nil
				case <-l.Readable():
					if err := l.ServeAny(ctx, 0); err != nil && ctx.Err() == nil {
						return err
					}
				case <-l.Sched().Woken():
				case <-timer.C:
				}
				timer.Stop()
				l.Sched().Run()
			}
		},
	}
	for name, loop := range loops {
		t.Run(name, func(t *testing.T) {
			inCrowd(t, 100, loop, func(c *crowd) {
				release := c.hold()
				answered := make(chan struct{}, len(c.devices))
				for _, d := range c.devices {
					go func() {
						c.read(t, d)
						answered <- struct{}{}
					}()
				}
				synctest.Wait()
				release()
				for range c.devices {
					<-answered
				}
				synctest.Wait()
				for i, d := range c.devices {
					at := time.Now()
					if c.read(t, d); time.Since(at) != 0 {
						t.Errorf("device %d answered after %v", i, time.Since(at))
						return
					}
				}
			})
		})
	}
}

// Leap brings the deadlines closer that the loop sleeps for, however it sleeps. A job or a function
// that serves a request may call it.
func TestLeap(t *testing.T) {
	leaps := map[string]func(w *world){
		"job": func(w *world) { w.client.Sched().Post(func() { w.client.Sched().Leap(20 * time.Second) }) },
		"request": func(w *world) {
			if code := w.servers[0].do(coap.POST, "/1/0/4", "", -1); code != coap.Changed {
				w.t.Errorf("Execute: %v", code)
			}
		},
	}
	for name, leap := range leaps {
		for _, n := range []int{1, 2} {
			for _, notified := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %d servers, notified %v", name, n, notified), func(t *testing.T) {
					inWorld(t, n, func(w *world) { leapIn(w, leap, notified) })
				})
			}
		}
	}
}

func leapIn(w *world, leap func(*world), notified bool) {
	cfg := w.config()
	if !notified {
		cfg.Dialers = []socket.Dialer{unnotified{w.host.Dialer()}}
	}
	for i := range cfg.Servers {
		cfg.Servers[i].Lifetime = 80 * time.Second // an Update after 40 s
		cfg.Servers[i].Instance = func(i *lwm2m.ServerInstance) {
			i.Disable = func(ctx context.Context, _ dm.Args) error {
				lwm2m.FromContext(ctx).Sched().Leap(20 * time.Second)
				return nil
			}
		}
	}
	w.start(cfg)
	for _, s := range w.servers {
		s.next()
	}
	at := time.Now()
	<-time.After(5 * time.Second)
	leap(w)
	for i, s := range w.servers {
		if r := s.next(); r.at.Sub(at) != 20*time.Second {
			w.t.Errorf("the Update of server %d was sent after %v, want 20s", i+1, r.at.Sub(at))
		}
	}
}
