package manage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestObserveLive(t *testing.T) {
	const path = "/3303/0/5700"
	for _, c := range []struct {
		name   string
		target string
		before []string
		play   func(t *testing.T, s *story)
	}{
		{"without attributes every second", path, nil, func(t *testing.T, s *story) {
			s.expect(5 * time.Second)
			s.dev.celsius = 22
			s.expect(time.Second, "22")
			s.expect(time.Hour)
		}},
		{"every pmin", path, []string{"PUT /3303?pmin=10"}, func(t *testing.T, s *story) {
			s.dev.celsius = 22
			s.expect(9 * time.Second)
			s.expect(time.Second, "22")
			s.dev.celsius = 23
			s.expect(9 * time.Second)
			s.expect(time.Second, "23")
		}},
		{"every epmin, and pmin holds back", path, []string{"PUT /3303?pmin=10&epmin=4"}, func(t *testing.T, s *story) {
			s.expect(11 * time.Second) // sampled after 4 and 8 s
			s.dev.celsius = 22
			s.expect(time.Second, "22")
			s.dev.celsius = 23
			s.expect(9 * time.Second)
			s.expect(time.Second, "23")
		}},
		{"an epmin of 0 is a second", path, []string{"PUT /3303?epmin=0"}, func(t *testing.T, s *story) {
			s.expect(5 * time.Second)
			s.dev.celsius = 22
			s.expect(time.Second, "22")
		}},
		{"the account's pmax beside a pmin carried by the Observe", path + "?pmin=5", nil,
			func(t *testing.T, s *story) {
				s.write(dm.Application, dm.ResourcePath(1, 0, 3), "20")
				s.expect(19 * time.Second)
				s.expect(time.Second, "21.5")
			}},
		{"pmax alone never samples early", path, []string{"PUT /3303?pmax=30"}, func(t *testing.T, s *story) {
			s.dev.celsius = 22
			s.expect(29 * time.Second)
			s.expect(time.Second, "22")
		}},
		{"Notify notifies before the next sample", path, []string{"PUT /3303?pmax=300"}, func(t *testing.T, s *story) {
			s.dev.celsius = 22
			s.expect(time.Second)
			s.self.Notify(dm.InstancePath(3303, 0))
			s.expect(time.Millisecond, "22")
			s.self.Notify(dm.ResourcePath(3303, 0, 5700)) // nothing has changed
			s.expect(time.Second)
			s.dev.celsius = 23
			s.self.Notify(dm.Path{})
			s.expect(time.Millisecond, "23")
			s.m.Close()
			s.self.Notify(dm.Path{})
			s.expect(time.Minute)
		}},
		{"the account's pmin of 0", path, nil, func(t *testing.T, s *story) {
			s.write(dm.Application, dm.ResourcePath(1, 0, 2), "0")
			s.write(dm.Application, dm.ResourcePath(1, 0, 3), "300")
			s.dev.celsius = 22
			s.expect(time.Second, "22")
		}},
		{"a failing function is ignored", path, nil, func(t *testing.T, s *story) {
			s.dev.celsius, s.dev.noCelsius = 22, errors.New("sensor gone")
			s.expect(time.Minute)
			s.dev.noCelsius = dm.ErrNoValue
			s.expect(time.Minute)
			s.dev.noCelsius = nil
			s.expect(11*time.Second, "22")
		}},
		{"a slow function", "/3303/0/5601", []string{"PUT /3303?pmax=10"}, func(t *testing.T, s *story) {
			s.expect(11*time.Second, "-3.5")
		}},
		{"the instance goes while it is read", path, nil, func(t *testing.T, s *story) {
			if err := s.dev.things.Remove(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
			s.expect(2*time.Second, "4.04")
		}},
		{"carried by the Observe", path + "?pmin=5&pmax=15", []string{"PUT /3303?pmax=60&pmin=30"},
			func(t *testing.T, s *story) {
				s.expect(14 * time.Second)
				s.expect(2*time.Second, "21.5")
				s.dev.celsius = 22
				s.expect(5*time.Second, "22")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := device12
				o.world = func(w *world) {
					close(w.release)
				}
				c.play(t, observing(t, o, c.target, c.before...))
			})
		})
	}
}

// A live value is sampled as often as the attributes ask for, and not more often.
func TestSamplesOfLiveValues(t *testing.T) {
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
				s.samples()
				s.dev.noCelsius = c.fail
				s.pass(time.Minute)
				if got := s.samples(); got != c.want {
					t.Errorf("sampled %d times, want %d", got, c.want)
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

// A change of a node that cannot be read is notified when it can be read again.
func TestUnreadableChangeIsNotified(t *testing.T) {
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

// A live instance that is added to an observed object is sampled from then on.
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
		{"changing while it is sampled", func(t *testing.T, s *slowStory) {
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
		{"out of reach while it is sampled", func(t *testing.T, s *slowStory) {
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
		{"cancelled while it is sampled", func(t *testing.T, s *slowStory) {
			open := s.hold()
			s.self.Notify(node)
			s.expect(time.Second)
			s.p.peer.Reset()
			open()
			s.expect(time.Hour)
		}},
		{"gone while it is sampled", func(t *testing.T, s *slowStory) {
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
