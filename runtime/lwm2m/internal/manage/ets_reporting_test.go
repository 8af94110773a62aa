package manage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// observes begins an observation.
func (e *ets) observes(path string, query ...string) *lwm2mtest.Observation {
	e.Helper()
	o, a, err := e.dev.Observe(e.ctx, path, content.SenMLCBOR, query...)
	if e.ok(coap.Content, "Observe "+path)(a, err); o == nil {
		e.Fatalf("Observe %s begins no observation", path)
	}
	return o
}

// quiet fails if a notification comes within the time.
func (e *ets) quiet(o *lwm2mtest.Observation, d time.Duration) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, d)
	defer cancel()
	if a, err := o.Next(ctx); err == nil {
		e.Errorf("notified of %v", a)
	} else if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, lwm2mtest.ErrEnded) {
		e.Error(err)
	}
}

// notified fails unless the next notification comes after the given time, to the second.
func (e *ets) notified(o *lwm2mtest.Observation, after time.Duration, want string) {
	e.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(e.ctx, after+time.Minute)
	defer cancel()
	a, err := o.Next(ctx)
	if err != nil || a.Code != coap.Content {
		e.Fatalf("no notification: %v, %v", a, err)
	}
	if d := time.Since(begun); d < after-10*time.Millisecond || d > after+time.Second {
		e.Errorf("notified after %v, want %v", d, after)
	}
	for _, l := range lines(e, a) {
		if l == want {
			return
		}
	}
	e.Errorf("notified of %v, want %s", lines(e, a), want)
}

// volts changes the voltage of a power source.
func (e *ets) volts(id dm.ResourceInstanceID, v int64) {
	e.Helper()
	err := e.device.Update(e.ctx, 0, func(i *device.Instance) error {
		i.PowerSourceVoltage.Set(id, v)
		return nil
	})
	if err != nil {
		e.Fatal(err)
	}
}

func TestETS_1_1_int_301_Observe(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.attaches("/3/0/7", "pmin=5", "pmax=15")
		e.attaches("/3/0/8", "pmin=10", "pmax=20")
		volt, amp := e.observes("/3/0/7"), e.observes("/3/0/8")
		e.notified(volt, 15*time.Second, "/3/0/7/0=3800")
		e.notified(amp, 5*time.Second, "/3/0/8/0=125")
		e.notified(volt, 10*time.Second, "/3/0/7/0=3800")
		e.volts(0, 3700)
		e.notified(volt, 5*time.Second, "/3/0/7/0=3700")
	})
}

func TestETS_1_1_int_302_CancelByReset(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.attaches("/3/0/7", "pmin=5", "pmax=15")
		e.attaches("/3/0/8", "pmin=5", "pmax=15")
		volt, amp := e.observes("/3/0/7"), e.observes("/3/0/8")
		e.notified(volt, 15*time.Second, "/3/0/7/0=3800")
		volt.Forget()
		e.notified(amp, 0, "/3/0/8/0=125")
		e.notified(amp, 15*time.Second, "/3/0/8/0=125")
		amp.Forget()
		e.quiet(volt, time.Hour)
		e.quiet(amp, time.Hour)
	})
}

func TestETS_1_1_int_303_CancelByObserve(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.attaches("/3/0/7", "pmin=5", "pmax=15")
		e.attaches("/3/0/8", "pmin=5", "pmax=15")
		volt, amp := e.observes("/3/0/7"), e.observes("/3/0/8")
		e.notified(volt, 15*time.Second, "/3/0/7/0=3800")
		e.notified(amp, 0, "/3/0/8/0=125")
		a := e.ok(coap.Content, "Cancel")(volt.Cancel(e.ctx))
		if got := lines(t, a); len(got) != 2 || got[0] != "/3/0/7/0=3800" {
			t.Errorf("the cancellation is answered %v", got)
		}
		e.notified(amp, 15*time.Second, "/3/0/8/0=125")
		e.quiet(volt, time.Hour)
	})
}

func TestETS_1_2_int_312_ObserveParameters(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		volt := e.observes("/3/0/7", "pmin=5", "pmax=15")
		e.notified(volt, 15*time.Second, "/3/0/7/0=3800")
		e.volts(0, 3700)
		e.notified(volt, 5*time.Second, "/3/0/7/0=3700")
		e.discovers("/3/0/7", "</3/0/7>;dim=2,</3/0/7/0>,</3/0/7/1>") // they are not attached
	})
}

func TestETS_1_2_int_313_ObserveParametersWin(t *testing.T) {
	onDevice(t, 1, func(e *ets) {
		e.attaches("/3/0/7", "pmax=60")
		volt := e.observes("/3/0/7", "pmax=10")
		e.notified(volt, 10*time.Second, "/3/0/7/0=3800")
		e.notified(volt, 10*time.Second, "/3/0/7/0=3800")
	})
}

func TestETS_1_1_int_951_AttributesPerServer(t *testing.T) {
	onDevice(t, 2, func(e *ets) {
		e.attaches("/3", "pmin=10", "pmax=60")
		e.discovers("/3", "</3>;pmin=10;pmax=60,</3/0>,"+links30(""))
		e.dev = e.second
		e.discovers("/3", "</3>,</3/0>,"+links30(""))
		e.attaches("/3", "pmin=5")
		e.discovers("/3", "</3>;pmin=5,</3/0>,"+links30(""))
	})
}
