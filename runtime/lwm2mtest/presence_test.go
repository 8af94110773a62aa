package lwm2mtest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// Q is a parameter of its own since LwM2M 1.1, and a part of the binding in 1.0.
func TestQueueModeIsRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, false, lwm2mserver.Config{})
		d := b.newDevice(t, "hand")
		for _, c := range []struct {
			version, update string
			params          []string
			want, updated   bool
		}{
			{"1.0", "", []string{"b=U"}, false, false},
			{"1.0", "b=UQ", nil, false, true},
			{"1.0", "b=U", []string{"b=UQ"}, true, false},
			{"1.0", "lt=60", []string{"b=UQS"}, true, true},
			{"1.0", "", []string{"b=TQ"}, true, true},
			{"1.0", "", []string{"Q"}, false, false},
			{"1.1", "", []string{"b=U"}, false, false},
			{"1.1", "lt=60", []string{"b=U", "Q"}, true, true},
			{"1.1", "", []string{"b=UQ"}, false, false},
			{"1.2", "b=U", []string{"Q"}, true, true},
		} {
			d.register(append(c.params, "ep=hand", "lwm2m="+c.version)...)
			dev := b.WaitRegistered("hand")
			if got := dev.Registration().QueueMode; got != c.want {
				t.Errorf("LwM2M %s with %q: queue mode %v", c.version, c.params, got)
			}
			if code := d.update(c.update); code != coap.Changed {
				t.Fatalf("Update: %v", code)
			}
			if got := dev.Registration().QueueMode; got != c.updated {
				t.Errorf("LwM2M %s with %q, then %q: queue mode %v", c.version, c.params, c.update, got)
			}
			if !dev.Awake() {
				t.Errorf("LwM2M %s with %q: asleep after an Update", c.version, c.params)
			}
		}
	})
}

// A device is awake for MAX_TRANSMIT_WAIT after each of its messages.
func TestAwakeTime(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  lwm2mserver.Config
		want time.Duration
	}{
		"MAX_TRANSMIT_WAIT of RFC 7252":       {lwm2mserver.Config{}, 93 * time.Second},
		"MAX_TRANSMIT_WAIT of the parameters": {lwm2mserver.Config{Transmission: coap.Params{AckTimeout: 4 * time.Second}}, 186 * time.Second},
		"configured":                          {lwm2mserver.Config{AwakeTime: 10 * time.Second}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, d, dev := newSleeper(t, c.cfg)
				_, token := d.observe(dev)
				at := 0
				for i, message := range []func(){
					func() {},
					func() { d.update() },
					func() { d.request(coap.POST, "/dp", reading) },
					func() { d.notify(token, 2, "81") },
					func() { d.update(); d.requireReadable(dev) },
				} {
					message()
					last := time.Now()
					var e lwm2mtest.Event
					<-time.After(c.want / 2)
					if !dev.Awake() {
						t.Errorf("message %d: asleep after %v", i, c.want/2)
					}
					b.WaitAsleep("hand")
					e, at = b.WaitEvent(at, lwm2mtest.Asleep, "hand")
					if got := e.Time.Sub(last); got != c.want || dev.Awake() {
						t.Errorf("message %d: asleep after %v, want %v", i, got, c.want)
					}
				}
				kinds := []lwm2mtest.EventKind{}
				for _, e := range b.Events()[:4] {
					kinds = append(kinds, e.Kind)
				}
				want := []lwm2mtest.EventKind{lwm2mtest.Registered, lwm2mtest.Asleep, lwm2mtest.Updated, lwm2mtest.Awake}
				if !slices.Equal(kinds, want) {
					t.Errorf("events are %v, want %v", kinds, want)
				}
			})
		})
	}
}

// A device that is not in queue mode never sleeps.
func TestAwakeWithoutQueueMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, false, lwm2mserver.Config{})
		d := b.newDevice(t, "hand")
		d.register("ep=hand", "lwm2m=1.1")
		dev := b.WaitRegistered("hand")
		<-time.After(time.Hour)
		if !b.WaitAwake("hand").Awake() {
			t.Error("asleep after an hour")
		}
		d.requireReadable(dev)
		d.request(coap.DELETE, d.location, "")
		if dev.Awake() {
			t.Error("awake without a registration")
		}
	})
}
