package manage

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// compositeStory is a composite observation and what happens to it.
type compositeStory struct {
	*story
	first reply
}

// observingComposite begins an observation of several nodes, in SenML JSON.
func observingComposite(t *testing.T, o setup, query, names string, before ...string) *compositeStory {
	t.Helper()
	r := newRig(t, o)
	s := &compositeStory{story: &story{rig: r, p: r.peers[0]}}
	r.must(s.p.end.Ping(func(error) {}))
	for _, line := range before {
		if got := s.p.do(to(line)); got.code != coap.Changed {
			t.Fatalf("%s: %v", line, got.code)
		}
	}
	var list []string
	for n := range strings.SplitSeq(names, " ") {
		list = append(list, `{"n":"`+n+`"}`)
	}
	payload := "[" + strings.Join(list, ",") + "]"
	s.first, s.notes, s.call = s.p.watch(to("FETCH /"+query).as(content.SenMLJSON, payload).accepting(content.SenMLJSON))
	return s
}

const (
	both   = `[{"bn":"/3303/0/","n":"5700","v":21.5},{"bn":"/3303/1/","n":"5700","v":4.25}]`
	fridge = "/3303/1/5700"
	boiler = "/3303/0/5700"
)

func TestObserveComposite(t *testing.T) {
	for _, c := range []struct {
		name, query, names string
		before             []string
		play               func(t *testing.T, s *compositeStory)
	}{
		{"a notification has the values of all parts", "", boiler + " " + fridge, nil, func(t *testing.T, s *compositeStory) {
			if s.first.body != both {
				t.Errorf("answered %s", s.first.body)
			}
			s.degrees(5)
			s.expect(time.Millisecond, `[{"bn":"/3303/0/","n":"5700","v":21.5},{"bn":"/3303/1/","n":"5700","v":5}]`)
			s.dev.celsius = 22
			s.expect(time.Second, `[{"bn":"/3303/0/","n":"5700","v":22},{"bn":"/3303/1/","n":"5700","v":5}]`)
			s.expect(time.Hour)
		}},
		{"several changes at once are one notification", "", fridge + " /3303/1/5750", nil, func(t *testing.T, s *compositeStory) {
			s.must(s.dev.things.Update(context.Background(), 1, func(i *temperature.Instance) error {
				i.SensorValue.Set(1)
				i.ApplicationType.Set("x")
				return nil
			}))
			s.expect(time.Second, `[{"bn":"/3303/1/","n":"5700","v":1},{"n":"5750","vs":"x"}]`)
		}},
		{"the smallest pmax of the parts counts", "", fridge + " /3303/1/5750",
			[]string{"PUT " + fridge + "?pmax=30", "PUT /3303/1/5750?pmax=20"}, func(t *testing.T, s *compositeStory) {
				s.expect(19 * time.Second)
				s.expect(time.Second, s.first.body)
				s.expect(20*time.Second, s.first.body)
			}},
		{"the pmin of the part that changes counts", "", fridge + " /3303/1/5750",
			[]string{"PUT " + fridge + "?pmin=30"}, func(t *testing.T, s *compositeStory) {
				s.degrees(5)
				s.expect(time.Second)
				s.label("x")
				s.expect(time.Second, `[{"bn":"/3303/1/","n":"5700","v":5},{"n":"5750","vs":"x"}]`)
				s.expect(time.Hour)
			}},
		{"attributes of the request displace those of the object", "?pmax=20", fridge,
			[]string{"PUT /3303?pmax=10&pmin=5"}, func(t *testing.T, s *compositeStory) {
				s.expect(19 * time.Second)
				s.expect(time.Second, s.first.body)
				s.degrees(5)
				s.expect(time.Millisecond, `[{"bn":"/3303/1/","n":"5700","v":5}]`)
			}},
		{"those of the object are in force without", "", fridge,
			[]string{"PUT /3303?pmax=10&pmin=5"}, func(t *testing.T, s *compositeStory) {
				s.expect(9 * time.Second)
				s.expect(time.Second, s.first.body)
			}},
		{"those of a part go before those of the request", "?pmax=20", fridge,
			[]string{"PUT " + fridge + "?pmax=10"}, func(t *testing.T, s *compositeStory) {
				s.expect(9 * time.Second)
				s.expect(time.Second, s.first.body)
			}},
		{"value conditions of the parts go on", "?pmin=0", boiler + " " + fridge,
			[]string{"PUT " + fridge + "?gt=10", "PUT " + boiler + "?st=5"}, func(t *testing.T, s *compositeStory) {
				s.degrees(5)
				s.dev.celsius = 23
				s.expect(time.Minute)
				s.degrees(11)
				s.expect(time.Second, `[{"bn":"/3303/0/","n":"5700","v":23},{"bn":"/3303/1/","n":"5700","v":11}]`)
				s.dev.celsius = 28
				s.expect(time.Second, `[{"bn":"/3303/0/","n":"5700","v":28},{"bn":"/3303/1/","n":"5700","v":11}]`)
				s.p.do(to("PUT " + fridge + "?gt=100"))
				s.p.do(to("PUT " + fridge + "?st=2"))
				s.degrees(9)
				s.expect(time.Second, `[{"bn":"/3303/0/","n":"5700","v":28},{"bn":"/3303/1/","n":"5700","v":9}]`)
			}},
		{"a slow part", "", "/3303/0/5601 " + fridge, []string{"PUT /3303/0/5601?pmin=100"}, func(t *testing.T, s *compositeStory) {
			calls := 0
			s.dev.minimum = func() (float64, error) { calls++; return -float64(calls), nil }
			s.degrees(5)
			s.expect(time.Second, `[{"bn":"/3303/0/","n":"5601","v":-1},{"bn":"/3303/1/","n":"5700","v":5}]`)
			s.expect(98 * time.Second)
			if calls != 1 {
				t.Errorf("%d calls of the slow function", calls)
			}
			s.expect(time.Minute, `[{"bn":"/3303/0/","n":"5601","v":-3},{"bn":"/3303/1/","n":"5700","v":5}]`)
		}},
		{"a failing part is tried again", "", boiler + " " + fridge, nil, func(t *testing.T, s *compositeStory) {
			s.dev.noCelsius = context.Canceled
			s.degrees(5)
			s.expect(time.Minute)
			s.dev.noCelsius = nil
			s.expect(11*time.Second, `[{"bn":"/3303/0/","n":"5700","v":21.5},{"bn":"/3303/1/","n":"5700","v":5}]`)
		}},
		{"instances come and go", "", "/3303/7 /3303/1/5700", nil, func(t *testing.T, s *compositeStory) {
			s.must(s.dev.things.Add(7, temperature.Instance{SensorValue: dm.Float(7)}))
			s.expect(time.Second, `[{"bn":"/3303/1/","n":"5700","v":4.25},{"bn":"/3303/7/","n":"5700","v":7}]`)
			s.must(s.dev.things.Remove(context.Background(), 7))
			s.expect(time.Second, `[{"bn":"/3303/1/","n":"5700","v":4.25}]`)
		}},
		{"an object that another one joins", "", "/3303 /3/0/9", nil, func(t *testing.T, s *compositeStory) {
			s.must(s.dev.things.Remove(context.Background(), 0))
			s.expect(time.Second, `[{"bn":"/3/0/","n":"9","v":100},{"bn":"/3303/1/","n":"5700","v":4.25},{"n":"5750","vs":"fridge"}]`)
		}},
		{"it ends when the last path is gone", "", fridge + " /3303/7", nil, func(t *testing.T, s *compositeStory) {
			s.must(s.dev.things.Remove(context.Background(), 1))
			s.expect(time.Second, "4.04")
			if s.p.peer.Observations() != 0 || s.m.watched.Load() != 0 {
				t.Errorf("%d observations, %d nodes are watched", s.p.peer.Observations(), s.m.watched.Load())
			}
		}},
		{"cancelled by FETCH with Observe 1", "", fridge + " " + boiler, nil, func(t *testing.T, s *compositeStory) {
			answer := ""
			s.must(s.call.Deregister(func(res coap.Result) { answer = string(res.Body) }))
			s.pass(time.Second)
			if answer != both || s.p.peer.Observations() != 0 {
				t.Errorf("answered %s, %d observations", answer, s.p.peer.Observations())
			}
		}},
		{"cancelled by Reset", "", fridge, nil, func(t *testing.T, s *compositeStory) {
			s.call.Cancel()
			s.degrees(5)
			s.expect(time.Minute)
			if s.p.peer.Observations() != 0 {
				t.Error("the observation is still there")
			}
		}},
		{"the own write is not notified", "", fridge + " /3303/1/5750", nil, func(t *testing.T, s *compositeStory) {
			s.p.do(to("PUT /3303/1/5750").as(content.Text, "x"))
			s.expect(time.Hour)
			s.peers[1].do(to("PUT /3303/1/5750").as(content.Text, "y"))
			s.expect(time.Second, `[{"bn":"/3303/1/","n":"5700","v":4.25},{"n":"5750","vs":"y"}]`)
		}},
		{"a new connection", "", fridge, nil, func(t *testing.T, s *compositeStory) {
			s.p.peer.Detach()
			s.degrees(5)
			s.expect(time.Minute)
			s.p.peer.Attach(s.p.end)
			s.expect(time.Second, `[{"bn":"/3303/1/","n":"5700","v":5}]`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := released()
				o.servers = 2
				s := observingComposite(t, o, c.query, c.names, c.before...)
				if s.first.code != coap.Content || !s.first.options.Has(coap.OptionObserve) || s.p.peer.Observations() != 1 {
					t.Fatalf("answered %v %s, %d observations", s.first.code, s.first.body, s.p.peer.Observations())
				}
				c.play(t, s)
			})
		})
	}
}

// Requests for a composite observation that are refused, and those that begin none.
func TestObserveCompositeRefused(t *testing.T) {
	for _, c := range []struct {
		name, query, names string
		code               coap.Code
	}{
		{"gt", "?gt=5", fridge, coap.BadRequest},
		{"lt", "?lt=5", fridge, coap.BadRequest},
		{"st", "?st=5", fridge, coap.BadRequest},
		{"edge", "?edge=1", fridge, coap.BadRequest},
		{"an unknown attribute", "?color=red", fridge, coap.BadRequest},
		{"an epmax of epmin", "?epmin=5&epmax=5", fridge, coap.BadRequest},
		{"no path exists", "", "/3303/7 /77", coap.NotFound},
		{"no path is open", "", "/0", coap.Unauthorized},
		{"an executable", "", "/3303/0/5605", coap.MethodNotAllowed},
		{"the attributes of a composite", "?pmin=1&pmax=2&epmin=1&epmax=2&con=1&hqmax=5", fridge, coap.Content},
		{"one path of several exists", "", fridge + " /77", coap.Content},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := observingComposite(t, device12, c.query, c.names)
				want := 0
				if c.code == coap.Content {
					want = 1
				}
				if s.first.code != c.code || s.p.peer.Observations() != want {
					t.Errorf("answered %v %q, %d observations", s.first.code, s.first.body, s.p.peer.Observations())
				}
			})
		})
	}
}

// Con of any part makes the notifications confirmable.
func TestConfirmableComposite(t *testing.T) {
	for _, c := range []struct {
		before string
		want   []string
	}{
		{"PUT " + fridge + "?con=1", []string{`[{"bn":"/3303/1/","n":"5700","v":4.25},{"n":"5750","vs":"lost"}]`}},
		{"PUT " + fridge + "?con=0", nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := observingComposite(t, device12, "", fridge+" /3303/1/5750", c.before)
			s.net.Cut(s.device, s.p.host)
			s.label("lost")
			s.expect(time.Second)
			s.net.Heal(s.device, s.p.host)
			s.expect(time.Minute, c.want...)
		})
	}
}

// A composite observation may be about several devices, and goes on without one that is removed.
func TestObserveCompositeOnSeveralDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, released())
		p := r.peers[0]
		r.must(p.end.Ping(func(error) {}))
		other := r.mount("dev0")
		_, list, _ := p.watch(to("FETCH /").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750"},{"n":"/3303/1/5750"}]`).accepting(content.SenMLJSON))
		s := &story{rig: r, p: p, notes: list}
		r.must(other.relabel(context.Background(), "a"))
		s.expect(time.Second, `[{"bn":"/dev0/3303/0/","n":"5750","vs":"a"},{"bn":"/3303/1/","n":"5750","vs":"fridge"}]`)
		s.label("b")
		s.expect(time.Second, `[{"bn":"/dev0/3303/0/","n":"5750","vs":"a"},{"bn":"/3303/1/","n":"5750","vs":"b"}]`)
		other.Close()
		s.label("c")
		s.expect(time.Second, `[{"bn":"/3303/1/","n":"5750","vs":"c"}]`)
		if r.self.Close(); p.peer.Observations() != 0 || r.m.watched.Load() != 0 {
			t.Errorf("%d observations, %d nodes are watched", p.peer.Observations(), r.m.watched.Load())
		}
	})
}

// The formats in which a composite can be observed.
func TestObserveCompositeFormats(t *testing.T) {
	for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR, content.SenMLETCHJSON, content.SenMLETCHCBOR, content.LwM2MCBOR} {
		synctest.Test(t, func(t *testing.T) {
			o := device12
			o.version = registry.V(1, 2)
			r := newRig(t, o)
			p := r.peers[0]
			first, _, _ := p.watch(to("FETCH /").as(f, paths(t, f, fridge, "/3303/1/5750")).accepting(content.SenMLJSON))
			if want := `[{"bn":"/3303/1/","n":"5700","v":4.25},{"n":"5750","vs":"fridge"}]`; first.code != coap.Content || first.body != want || p.peer.Observations() != 1 {
				t.Errorf("%v: answered %v %s", f, first.code, first.body)
			}
		})
	}
}
