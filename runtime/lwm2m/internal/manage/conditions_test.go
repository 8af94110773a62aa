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

// degrees changes the stored temperature of instance 1 as the application.
func (s *story) degrees(v float64) {
	s.t.Helper()
	s.must(s.dev.things.Update(context.Background(), 1, func(i *temperature.Instance) error {
		i.SensorValue.Set(v)
		return nil
	}))
}

// Value conditions decide which changes of a stored value are notified.
func TestObserveConditions(t *testing.T) {
	const path = "/3303/1/5700"
	for _, c := range []struct {
		name   string
		target string
		before []string
		play   func(t *testing.T, s *story)
	}{
		{"gt in both directions", path, []string{"PUT " + path + "?gt=25"}, func(t *testing.T, s *story) {
			s.degrees(24)
			s.expect(time.Hour)
			s.degrees(26)
			s.expect(time.Millisecond, "26")
			s.degrees(30)
			s.expect(time.Hour)
			s.degrees(25)
			s.expect(time.Millisecond, "25")
		}},
		{"negative lt", path, []string{"PUT " + path + "?lt=-5"}, func(t *testing.T, s *story) {
			s.degrees(-5)
			s.expect(time.Hour)
			s.degrees(-6)
			s.expect(time.Millisecond, "-6")
		}},
		{"st against the last notification", path, []string{"PUT " + path + "?st=2"}, func(t *testing.T, s *story) {
			s.degrees(20)
			s.expect(time.Second, "20")
			s.degrees(21)
			s.degrees(21.5)
			s.expect(time.Hour)
			s.degrees(22)
			s.expect(time.Second, "22")
		}},
		{"carried by the Observe", path + "?st=10&pmax=60", []string{"PUT " + path + "?st=1"}, func(t *testing.T, s *story) {
			s.degrees(10)
			s.degrees(8)
			s.expect(59 * time.Second)
			s.expect(time.Second, "8")
			s.degrees(18)
			s.expect(time.Second, "18")
		}},
		{"a crossing during pmin with the value back", path, []string{"PUT " + path + "?gt=25&pmin=10"}, func(t *testing.T, s *story) {
			s.degrees(30)
			s.degrees(20)
			s.expect(9 * time.Second)
			s.expect(time.Second, "20")
			s.expect(time.Hour)
		}},
		{"a crossing in two transactions without a pause", path, []string{"PUT " + path + "?gt=25"}, func(t *testing.T, s *story) {
			s.degrees(30)
			s.degrees(4)
			s.expect(time.Second, "4")
		}},
		{"the own write is known", path, []string{"PUT " + path + "?gt=25"}, func(t *testing.T, s *story) {
			s.p.do(to("PUT /3303/1").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`))
			s.degrees(26)
			s.expect(time.Second, "26")
		}},
		{"attributes of the node's object", path, []string{"PUT /3303?pmin=10", "PUT " + path + "?st=1"}, func(t *testing.T, s *story) {
			s.degrees(20)
			s.expect(9 * time.Second)
			s.expect(time.Second, "20")
		}},
		{"a contradiction over two writes is ignored", path, []string{"PUT " + path + "?gt=25", "PUT " + path + "?lt=30"}, func(t *testing.T, s *story) {
			s.degrees(20)
			s.expect(time.Second, "20")
		}},
		{"attributes written later compare with the last notification", path, []string{"PUT " + path + "?st=100"}, func(t *testing.T, s *story) {
			s.degrees(20)
			s.expect(time.Hour)
			s.p.do(to("PUT " + path + "?st=5"))
			s.expect(time.Second, "20")
			s.p.do(to("PUT " + path + "?st=100"))
			s.degrees(21)
			s.expect(time.Second)
			s.p.do(to("PUT " + path + "?st"))
			s.expect(time.Second, "21")
		}},
		{"epmin between evaluations", path, []string{"PUT " + path + "?epmin=10&st=1"}, func(t *testing.T, s *story) {
			s.degrees(20)
			s.expect(9 * time.Second)
			s.expect(time.Second, "20")
		}},
		{"out of reach", path, []string{"PUT " + path + "?gt=25"}, func(t *testing.T, s *story) {
			s.p.peer.Detach()
			s.degrees(30)
			s.degrees(20)
			s.expect(time.Minute)
			s.p.peer.Attach(s.p.end)
			s.expect(time.Minute) // evaluated again: it is not above
			s.p.peer.Detach()
			s.degrees(30)
			s.expect(time.Minute)
			s.p.peer.Attach(s.p.end)
			s.expect(time.Minute, "30")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := device12
				o.servers = 2
				c.play(t, observing(t, o, c.target, c.before...))
			})
		})
	}
}

// Conditions of a live value are evaluated when it is sampled.
func TestObserveLiveConditions(t *testing.T) {
	const path = "/3303/0/5700"
	for _, c := range []struct {
		name   string
		before []string
		play   func(t *testing.T, s *story)
	}{
		{"gt every second", []string{"PUT " + path + "?gt=25"}, func(t *testing.T, s *story) {
			s.dev.celsius = 24
			s.expect(time.Minute)
			s.dev.celsius = 26
			s.expect(time.Second, "26")
		}},
		{"a crossing during pmin, sampled every epmin", []string{"PUT " + path + "?gt=25&epmin=2&pmin=60"}, func(t *testing.T, s *story) {
			s.expect(9 * time.Second)
			s.dev.celsius = 26
			s.expect(2 * time.Second)
			s.dev.celsius = 20
			s.expect(48 * time.Second)
			s.expect(time.Second, "20")
		}},
		{"epmax samples where pmax alone would not", []string{"PUT " + path + "?gt=25&epmax=10&pmax=600"}, func(t *testing.T, s *story) {
			s.dev.celsius = 26
			s.expect(9 * time.Second)
			s.expect(time.Second, "26")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.play(t, observing(t, released(), path, c.before...)) })
		})
	}
}

// A value attribute of a resource applies to each of its resource instances by itself.
func TestConditionsOfResourceInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, withReadyDevice(t))
		p := r.peers[0]
		d := r.dev.ready.(*device.Object)
		volts := func(change func(*dm.Multi[int64])) {
			t.Helper()
			r.must(d.Update(context.Background(), 0, func(i *device.Instance) error {
				change(&i.PowerSourceVoltage)
				return nil
			}))
		}
		volts(func(m *dm.Multi[int64]) { m.Set(0, 3800); m.Set(1, 5000) })
		if got := p.do(to("PUT /3/0/7?lt=3000&gt=4500")); got.code != coap.Changed {
			t.Fatal(got.code)
		}
		r.must(p.end.Ping(func(error) {})) // the round-trip time is known, as after a Register
		_, notes, _ := p.watch(to("GET /3/0/7").accepting(content.SenMLJSON))
		for _, step := range []struct {
			change func(*dm.Multi[int64])
			want   string
		}{
			{func(m *dm.Multi[int64]) { m.Set(0, 4400); m.Set(1, 6000) }, ""},
			{func(m *dm.Multi[int64]) { m.Set(0, 4600) }, `[{"bn":"/3/0/7/","n":"0","v":4600},{"n":"1","v":6000}]`},
			{func(m *dm.Multi[int64]) { m.Set(1, 4000) }, `[{"bn":"/3/0/7/","n":"0","v":4600},{"n":"1","v":4000}]`},
			{func(m *dm.Multi[int64]) { m.Set(2, 1) }, `[{"bn":"/3/0/7/","n":"0","v":4600},{"n":"1","v":4000},{"n":"2","v":1}]`},
			{func(m *dm.Multi[int64]) { m.Delete(0) }, `[{"bn":"/3/0/7/","n":"1","v":4000},{"n":"2","v":1}]`},
			{func(m *dm.Multi[int64]) { m.Set(1, 4100) }, ""},
		} {
			volts(step.change)
			r.pass(time.Second)
			var got []string
			for _, n := range *notes {
				got = append(got, n.body)
			}
			if s := strings.Join(got, " "); s != step.want {
				t.Errorf("notified %s, want %s", s, step.want)
			}
			*notes = nil
		}
	})
}

// Edge is about the change of a boolean, in one direction.
func TestEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/1/0/6", "PUT /1/0/6?edge=1&pmin=10")
		set := func(v bool) {
			tx, err := s.model.Begin(context.Background(), dm.Application)
			s.must(err)
			defer tx.Rollback()
			p := dm.ResourcePath(1, 0, 6)
			s.must(tx.Write(p, dm.Update, []dm.Entry{{Path: p, Value: dm.BooleanValue(v)}}))
			s.must(tx.Commit())
		}
		set(false)
		s.expect(time.Minute)
		set(true)
		s.expect(time.Second, "1")
		set(false)
		s.expect(time.Minute)
		set(true)
		set(false)
		s.expect(time.Second, "0")
	})
}

// What is attached below an observed node does not count for it (Core 1.2.2 §6.4.2).
func TestAttributesBelowTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/1/5750", "PUT /3303/1/5700?gt=1000&pmin=100")
		_, notes, _ := s.p.watch(to("GET /3303/1").accepting(content.SenMLJSON))
		s.degrees(20)
		s.pass(time.Second)
		if len(*notes) != 1 || !strings.Contains((*notes)[0].body, `"v":20`) {
			t.Errorf("notified %v", *notes)
		}
	})
}
