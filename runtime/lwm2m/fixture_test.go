package lwm2m_test

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// newSensor returns a Temperature object with these instances.
func newSensor(t testing.TB, ids ...dm.InstanceID) *temperature.Object {
	t.Helper()
	o, err := temperature.New(temperature.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := o.Add(id, temperature.Instance{SensorValue: dm.Float(20)}); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// accounts returns Security and Server objects with n accounts, for the servers s1, s2, ...
func accounts(t *testing.T, n int) (*security.Object, *server.Object) {
	t.Helper()
	sec, err := security.New(security.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		addAccount(t, sec, srv, dm.InstanceID(i+1), "coap://s"+string(rune('1'+i)))
	}
	return sec, srv
}

// addAccount adds an account. Its instances and its Short Server ID are id.
func addAccount(t *testing.T, sec *security.Object, srv *server.Object, id dm.InstanceID, uri string) {
	t.Helper()
	s := security.Template()
	s.ServerURI, s.BootstrapServer, s.SecurityMode = dm.Str(uri), dm.Bool(false), dm.Int(3)
	s.ShortServerID = dm.Int(int64(id))
	if err := sec.Add(id, s); err != nil {
		t.Fatal(err)
	}
	i := server.Template()
	i.ShortServerID, i.Lifetime, i.Binding = dm.Int(int64(id)), dm.Int(3600), dm.Str("U")
	i.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
	if err := srv.Add(id, i); err != nil {
		t.Fatal(err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// noGoroutinesLeft fails the test if its goroutines are still there 5 s after its end.
func noGoroutinesLeft(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(end) {
				buf := make([]byte, 1<<16)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before,
					buf[:runtime.Stack(buf, true)])
			}
		}
	})
}

// realServer returns a server on a port of the loopback interface, and its URI.
func realServer(t *testing.T) (*rdServer, string) {
	t.Helper()
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	return serverOn(t, l), "coap://" + l.Addr().String()
}

func realConfig(t *testing.T, uris ...string) lwm2m.Config {
	t.Helper()
	cfg := lwm2m.Config{Endpoint: "dev", Objects: []dm.Object{newDevice(t)}, Logger: quiet()}
	for _, uri := range uris {
		cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: uri})
	}
	return cfg
}

func newDevice(t testing.TB) *device.Object {
	t.Helper()
	o, err := device.New(device.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = o.Add(0, device.Instance{
		Reboot:                   func(context.Context, dm.Args) error { return nil },
		ErrorCode:                dm.Ints(0),
		SupportedBindingAndModes: dm.Str("U"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// unnotified is a dialer whose sockets have no abilities, so that the loop waits in Recv of a
// single socket, and watches several.
type unnotified struct{ socket.Dialer }

func (d unnotified) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return struct{ socket.Socket }{s}, err
}
