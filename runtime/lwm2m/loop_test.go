package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// Run works over the operating system's UDP: with one server it waits in the socket, with several
// it watches them.
func TestRunOverUDP(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n, " servers"), func(t *testing.T) {
			noGoroutinesLeft(t)
			var servers []*rdServer
			var uris []string
			for range n {
				s, uri := realServer(t)
				servers, uris = append(servers, s), append(uris, uri)
			}
			c, err := lwm2m.New(realConfig(t, uris...))
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			for _, s := range servers {
				s.within(10 * time.Second)
				for range 20 {
					if code := s.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
						t.Errorf("Read: %v", code)
					}
				}
				c.UpdateAll() // from another goroutine, while the loop waits
				s.within(10 * time.Second)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			for _, s := range servers {
				for r := s.within(10 * time.Second); r.code != coap.DELETE; r = s.within(10 * time.Second) {
				}
			}
		})
	}
}

// Event loops of a program's own work in each of the ways that the package documentation shows.
func TestOwnLoop(t *testing.T) {
	loops := map[string]func(context.Context, *lwm2m.Client, chan func()) error{
		"select": func(ctx context.Context, c *lwm2m.Client, events chan func()) error {
			timer := time.NewTimer(0)
			for {
				timer.Reset(c.Sched().Wait(time.Minute))
				select {
				case <-c.Done():
					return nil
				case <-c.Readable():
					if err := c.ServeAny(ctx, 0); err != nil {
						return err
					}
				case <-c.Sched().Woken():
				case e := <-events:
					e()
				case <-timer.C:
				}
				c.Sched().Run()
			}
		},
		"serve each": func(ctx context.Context, c *lwm2m.Client, events chan func()) error {
			for {
				select {
				case <-c.Done():
					return nil
				case e := <-events:
					e()
				case <-time.After(min(c.Sched().Wait(time.Minute), time.Millisecond)):
				}
				for _, s := range c.Sockets() {
					if err := c.Serve(ctx, s); err != nil && !errors.Is(err, socket.ErrRefused) {
						return err
					}
				}
				c.Sched().Run()
			}
		},
		"serve any": func(ctx context.Context, c *lwm2m.Client, events chan func()) error {
			for {
				select {
				case <-c.Done():
					return nil
				case e := <-events:
					e()
				default:
				}
				if err := c.ServeAny(ctx, 10*time.Millisecond); err != nil {
					return err
				}
			}
		},
	}
	for name, loop := range loops {
		t.Run(name, func(t *testing.T) {
			noGoroutinesLeft(t)
			s, uri := realServer(t)
			c, err := lwm2m.New(realConfig(t, uri))
			if err != nil {
				t.Fatal(err)
			}
			events := make(chan func(), 1)
			ended := make(chan error, 1)
			go func() { ended <- loop(context.Background(), c, events) }()
			s.within(10 * time.Second)
			if code := s.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
				t.Errorf("Read: %v", code)
			}
			events <- c.Shutdown
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if r := s.within(10 * time.Second); r.code != coap.DELETE {
				t.Errorf("got %v, want the de-registration", r)
			}
		})
	}
}

func TestServeAnyEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		at := time.Now()
		if err := l.ServeAny(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(at) != time.Second {
			t.Errorf("%v after %v", err, time.Since(at))
		}
		at = time.Now()
		if err := l.ServeAny(context.Background(), 5*time.Second); err != nil || time.Since(at) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(at))
		}
	})
}

// Run of a client whose shared loop is not run returns an error and does not wait for ever.
func TestSharedLoopIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := lwm2m.New(lwm2m.Config{Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://s1"}}, Loop: l,
			Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Run(ctx); err == nil || !strings.Contains(err.Error(), "must call its Run") {
			t.Errorf("Run of a client whose loop does not turn: %v", err)
		}
	})
}

// Many clients on one loop register, and all de-register when the loop ends.
func TestManyClientsOnOneLoop(t *testing.T) {
	const clients = 50
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		s := newServer(t, n, "s1")
		l, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		var all []*lwm2m.Client
		for i := range clients {
			c, err := lwm2m.New(lwm2m.Config{
				Endpoint: fmt.Sprint("dev", i), Servers: []lwm2m.Server{{URI: "coap://s1"}}, Loop: l, Logger: quiet(),
				Dialers: []socket.Dialer{n.NewHost("").Dialer()}, Objects: []dm.Object{newDevice(t)},
			})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		for range clients {
			s.next()
		}
		synctest.Wait()
		if err := l.Run(ctx); !errors.Is(err, lwm2m.ErrRunning) {
			t.Errorf("a second Run of the loop: %v", err)
		}
		one, end := context.WithCancel(context.Background())
		end()
		if err := all[0].Run(one); err != nil { // one client ends
			t.Error(err)
		}
		if r := s.next(); r.code != coap.DELETE {
			t.Errorf("got %v", r)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for range clients - 1 {
			if r := s.next(); r.code != coap.DELETE {
				t.Errorf("got %v", r)
			}
		}
		for _, c := range all {
			<-c.Done()
		}
		if left := l.Sched().Len(); left != 0 {
			t.Errorf("%d jobs left", left)
		}
	})
}

// A loop can run again with new clients after all its clients have ended.
func TestLoopRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		servers := []*rdServer{newServer(t, n, "s1"), newServer(t, n, "s2")}
		l, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- l.Run(ctx) }()
			_, err := lwm2m.New(lwm2m.Config{
				Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://s1"}, {URI: "coap://s2"}}, Loop: l,
				Logger:  quiet(),
				Dialers: []socket.Dialer{n.NewHost("").Dialer()}, Objects: []dm.Object{newDevice(t)},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range servers {
				s.next()
			}
			synctest.Wait()
			for _, s := range servers {
				if code := s.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
					t.Errorf("a Read is answered %v", code)
				}
			}
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			for _, s := range servers {
				if r := s.within(time.Second); r.code != coap.DELETE {
					t.Errorf("got %v", r)
				}
			}
		}
	})
}

// Serve refuses a socket of another loop, and does nothing after its context has ended.
func TestServeRefusesForeignSocket(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		socket := w.sockets()[0]
		other, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*lwm2m.Socket{nil, socket} {
			if err := other.Serve(context.Background(), s); err == nil {
				t.Errorf("Serve of %v: no error", s)
			}
		}
		w.stop()
		w.ended <- <-w.ended // for the end of the test
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for _, ctx := range []context.Context{context.Background(), ended, ended} {
			if err := w.client.Serve(ctx, socket); !errors.Is(err, ctx.Err()) {
				t.Errorf("Serve of a socket that was closed: %v, want %v", err, ctx.Err())
			}
		}
	})
}

// Readable also reports sockets that were connected before its first call.
func TestReadableCoversEarlierSockets(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c, err := lwm2m.New(w.config())
		if err != nil {
			t.Fatal(err)
		}
		for len(w.servers[0].requests) == 0 || c.Status().Servers[0].State != lwm2m.StateRegistered {
			if err := c.ServeAny(context.Background(), time.Second); err != nil {
				t.Fatal(err)
			}
		}
		w.servers[0].next()
		readable := c.Readable()
		c.Sched().Run()
		w.servers[0].send(coap.GET, "/3/0", "")
		select {
		case <-readable:
		case <-time.After(time.Minute):
			t.Error("nothing is said to be readable")
		}
		c.Shutdown()
		for ended := false; !ended; {
			if err := c.ServeAny(context.Background(), time.Second); err != nil {
				t.Fatal(err)
			}
			select {
			case <-c.Done():
				ended = true
			default:
			}
		}
	})
}
