package manage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

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
			s.expect(11 * time.Second) // looked at after 4 and 8 s
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
		{"the account's pmax beside a pmin carried by the Observe", path + "?pmin=5", nil, func(t *testing.T, s *story) {
			s.write(dm.Application, dm.ResourcePath(1, 0, 3), "20")
			s.expect(19 * time.Second)
			s.expect(time.Second, "21.5")
		}},
		{"pmax alone never samples early", path, []string{"PUT /3303?pmax=30"}, func(t *testing.T, s *story) {
			s.dev.celsius = 22
			s.expect(29 * time.Second)
			s.expect(time.Second, "22")
		}},
		{"Notify tells without a sample", path, []string{"PUT /3303?pmax=300"}, func(t *testing.T, s *story) {
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
		{"a failing function is passed over", path, nil, func(t *testing.T, s *story) {
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
		{"carried by the Observe", path + "?pmin=5&pmax=15", []string{"PUT /3303?pmax=60&pmin=30"}, func(t *testing.T, s *story) {
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
