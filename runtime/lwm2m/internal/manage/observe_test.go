package manage

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestObserveStored(t *testing.T) {
	const path = "/3303/1/5750"
	for _, c := range []struct {
		name   string
		before []string
		play   func(t *testing.T, s *story)
	}{
		{"a change is notified at once", nil, func(t *testing.T, s *story) {
			s.expect(time.Hour)
			s.label("cellar")
			s.expect(time.Millisecond, "cellar")
			s.expect(time.Hour)
		}},
		{"pmax of 0 is ignored", []string{"PUT /3303?pmax=0"}, func(t *testing.T, s *story) {
			s.expect(time.Hour)
			s.label("cellar")
			s.expect(time.Millisecond, "cellar")
		}},
		{"a transaction with the server's origin that is no request", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT "+path).as(content.Text, "cellar"))
			s.expect(time.Second)
			s.write(dm.Server(1), dm.ResourcePath(3303, 1, 5750), "attic")
			s.expect(time.Millisecond, "attic")
		}},
		{"the same value is no change", nil, func(t *testing.T, s *story) {
			s.label("fridge")
			s.expect(time.Hour)
		}},
		{"pmin holds back, the last value is sent", []string{"PUT /3303?pmin=10"}, func(t *testing.T, s *story) {
			s.expect(3 * time.Second)
			s.label("a")
			s.label("b")
			s.expect(6 * time.Second)
			s.label("c")
			s.expect(time.Second+time.Millisecond, "c")
			s.label("d")
			s.expect(9 * time.Second)
			s.expect(time.Second, "d")
		}},
		{"there and back within pmin is no change", []string{"PUT /3303?pmin=10"}, func(t *testing.T, s *story) {
			s.label("a")
			s.expect(time.Second)
			s.label("fridge")
			s.expect(time.Hour)
		}},
		{"pmax notifies without a change", []string{"PUT /3303/1?pmax=30"}, func(t *testing.T, s *story) {
			s.expect(29 * time.Second)
			s.expect(2*time.Second, "fridge")
			s.expect(28 * time.Second)
			s.expect(2*time.Second, "fridge")
			s.expect(5 * time.Second)
			s.label("a")
			s.expect(time.Second, "a") // from here on pmax counts again
			s.expect(28 * time.Second)
			s.expect(2*time.Second, "a")
		}},
		{"a pmax of pmin", []string{"PUT /3303?pmin=10&pmax=10"}, func(t *testing.T, s *story) {
			s.label("a")
			s.expect(10*time.Second, "a")
			s.expect(10*time.Second, "a")
		}},
		{"a pmax below pmin is ignored", []string{"PUT /3303?pmin=60&pmax=10"},
			func(t *testing.T, s *story) { s.expect(time.Hour) }},
		{"the account's defaults", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT /1/0/2").as(content.Text, "5"))
			s.p.do(to("PUT /1/0/3").as(content.Text, "20"))
			s.label("a")
			s.expect(4 * time.Second)
			s.expect(time.Second, "a")
			s.expect(20*time.Second, "a")
		}},
		{"the account's defaults without a change", nil, func(t *testing.T, s *story) {
			s.write(dm.Application, dm.ResourcePath(1, 0, 3), "20")
			s.expect(19 * time.Second)
			s.expect(time.Second, "fridge")
		}},
		{"negative defaults of the account", nil, func(t *testing.T, s *story) {
			s.write(dm.Application, dm.ResourcePath(1, 0, 2), "-20")
			s.write(dm.Application, dm.ResourcePath(1, 0, 3), "-10")
			s.label("a")
			s.expect(time.Millisecond, "a")
			s.expect(time.Hour)
		}},
		{"another account's defaults", nil, func(t *testing.T, s *story) {
			s.write(dm.Application, dm.ResourcePath(1, 1, 3), "20")
			s.expect(time.Hour)
			_, notes, _ := s.peers[1].watch(to("GET " + path))
			s.pass(20 * time.Second)
			if len(*notes) != 1 {
				t.Errorf("the other server is notified %d times", len(*notes))
			}
			s.expect(time.Millisecond)
		}},
		{"the attribute of the deepest level is in force", []string{"PUT /3303?pmax=10", "PUT /3303/1?pmax=20", "PUT " + path + "?pmax=40"}, func(t *testing.T, s *story) {
			s.expect(39 * time.Second)
			s.expect(2*time.Second, "fridge")
		}},
		{"attributes that are written later are in force", nil, func(t *testing.T, s *story) {
			s.expect(50 * time.Second)
			s.p.do(to("PUT " + path + "?pmax=60"))
			s.expect(9 * time.Second)
			s.expect(2*time.Second, "fridge")
		}},
		{"another server's attributes are not in force", nil, func(t *testing.T, s *story) {
			s.peers[1].do(to("PUT " + path + "?pmax=10"))
			s.expect(time.Hour)
		}},
		{"another server's write is notified", nil, func(t *testing.T, s *story) {
			s.peers[1].do(to("PUT "+path).as(content.Text, "x"))
			s.expect(time.Second, "x")
		}},
		{"the own write is not notified", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT "+path).as(content.Text, "x"))
			s.expect(time.Hour)
			s.label("y")
			s.expect(time.Second, "y")
		}},
		{"the own Replace is not notified", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT /3303/1").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`))
			s.expect(time.Hour)
		}},
		{"the own update is not notified", nil, func(t *testing.T, s *story) {
			s.p.do(to("POST /3303/1").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`))
			s.expect(time.Hour)
		}},
		{"the own Write-Composite is not notified", nil, func(t *testing.T, s *story) {
			s.p.do(to("IPATCH /").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`))
			s.expect(time.Hour)
		}},
		{"the own write is known: a change back is notified", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT "+path).as(content.Text, "x"))
			s.label("fridge")
			s.expect(time.Second, "fridge")
		}},
		{"the own write while another change waits", []string{"PUT /3303?pmin=10"}, func(t *testing.T, s *story) {
			s.label("a")
			s.pass(time.Second)
			s.p.do(to("PUT "+path).as(content.Text, "x"))
			s.pass(time.Second)
			s.label("fridge")
			s.expect(time.Minute, "fridge")
		}},
		{"the own Delete is notified", nil, func(t *testing.T, s *story) {
			s.p.do(to("DELETE /3303/1"))
			s.expect(time.Second, "4.04")
		}},
		{"the own write takes the value away", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT /3303/1").as(content.SenMLJSON, "[]"))
			s.expect(time.Second, "4.04")
		}},
		{"the instance goes", nil, func(t *testing.T, s *story) {
			if err := s.dev.things.Remove(context.Background(), 1); err != nil {
				t.Fatal(err)
			}
			s.expect(time.Second, "4.04")
			if s.p.peer.Observations() != 0 {
				t.Error("the observation is still there")
			}
		}},
		{"the value goes", nil, func(t *testing.T, s *story) {
			s.peers[1].do(to("PUT /3303/1").as(content.SenMLJSON, "[]"))
			s.expect(time.Second, "4.04")
		}},
		{"cancelled by Observe", nil, func(t *testing.T, s *story) {
			if err := s.call.Deregister(func(coap.Result) {}); err != nil {
				t.Fatal(err)
			}
			s.pass(time.Second)
			if s.p.peer.Observations() != 0 {
				t.Error("the observation is still there")
			}
		}},
		{"cancelled by Reset", nil, func(t *testing.T, s *story) {
			s.call.Cancel()
			s.label("x")
			s.pass(time.Second)
			if s.p.peer.Observations() != 0 {
				t.Error("the observation is still there")
			}
		}},
		{"a new registration", nil, func(t *testing.T, s *story) {
			s.p.peer.Reset()
			s.label("x")
			s.expect(time.Hour)
			if s.m.watched.Load() != 0 {
				t.Error("something is still watched")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := device12
				o.servers = 2
				c.play(t, observing(t, o, path, c.before...))
			})
		})
	}
}

func TestNoObservationBegins(t *testing.T) {
	runObserve := func(name string, o setup, a ask, code coap.Code) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, o)
				first, _, _ := r.peers[0].watch(a)
				if first.code != code || first.options.Has(coap.OptionObserve) || r.peers[0].peer.Observations() != 0 {
					t.Errorf("answered %v with Observe %v, %d observations", first.code,
						first.options.Has(coap.OptionObserve), r.peers[0].peer.Observations())
				}
			})
		})
	}
	runObserve("of nothing", device12, to("GET /77"), coap.NotFound)
	runObserve("of an executable", device12, to("GET /3/0/4"), coap.MethodNotAllowed)
	runObserve("of Security", device12, to("GET /0"), coap.Unauthorized)
	runObserve("in an unknown format", device12, to("GET /3/0/0").accepting(4711), coap.NotAcceptable)
	runObserve("with a wrong attribute", device12, to("GET /3/0/9?gt=x"), coap.BadRequest)
	runObserve("as links", device12, to("GET /3/0").accepting(content.Link), coap.Content)
	full := device12
	full.config = func(c *Config) { c.Limits.Observations = 1 }
	t.Run("one too many", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, full)
			r.peers[0].watch(to("GET /3/0/0"))
			if second, _, _ := r.peers[0].watch(to("GET /3/0/1")); second.code != coap.Content ||
				second.options.Has(coap.OptionObserve) {
				t.Errorf("answered %v, with Observe %v", second.code, second.options.Has(coap.OptionObserve))
			}
		})
	})
}

func TestObserveNodesOfEveryLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		close(r.dev.release)
		counts := map[string]*[]reply{}
		for _, path := range []string{"/16", "/16/0", "/16/0/0", "/16/0/0/1", "/3303", "/3/0"} {
			if path == "/16/0" {
				r.peers[1].do(to("POST /16").as(content.SenMLJSON, `[{"n":"/16/0/0/0","vs":"x"},{"n":"/16/0/0/1","vs":"y"}]`))
				r.pass(time.Second)
			}
			_, notes, _ := r.peers[0].watch(to("GET " + path).accepting(content.SenMLCBOR))
			counts[path] = notes
		}
		if len(*counts["/16"]) != 1 {
			t.Errorf("the new instance is notified %d times", len(*counts["/16"]))
		}
		r.peers[1].do(to("PUT /16/0/0/1").as(content.Text, "z"))
		r.pass(time.Second)
		r.peers[1].do(to("DELETE /16/0"))
		r.pass(time.Second)
		for path, want := range map[string]int{"/16": 3, "/16/0": 2, "/16/0/0": 2, "/16/0/0/1": 2, "/3303": 0,
			"/3/0": 0} {
			if got := len(*counts[path]); got != want {
				t.Errorf("%s is notified %d times, want %d", path, got, want)
			}
		}
	})
}

// An Observe with the token of an existing observation replaces it, also at the limit.
func TestObserveAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.Observations = 1 }
		s := observing(t, o, "/3303/1/5750")
		first := s.p.peer.observed[0]
		raw := coap.Message{Type: coap.Confirmable, Code: coap.GET, MessageID: 4711, Token: first.rel.Token()}
		raw.Options.AddUint(coap.OptionObserve, 0)
		raw.Options.AddPath("/3303/1/5750")
		b, err := raw.AppendUDP(nil)
		s.must(err)
		s.must(s.p.sock[1].Send(b))
		s.pass(time.Second)
		if n := s.p.peer.Observations(); n != 1 || s.p.peer.observed[0] == first || !first.rel.Ended() {
			t.Errorf("%d observations, the first has ended: %v", n, first.rel.Ended())
		}
		if n := s.m.watched.Load(); n != 1 {
			t.Errorf("%d nodes are watched", n)
		}
		last := s.p.peer.observed[0]
		s.p.peer.Reset()
		if !last.rel.Ended() || s.m.watched.Load() != 0 {
			t.Errorf("the last has ended: %v, %d nodes are watched", last.rel.Ended(), s.m.watched.Load())
		}
	})
}

// A change while the answer that begins an observation is being made is notified.
func TestChangeDuringObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		s := &story{rig: r, p: r.peers[0]}
		got, done := s.p.begin(to("GET /3303").accepting(content.SenMLJSON).with(func(o *coap.Options) { o.AddUint(coap.OptionObserve, 0) }))
		r.pass(time.Second)
		s.label("cellar") // while a slow function runs
		close(r.dev.release)
		r.until(func() bool { return *done })
		if !strings.Contains(got.body, "fridge") {
			t.Errorf("the answer is %s, want the state of the request", got.body)
		}
		before := s.p.end.Stats().MessagesSent
		r.pass(500 * time.Millisecond) // live values are sampled later
		if n := s.p.end.Stats().MessagesSent - before; n != 1 {
			t.Errorf("%d notifications", n)
		}
	})
}

// A server that has gone while its Observe was being answered observes nothing.
func TestObserveOfARemovedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		_, _ = p.begin(to("GET /3303/0/5601").with(func(o *coap.Options) { o.AddUint(coap.OptionObserve, 0) }))
		r.pass(time.Second)
		p.peer.Close()
		close(r.dev.release)
		r.pass(time.Second)
		if n := p.peer.Observations(); n != 0 || r.m.watched.Load() != 0 {
			t.Errorf("%d observations", n)
		}
	})
}

// An observation leaves no timer, however it ends.
func TestEndedObservationHasNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/0/5700")
		o := s.p.peer.observed[0]
		if !o.timer.Pending() {
			t.Error("a live value is not sampled")
		}
		s.p.peer.Reset()
		if o.timer.Pending() {
			t.Error("there is another look at the value to come")
		}
	})
}
