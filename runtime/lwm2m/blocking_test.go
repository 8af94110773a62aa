package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	deviceobject "github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// While the client connects to one server, it registers with another server, serves it and
// de-registers from it without delay. A shutdown does not wait for the connection.
func TestConnectingBlocksNoOtherServer(t *testing.T) {
	for name, prepare := range map[string]func(*world, *lwm2m.Config){
		"name service": func(w *world, c *lwm2m.Config) {
			w.net.SetLookupDelay(100 * time.Hour)
			c.Servers[1].URI = "coap://" + netip.AddrPortFrom(w.servers[1].host.Addrs()[0], 5683).String()
		},
		"TCP connect": func(w *world, c *lwm2m.Config) {
			w.servers[0].host.SetDown(true)
			c.Servers[0].URI = "coap+tcp://s1"
		},
		"DTLS handshake": func(w *world, c *lwm2m.Config) {
			silent, err := w.net.NewHost("silent").Listen(5684)
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { _ = silent.Close() })
			c.Servers[0].URI = "coaps://silent"
			c.Servers[0].PSK = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("key"))}
			c.Dialers = append(c.Dialers, dtls.Dialer{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, func(w *world) {
				cfg := w.config()
				prepare(w, &cfg)
				w.start(cfg)
				at := time.Now()
				other := w.servers[1]
				other.next()
				w.wantState(2, lwm2m.StateRegistered)
				w.wantState(1, lwm2m.StateConnecting)
				if d := time.Since(at); d != 0 {
					t.Errorf("registered after %v", d)
				}
				other.wantServed()
				<-time.After(10 * time.Second)
				w.wantState(1, lwm2m.StateConnecting)
				other.wantServed()
				at = time.Now()
				w.shutdown()
				if d := time.Since(at); d != 0 {
					t.Errorf("the shut-down took %v", d)
				}
				if r := other.next(); r.code != coap.DELETE {
					t.Errorf("got %v, want the de-registration", r)
				}
			})
		})
	}
}

// hangingResolver is a name service that does not answer.
type hangingResolver struct{ asked chan struct{} }

func (h hangingResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	close(h.asked)
	<-ctx.Done()
	return nil, ctx.Err()
}

// The resolver of the operating system's UDP blocks no other server either.
func TestResolverBlocksNoOtherServer(t *testing.T) {
	noGoroutinesLeft(t)
	s, uri := realServer(t)
	cfg := realConfig(t, "coap://somewhere.invalid", uri)
	resolver := hangingResolver{make(chan struct{})}
	cfg.Dialers = []socket.Dialer{udp.Dialer{Resolver: resolver}}
	c, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-resolver.asked
	s.within(10 * time.Second)
	if code := s.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
		t.Errorf("Read: %v", code)
	}
	if st, _ := c.Status().Server(1); st.State != lwm2m.StateConnecting {
		t.Errorf("the first server: %v", st)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// slowObjects returns a Temperature object with a slow value and a Device with a slow Reboot. Both
// return when release is closed, and also when their context ends unless stubborn is set.
func slowObjects(t *testing.T, release chan struct{}, stubborn bool) []dm.Object {
	t.Helper()
	wait := func(ctx context.Context) error {
		if stubborn {
			<-release
			return nil
		}
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	o, err := temperature.New(temperature.Config{})
	if err != nil {
		t.Fatal(err)
	}
	celsius := func(ctx context.Context) (float64, error) { return 4.5, wait(ctx) }
	err = o.Add(0, temperature.Instance{SensorValue: dm.Slow(celsius)})
	if err != nil {
		t.Fatal(err)
	}
	d, err := device.New(device.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Add(0, device.Instance{
		Reboot:    dm.SlowExec(func(ctx context.Context, _ dm.Args) error { return wait(ctx) }),
		ErrorCode: dm.Ints(0), SupportedBindingAndModes: dm.Str("U"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return []dm.Object{o, d}
}

// Slow functions run outside the loop, at most Config.Workers at a time.
func TestSlowFunctionsBlockNoOtherServer(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		release := make(chan struct{})
		cfg := w.config()
		cfg.Objects, cfg.Workers = slowObjects(t, release, false), 1
		w.start(cfg)
		for i, s := range w.servers {
			s.next()
			w.wantState(lwm2m.ShortServerID(i+1), lwm2m.StateRegistered)
		}
		codes := make(chan coap.Code, 2)
		begin := time.Now()
		go func() { codes <- w.servers[0].do(coap.GET, "/3303/0/5700", "", -1) }()
		go func() { codes <- w.servers[1].do(coap.POST, "/3/0/4", "", -1) }()
		synctest.Wait()
		w.servers[2].wantServed()
		<-time.After(20 * time.Second)
		w.servers[2].wantServed()
		if len(codes) != 0 {
			t.Error("a slow function has returned before its time")
		}
		close(release)
		for range 2 {
			if code := <-codes; !code.IsSuccess() || time.Since(begin) != 20*time.Second {
				t.Errorf("%v after %v", code, time.Since(begin))
			}
		}
	})
}

// A function or store that does not return although its context has ended is abandoned after twice
// the ShutdownTimeout.
func TestShutdownAbandonsStubbornFunctions(t *testing.T) {
	for _, what := range []string{"function", "store"} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				release := make(chan struct{})
				cfg := w.config()
				cfg.ShutdownTimeout = 3 * time.Second
				cfg.Objects = slowObjects(t, release, true)
				cfg.Persist = func(context.Context, dm.Committed) error { <-release; return nil }
				w.start(cfg)
				w.servers[0].next()
				w.wantState(1, lwm2m.StateRegistered)
				if what == "store" {
					w.servers[0].send(coap.PUT, "/1/0/2", "7")
				} else {
					w.servers[0].send(coap.POST, "/3/0/4", "")
				}
				synctest.Wait()
				at := time.Now()
				w.shutdown()
				if d := time.Since(at); d != 6*time.Second {
					t.Errorf("the shut-down took %v, want 6s", d)
				}
				close(release)
			})
		})
	}
}

// Done is closed when nothing of the client runs any more, including the store.
func TestDoneAfterStore(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		stored := false
		begun, release := make(chan struct{}), make(chan struct{})
		cfg := w.config()
		cfg.Persist = func(context.Context, dm.Committed) error {
			close(begun)
			<-release
			stored = true
			return nil
		}
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].send(coap.PUT, "/1/0/2", "7")
		<-begun
		w.stop()
		synctest.Wait()
		select {
		case <-c.Done():
			t.Error("the client is done while its store still runs")
		default:
		}
		close(release)
		if <-c.Done(); !stored {
			t.Error("the store has not returned")
		}
		v, err := c.Model().Snapshot().Value(context.Background(), dm.Application, dm.ResourcePath(1, 0, 2))
		if err != nil || v.Integer() != 7 {
			t.Errorf("what was stored is not published: %v, %v", v, err)
		}
	})
}

// A store that does not return delays only requests that write.
func TestStoreBlocksOnlyWrites(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		release := make(chan struct{})
		cfg := w.config()
		cfg.Persist = func(context.Context, dm.Committed) error { <-release; return errors.New("disk full") }
		w.start(cfg)
		for i, s := range w.servers {
			s.next()
			w.wantState(lwm2m.ShortServerID(i+1), lwm2m.StateRegistered)
		}
		codes := make(chan string, 2)
		for i, s := range w.servers[:2] {
			go func() { codes <- fmt.Sprint(i+1, " ", s.do(coap.PUT, fmt.Sprintf("/1/%d/2", i), "7", 0)) }()
			synctest.Wait()
		}
		w.servers[2].wantServed()
		<-time.After(29 * time.Second)
		w.servers[2].wantServed()
		if got := <-codes; got != "2 5.03" { // after Limits.Patience
			t.Errorf("got %s", got)
		}
		close(release)
		if got := <-codes; got != "1 5.00" {
			t.Errorf("got %s", got)
		}
	})
}

// While a store runs, an executable on the loop that changes the data model is refused at once. It
// cannot wait for the store, because the loop itself has to finish it.
func TestExecutableDuringStore(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		release := make(chan struct{})
		cfg := w.config()
		dev, err := deviceobject.New(deviceobject.Config{})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Objects = []dm.Object{dev}
		cfg.Persist = func(context.Context, dm.Committed) error { <-release; return nil }
		w.start(cfg)
		for i, s := range w.servers {
			s.next()
			w.wantState(lwm2m.ShortServerID(i+1), lwm2m.StateRegistered)
		}
		wrote := make(chan coap.Code, 1)
		go func() { wrote <- w.servers[0].do(coap.PUT, "/1/0/2", "7", 0) }()
		synctest.Wait()
		at := time.Now()
		if code := w.servers[1].do(coap.POST, "/3/0/12", "", -1); code != coap.ServiceUnavailable ||
			time.Since(at) != 0 {
			t.Errorf("Reset Error Code was answered %v after %v", code, time.Since(at))
		}
		w.servers[1].wantServed()
		close(release)
		if code := <-wrote; code != coap.Changed {
			t.Errorf("Write: %v", code)
		}
		if code := w.servers[1].do(coap.POST, "/3/0/12", "", -1); code != coap.Changed {
			t.Errorf("Reset Error Code after the store: %v", code)
		}
	})
}

// Slow functions behind the resources of an account are not called on the loop: these resources
// count as absent.
func TestSlowResourceOfAccountIsAbsent(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		release := make(chan struct{})
		defer close(release)
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.RegistrationPriorityOrder = dm.Slow(func(context.Context) (uint64, error) { <-release; return 1, nil })
		}
		w.start(cfg)
		if r := w.servers[0].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}
