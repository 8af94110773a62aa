package lwm2m_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	gendevice "github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// schemeDialer serves schemes and makes no socket.
type schemeDialer struct {
	socket.Dialer
	schemes []string
}

func (d schemeDialer) Schemes() []string { return d.schemes }

// The Device object of package objects/device lists the transports of the dialers in /3/0/16, for
// every server, and `b` is the same (Core 1.2.2 §6.2.1).
func TestSupportedBindings(t *testing.T) {
	v10, v12 := registry.V(1, 0), registry.V(1, 2)
	for _, v := range []struct {
		name    string
		schemes []string
		max     registry.Version
		queue   bool
		want    string
	}{
		{"UDP", []string{"coap"}, v12, false, "U"},
		{"DTLS", []string{"coaps", "coap"}, v12, false, "U"},
		{"UDP and TCP", []string{"coap+tcp", "coap"}, v12, false, "UT"},
		{"UDP and TLS", []string{"coap", "coaps+tcp"}, v12, true, "UT"},
		{"UDP and SMS", []string{"coap", "tel"}, v12, false, "US"},
		{"all of them", []string{"tel", "coap+tcp", "coap"}, v12, false, "UTS"},
		{"UDP and TCP with LwM2M 1.0", []string{"coap", "coap+tcp"}, v10, false, "U"},
		{"UDP and TCP with LwM2M 1.0 and queue mode", []string{"coap", "coap+tcp"}, v10, true, "UQ"},
		{"UDP and a network that has no letter", []string{"coap", "coap+ws"}, v12, false, "U"},
	} {
		t.Run(v.name, func(t *testing.T) {
			inWorld(t, 2, func(w *world) {
				dev, err := device.New(device.Config{})
				must(t, err)
				if got := mustRead(t, dev); got != "U" {
					t.Errorf("without a client /3/0/16 is %q", got)
				}
				var log strings.Builder
				cfg := w.config()
				cfg.Objects, cfg.MaxVersion = []dm.Object{dev}, v.max
				if v.queue {
					cfg.QueueMode = &lwm2m.QueueMode{}
				}
				cfg.Dialers = []socket.Dialer{w.host.Dialer(), schemeDialer{schemes: v.schemes}}
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				c := w.start(cfg)
				if got := mustRead(t, dev); got != v.want || c.Bindings() != v.want {
					t.Errorf("the program reads %q, Bindings is %q, want %q", got, c.Bindings(), v.want)
				}
				for i, srv := range w.servers {
					if r := srv.next(); !r.has("b=" + v.want) {
						t.Errorf("registered with %v, want b=%s", r, v.want)
					}
					origin := dm.Server(lwm2m.ShortServerID(i + 1))
					got, err := c.Model().Snapshot().Value(clientContext(c), origin, dm.ResourcePath(3, 0, 16))
					if err != nil || got.Text() != v.want {
						t.Errorf("%v reads %q, %v, want %q", origin, got.Text(), err, v.want)
					}
				}
				w.wantState(1, lwm2m.StateRegistered) // the client waits: the log can be read
				if strings.Contains(log.String(), "/3/0/16") {
					t.Errorf("logged %s", log.String())
				}
			})
		})
	}
}

// mustRead returns /3/0/16 as the program reads it.
func mustRead(t *testing.T, d *device.Device) string {
	t.Helper()
	inst, ok := d.Get(0)
	if !ok {
		t.Fatal("no instance")
	}
	b, err := inst.SupportedBindingAndModes.Read(context.Background())
	must(t, err)
	return b
}

// A registration names no transport that the client does not support, whatever the account says.
func TestBindingOfAccount(t *testing.T) {
	for _, v := range []struct{ binding, want string }{
		{"", "b=UT"}, {"U", "b=U"}, {"T", "b=T"}, {"TU", "b=TU"}, {"US", "b=U"}, {"S", "b=UT"}, {"UQ", "b=U"}, {"N", "b=UT"},
		{"SQ", "b=UT"}, {"UTSN", "b=UT"},
	} {
		t.Run("binding "+v.binding, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				cfg := w.config()
				cfg.Servers[0].Binding = v.binding
				w.start(cfg)
				if r := w.servers[0].next(); !r.has(v.want) || r.has("Q") != strings.Contains(v.binding, "Q") {
					t.Errorf("registered with %v, want %s", r, v.want)
				}
			})
		})
	}
}

// The client does not change what a Device object of the application says. It warns of a
// difference.
func TestBindingsOfOwnDevice(t *testing.T) {
	bindings := func(ctx context.Context) (string, error) { return lwm2m.FromContext(ctx).Bindings(), nil }
	slow := func(context.Context) (string, error) { panic("a slow function runs in New") }
	for _, v := range []struct {
		name  string
		says  dm.Res[string]
		warns bool
	}{
		{"the same", dm.Str("UT"), false},
		{"in another order, with queue mode", dm.Str("TUQ"), false},
		{"less", dm.Str("U"), true},
		{"more", dm.Str("UTS"), true},
		{"from the client", dm.Func(bindings), false},
		{"slowly", dm.Slow(slow), false},
	} {
		t.Run(v.name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				own, err := gendevice.New(gendevice.Config{})
				must(t, err)
				must(t, own.Add(0, gendevice.Instance{
					Reboot: func(context.Context, dm.Args) error { return nil }, ErrorCode: dm.Ints(0),
					SupportedBindingAndModes: v.says,
				}))
				var log strings.Builder
				cfg := w.config()
				cfg.Objects, cfg.Logger = []dm.Object{own}, slog.New(slog.NewTextHandler(&log, nil))
				if _, err := lwm2m.New(cfg); err != nil {
					t.Fatal(err)
				}
				if got := strings.Contains(log.String(), "use Client.Bindings"); got != v.warns {
					t.Errorf("warned: %v; logged %s", got, log.String())
				}
			})
		})
	}
}
