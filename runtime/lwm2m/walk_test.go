package lwm2m_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// A client walks at random through what applications, servers and networks do to it. After each
// step its accounts must not contradict themselves, no server is flooded, and in the end each
// server has been told what is true, and that the device leaves.
func TestRandomWalk(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inWorld(t, 3, func(w *world) { newWalk(w, uint64(seed)).play() })
		})
		if t.Failed() {
			return // one seed is enough to find the fault
		}
	}
}

// rdModel is what a server of a walk knows about the device, and how it responds.
type rdModel struct {
	mu         sync.Mutex
	registered bool
	lifetime   string
	body       string
	count      int       // requests
	code       coap.Code // of every response; 0 means that it accepts
	maxAge     uint32
	silent     bool // it takes requests over and does not respond
	noFormats  bool // it accepts no ct
	version    string
}

func (g *rdModel) set(fn func(g *rdModel)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fn(g)
}

func (g *rdModel) serve(r request) answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count++
	if g.code != 0 {
		return answer{code: g.code, maxAge: g.maxAge}
	}
	if g.version != "" && r.path == "/rd" && !r.has("lwm2m="+g.version) {
		return answer{code: coap.PreconditionFailed}
	}
	if g.noFormats && strings.Contains(r.body, "ct=") {
		return answer{code: coap.BadRequest}
	}
	a := registrar(r)
	switch {
	case r.path == "/rd":
		g.registered = true
		g.take(r)
	case r.code == coap.POST && !g.registered:
		a = answer{code: coap.NotFound}
	case r.code == coap.POST:
		g.take(r)
	case r.code == coap.DELETE && !g.registered:
		a = answer{code: coap.NotFound}
	case r.code == coap.DELETE:
		g.registered = false
	}
	if g.silent {
		return answer{}
	}
	return a
}

func (g *rdModel) take(r request) {
	for _, q := range r.query {
		if lt, ok := strings.CutPrefix(q, "lt="); ok {
			g.lifetime = lt
		}
	}
	if r.body != "" {
		g.body = r.body
	}
}

type walk struct {
	*world
	rand   *rand.Rand
	c      *lwm2m.Client
	sec    *security.Object
	srv    *server.Object
	sensor *temperature.Object
	know   [3]*rdModel
	away   [3]bool
	secOf  [3]lwm2m.SecurityInstance
	srvOf  [3]lwm2m.ServerInstance
	did    []string
	// The failures that Status has shown: true where the device was registered since, without any.
	failures [3]map[error]bool
}

func (x *walk) check(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Errorf("%v after %v", err, x.did)
	}
}

func newWalk(w *world, seed uint64) *walk {
	x := &walk{world: w, rand: rand.New(rand.NewPCG(seed, 7)), sensor: newSensor(w.t, 0)}
	x.sec, x.srv = accounts(w.t, 3)
	ctx := context.Background()
	for i := range 3 {
		id := dm.InstanceID(i + 1)
		x.know[i] = new(rdModel)
		w.servers[i].requests = make(chan request, 1000000)
		w.servers[i].rough = true
		w.servers[i].answers(x.know[i].serve)
		x.check(x.srv.Update(ctx, id, func(inst *lwm2m.ServerInstance) error {
			if seed%2 == 0 {
				inst.RegistrationPriorityOrder = dm.Uint(uint64(x.rand.IntN(2)))
				inst.RegistrationFailureBlock = dm.Bool(x.rand.IntN(2) == 0)
			}
			inst.InitialRegistrationDelayTimer = dm.Uint(uint64(x.rand.IntN(3) * 20))
			inst.CommunicationRetryCount = dm.Uint(uint64(1 + x.rand.IntN(3)))
			inst.CommunicationRetryTimer = dm.Uint(uint64(5 + x.rand.IntN(60)))
			inst.CommunicationSequenceDelayTimer = dm.Uint(100)
			inst.CommunicationSequenceRetryCount = dm.Uint(uint64(1 + x.rand.IntN(2)))
			return nil
		}))
		if x.rand.IntN(4) == 0 {
			x.check(x.sec.Update(ctx, id, func(inst *security.Instance) error {
				inst.ServerURI = dm.Str(fmt.Sprintf("coap+tcp://s%d", i+1))
				return nil
			}))
		}
		x.secOf[i], _ = x.sec.Get(id)
		x.srvOf[i], _ = x.srv.Get(id)
	}
	if x.rand.IntN(3) == 0 {
		b := security.Template()
		b.ServerURI, b.BootstrapServer, b.SecurityMode = dm.Str("coap://s9"), dm.Bool(true), dm.Int(3)
		x.check(x.sec.Add(9, b))
	}
	cfg := w.config()
	cfg.Servers = nil
	cfg.Objects = append(cfg.Objects, x.sec, x.srv, x.sensor)
	talk := x.rand.IntN(2) == 0
	n := 0
	cfg.OnStatus = func(s lwm2m.ServerStatus) {
		x.noteFailure(s)
		if n++; !talk || n%5 != 0 {
			return
		}
		switch n % 4 {
		case 0:
			_ = x.c.Update(s.ShortID)
		case 1:
			_ = x.c.Reconnect(s.ShortID)
		case 2:
			_ = x.c.Register(s.ShortID)
		}
	}
	x.slowLink([]time.Duration{0, time.Millisecond, 300 * time.Millisecond, 2 * time.Second}[x.rand.IntN(4)])
	client, err := lwm2m.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	x.c = client
	w.run(client)
	return x
}

// noteFailure checks that a failure is not shown again after the device was registered without one.
// Failures are told apart by identity, except errors.New values, which are the same each time.
func (x *walk) noteFailure(s lwm2m.ServerStatus) {
	over := x.failures[s.ShortID-1]
	switch {
	case over == nil:
		x.failures[s.ShortID-1] = map[error]bool{}
		x.noteFailure(s)
	case s.Err == nil && s.State == lwm2m.StateRegistered:
		for err := range over {
			over[err] = true
		}
	case s.Err != nil && !strings.HasPrefix(fmt.Sprintf("%T", s.Err), "*errors."):
		if over[s.Err] {
			x.t.Errorf("server %d is %v for a reason that is over, after %v", s.ShortID, s, x.did)
		}
		over[s.Err] = false
	}
}

func (x *walk) play() {
	for range 10 + x.rand.IntN(60) {
		x.step()
		if x.rand.IntN(2) == 0 {
			x.wait([]time.Duration{
				time.Millisecond, 100 * time.Millisecond, time.Second, 20 * time.Second, 5 * time.Minute,
			}[x.rand.IntN(5)])
		}
		x.consistent()
		if x.t.Failed() {
			x.t.Logf("after %v", x.did)
			return
		}
	}
	if x.rand.IntN(4) == 0 {
		return // the client is shut down in the middle
	}
	x.heal()
	x.lose()
	for i, g := range x.know {
		id := lwm2m.ShortServerID(i + 1)
		s := x.status(id)
		for end := time.Now().Add(20 * time.Second); s.State == lwm2m.StateUpdating && time.Now().Before(end); s = x.status(id) {
			<-time.After(100 * time.Millisecond)
		}
		if s.State != lwm2m.StateRegistered || s.Err != nil {
			x.t.Errorf("server %d is %v after %v", i+1, s, x.did)
			continue
		}
		if want := x.lifetime(dm.InstanceID(id)); g.lifetime != want {
			x.t.Errorf("server %d was told lt=%s, want %s, after %v", i+1, g.lifetime, want, x.did)
		}
		if got := strings.Count(g.body, "</3303/"); got != x.sensor.Len() {
			x.t.Errorf("server %d was told %q, want %d sensors, after %v", i+1, g.body, x.sensor.Len(), x.did)
		}
	}
	x.wait(time.Minute)
	x.shutdown()
	for i, g := range x.know {
		if g.registered {
			x.t.Errorf("server %d was not told that the device leaves, after %v", i+1, x.did)
		}
	}
}

func (x *walk) lifetime(id dm.InstanceID) string {
	v, err := x.c.Model().Snapshot().Value(context.Background(), dm.Application, dm.ResourcePath(1, id, 1))
	x.check(err)
	return strconv.FormatInt(v.Integer(), 10)
}

// consistent checks the accounts between two turns.
func (x *walk) consistent() {
	synctest.Wait()
	got := make(chan []string, 1)
	x.c.Sched().Post(func() { got <- lwm2m.Inconsistencies(x.c) })
	for _, s := range <-got {
		x.t.Error(s)
	}
}

// wait lets time pass, and fails if a server is flooded.
func (x *walk) wait(d time.Duration) {
	var before [3]int
	for i, g := range x.know {
		g.set(func(g *rdModel) { before[i] = g.count })
	}
	<-time.After(d)
	for i, g := range x.know {
		g.set(func(g *rdModel) {
			if n := g.count - before[i]; n > 12+int(d/(3*time.Second)) {
				x.t.Errorf("%d requests to server %d within %v", n, i+1, d)
			}
		})
	}
}

func (x *walk) heal() {
	for i, s := range x.servers {
		x.know[i].set(func(g *rdModel) { g.code, g.silent, g.noFormats, g.version = 0, false, false, "" })
		s.host.SetDown(false)
		x.net.Heal(x.host, s.host)
		if x.away[i] {
			x.add(i)
		}
	}
	x.c.Resume()
	<-time.After(10 * time.Minute)
	for i := range x.servers {
		x.check(x.c.Enable(lwm2m.ShortServerID(i + 1)))
	}
	<-time.After(5 * time.Minute)
	x.register()
}

// lose changes what servers have to be told while responses are lost and connections end.
func (x *walk) lose() {
	for range 20 {
		x.take([]string{"lifetime", "lifetime", "list", "silent", "accept", "reconnect", "suspend", "resume", "suspend one", "update"}[x.rand.IntN(10)])
		<-time.After(time.Duration(x.rand.IntN(3)) * 700 * time.Millisecond)
		x.consistent()
	}
	for i := range x.know {
		x.know[i].set(func(g *rdModel) { g.silent = false })
	}
	x.c.Resume()
	<-time.After(10 * time.Minute)
	x.register()
}

// register registers with the servers that registering was given up with. A Register with the
// others would hide what they were not told.
func (x *walk) register() {
	for i := range x.servers {
		if id := lwm2m.ShortServerID(i + 1); !x.status(id).State.Registered() {
			x.check(x.c.Register(id))
		}
	}
	<-time.After(20 * time.Minute)
}

func (x *walk) add(i int) {
	x.away[i] = false
	id := dm.InstanceID(i + 1)
	x.check(x.sec.Add(id, x.secOf[i]))
	x.check(x.srv.Add(id, x.srvOf[i]))
}

// step makes one thing happen.
func (x *walk) step() {
	names := strings.Split("update,register,registerall,disable,enable,suspend,resume,suspend one,resume one,suspend tcp,resume tcp,"+
		"reconnect,reconnect,code,code,accept,accept,accept,silent,forget,no formats,version,down,up,cut,mend,list,list,lifetime,lifetime,"+
		"key,move,hang up,leap,remove,add,remove add,versions,order,binding,params,remove disable", ",")
	x.take(names[x.rand.IntN(len(names))])
}

// take makes one thing happen to a server at random.
func (x *walk) take(name string) {
	i := x.rand.IntN(3)
	id, inst, s, g := lwm2m.ShortServerID(i+1), dm.InstanceID(i+1), x.servers[i], x.know[i]
	ctx := context.Background()
	must := func(err error) {
		if !x.away[i] {
			x.check(err)
		}
	}
	codes := []coap.Code{coap.BadRequest, coap.Forbidden, coap.NotFound, coap.PreconditionFailed, coap.ServiceUnavailable,
		coap.TooManyRequests, coap.InternalServerError, coap.Deleted, coap.Created}
	pick := func(fns ...string) string { return fns[x.rand.IntN(len(fns))] }
	x.did = append(x.did, fmt.Sprint(name, " ", i+1))
	switch name {
	case "update":
		must(x.c.Update(id))
	case "register":
		must(x.c.Register(id))
	case "registerall":
		x.c.RegisterAll()
	case "disable":
		must(x.c.Disable(id, time.Duration(x.rand.IntN(3))*10*time.Second))
	case "enable":
		must(x.c.Enable(id))
	case "suspend":
		x.c.Suspend()
	case "resume":
		x.c.Resume()
	case "suspend one":
		must(x.c.SuspendServer(id))
	case "resume one":
		must(x.c.ResumeServer(id))
	case "suspend tcp":
		x.c.Suspend("coap+tcp")
	case "resume tcp":
		x.c.Resume("coap+tcp")
	case "reconnect":
		must(x.c.Reconnect(id))
	case "code":
		g.set(func(g *rdModel) {
			g.code, g.maxAge = codes[x.rand.IntN(len(codes))], uint32(x.rand.IntN(2)*30)
		})
	case "accept":
		g.set(func(g *rdModel) { g.code, g.silent, g.noFormats, g.version = 0, false, false, "" })
	case "silent":
		g.set(func(g *rdModel) { g.silent = true })
	case "forget":
		g.set(func(g *rdModel) { g.registered = false })
	case "no formats":
		g.set(func(g *rdModel) { g.noFormats = true })
	case "version":
		g.set(func(g *rdModel) { g.version = []string{"1.0", "1.1"}[x.rand.IntN(2)] })
	case "down":
		s.host.SetDown(true)
	case "up":
		s.host.SetDown(false)
	case "cut":
		x.net.Cut(x.host, s.host)
	case "mend":
		x.net.Heal(x.host, s.host)
	case "list":
		if x.sensor.Len() > 1 {
			x.check(x.sensor.Remove(ctx, 1))
		} else {
			x.check(x.sensor.Add(1, temperature.Instance{SensorValue: dm.Float(20)}))
		}
	case "lifetime":
		if !x.away[i] {
			x.world.update(dm.ResourcePath(1, inst, 1), dm.IntegerValue([]int64{300, 600, 3600}[x.rand.IntN(3)]))
		}
	case "key":
		if !x.away[i] {
			x.world.update(dm.ResourcePath(0, inst, 5), dm.OpaqueValue([]byte{byte(x.rand.IntN(256))}))
		}
	case "move":
		if !x.away[i] {
			x.world.update(dm.ResourcePath(0, inst, 0), dm.StringValue(fmt.Sprintf("%s://s%d", pick("coap", "coap+tcp"), i+1)))
		}
	case "hang up":
		s.sched.Post(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.conn != nil {
				_ = s.conn.Socket().Close()
			}
		})
	case "leap":
		d := time.Duration(x.rand.IntN(1000)) * time.Second
		x.c.Sched().Post(func() { x.c.Sched().Leap(d) })
	case "remove", "remove add", "remove disable":
		if x.away[i] {
			return
		}
		x.away[i] = true
		x.check(x.c.RemoveServer(ctx, id))
		if name == "remove" {
			return
		}
		if x.rand.IntN(2) == 0 {
			synctest.Wait()
		}
		x.add(i)
		if name == "remove disable" {
			x.check(x.c.Disable(id, 10*time.Second))
		}
	case "add":
		if x.away[i] {
			x.add(i)
		}
	case "versions":
		if !x.away[i] {
			x.check(x.srv.Update(ctx, inst, func(v *lwm2m.ServerInstance) error {
				lists := [][]string{nil, {"1.0"}, {"1.1", "1.0"}, {"1.2", "1.0"}, {"1.2", "1.1", "1.0"}}
				v.SupportedServerVersions = dm.List(lists[x.rand.IntN(len(lists))]...)
				return nil
			}))
		}
	case "order":
		if !x.away[i] {
			x.check(x.srv.Update(ctx, inst, func(v *lwm2m.ServerInstance) error {
				v.RegistrationPriorityOrder = dm.Uint(uint64(x.rand.IntN(3)))
				v.RegistrationFailureBlock = dm.Bool(x.rand.IntN(2) == 0)
				return nil
			}))
		}
	case "binding":
		if !x.away[i] {
			x.world.update(dm.ResourcePath(1, inst, 7), dm.StringValue(pick("U", "UT", "T")))
		}
	case "params":
		must(x.c.SetTransmission(id, coap.Params{AckTimeout: time.Duration(1+x.rand.IntN(3)) * time.Second}))
	}
}
