package manage_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The tests in the files ets_*_test.go are OMA's enabler test cases (ETS) for device management and
// information reporting, named by their ids: a whole client against the test server, in virtual
// time.

// ets is one device with one or two servers.
type ets struct {
	*testing.T
	ctx    context.Context
	dev    *lwm2mtest.Client
	second *lwm2mtest.Client // where the case needs two
	server *lwm2mtest.Server
	client *lwm2m.Client
	device *device.Object
	net    *simnet.Network
	host   *simnet.Host
	halt   func()

	accounts []lwm2m.Server
	reboots  int
	level    int64
}

// onDevice runs a case on a registered device.
func onDevice(t *testing.T, servers int, run func(e *ets)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &ets{T: t, ctx: t.Context(), level: 100, net: simnet.New(1)}
		e.host = e.net.NewHost("device")
		var all []*lwm2mtest.Server
		for i := range servers {
			name := fmt.Sprintf("server%d", i+1)
			l, err := e.net.NewHost(name).Listen(5683)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, lwm2mtest.NewServer(t, l))
			e.accounts = append(e.accounts, lwm2m.Server{URI: "coap://" + name, Lifetime: 24 * time.Hour, DropNotifications: true,
				// The cases do not have it.
				Instance: func(i *lwm2m.ServerInstance) {
					i.SupportedServerVersions, i.MuteSend = dm.Multi[string]{}, dm.Empty[bool]()
				}})
		}
		halt := e.boot()
		defer func() { halt() }()
		e.halt = func() { halt(); halt = func() {} }
		for _, s := range all {
			model := e.client.Model().Snapshot()
			s.Define(model.Definition(1), model.Definition(3), model.Definition(16))
		}
		e.server = all[0]
		e.dev = all[0].WaitRegistered("dev")
		if servers > 1 {
			e.second = all[1].WaitRegistered("dev")
		}
		run(e)
	})
}

// boot starts the device, and returns what stops it.
func (e *ets) boot() (halt func()) {
	e.Helper()
	var err error
	e.client, err = lwm2m.New(lwm2m.Config{
		Endpoint: "dev", Servers: e.accounts, Objects: e.objects(),
		Dialers: []socket.Dialer{e.host.Dialer()}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		e.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.client.Run(ctx) }()
	return func() {
		stop()
		if err := <-ended; err != nil {
			e.Errorf("Run: %v", err)
		}
	}
}

// objects are those of the configurations C.1, C.4 and C.12.
func (e *ets) objects() []dm.Object {
	var err error
	if e.device, err = device.New(device.Config{Hooks: device.Hooks{
		Commit: func(context.Context, *device.Tx) error { return nil },
	}}); err != nil {
		e.Fatal(err)
	}
	err = e.device.Add(0, device.Instance{
		Manufacturer: dm.Str("Open Mobile Alliance"), ModelNumber: dm.Str("Lightweight M2M Client"),
		SerialNumber:    dm.Str("345000123"),
		FirmwareVersion: dm.Str("1.0"), AvailablePowerSources: dm.List[int64](1, 5),
		PowerSourceVoltage: dm.List[int64](3800, 5000),
		PowerSourceCurrent: dm.List[int64](125, 900), ErrorCode: dm.List[int64](0),
		SupportedBindingAndModes: dm.Str("U"),
		BatteryLevel:             dm.Func(func(context.Context) (int64, error) { return e.level, nil }),
		CurrentTime:              dm.Time(time.Unix(1367491215, 0)), UTCOffset: dm.Str("+02:00"),
		Reboot: func(context.Context, dm.Args) error { e.reboots++; return nil },
	})
	if err != nil {
		e.Fatal(err)
	}
	things, err := portfolio.New(portfolio.Config{Template: portfolio.Instance{Identity: dm.EmptyMulti[string]()}})
	if err == nil {
		err = things.Add(0, portfolio.Instance{Identity: dm.List("Host Device ID #1", "Host Device Model #1")})
	}
	if err != nil {
		e.Fatal(err)
	}
	return []dm.Object{e.device, things}
}

// ok fails unless an operation was answered with the code, and returns the answer.
func (e *ets) ok(want coap.Code, what string) func(lwm2mtest.Answer, error) lwm2mtest.Answer {
	return func(a lwm2mtest.Answer, err error) lwm2mtest.Answer {
		e.Helper()
		if err != nil || a.Code != want {
			e.Errorf("%s: answered %v (%v), want %v", what, a, err, want)
		}
		return a
	}
}

// lines are the values of a payload, such as "/3/0/0=Acme", in order.
func lines(t testing.TB, a lwm2mtest.Answer) []string {
	t.Helper()
	entries, err := a.Entries()
	if err != nil {
		t.Errorf("the answer %v: %v", a, err)
	}
	var out []string
	for _, x := range entries {
		out = append(out, fmt.Sprintf("%v=%v", x.Path, x.Value))
	}
	return out
}

// reads fails unless a Read in the format gives exactly these values.
func (e *ets) reads(f content.Format, path string, want ...string) {
	e.Helper()
	a, err := e.dev.Read(e.ctx, path, f)
	e.ok(coap.Content, "Read "+path)(a, err)
	if f != content.None && a.Format != f {
		e.Errorf("Read %s in %v is answered in %v", path, f, a.Format)
	}
	if got := lines(e, a); !slices.Equal(got, want) {
		e.Errorf("Read %s in %v\n%q, want\n%q", path, f, got, want)
	}
}

// text fails unless a resource reads as the text.
func (e *ets) text(path, want string) {
	e.Helper()
	a, err := e.dev.Read(e.ctx, path, content.Text)
	if e.ok(coap.Content, "Read "+path)(a, err); a.Text() != want {
		e.Errorf("%s is %q, want %q", path, a.Text(), want)
	}
}

// writes writes a payload and wants 2.04.
func (e *ets) writes(path string, f content.Format, payload string) {
	e.Helper()
	e.ok(coap.Changed, "Write "+path)(e.dev.Write(e.ctx, path, f, []byte(payload)))
}

// discovers fails unless Discover lists exactly these links.
func (e *ets) discovers(path, want string, query ...string) {
	e.Helper()
	a, err := e.dev.Discover(e.ctx, path, query...)
	if e.ok(coap.Content, "Discover "+path)(a, err); a.Text() != want {
		e.Errorf("Discover %s %v\n%s, want\n%s", path, query, a.Text(), want)
	}
}

// attaches writes attributes.
func (e *ets) attaches(path string, attributes ...string) {
	e.Helper()
	e.ok(coap.Changed, "Write-Attributes "+path)(e.dev.WriteAttributes(e.ctx, path, attributes...))
}

// updated waits for a registration update that carries these parameters, after the given number of
// events.
func (e *ets) updated(from int, param string) {
	e.Helper()
	ev, _ := e.server.WaitEvent(from, lwm2mtest.Updated, "dev")
	if param != "" && !slices.Contains(ev.Sent, param) {
		e.Errorf("the Update has %v, want %s", ev.Sent, param)
	}
}

// device0 is what /3/0 reads as.
var device0 = strings.Split("/3/0/0=Open Mobile Alliance|/3/0/1=Lightweight M2M Client|/3/0/2=345000123|/3/0/3=1.0|"+
	"/3/0/6/0=1|/3/0/6/1=5|/3/0/7/0=3800|/3/0/7/1=5000|/3/0/8/0=125|/3/0/8/1=900|/3/0/9=100|/3/0/11/0=0|"+
	"/3/0/13=2013-05-02T10:40:15Z|/3/0/14=+02:00|/3/0/16=U", "|")

// server0 is what /1/0 reads as.
var server0 = strings.Split("/1/0/0=1|/1/0/1=86400|/1/0/6=false|/1/0/7=U", "|")
