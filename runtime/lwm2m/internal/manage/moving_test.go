package manage

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// withReadyDevice puts a Device object with a clock, as the ready-made one has it, in the place of
// the rig's.
func withReadyDevice(t *testing.T) setup {
	o := device12
	o.servers = 2
	o.world = func(w *world) {
		var ahead time.Duration // of the system's clock, set by servers
		d, err := device.New(device.Config{Hooks: device.Hooks{
			Commit: func(_ context.Context, tx *device.Tx) error {
				for ch := range tx.Changes() {
					if set, ok := ch.New.CurrentTime.Get(); ok {
						ahead = time.Until(set)
					}
				}
				return nil
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Add(0, device.Instance{
			Reboot:                   func(context.Context, dm.Args) error { return nil },
			ErrorCode:                dm.List[int64](0),
			SupportedBindingAndModes: dm.Str("U"),
			BatteryLevel:             dm.Func(func(context.Context) (int64, error) { return int64(w.celsius), nil }),
			CurrentTime:              dm.Moving(func(context.Context) (time.Time, error) { return time.Now().Add(ahead), nil }),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.ready = d
	}
	return o
}

// Passing time is no change (/3/0/13): only an observation of the time itself, or pmax, sends it.
func TestPassingTimeIsNoChange(t *testing.T) {
	for _, c := range []struct {
		target string
		before []string
		want   int // notifications in a minute
	}{
		{"/3", nil, 0},
		{"/3/0", nil, 0},
		{"/3/0", []string{"PUT /3/0?pmin=10"}, 0},
		{"/3/0", []string{"PUT /3/0?pmin=1&pmax=20"}, 3},
		// Two are superseded: the round-trip time is not known at first (RFC 7641 §4.5.1).
		{"/3/0/13", nil, 58},
		{"/3/0/13", []string{"PUT /3/0/13?pmin=10"}, 6},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, withReadyDevice(t))
			p := r.peers[0]
			for _, line := range c.before {
				p.do(to(line))
			}
			_, notes, _ := p.watch(to("GET " + c.target).accepting(content.SenMLJSON))
			r.pass(time.Minute)
			if len(*notes) != c.want {
				t.Errorf("%s %v: %d notifications in a minute, want %d", c.target, c.before, len(*notes), c.want)
			}
			// Another value notifies, with the time of then.
			if r.dev.celsius = 50; c.target != "/3/0/13" {
				*notes = nil
				r.pass(21 * time.Second)
				if n := len(*notes); n == 0 || !strings.Contains((*notes)[0].body, `"9","v":50`) || !strings.Contains((*notes)[0].body, `"13"`) {
					t.Errorf("%s: another value is notified as %v", c.target, *notes)
				}
			}
		})
	}
}

// A time that is set is a change, and so is one that the application tells of.
func TestSetTimeIsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, withReadyDevice(t))
		p := r.peers[0]
		_, notes, _ := p.watch(to("GET /3/0").accepting(content.SenMLJSON))
		r.pass(10 * time.Second)
		if got := r.peers[1].do(to("PUT /3/0/13").as(content.Text, "1000000000")); got.code != coap.Changed {
			t.Fatal(got.code)
		}
		r.pass(10 * time.Second)
		if len(*notes) != 1 || !strings.Contains((*notes)[0].body, `"13","v":1000000000`) {
			t.Errorf("notified %v", *notes)
		}
		r.self.Notify(dm.ResourcePath(3, 0, 13))
		r.pass(10 * time.Second)
		if len(*notes) != 2 {
			t.Errorf("notified %v", *notes)
		}
		r.self.Notify(dm.InstancePath(3, 0))
		r.pass(10 * time.Second)
		if len(*notes) != 2 {
			t.Errorf("notified %v", *notes)
		}
	})
}

// A node of which only moving values are live is not sampled.
func TestMovingValuesAreNotSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, calls := device12, 0
		o.servers = 1
		r := newRig(t, o)
		r.must(r.dev.things.Add(7, temperature.Instance{SensorValue: dm.Moving(func(context.Context) (float64, error) {
			calls++
			return float64(calls), nil
		})}))
		_, notes, _ := r.peers[0].watch(to("GET /3303/7").accepting(content.SenMLJSON))
		r.pass(time.Minute)
		if calls != 1 || len(*notes) != 0 {
			t.Errorf("%d calls, notified %v", calls, *notes)
		}
	})
}
