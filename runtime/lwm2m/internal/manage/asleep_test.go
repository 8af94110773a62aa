package manage

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
)

// sleeping is a story with a device in queue mode, which counts what it asks for.
type sleeping struct {
	*story
	wakes, released int
}

// inSleep begins an observation and lets the device sleep.
func inSleep(t *testing.T, o setup, target string, before []string, fn func(s *sleeping)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &sleeping{}
		o.peer = func(c *PeerConfig) {
			c.Wake = func() { s.wakes++ }
			c.Released = func() { s.released++ }
		}
		s.story = observing(t, o, target, before...)
		s.pass(time.Minute)
		s.p.peer.Hold()
		fn(s)
	})
}

// asks fails unless the device was asked to wake so often since the last call.
func (s *sleeping) asks(n int) {
	s.t.Helper()
	if s.wakes != n {
		s.t.Errorf("asked to wake %d times, want %d", s.wakes, n)
	}
	s.wakes = 0
}

// wake has the device awake, and expects these notifications within a second.
func (s *sleeping) wake(want ...string) {
	s.t.Helper()
	before := s.released
	s.p.peer.Release()
	s.expect(time.Second, want...)
	if waited := len(want) > 0; s.p.peer.Releasing() || s.p.peer.Busy() || waited != (s.released > before) || s.released > before+1 {
		s.t.Errorf("releasing %v, busy %v, released %d times", s.p.peer.Releasing(), s.p.peer.Busy(), s.released-before)
	}
}

// A change while the device sleeps asks once to wake, and the server gets the value of then.
func TestChangesWhileAsleep(t *testing.T) {
	inSleep(t, device12, "/3303/1/5750", nil, func(s *sleeping) {
		s.label("a")
		s.expect(time.Minute)
		s.asks(1)
		s.label("b")
		s.expect(time.Minute)
		s.asks(0)
		if next := s.p.peer.NextSample(); next != attr.Never {
			t.Errorf("the next sample is at %v while the notification waits", next)
		}
		s.wake("b")
		s.label("c")
		s.expect(time.Second, "c")
		s.p.peer.Hold()
		s.label("d")
		s.pass(time.Second)
		s.asks(1)
		s.wake("d")
	})
}

// Without anything due the device sleeps on, and Release leads to nothing.
func TestNothingIsDueWhileAsleep(t *testing.T) {
	inSleep(t, device12, "/3303/1/5750", []string{"PUT /3303?pmin=10"}, func(s *sleeping) {
		s.expect(time.Hour)
		s.label("fridge") // as before
		s.expect(time.Hour)
		s.asks(0)
		s.wake()
		s.p.peer.Release()
		s.expect(time.Hour)
	})
}

// The attributes decide about the wake as they do about the notification.
func TestAttributesWhileAsleep(t *testing.T) {
	for _, test := range []struct {
		name, target string
		before       []string
		play         func(s *sleeping)
	}{
		{"pmin", "/3303/1/5750", []string{"PUT /3303?pmin=600"}, func(s *sleeping) {
			s.label("a")
			s.expect(8 * time.Minute)
			s.asks(0)
			s.expect(2 * time.Minute)
			s.asks(1)
			s.wake("a")
		}},
		{"pmax", "/3303/1/5750", []string{"PUT /3303/1?pmax=600"}, func(s *sleeping) {
			s.expect(8 * time.Minute)
			s.asks(0)
			s.expect(2 * time.Minute)
			s.asks(1)
			s.expect(time.Hour) // nobody wakes it: pmax asks no more
			s.asks(0)
			s.wake("fridge")
			s.expect(10*time.Minute, "fridge")
		}},
		{"a threshold that is crossed and crossed back", "/3303/0/5700", []string{"PUT /3303/0/5700?gt=30&epmin=60"}, func(s *sleeping) {
			s.dev.celsius = 25
			s.expect(2 * time.Minute)
			s.asks(0)
			s.dev.celsius = 31
			s.expect(2 * time.Minute)
			s.asks(1)
			s.dev.celsius = 22
			s.expect(2 * time.Minute)
			s.wake("22")
		}},
		{"con", "/3303/1/5750", []string{"PUT /3303/1/5750?con=1"}, func(s *sleeping) {
			s.label("a")
			s.expect(time.Hour)
			s.asks(1)
			s.wake("a")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inSleep(t, device12, test.target, test.before, test.play)
		})
	}
}

// A node that is deleted while the device sleeps is reported after it.
func TestNodeIsGoneWhileAsleep(t *testing.T) {
	inSleep(t, device12, "/3303/1/5750", nil, func(s *sleeping) {
		s.must(s.dev.things.Remove(t.Context(), 1))
		s.expect(time.Minute)
		s.asks(1)
		s.wake("4.04")
		if n := s.p.peer.Observations(); n != 0 {
			t.Errorf("%d observations are left", n)
		}
	})
}

// A slow sample for a notification that has waited keeps the Sends waiting, until it or the
// observation ends.
func TestSlowSampleAfterSleep(t *testing.T) {
	for _, ends := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := observingSlow(t, "PUT /3303/0/5601?pmax=60")
			released := 0
			peer := s.p.peer
			peer.cfg.Released = func() { released++ }
			peer.Hold()
			s.expect(2 * time.Minute)
			open := s.hold()
			peer.Release()
			s.expect(time.Second) // a worker samples the value
			if !peer.Busy() || !peer.Releasing() || released > 0 {
				t.Errorf("busy %v, releasing %v, released %d times while a worker samples", peer.Busy(), peer.Releasing(), released)
			}
			if ends {
				peer.Reset()
			}
			if peer.Busy() == ends || peer.Releasing() == ends {
				t.Errorf("busy %v, releasing %v, and the observation ends: %v", peer.Busy(), peer.Releasing(), ends)
			}
			open()
			s.pass(time.Second)
			if n := len(*s.notes); peer.Busy() || peer.Releasing() || released != 1 || (n == 1) == ends {
				t.Errorf("busy %v, releasing %v, released %d times, %d notifications", peer.Busy(), peer.Releasing(), released, n)
			}
		})
	}
}

// The device falls asleep again while a worker samples for a notification that has waited.
func TestAsleepAgainDuringTheSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observingSlow(t, "PUT /3303/0/5601?pmax=60")
		wakes := 0
		s.p.peer.cfg.Wake = func() { wakes++ }
		s.p.peer.Hold()
		s.expect(2 * time.Minute)
		open := s.hold()
		s.p.peer.Release()
		s.expect(time.Second)
		s.p.peer.Hold()
		open()
		s.expect(time.Minute)
		if wakes != 2 || s.p.peer.Releasing() || s.p.peer.Busy() {
			t.Errorf("asked to wake %d times, releasing %v, busy %v", wakes, s.p.peer.Releasing(), s.p.peer.Busy())
		}
		s.p.peer.Release()
		s.pass(time.Second)
		if len(*s.notes) != 1 {
			t.Errorf("notified of %v, want one value", *s.notes)
		}
	})
}

// An Observe-Composite waits as a whole, and so do observations of other nodes.
func TestCompositeWhileAsleep(t *testing.T) {
	inSleep(t, device12, "/3303/1/5750", nil, func(s *sleeping) {
		s.p.peer.Release()
		var all []*[]reply
		for _, names := range []string{`[{"n":"/3303/1/5750"},{"n":"/3303/0/5750"}]`, `[{"n":"/3303/1/5750"},{"n":"/3/0/15"}]`} {
			_, notes, _ := s.p.watch(to("FETCH /").as(content.SenMLJSON, names).accepting(content.SenMLJSON))
			all = append(all, notes)
		}
		s.p.peer.Hold()
		s.label("a")
		s.pass(time.Minute)
		s.asks(1)
		s.p.peer.Release()
		if !s.p.peer.Releasing() {
			t.Error("not releasing, with three observations that have waited")
		}
		s.expect(time.Second, "a")
		for i, notes := range all {
			if len(*notes) != 1 || !strings.Contains((*notes)[0].body, `"vs":"a"`) {
				t.Errorf("composite %d is notified of %v, want once", i, *notes)
			}
		}
		if s.released != 1 {
			t.Errorf("released %d times, want once after all of them", s.released)
		}
	})
}
