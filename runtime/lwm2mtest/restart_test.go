package lwm2mtest_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// A server that has lost its registrations answers an Update by 4.04 and a notification by a Reset.
func TestRestartLosesRegistrations(t *testing.T) {
	for name, secured := range map[string]bool{"UDP": false, "DTLS": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, secured, lwm2mserver.Config{})
				d := b.newDevice(t, "hand")
				d.register("ep=hand", "lwm2m=1.1")
				dev := b.WaitRegistered("hand")
				obs, token := d.observe(dev)

				b.Restart(lwm2mtest.LoseRegistrations)
				if _, ok := b.Client("hand"); ok {
					t.Error("the registration is still there")
				}
				b.WaitEvent(0, lwm2mtest.Forgotten, "hand")
				if _, err := obs.Next(t.Context()); !errors.Is(err, lwm2mtest.ErrEnded) {
					t.Errorf("the observation: %v", err)
				}
				if got := d.notify(token, 2, "81"); got != coap.Reset {
					t.Errorf("a notification is answered by %v, want a Reset", got)
				}
				if code := d.update(); code != coap.NotFound {
					t.Errorf("Update: %v, want 4.04", code)
				}
				d.register("ep=hand", "lwm2m=1.1")
				d.requireReadable(dev)
			})
		})
	}
}

// Without security there are no sessions: a server that has its registrations goes on, and has
// forgotten its own requests.
func TestRestartLosesMessagesOverUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, false, lwm2mserver.Config{})
		d := b.newDevice(t, "hand")
		d.register("ep=hand", "lwm2m=1.1")
		dev := b.WaitRegistered("hand")
		_, token := d.observe(dev)
		got := read(t, dev, "/3/0/9")
		d.requireRequest(coap.GET, "/3/0/9")

		b.Restart(lwm2mtest.LoseSessions)
		if o := <-got; !errors.Is(o.err, coap.ErrClosed) {
			t.Errorf("the Read that waited: %v, %v", o.answer, o.err)
		}
		if got := d.notify(token, 2, "81"); got != coap.Reset {
			t.Errorf("a notification is answered by %v, want a Reset", got)
		}
		d.requireReadable(dev)
		if code := d.update(); code != coap.Changed {
			t.Errorf("Update: %v, want 2.04", code)
		}
		d.requireReadable(dev)
	})
}

// A server that has lost its DTLS sessions is silent until the device begins a handshake. Then it
// knows the registration, unless that is lost, too.
func TestRestartLosesSessions(t *testing.T) {
	for name, c := range map[string]struct {
		lost lwm2mtest.Loss
		want coap.Code
	}{
		"registrations kept": {lwm2mtest.LoseSessions, coap.Changed},
		"all lost":           {lwm2mtest.LoseSessions | lwm2mtest.LoseRegistrations, coap.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, true, lwm2mserver.Config{})
				d := b.newDevice(t, "hand")
				d.register("ep=hand", "lwm2m=1.1")
				dev := b.WaitRegistered("hand")
				obs, _ := d.observe(dev)

				b.Restart(c.lost)
				if _, err := obs.Next(t.Context()); err == nil {
					t.Error("the observation goes on")
				}
				if code := d.update(); code != 0 {
					t.Errorf("an Update over the lost session gets %v", code)
				}
				if a, err := dev.Read(t.Context(), "/3/0/9", content.Text); !errors.Is(err, coap.ErrClosed) {
					t.Errorf("Read without a session: %v, %v", a, err)
				}

				_ = d.sock.Close()
				d.connect() // from the same address
				if code := d.update(); code != c.want {
					t.Errorf("Update over the new session: %v, want %v", code, c.want)
				}
				if c.want == coap.NotFound {
					d.register("ep=hand", "lwm2m=1.1")
				}
				d.requireReadable(dev)
			})
		})
	}
}

// observe has the server observe the device.
func (d *handDevice) observe(dev *lwm2mtest.Client) (obs *lwm2mtest.Observation, token []byte) {
	d.t.Helper()
	observed := make(chan *lwm2mtest.Observation, 1)
	go func() {
		obs, a, err := dev.Observe(d.t.Context(), "/3/0/9", content.Text)
		if err != nil || obs == nil {
			d.t.Errorf("Observe: %v, %v", a, err)
		}
		observed <- obs
	}()
	r := d.requireRequest(coap.GET, "/3/0/9")
	d.answer(r, "80")
	return <-observed, r.Token
}

// requireReadable fails the test if the server cannot read from the device.
func (d *handDevice) requireReadable(dev *lwm2mtest.Client) {
	d.t.Helper()
	got := read(d.t, dev, "/3/0/9")
	d.answer(d.requireRequest(coap.GET, "/3/0/9"), "80")
	if o := <-got; o.err != nil || o.answer.Text() != "80" {
		d.t.Errorf("Read: %v, %v", o.answer, o.err)
	}
}
