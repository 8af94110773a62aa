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

// crowd is many clients on one loop, registered with one server.
type crowd struct {
	loop    *lwm2m.Loop
	devices []*lwm2mtest.Client
}

// inCrowd runs fn in a bubble with n clients, whose loop is run by drive until its context ends.
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
				Endpoint: fmt.Sprint("dev", i), Servers: []lwm2m.Server{{URI: "coap://s1"}}, Loop: loop, Logger: quiet(),
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

// hold keeps the loop from turning until the function it returns is called.
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

// No wake-up is lost when more sockets have been read empty than one turn looks at: what arrives next is answered at once, and not
// with whatever wakes the loop after it.
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

// unnotified is a dialer whose sockets have no abilities, so that the loop waits in the Recv of the only one, and watches several.
type unnotified struct{ socket.Dialer }

func (d unnotified) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return struct{ socket.Socket }{s}, err
}

// A leap of the clock brings the deadlines nearer that the loop sleeps towards, whichever way it sleeps and whoever leaps: a job, or
// a function that serves a request.
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
