package lwm2m_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// delay gives every packet a delay.
func (s *sleeper) delay(d time.Duration) {
	s.t.Helper()
	must(s.t, s.net.SetDefaultLink(simnet.Link{Delay: d}))
}

// A request that arrives within the last and the first milliseconds of the awake window and the
// sleep is answered, and counts as a message.
func TestRequestWhileFallingAsleep(t *testing.T) {
	for _, early := range []time.Duration{2 * time.Millisecond, time.Millisecond, 0, -time.Millisecond} {
		inQueueMode(t, func(c *lwm2m.Config) { c.QueueMode.AwakeTime = 10 * time.Second }, func(s *sleeper) {
			s.delay(time.Millisecond)
			if _, err := s.dev.Read(context.Background(), "/3303/0/5700", content.Text); err != nil {
				t.Fatal(err)
			}
			last := time.Now().Add(-time.Millisecond) // when the response was sent
			time.Sleep(time.Until(last.Add(10*time.Second - early)))
			a, err := s.dev.Read(context.Background(), "/3303/0/5700", content.Text)
			if err != nil || a.Text() != "20" {
				t.Errorf("%v before: %v (%v)", early, a, err)
			}
			answered := time.Now()
			time.Sleep(time.Minute)
			if off := s.radio.times(); len(off) == 0 || off[len(off)-1].Before(answered.Add(9*time.Second)) || s.state() != lwm2m.StateAsleep {
				t.Errorf("%v before: the receiver is off at %v, %v after the answer at %v", early, off, s.state(), answered)
			}
		})
	}
}

// A transfer in blocks that are further apart than the awake time keeps the device awake.
func TestTransferLongerThanTheAwakeTime(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) {
		c.QueueMode.AwakeTime = time.Second
		c.Objects = append(c.Objects, newGoals(t))
	}, func(s *sleeper) {
		text := strings.Repeat("x", 5000)
		s.delay(900 * time.Millisecond) // blocks are 1.8 s apart
		s.radio.times()
		a, err := s.dev.Write(context.Background(), "/3308/0/5750", content.Text, []byte(text))
		changed(t, a, a.Code, coap.Changed, err)
		if off := s.radio.times(); len(off) > 0 {
			t.Errorf("the receiver was off at %v during a Write", off)
		}
		a, err = s.dev.Read(context.Background(), "/3308/0/5750", content.Text)
		if err != nil || a.Text() != text {
			t.Errorf("%d bytes (%v)", len(a.Text()), err)
		}
		if off := s.radio.times(); len(off) > 1 { // once between Write and Read, at most
			t.Errorf("the receiver was off at %v during a Read", off)
		}
		s.delay(0)
		s.sleeps()
	})
}

// A server that stops in the middle of a transfer does not keep the receiver on.
func TestAbandonedTransferDoesNotKeepAwake(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) {
		c.QueueMode.AwakeTime = 5 * time.Second
		c.Objects = append(c.Objects, newGoals(t))
	}, func(s *sleeper) {
		s.delay(time.Second)
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
		defer stop()
		if _, err := s.dev.Write(ctx, "/3308/0/5750", content.Text, bytes.Repeat([]byte("x"), 10_000)); err == nil {
			t.Error("the Write has ended")
		}
		stopped := time.Now()
		time.Sleep(10 * time.Minute)
		off := s.radio.times()
		if len(off) == 0 || off[len(off)-1].Sub(stopped) > 2*time.Minute || s.state() != lwm2m.StateAsleep {
			t.Errorf("the transfer stops at %v, the receiver is off at %v, %v", stopped, off, s.state())
		}
	})
}

// A device whose server is silent sleeps between its attempts, and tells the server when it is
// back.
func TestServerIsSilentWhenTheDeviceWakes(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) { c.Servers[0].Lifetime = 48 * time.Hour }, func(s *sleeper) {
		_, _, err := s.dev.Observe(context.Background(), "/3303/0/5700", content.SenMLCBOR)
		if err != nil {
			t.Fatal(err)
		}
		s.sleeps()
		s.net.SetFilter(func(p simnet.Packet) bool { return s.note(p) && p.From.Port() != 5683 })
		for i := range 3 {
			s.measure(float64(30 + i))
			time.Sleep(time.Hour)
		}
		sent := s.since()
		if len(sent) == 0 || len(sent) > 100 || slices.Contains(sent, "notification") {
			t.Errorf("within three hours the device sends %d messages: %q", len(sent), sent)
		}
		s.net.SetFilter(s.note)
		time.Sleep(2 * time.Hour)
		if st := s.state(); st != lwm2m.StateAsleep {
			t.Errorf("the device is %v, want asleep", st)
		}
		if got := s.since(); !slices.Contains(got, "POST rd") {
			t.Errorf("the device sends %q, want a Register", got)
		}
		if a, err := s.server.WaitRegistered("dev").Read(context.Background(), "/3303/0/5700", content.Text); err != nil || a.Text() != "32" {
			t.Errorf("%v (%v)", a, err)
		}
	})
}

// A Send that waits when the client is detached has an outcome, and its caller does not wait.
func TestSendAtDetach(t *testing.T) {
	for _, deferred := range []bool{false, true} {
		inQueueMode(t, nil, func(s *sleeper) {
			s.sleeps()
			s.net.SetFilter(func(p simnet.Packet) bool { return s.note(p) && p.From.Port() != 5683 })
			b := &lwm2m.Batch{Defer: deferred}
			b.Add(dm.ResourcePath(3303, 1, 5700))
			outcome := make(chan error, 2)
			go func() { _, err := s.client.Send(context.Background(), 1, b); outcome <- err }()
			time.Sleep(time.Second)
			s.detach()
			select {
			case err := <-outcome:
				if err == nil || errors.Is(err, context.Canceled) {
					t.Errorf("deferred %v: Send: %v", deferred, err)
				}
			case <-time.After(time.Minute):
				t.Errorf("deferred %v: Send has no outcome", deferred)
			}
		})
	}
}

// An Execute that takes longer than the awake time is answered while the receiver is on.
func TestSlowExecuteKeepsAwake(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) {
		c.QueueMode.AwakeTime = 5 * time.Second
		sensor, err := temperature.New(temperature.Config{})
		must(t, err)
		must(t, sensor.Add(0, temperature.Instance{SensorValue: dm.Float(1), ResetMinAndMaxMeasuredValues: dm.SlowExec(func(context.Context, dm.Args) error {
			time.Sleep(time.Minute)
			return nil
		})}))
		c.Objects[len(c.Objects)-1] = sensor
	}, func(s *sleeper) {
		s.radio.times()
		a, err := s.dev.Execute(context.Background(), "/3303/0/5605", "")
		changed(t, a, a.Code, coap.Changed, err)
		if off := s.radio.times(); len(off) > 0 {
			t.Errorf("the receiver was off at %v during the Execute", off)
		}
	})
}
