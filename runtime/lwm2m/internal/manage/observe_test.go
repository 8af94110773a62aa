package manage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// story is an observation with what happens to it, in virtual time.
type story struct {
	*rig
	p     *remote
	notes *[]reply
	call  *coap.Call
}

// observing begins an observation of target, as text.
func observing(t *testing.T, o setup, target string, before ...string) *story {
	t.Helper()
	r := newRig(t, o)
	s := &story{rig: r, p: r.peers[0]}
	for _, line := range before {
		if got := s.p.do(to(line)); got.code != coap.Changed {
			t.Fatalf("%s: %v", line, got.code)
		}
	}
	var first reply
	first, s.notes, s.call = s.p.watch(to("GET " + target).accepting(content.Text))
	if first.code != coap.Content {
		t.Fatalf("Observe is answered %v %q", first.code, first.body)
	}
	if !first.options.Has(coap.OptionObserve) {
		t.Fatal("the answer begins no observation")
	}
	return s
}

// expect lets time pass and then wants exactly these notifications since the last time.
func (s *story) expect(d time.Duration, want ...string) {
	s.t.Helper()
	s.pass(d)
	var got []string
	for _, n := range *s.notes {
		switch {
		case n.err != nil:
			got = append(got, n.err.Error())
		case n.code != coap.Content:
			got = append(got, n.code.String())
		default:
			got = append(got, n.body)
		}
	}
	*s.notes = nil
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("notified %v, want %v", got, want)
	}
}

// label changes a stored resource of the application's.
func (s *story) label(v string) {
	s.t.Helper()
	err := s.dev.things.Update(context.Background(), 1, func(i *temperature.Instance) error {
		i.ApplicationType.Set(v)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// write writes a resource as text, in a transaction of its own.
func (s *story) write(who dm.Origin, p dm.Path, text string) {
	s.t.Helper()
	v := dm.StringValue(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		v = dm.IntegerValue(n)
	}
	tx, err := s.model.Begin(context.Background(), who)
	s.must(err)
	defer tx.Rollback()
	s.must(tx.Write(p, dm.Update, []dm.Entry{{Path: p, Value: v}}))
	s.must(tx.Commit())
}

func TestObserveStored(t *testing.T) {
	const path = "/3303/1/5750"
	for _, c := range []struct {
		name   string
		before []string
		play   func(t *testing.T, s *story)
	}{
		{"a change is told at once", nil, func(t *testing.T, s *story) {
			s.expect(time.Hour)
			s.label("cellar")
			s.expect(time.Millisecond, "cellar")
			s.expect(time.Hour)
		}},
		{"pmax of 0 is none", []string{"PUT /3303?pmax=0"}, func(t *testing.T, s *story) {
			s.expect(time.Hour)
			s.label("cellar")
			s.expect(time.Millisecond, "cellar")
		}},
		{"a transaction of the server's own that was no request of it", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT "+path).as(content.Text, "cellar"))
			s.expect(time.Second)
			s.write(dm.Server(1), dm.ResourcePath(3303, 1, 5750), "attic")
			s.expect(time.Millisecond, "attic")
		}},
		{"the same value is none", nil, func(t *testing.T, s *story) {
			s.label("fridge")
			s.expect(time.Hour)
		}},
		{"pmin holds back, the last value counts", []string{"PUT /3303?pmin=10"}, func(t *testing.T, s *story) {
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
		{"there and back within pmin is none", []string{"PUT /3303?pmin=10"}, func(t *testing.T, s *story) {
			s.label("a")
			s.expect(time.Second)
			s.label("fridge")
			s.expect(time.Hour)
		}},
		{"pmax tells without a change", []string{"PUT /3303/1?pmax=30"}, func(t *testing.T, s *story) {
			s.expect(29 * time.Second)
			s.expect(2*time.Second, "fridge")
			s.expect(28 * time.Second)
			s.expect(2*time.Second, "fridge")
			s.expect(5 * time.Second)
			s.label("a")
			s.expect(time.Second, "a") // from here on pmax counts anew
			s.expect(28 * time.Second)
			s.expect(2*time.Second, "a")
		}},
		{"a pmax of pmin", []string{"PUT /3303?pmin=10&pmax=10"}, func(t *testing.T, s *story) {
			s.label("a")
			s.expect(10*time.Second, "a")
			s.expect(10*time.Second, "a")
		}},
		{"a pmax below pmin is ignored", []string{"PUT /3303?pmin=60&pmax=10"}, func(t *testing.T, s *story) { s.expect(time.Hour) }},
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
		{"the account's defaults that make no sense", nil, func(t *testing.T, s *story) {
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
		{"the deepest attribute counts", []string{"PUT /3303?pmax=10", "PUT /3303/1?pmax=20", "PUT " + path + "?pmax=40"}, func(t *testing.T, s *story) {
			s.expect(39 * time.Second)
			s.expect(2*time.Second, "fridge")
		}},
		{"attributes written later count", nil, func(t *testing.T, s *story) {
			s.expect(50 * time.Second)
			s.p.do(to("PUT " + path + "?pmax=60"))
			s.expect(9 * time.Second)
			s.expect(2*time.Second, "fridge")
		}},
		{"another server's attributes do not", nil, func(t *testing.T, s *story) {
			s.peers[1].do(to("PUT " + path + "?pmax=10"))
			s.expect(time.Hour)
		}},
		{"another server's write is told", nil, func(t *testing.T, s *story) {
			s.peers[1].do(to("PUT "+path).as(content.Text, "x"))
			s.expect(time.Second, "x")
		}},
		{"the own write is not told", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT "+path).as(content.Text, "x"))
			s.expect(time.Hour)
			s.label("y")
			s.expect(time.Second, "y")
		}},
		{"the own Replace is not told", nil, func(t *testing.T, s *story) {
			s.p.do(to("PUT /3303/1").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`))
			s.expect(time.Hour)
		}},
		{"the own update is not told", nil, func(t *testing.T, s *story) {
			s.p.do(to("POST /3303/1").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`))
			s.expect(time.Hour)
		}},
		{"the own Write-Composite is not told", nil, func(t *testing.T, s *story) {
			s.p.do(to("IPATCH /").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`))
			s.expect(time.Hour)
		}},
		{"the own write is known: back is news", nil, func(t *testing.T, s *story) {
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
		{"the own Delete is told", nil, func(t *testing.T, s *story) {
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

func TestObserveIsNotBegun(t *testing.T) {
	runObserve := func(name string, o setup, a ask, code coap.Code) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, o)
				first, _, _ := r.peers[0].watch(a)
				if first.code != code || first.options.Has(coap.OptionObserve) || r.peers[0].peer.Observations() != 0 {
					t.Errorf("answered %v with Observe %v, %d observations", first.code, first.options.Has(coap.OptionObserve), r.peers[0].peer.Observations())
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
			if second, _, _ := r.peers[0].watch(to("GET /3/0/1")); second.code != coap.Content || second.options.Has(coap.OptionObserve) {
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
			t.Errorf("the new instance is told %d times", len(*counts["/16"]))
		}
		r.peers[1].do(to("PUT /16/0/0/1").as(content.Text, "z"))
		r.pass(time.Second)
		r.peers[1].do(to("DELETE /16/0"))
		r.pass(time.Second)
		for path, want := range map[string]int{"/16": 3, "/16/0": 2, "/16/0/0": 2, "/16/0/0/1": 2, "/3303": 0, "/3/0": 0} {
			if got := len(*counts[path]); got != want {
				t.Errorf("%s is notified of %d times, want %d", path, got, want)
			}
		}
	})
}

// TestSelfNotify tells a server of its own write, and of what a hook made of it in any case.
func TestSelfNotify(t *testing.T) {
	amend := temperature.Hooks{Validate: func(_ context.Context, tx *temperature.Tx) error {
		for c := range tx.Changes() {
			if c.New != nil && c.Wrote(temperature.ApplicationTypeID) {
				c.New.SensorValue.Set(99)
			}
		}
		return nil
	}}
	for _, self := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := device12
			o.config = func(c *Config) { c.SelfNotify = self }
			o.world = func(w *world) { w.things2 = amend }
			s := observing(t, o, "/3303/1/5750")
			_, amended, _ := s.p.watch(to("GET /3303/1/5700").accepting(content.Text))
			s.p.do(to("PUT /3303/1/5750").as(content.Text, "x"))
			if self {
				s.expect(time.Second, "x")
			} else {
				s.expect(time.Second)
			}
			if len(*amended) != 1 || (*amended)[0].body != "99" {
				t.Errorf("SelfNotify %v: what the hook amended is told as %v", self, *amended)
			}
		})
	}
}

func TestObservationsGoOnOverAnotherConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/1/5750", "PUT /3303?pmax=60")
		s.p.peer.Detach()
		s.label("while away")
		s.expect(5 * time.Minute)
		s.p.end.Close(errors.New("gone"))
		s.expect(5 * time.Minute)
		if s.p.peer.Observations() != 1 {
			t.Fatal("the observation is gone")
		}
		// The same session goes on over a connection of its own.
		next, err := s.ends.NewConn(coap.ConnConfig{Socket: s.p.sock[0], Handler: s.p.peer})
		if err != nil {
			t.Fatal(err)
		}
		s.p.end = next
		s.p.peer.Attach(next)
		s.expect(time.Second, "while away")
		s.label("back")
		s.expect(time.Second, "back")
	})
}

func TestConfirmableNotifications(t *testing.T) {
	for _, c := range []struct {
		account, line string
		confirmable   bool
	}{{"0", "PUT /3303?con=1", true}, {"0", "PUT /3303?con=0", false}, {"1", "PUT /3303?pmin=0", true}, {"1", "PUT /3303?con=0", false}} {
		synctest.Test(t, func(t *testing.T) {
			s := observing(t, device12, "/3303/1/5750", c.line)
			s.write(dm.Application, dm.ResourcePath(1, 0, 26), c.account)
			s.net.Cut(s.device, s.p.host)
			s.label("lost")
			s.expect(time.Second)
			s.net.Heal(s.device, s.p.host)
			if c.confirmable {
				s.expect(time.Minute, "lost")
			} else {
				s.expect(time.Minute)
			}
		})
	}
}

// What changes while the answer that begins an observation is being made is told of.
func TestChangeDuringObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		s := &story{rig: r, p: r.peers[0]}
		got, done := s.p.begin(to("GET /3303").accepting(content.SenMLJSON).with(func(o *coap.Options) { o.AddUint(coap.OptionObserve, 0) }))
		r.pass(time.Second)
		s.label("cellar") // while a slow function is asked
		close(r.dev.release)
		r.until(func() bool { return *done })
		if !strings.Contains(got.body, "fridge") {
			t.Errorf("the answer is %s, want the state that it was begun with", got.body)
		}
		before := s.p.end.Stats().MessagesSent
		r.pass(500 * time.Millisecond) // live values are looked at later
		if n := s.p.end.Stats().MessagesSent - before; n != 1 {
			t.Errorf("%d notifications", n)
		}
	})
}

// An observation leaves nothing planned, however it ends.
func TestEndedObservationPlansNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/0/5700")
		o := s.p.peer.scopes[0].reporter.list[0]
		if !o.timer.Pending() {
			t.Error("a live value is not looked at")
		}
		s.p.peer.Reset()
		if o.timer.Pending() {
			t.Error("there is another look at the value to come")
		}
	})
}

// A server that has gone while its Observe was being answered observes nothing.
func TestObserveOfAServerThatIsGone(t *testing.T) {
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
