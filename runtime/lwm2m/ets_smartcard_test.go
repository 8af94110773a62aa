package lwm2m_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// card is a smartcard with an account.
func card(uri string, lifetime int) func() (lwm2m.Factory, error) {
	return func() (lwm2m.Factory, error) {
		return lwm2m.FactoryData("card", []byte("["+in("/0/3", securityOf(uri, 7))+","+in("/1/3", serverOf(7, lifetime))+"]")), nil
	}
}

// noCard is a reader without a card.
func noCard() (lwm2m.Factory, error) { return lwm2m.Factory{}, nil }

// A device is registered with the server that it knows. After a smartcard is inserted and the
// device is started again it registers with the server of the card.
func TestETS_1_1_int_3_Smartcard(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		l, err := b.net.NewHost("x").Listen(5683)
		must(t, err)
		x := lwm2mtest.NewServer(b.t, l)
		b.addServer(lwm2m.Server{URI: "coap://x", Lifetime: 86400 * time.Second})
		lifetime := func(c *lwm2mtest.Client, path, want string) {
			t.Helper()
			a, err := c.Read(context.Background(), path, content.Text)
			if err != nil || a.Text() != want {
				t.Errorf("Read %s: %v (%v), want %s", path, a, err, want)
			}
		}
		b.cfg.Smartcard = noCard
		b.start()
		lifetime(x.WaitRegistered("dev"), "/1/0/1", "86400")
		b.stop()
		b.addObjects(lwm2m.Server{URI: "coap://boot"})
		b.addServer(lwm2m.Server{URI: "coap://x", Lifetime: 86400 * time.Second})
		b.cfg.Smartcard = card("coap://server", 43200)
		b.start()
		lifetime(b.server.WaitRegistered("dev"), "/1/3/1", "43200")
		synctest.Wait()
		if n := len(x.Endpoints()); n != 0 {
			t.Error("the device is registered with the old server")
		}
		if n := len(b.boot.Requests()); n != 0 {
			t.Errorf("the device sent %v to its bootstrap server", b.boot.Requests())
		}
	})
}

// The order of the modes: smartcard, what the device has from the factory, registration with it,
// and the bootstrap server only if that fails.
func TestETS_1_1_int_6_BootstrapSequence(t *testing.T) {
	for _, c := range []struct {
		name          string
		card, factory string // URIs of servers
		want          string // the server that the device registers with
		bootstraps    bool
	}{
		{"smartcard first", "coap://server", "coap://other", "server", false},
		{"factory without a card", "", "coap://other", "other", false},
		{"bootstrap without either", "", "", "server", true},
		{"bootstrap after a failure", "", "coap://nobody", "server", true},
		{"bootstrap after a failure of the card", "coap://nobody", "coap://other", "server", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoot(t, func(b *bootBench) {
				l, err := b.net.NewHost("other").Listen(5683)
				must(t, err)
				servers := map[string]*lwm2mtest.Server{"other": lwm2mtest.NewServer(b.t, l), "server": b.server}
				if c.factory != "" {
					b.addServer(lwm2m.Server{URI: c.factory})
				}
				b.cfg.Smartcard = noCard
				if c.card != "" {
					b.cfg.Smartcard = card(c.card, 3600)
				}
				b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
				b.start()
				<-time.After(2 * time.Hour)
				for name, s := range servers {
					if got := len(s.Endpoints()); (got == 1) != (name == c.want) {
						t.Errorf("%d devices are registered with %s", got, name)
					}
				}
				if n := len(b.boot.Requests()); (n > 0) != c.bootstraps {
					t.Errorf("the device sent %v to its bootstrap server", b.boot.Requests())
				}
			})
		})
	}
}
