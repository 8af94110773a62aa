package lwm2m_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The tests here are OMA's enabler test cases (ETS) for the registration interface, named by their
// ids.

// bench is one device and one server of package lwm2mtest, on a network in memory.
type bench struct {
	t      *testing.T
	net    *simnet.Network
	server *lwm2mtest.Server
	place  *simnet.Host // of the server
	device *simnet.Host
	client *lwm2m.Client
	cfg    lwm2m.Config
	seen   int // requests that were checked
}

// onBench runs a test case in virtual time. It starts the device itself.
func onBench(t *testing.T, fn func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		b := &bench{t: t, net: n, place: n.NewHost("server"), device: n.NewHost("device")}
		l, err := b.place.Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		b.server = lwm2mtest.NewServer(t, l)
		b.cfg = lwm2m.Config{
			Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://server", Lifetime: time.Hour}},
			Objects: []dm.Object{newDevice(t)}, Dialers: []socket.Dialer{b.device.Dialer()}, Logger: quiet(),
		}
		fn(b)
	})
}

// start runs the device until the end of the test.
func (b *bench) start() {
	b.t.Helper()
	var err error
	if b.client, err = lwm2m.New(b.cfg); err != nil {
		b.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.client.Run(ctx) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
}

// next returns the next request of the device.
func (b *bench) next() lwm2mtest.Request {
	b.t.Helper()
	r, seen := b.server.WaitRequest(b.seen, func(lwm2mtest.Request) bool { return true })
	b.seen = seen
	return r
}

// want fails unless the next request of the device prints like this.
func (b *bench) want(request string) lwm2mtest.Request {
	b.t.Helper()
	r := b.next()
	if r.String() != request {
		b.t.Errorf("the device sent %v, want %s", r, request)
	}
	return r
}

// does performs an operation and fails unless the response has the code.
func (b *bench) does(want coap.Code, do func(context.Context, *lwm2mtest.Client) (lwm2mtest.Answer, error)) {
	b.t.Helper()
	ans, err := do(context.Background(), b.server.WaitRegistered("dev"))
	if err != nil || ans.Code != want {
		b.t.Errorf("the device answered %v (%v), want %v", ans, err, want)
	}
}

// location returns the location of the registration.
func (b *bench) location() string { return b.server.WaitRegistered("dev").Registration().Location }

func TestETS_1_1_int_101_InitialRegistration(t *testing.T) {
	for _, v := range since11 {
		t.Run("LwM2M "+v.String(), func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.cfg.MinVersion, b.cfg.MaxVersion = v, v
				b.start()
				r := b.next()
				for _, param := range []string{"ep=dev", "lt=3600", "lwm2m=" + v.String(), "b=U"} {
					if !slices.Contains(r.Query, param) {
						t.Errorf("%v lacks %s", r, param)
					}
				}
				if r.Method != coap.POST || r.Path != "/rd" || r.Format != content.Link {
					t.Errorf("the device sent %v with format %v", r, r.Format)
				}
				reg := b.server.WaitRegistered("dev").Registration()
				var got []dm.Path
				for _, l := range reg.Objects.Nodes {
					if l.Path.Level() == dm.InstanceLevel {
						got = append(got, l.Path)
					}
				}
				if want := []dm.Path{dm.InstancePath(1, 0), dm.InstancePath(3, 0)}; !slices.Equal(got, want) ||
					reg.Objects.Has(dm.ObjectPath(0)) || reg.Objects.Has(dm.ObjectPath(21)) {
					t.Errorf("the device lists %v, want %v and neither /0 nor /21", reg.Objects.Nodes, want)
				}
				synctest.Wait()
				if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered || s.Location != reg.Location {
					t.Errorf("status %v", s)
				}
			})
		})
	}
}

func TestETS_1_1_int_102_Update(t *testing.T) {
	onBench(t, func(b *bench) {
		b.start()
		b.next()
		b.does(coap.Changed, func(ctx context.Context, c *lwm2mtest.Client) (lwm2mtest.Answer, error) {
			return c.Write(ctx, "/1/0/1", content.Text, []byte("20"))
		})
		b.want("POST " + b.location() + "?lt=20")
		b.want("POST " + b.location())
		// Without Updates the registration expires. The device notices and registers again.
		b.net.Cut(b.place, b.device)
		b.server.WaitEvent(0, lwm2mtest.Expired, "dev")
		b.net.Heal(b.place, b.device)
		for r := b.next(); r.Path != "/rd"; r = b.next() {
			if r.Method != coap.POST {
				t.Errorf("the device sent %v", r)
			}
		}
		b.server.WaitRegistered("dev")
	})
}

func TestETS_1_1_int_103_Deregistration(t *testing.T) {
	onBench(t, func(b *bench) {
		b.cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.DisableTimeout = dm.Int(600) }
		b.start()
		b.next()
		location := b.location()
		b.does(coap.Changed, func(ctx context.Context, c *lwm2mtest.Client) (lwm2mtest.Answer, error) {
			return c.Execute(ctx, "/1/0/4", "")
		})
		gone := b.want("DELETE " + location)
		b.server.WaitEvent(0, lwm2mtest.Deregistered, "dev")
		synctest.Wait()
		if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateDeregistered {
			t.Errorf("status %v", s)
		}
		<-time.After(599 * time.Second)
		if len(b.server.Requests()) != b.seen {
			t.Errorf("the disabled device sent %v", b.server.Requests()[b.seen:])
		}
		if r := b.next(); r.Path != "/rd" || r.Time.Sub(gone.Time) != 600*time.Second {
			t.Errorf("%v after %v, want a Register after the Disable Timeout", r, r.Time.Sub(gone.Time))
		}
	})
}

func TestETS_1_1_int_104_UpdateTrigger(t *testing.T) {
	onBench(t, func(b *bench) {
		b.start()
		b.next()
		b.does(coap.Changed, func(ctx context.Context, c *lwm2mtest.Client) (lwm2mtest.Answer, error) {
			return c.Execute(ctx, "/1/0/8", "")
		})
		if r := b.want("POST " + b.location()); len(r.Payload) > 0 {
			t.Errorf("the update carries %q", r.Payload)
		}
	})
}

func TestETS_1_1_int_105_UpdateDiscarded(t *testing.T) {
	onBench(t, func(b *bench) {
		b.cfg.Servers[0].Lifetime = time.Minute
		b.start()
		b.next()
		old := b.location()
		b.server.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			return lwm2mtest.Reply{Code: coap.NotFound}, r.Path == old
		})
		b.want("POST " + old)
		if r := b.next(); r.Path != "/rd" || !slices.Contains(r.Query, "ep=dev") {
			t.Errorf("the device sent %v, want a Register", r)
		}
		synctest.Wait()
		if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered || s.Location != b.location() {
			t.Errorf("status %v", s)
		}
		b.server.Intercept(nil)
	})
}

func TestETS_1_1_int_107_LongerLifetime(t *testing.T) {
	onBench(t, func(b *bench) {
		b.cfg.Servers[0].Lifetime = time.Minute
		b.start()
		if r := b.next(); !slices.Contains(r.Query, "lt=60") {
			t.Errorf("the device sent %v", r)
		}
		at := time.Now()
		b.does(coap.Changed, func(ctx context.Context, c *lwm2mtest.Client) (lwm2mtest.Answer, error) {
			return c.Write(ctx, "/1/0/1", content.Text, []byte("120"))
		})
		r := b.want("POST " + b.location() + "?lt=120")
		if r.Time != at {
			t.Errorf("the update came after %v, want at once", r.Time.Sub(at))
		}
		<-time.After(30 * time.Second) // the server's patience is a minute
		if next := b.want("POST " + b.location()); next.Time.Sub(r.Time) != time.Minute {
			t.Errorf("the next update came after %v, want half of the new lifetime", next.Time.Sub(r.Time))
		}
	})
}

func TestETS_1_2_int_110_ProfileID(t *testing.T) {
	onBench(t, func(b *bench) {
		b.server.DefineProfile("6:27354b9a", dm.InstancePath(1, 0), dm.InstancePath(3, 0))
		b.cfg.Profile.ID = "6:27354b9a"
		b.start()
		r := b.next()
		if !slices.Contains(r.Query, "pid=6:27354b9a") || !slices.Contains(r.Query, "lwm2m=1.2") ||
			len(r.Payload) > 0 || r.Format != content.None {
			t.Errorf("the device sent %v with %q, want the profile and no objects", r, r.Payload)
		}
		reg := b.server.WaitRegistered("dev").Registration()
		if !reg.Objects.Has(dm.InstancePath(3, 0)) || len(reg.Objects.Nodes) != 2 {
			t.Errorf("the server knows of %v", reg.Objects)
		}
		synctest.Wait()
		if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered {
			t.Errorf("status %v", s)
		}
	})
}

// A server that does not know the profile refuses a Register without a list, and the status says
// so.
func TestUnknownProfile(t *testing.T) {
	onBench(t, func(b *bench) {
		b.cfg.Profile.ID = "6:27354b9a"
		b.start()
		b.next()
		synctest.Wait()
		if s, _ := b.client.Status().Server(1); s.State.Registered() || s.Err == nil ||
			!strings.Contains(s.Err.Error(), "4.00") {
			t.Errorf("status %v", s)
		}
	})
}

func TestETS_1_2_int_111_ProfileIDAndList(t *testing.T) {
	onBench(t, func(b *bench) {
		b.cfg.Objects = append(b.cfg.Objects, newSensor(t, 0))
		b.server.DefineProfile("6:27354b9a", dm.InstancePath(1, 0), dm.InstancePath(3, 0))
		b.cfg.Profile = lwm2m.Profile{ID: "6:27354b9a", Objects: []dm.Path{dm.InstancePath(1, 0),
			dm.InstancePath(3, 0)}}
		b.start()
		r := b.next()
		want := `</>;rt="oma.lwm2m";ct="112 11544 110 60 11542 11543",</3303>;ver=1.1,</3303/0>`
		if !slices.Contains(r.Query, "pid=6:27354b9a") || string(r.Payload) != want {
			t.Errorf("the device sent %v with %s, want the profile and %s", r, r.Payload, want)
		}
		all := []corelink.RegisteredNode{{Path: dm.InstancePath(1, 0)}, {Path: dm.InstancePath(3, 0)},
			{Path: dm.ObjectPath(3303), Version: registry.V(1, 1)}, {Path: dm.InstancePath(3303, 0)}}
		if got := b.server.WaitRegistered("dev").Registration().Objects.Nodes; !slices.Equal(got, all) {
			t.Errorf("the server knows of %v, want %v", got, all)
		}
		if err := b.client.Model().Unregister(context.Background(), 3303); err != nil {
			t.Fatal(err)
		}
		if r := b.next(); string(r.Payload) != `</>;rt="oma.lwm2m";ct="112 11544 110 60 11542 11543"` {
			t.Errorf("after the object was removed %q", r.Payload)
		}
	})
}
