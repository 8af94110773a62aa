package lwm2m_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
)

// A client recovers from any sequence of events: when the network and the servers work again it is
// registered with every server, and after the shutdown nothing of it is left. A seed that fails
// shows a state in which a client gets stuck.
func TestChaos(t *testing.T) {
	seeds := 100
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inWorld(t, 2, func(w *world) { newChaos(w, uint64(seed)).play() })
		})
		if t.Failed() {
			return // one seed is enough to find the fault
		}
	}
}

// chaos is a client with two accounts that the application has made, and what happens to it.
type chaos struct {
	*world
	rand   *rand.Rand
	c      *lwm2m.Client
	sensor *temperature.Object
	away   [2]bool // the Server instance was removed
	add    func(i int)
	remove func(i int)
	did    []string
}

func newChaos(w *world, seed uint64) *chaos {
	x := &chaos{world: w, rand: rand.New(rand.NewPCG(seed, 1)), sensor: newSensor(w.t, 0)}
	sec, srv := accounts(w.t, 2)
	instances := [2]dm.InstanceID{1, 2}
	kept := [2]lwm2m.ServerInstance{}
	ctx := context.Background()
	if x.rand.IntN(3) == 0 {
		for i, id := range instances {
			if err := srv.Update(ctx, id, func(inst *lwm2m.ServerInstance) error {
				inst.RegistrationPriorityOrder = dm.Uint(uint64(i))
				inst.InitialRegistrationDelayTimer = dm.Uint(uint64(x.rand.IntN(20)))
				return nil
			}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for i, id := range instances {
		kept[i], _ = srv.Get(id)
	}
	x.add = func(i int) {
		if err := srv.Add(instances[i], kept[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	x.remove = func(i int) {
		if err := srv.Remove(ctx, instances[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	cfg := w.config()
	cfg.Servers = nil
	cfg.OnStatus = nil
	cfg.Objects = append(cfg.Objects, sec, srv, x.sensor)
	if x.rand.IntN(3) == 0 {
		cfg.Dialers = []socket.Dialer{unnotified{w.host.Dialer()}, unnotified{w.host.StreamDialer()}}
	}
	for i := range instances {
		w.servers[i].requests = make(chan request, 100000)
		w.servers[i].rough = true
		if x.rand.IntN(4) == 0 {
			w.t.Log("account", i+1, "over a stream")
			if err := sec.Update(ctx, instances[i], func(inst *security.Instance) error {
				inst.ServerURI = dm.Str(fmt.Sprintf("coap+tcp://s%d", i+1))
				return nil
			}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	x.slowLink([]time.Duration{0, time.Millisecond, 300 * time.Millisecond, time.Second}[x.rand.IntN(4)])
	x.c = w.start(cfg)
	return x
}

func (x *chaos) play() {
	for range 5 + x.rand.IntN(40) {
		x.step()
		if x.rand.IntN(2) == 0 {
			<-time.After([]time.Duration{
				time.Millisecond, 100 * time.Millisecond, time.Second, 20 * time.Second, 5 * time.Minute,
			}[x.rand.IntN(5)])
		}
	}
	if x.rand.IntN(4) == 0 {
		return // the client is shut down in the middle
	}
	x.heal()
	<-time.After(10 * time.Minute)
	for i, srv := range x.servers {
		s := x.status(lwm2m.ShortServerID(i + 1))
		for end := time.Now().Add(10 * time.Second); s.State == lwm2m.StateUpdating &&
			time.Now().Before(end); s = x.status(lwm2m.ShortServerID(i + 1)) {
			<-time.After(100 * time.Millisecond)
		}
		if s.State != lwm2m.StateRegistered || s.Err != nil {
			x.t.Errorf("server %d is %v after %v", i+1, s, x.did)
			continue
		}
		if code := srv.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
			x.t.Errorf("server %d reads with %v after %v", i+1, code, x.did)
		}
	}
}

// heal makes the network and the servers work again.
func (x *chaos) heal() {
	for i, s := range x.servers {
		s.answers(nil)
		s.host.SetDown(false)
		x.net.Heal(x.host, s.host)
		if x.away[i] {
			x.add(i)
		}
	}
	x.c.Resume()
	<-time.After(5 * time.Minute) // removed accounts have de-registered, added ones have registered
	for i := range x.servers {
		if err := x.c.Enable(lwm2m.ShortServerID(i + 1)); err != nil {
			x.t.Error(err)
		}
	}
	<-time.After(5 * time.Minute)
	x.c.RegisterAll() // also accounts in state failed
}

// step makes one thing happen.
func (x *chaos) step() {
	i := x.rand.IntN(2)
	id, s := lwm2m.ShortServerID(i+1), x.servers[i]
	must := func(err error) {
		if err != nil && !x.away[i] {
			x.t.Error(err)
		}
	}
	steps := []struct {
		name string
		do   func()
	}{
		{"update", func() { must(x.c.Update(id)) }},
		{"register", func() { must(x.c.Register(id)) }},
		{"disable", func() { must(x.c.Disable(id, time.Duration(x.rand.IntN(3))*10*time.Second)) }},
		{"enable", func() { must(x.c.Enable(id)) }},
		{"suspend", func() { x.c.Suspend() }},
		{"resume", func() { x.c.Resume() }},
		{"suspend tcp", func() { x.c.Suspend("coap+tcp") }},
		{"resume tcp", func() { x.c.Resume("coap+tcp") }},
		{"refuse", func() { s.answers(refuse) }},
		{"forget", func() { s.answers(forgetful) }},
		{"silent", func() { s.silent() }},
		{"answer", func() { s.answers(nil) }},
		{"down", func() { s.host.SetDown(true) }},
		{"up", func() { s.host.SetDown(false) }},
		{"cut", func() { x.net.Cut(x.host, s.host) }},
		{"mend", func() { x.net.Heal(x.host, s.host) }},
		{"list", func() { x.list() }},
		{"leap", func() {
			d := time.Duration(x.rand.IntN(1000)) * time.Second
			x.c.Sched().Post(func() { x.c.Sched().Leap(d) })
		}},
		{"remove", func() {
			if !x.away[i] {
				x.away[i] = true
				x.remove(i)
			}
		}},
		{"add", func() {
			if x.away[i] {
				x.away[i] = false
				x.add(i)
			}
		}},
		{"lifetime", func() {
			if !x.away[i] {
				x.world.update(dm.ResourcePath(1, dm.InstanceID(id), 1), dm.IntegerValue(int64(60+x.rand.IntN(1000))))
			}
		}},
		{"key", func() {
			x.world.update(dm.ResourcePath(0, dm.InstanceID(id), 5), dm.OpaqueValue([]byte{byte(x.rand.IntN(256))}))
		}},
		{"hang up", func() {
			s.sched.Post(func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				if s.conn != nil {
					_ = s.conn.Socket().Close()
				}
			})
		}},
	}
	step := steps[x.rand.IntN(len(steps))]
	x.did = append(x.did, fmt.Sprint(step.name, " ", id))
	step.do()
}

// list changes the list of objects and instances.
func (x *chaos) list() {
	if x.sensor.Len() > 1 {
		if err := x.sensor.Remove(context.Background(), 1); err != nil {
			x.t.Error(err)
		}
		return
	}
	if err := x.sensor.Add(1, temperature.Instance{SensorValue: dm.Float(20)}); err != nil {
		x.t.Error(err)
	}
}

// forgetful answers like a server that has lost its registrations and accepts new ones.
func forgetful(r request) answer {
	if r.path == "/rd" {
		return registrar(r)
	}
	return answer{code: coap.NotFound}
}
