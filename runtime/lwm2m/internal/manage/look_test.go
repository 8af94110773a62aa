package manage

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// looked returns how often the live value was asked for since the last time.
func (s *story) looked() int {
	n := s.dev.looks
	s.dev.looks = 0
	return n
}

// released is a device whose slow functions return at once.
func released() setup {
	o := device12
	o.world = func(w *world) { close(w.release) }
	return o
}

// A live value is asked for as often as it takes, and no more.
func TestLooksAtLiveValues(t *testing.T) {
	for _, c := range []struct {
		name, before string
		fail         error
		want         int // in a minute
		warnings     int
	}{
		{"every second", "PUT /3303?pmin=0", nil, 60, 0},
		{"every pmin", "PUT /3303?pmin=20", nil, 3, 0},
		{"every epmin", "PUT /3303?pmin=20&epmin=5", nil, 12, 0},
		{"at pmax", "PUT /3303?pmax=30", nil, 2, 0},
		{"failing", "PUT /3303?pmin=0", errors.New("sensor gone"), 6, 1},
		{"failing at pmax", "PUT /3303?pmax=30", errors.New("sensor gone"), 4, 1},
		{"without a value", "PUT /3303?pmin=0", dm.ErrNoValue, 60, 0},
		{"without a value at pmax", "PUT /3303?pmax=30", dm.ErrNoValue, 4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := observing(t, released(), "/3303/0/5700", c.before)
				s.looked()
				s.dev.noCelsius = c.fail
				s.pass(time.Minute)
				if got := s.looked(); got != c.want {
					t.Errorf("looked %d times, want %d", got, c.want)
				}
				if got := strings.Count(s.log.String(), "cannot be read"); got != c.warnings {
					t.Errorf("warned %d times, want %d", got, c.warnings)
				}
				// When it has worked again in between, the next failure is another one.
				s.dev.noCelsius = nil
				s.pass(time.Minute)
				s.dev.noCelsius = c.fail
				s.pass(time.Minute)
				if got := strings.Count(s.log.String(), "cannot be read"); got != 2*c.warnings {
					t.Errorf("warned %d times, want %d", got, 2*c.warnings)
				}
			})
		})
	}
}

// A change of a node that cannot be read is told of when it can be again.
func TestUnreadChangeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, released(), "/3303/0/5700", "PUT /3303?pmax=86400")
		s.dev.celsius, s.dev.noCelsius = 22, errors.New("sensor gone")
		s.self.Notify(dm.ResourcePath(3303, 0, 5700))
		s.expect(time.Minute)
		s.dev.noCelsius = nil
		s.expect(11*time.Second, "22")
		s.expect(time.Hour)
	})
}

// An instance with a function that comes to an observed object is looked at from then on.
func TestNodeBecomesLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		if err := r.dev.things.Remove(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		_, notes, _ := r.peers[0].watch(to("GET /3303").accepting(content.SenMLJSON))
		celsius := 5.0
		if err := r.dev.things.Add(7, temperature.Instance{SensorValue: dm.Func(func(context.Context) (float64, error) { return celsius, nil })}); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		celsius = 6
		r.pass(2 * time.Second)
		if n := len(*notes); n != 2 || !strings.Contains((*notes)[1].body, `"v":6`) {
			t.Errorf("notified %v", *notes)
		}
	})
}

// slowStory observes a value that a slow function stands behind: another one with each call.
type slowStory struct {
	*story
	calls atomic.Int32
	held  atomic.Pointer[chan struct{}] // what a call waits for
}

func observingSlow(t *testing.T, before string) *slowStory {
	s := &slowStory{story: observing(t, released(), "/3303/0/5601", before)}
	s.dev.minimum = func() (float64, error) {
		if held := s.held.Load(); held != nil {
			<-*held
		}
		return -3.5 - float64(s.calls.Add(1)), nil
	}
	return s
}

// hold has the function wait until the result is called.
func (s *slowStory) hold() (open func()) {
	held := make(chan struct{})
	s.held.Store(&held)
	return func() { s.held.Store(nil); close(held) }
}

func TestObserveSlow(t *testing.T) {
	node := dm.ResourcePath(3303, 0, 5601)
	for _, c := range []struct {
		name string
		play func(t *testing.T, s *slowStory)
	}{
		{"again and again", func(t *testing.T, s *slowStory) {
			s.expect(101*time.Second, "-4.5")
			s.expect(100*time.Second, "-5.5")
			if n := s.calls.Load(); n != 2 {
				t.Errorf("called %d times", n)
			}
		}},
		{"changing while it is looked at", func(t *testing.T, s *slowStory) {
			open := s.hold()
			s.self.Notify(node)
			s.expect(time.Second)
			s.self.Notify(node)
			s.self.Notify(node)
			s.expect(time.Second)
			open()
			s.expect(time.Second, "-4.5", "-5.5")
			if n := s.calls.Load(); n != 2 {
				t.Errorf("called %d times", n)
			}
		}},
		{"out of reach while it is looked at", func(t *testing.T, s *slowStory) {
			open := s.hold()
			s.self.Notify(node)
			s.expect(time.Second)
			s.p.peer.Detach()
			open()
			s.expect(10 * time.Second)
			s.p.peer.Attach(s.p.end)
			s.expect(time.Second, "-5.5")
			if n := s.calls.Load(); n != 2 {
				t.Errorf("called %d times", n)
			}
		}},
		{"cancelled while it is looked at", func(t *testing.T, s *slowStory) {
			open := s.hold()
			s.self.Notify(node)
			s.expect(time.Second)
			s.p.peer.Reset()
			open()
			s.expect(time.Hour)
		}},
		{"gone while it is looked at", func(t *testing.T, s *slowStory) {
			open := s.hold()
			s.self.Notify(node)
			s.expect(time.Second)
			s.must(s.dev.things.Remove(context.Background(), 0))
			open()
			s.expect(time.Second, "-4.5", "4.04")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.play(t, observingSlow(t, "PUT /3303?pmax=100"))
			})
		})
	}
}

// Several own changes of resource instances are not told, while another server's are.
func TestOwnResourceInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		r.must(r.dev.portfolio.Add(0, portfolio.Instance{Identity: dm.List("a", "b", "c")}))
		for _, path := range []string{"/16/0/0", "/16/0", "/16"} {
			_, notes, _ := r.peers[0].watch(to("GET " + path))
			for i, step := range []struct {
				ask ask
				own bool
			}{
				{to("PUT /16/0/0/1").as(content.Text, "own"+path), true}, {to("PUT /16/0/0/1").as(content.Text, "other"+path), false},
				{to("POST /16/0/0").as(content.SenMLJSON, `[{"n":"/16/0/0/2","vs":"own`+path+`"}]`), true}, {to("DELETE /16/0/0/2"), true},
				{to("POST /16/0/0").as(content.SenMLJSON, `[{"n":"/16/0/0/2","vs":"c"}]`), false}, {to("POST /16"), true}, {to("DELETE /16/1"), true},
			} {
				*notes = nil
				p, want := r.peers[0], 0
				if !step.own {
					p, want = r.peers[1], 1
				}
				if got := p.do(step.ask); !got.code.IsSuccess() {
					t.Fatalf("step %d: %v %q", i, got.code, got.body)
				}
				r.pass(time.Second)
				if len(*notes) != want {
					t.Errorf("%s, step %d: notified %d times, want %d", path, i, len(*notes), want)
				}
			}
			r.peers[0].peer.Reset()
		}
	})
}

// A change that pmin holds back is not forgotten over an own write in the same instance.
func TestOwnWriteBesideAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		r.peers[0].do(to("PUT /3303?pmin=10"))
		_, notes, _ := r.peers[0].watch(to("GET /3303/1").accepting(content.SenMLJSON))
		r.must(r.dev.things.Update(context.Background(), 1, func(i *temperature.Instance) error { i.SensorValue.Set(5); return nil }))
		r.pass(time.Second)
		r.peers[0].do(to("PUT /3303/1/5750").as(content.Text, "x"))
		r.pass(time.Minute)
		if want := `[{"bn":"/3303/1/","n":"5700","v":5},{"n":"5750","vs":"x"}]`; len(*notes) != 1 || (*notes)[0].body != want {
			t.Errorf("notified of %v, want %s", *notes, want)
		}
	})
}

// The end of an observation is told of reliably, whatever con says.
func TestLastNotificationArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/1/5750", "PUT /3303?con=0")
		s.net.Cut(s.device, s.p.host)
		s.must(s.dev.things.Remove(context.Background(), 1))
		s.expect(time.Second)
		s.net.Heal(s.device, s.p.host)
		s.expect(time.Minute, "4.04")
	})
}

// What is out of date before it could be sent is not sent.
func TestOutdatedNotificationIsDropped(t *testing.T) {
	for _, gone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := observing(t, device12, "/3303/1/5750", "PUT /3303?con=1")
			s.net.Cut(s.device, s.p.host)
			want := []string{"first", "third"}
			for _, v := range []string{"first", "second", "third"} {
				s.label(v)
				s.expect(100 * time.Millisecond)
			}
			if gone {
				s.must(s.dev.things.Remove(context.Background(), 1))
				s.expect(100 * time.Millisecond)
				want[1] = "4.04"
			}
			s.net.Heal(s.device, s.p.host)
			s.expect(time.Minute, want...)
		})
	}
}

// An observation of a token that has one takes its place, where there is room for one alone, too.
func TestObserveAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.Observations = 1 }
		s := observing(t, o, "/3303/1/5750")
		first := s.p.peer.scopes[0].reporter.list[0]
		raw := coap.Message{Type: coap.Confirmable, Code: coap.GET, MessageID: 4711, Token: first.rel.Token()}
		raw.Options.AddUint(coap.OptionObserve, 0)
		raw.Options.AddPath("/3303/1/5750")
		b, err := raw.AppendUDP(nil)
		s.must(err)
		s.must(s.p.sock[1].Send(b))
		s.pass(time.Second)
		if n := s.p.peer.Observations(); n != 1 || s.p.peer.scopes[0].reporter.list[0] == first || !first.rel.Ended() {
			t.Errorf("%d observations, the first is over: %v", n, first.rel.Ended())
		}
		if n := s.m.watched.Load(); n != 1 {
			t.Errorf("%d nodes are watched", n)
		}
		last := s.p.peer.scopes[0].reporter.list[0]
		s.p.peer.Reset()
		if !last.rel.Ended() || s.m.watched.Load() != 0 {
			t.Errorf("the last is over: %v, %d nodes are watched", last.rel.Ended(), s.m.watched.Load())
		}
	})
}

// An observation outlives its connection also where that ends before the server is said to be out of reach.
func TestObservationOutlivesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, released(), "/3303/1/5750", "PUT /3303?pmax=60")
		old := s.p.peer.scopes[0].reporter.list[0]
		s.p.end.Close(errors.New("gone"))
		if s.p.peer.Observations() != 1 || old.timer.Pending() {
			t.Errorf("%d observations, another look planned: %v", s.p.peer.Observations(), old.timer.Pending())
		}
		s.label("meanwhile")
		s.expect(time.Hour)
		next, err := s.ends.NewConn(coap.ConnConfig{Socket: s.p.sock[0], Handler: s.p.peer})
		s.must(err)
		s.p.end = next
		s.p.peer.Attach(next)
		s.expect(time.Second, "meanwhile")
		s.expect(time.Minute, "meanwhile")
	})
}

// Notifications that find the queue full are sent when there is room, with the value of then.
func TestNotificationsFindRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.conn = func(c *coap.ConnConfig) { c.MaxQueue = 1 }
		s := observing(t, o, "/3303/1/5750", "PUT /3303?con=1")
		all := []*[]reply{s.notes}
		for range 4 {
			_, notes, _ := s.p.watch(to("GET /3303/1/5750").accepting(content.Text))
			all = append(all, notes)
		}
		s.net.Cut(s.device, s.p.host)
		s.label("first")
		s.pass(100 * time.Millisecond)
		s.label("last")
		s.pass(100 * time.Millisecond)
		s.net.Heal(s.device, s.p.host)
		s.pass(30 * time.Second)
		for i, notes := range all {
			if n := len(*notes); n == 0 || (*notes)[n-1].body != "last" {
				t.Errorf("observation %d is notified of %v", i, *notes)
			}
		}
		if s.p.peer.Observations() != 5 {
			t.Errorf("%d observations", s.p.peer.Observations())
		}
		// Not even the end of them is lost.
		s.net.Cut(s.device, s.p.host)
		s.must(s.dev.things.Remove(context.Background(), 1))
		s.pass(100 * time.Millisecond)
		s.net.Heal(s.device, s.p.host)
		s.pass(5 * time.Minute)
		for i, notes := range all {
			if n := len(*notes); (*notes)[n-1].code != coap.NotFound {
				t.Errorf("the end of observation %d is told as %v", i, (*notes)[n-1])
			}
		}
		if s.p.peer.Observations() != 0 || s.m.watched.Load() != 1 {
			t.Errorf("%d observations, %d nodes are watched", s.p.peer.Observations(), s.m.watched.Load())
		}
	})
}
