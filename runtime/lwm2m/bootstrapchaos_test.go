package lwm2m_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

var bootstrapSeeds = flag.Int("bootstrap-seeds", 1000, "how many random bootstrap servers TestBootstrapChaos plays")

// recoveryBound is how long after the bootstrap server and the network work again a device is
// registered (docs/bootstrap.md).
const recoveryBound = 2 * time.Hour

// Whatever a bootstrap server does, the device ends in the old state or in the new one as a whole,
// registers with what is there, and recovers by itself within a stated time when the server works.
func TestBootstrapChaos(t *testing.T) {
	seeds := *bootstrapSeeds
	if testing.Short() {
		seeds = min(seeds, 50)
	}
	var outcome [2]int
	var slowest time.Duration
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newBootChaos(t, uint64(seed))
				x.play()
				outcome[0] += x.old
				outcome[1] += x.new
				slowest = max(slowest, x.recovery)
			})
		})
		if t.Failed() {
			return // one seed is enough to find the fault
		}
	}
	t.Logf("%d sequences left the device as it was, %d made it new; at most %v to recover", outcome[0], outcome[1], slowest)
}

// newBootChaos makes the device and its bootstrap server, over UDP or over TCP.
func newBootChaos(t *testing.T, seed uint64) *bootChaos {
	x := &bootChaos{rand: rand.New(rand.NewPCG(seed, 16))}
	uri := "coap://boot"
	listen := plainListener(t)
	if x.rand.IntN(3) == 0 {
		uri, listen = "coap+tcp://boot", streamListener(t)
	}
	x.bootBench, x.listen = newBootBenchOn(t, seed, lwm2m.Server{URI: uri}, listen, plainListener(t)), listen
	x.cfg.Persist = x.persist
	return x
}

// persist stores a change: at once, after a while, or not at all.
func (x *bootChaos) persist(ctx context.Context, _ dm.Committed) error {
	switch x.storing.Add(1) * 2654435761 >> 28 & 7 { // as random as it has to be
	case 0:
		<-time.After(3 * time.Second)
	case 1:
		return errors.New("the flash is worn out")
	}
	return nil
}

// bootChaos is a device with a bootstrap server that a random generator plays.
type bootChaos struct {
	*bootBench
	rand     *rand.Rand
	sensor   *temperature.Object
	added    int       // sensors of the application
	sensors  []dm.Path // of those, the ones that must be there
	from     int       // position of the next sequence
	since    time.Time // when the present script was set
	current  []lwm2mtest.BootstrapStep
	listen   func(*simnet.Host) socket.Listener
	storing  atomic.Uint32
	recovery time.Duration
	old, new int
	did      []string
}

func (x *bootChaos) play() {
	x.sensor = newSensor(x.t)
	x.cfg.Objects = append(x.cfg.Objects, x.sensor)
	if x.rand.IntN(2) == 0 { // the device has an account already
		account, srv, err := lwm2m.Server{URI: "coap://server", ShortID: 1, Lifetime: time.Hour}.Instances()
		must(x.t, err)
		must(x.t, x.sec.Add(0, account))
		must(x.t, x.srv.Add(0, srv))
	}
	if x.rand.IntN(3) == 0 {
		must(x.t, x.net.SetDefaultLink(simnet.Link{Delay: 50 * time.Millisecond, Loss: 0.1}))
	}
	x.cfg.BootstrapPack = x.rand.IntN(4) == 0
	x.cfg.ServerBootstrap = x.rand.IntN(4) == 0
	x.current = x.script()
	x.boot.ScriptBootstrap("dev", x.current...)
	x.start()
	if len(x.client.Status().Servers) > 0 || x.rand.IntN(4) == 0 {
		_ = x.client.RequestBootstrap()
	}
	for range 1 + x.rand.IntN(3) {
		x.sequence()
		x.current = x.script()
		x.boot.ScriptBootstrap("dev", x.current...)
		x.since = time.Now()
	}
	must(x.t, x.net.SetDefaultLink(simnet.Link{Delay: 10 * time.Millisecond}))
	x.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
	x.recover()
	x.stop()
}

// sequence waits for one bootstrap sequence, lets the application change something in the meantime,
// and checks what has become of the device.
func (x *bootChaos) sequence() {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()
	before := x.dump()
	var s *lwm2mtest.Bootstrap
	for s == nil || s.Request().Time.Before(x.since) {
		var err error
		if s, x.from, err = x.boot.Server.WaitBootstrap(ctx, x.from, "dev"); err != nil {
			return // the device works and needs no bootstrap
		}
	}
	x.boot.ScriptBootstrap("dev") // later sequences are empty until this one is checked
	for x.rand.IntN(3) == 0 {
		<-time.After(time.Duration(x.rand.IntN(3000)) * time.Millisecond)
		id := dm.InstanceID(100 + x.added)
		x.added++
		if x.sensor.Add(id, temperature.Instance{SensorValue: dm.Float(1)}) == nil {
			x.sensors = append(x.sensors, dm.InstancePath(3303, id))
		}
	}
	restarted := x.rand.IntN(6) == 0
	if restarted {
		<-time.After(time.Duration(x.rand.IntN(2000)) * time.Millisecond)
		x.restartServer()
	}
	_ = s.Wait(ctx)
	<-time.After(5 * time.Minute) // the device has given the sequence up
	after := x.dump()
	x.did = append(x.did, s.String())
	want, all := x.expect(before, s)
	switch {
	case !x.hasSensors(all):
		x.fail("a change of the application is lost", before, after, want)
	case after == before && !(want != nil && s.Finished() && !x.matches(before, want)):
		x.old++
	case want != nil && x.matches(after, want):
		x.new++
	default:
		x.fail("the device is in neither state", before, after, want)
	}
	if !all {
		x.sensors = nil
	}
}

// restartServer closes the bootstrap server, without a word to the device, and starts it again
// somewhat later.
func (x *bootChaos) restartServer() {
	x.boot.Close()
	<-time.After(time.Duration(x.rand.IntN(20)) * time.Second)
	x.boot, x.from = lwm2mtest.NewServer(x.t, x.listen(x.bootHost)), 0
	x.boot.ScriptBootstrap("dev")
}

func (x *bootChaos) fail(what, before, after string, want reference) {
	x.t.Helper()
	x.t.Fatalf("%s\n%s\nbefore:\n%s\nafter:\n%s\nexpected:\n%v\nstatus: %v", what, strings.Join(x.did, "\n"), before, after, want, x.client.Status())
}

// recover fails unless the device is registered within recoveryBound.
func (x *bootChaos) recover() {
	x.t.Helper()
	begin := time.Now()
	for !x.registered() {
		if time.Since(begin) > recoveryBound {
			x.t.Fatalf("not registered within %v\n%s\nstatus: %v", recoveryBound, strings.Join(x.did, "\n"), x.client.Status())
		}
		<-time.After(10 * time.Second)
	}
	x.recovery = time.Since(begin)
}

// registered reports whether the device is registered with the server.
func (x *bootChaos) registered() bool {
	return slices.ContainsFunc(x.client.Status().Servers, func(s lwm2m.ServerStatus) bool {
		return s.State.Registered() && s.URI == "coap://server"
	})
}

// dump returns every value of the device, a line for each, without the sensors of the application.
func (x *bootChaos) dump() string {
	synctest.Wait()
	var lines []string
	snap := x.client.Model().Snapshot()
	for id := range snap.Objects() {
		for i := range snap.Instances(id) {
			if id == 3303 {
				continue // see hasSensors
			}
			lines = append(lines, dm.InstancePath(id, i).String())
			err := snap.Read(context.Background(), dm.Application, dm.InstancePath(id, i), func(p dm.Path, v dm.Value) error {
				if id == 0 || id == 1 {
					lines = append(lines, fmt.Sprintf("%v=%v", p, v))
				}
				return nil
			})
			if err != nil {
				x.t.Fatal(err)
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// steps of the chaos.

// good is a correct sequence in one of several forms.
func (x *bootChaos) good() []lwm2mtest.BootstrapStep {
	uri := []string{"coap://server", "coap://server", "coap://nobody", "coap+tcp://server"}[x.rand.IntN(4)]
	steps := []lwm2mtest.BootstrapStep{}
	if x.rand.IntN(2) == 0 {
		steps = append(steps, lwm2mtest.BootstrapDelete([]string{"/", "/0", "/1", "/0/0"}[x.rand.IntN(4)]))
	}
	id := 1 + x.rand.IntN(2)
	lifetime := 600 + x.rand.IntN(1000)
	steps = append(steps, write([]string{"/0", "/0/0"}[x.rand.IntN(2)], "/0/0", securityOf(uri, id)),
		write([]string{"/1", "/1/0"}[x.rand.IntN(2)], "/1/0", serverOf(id, lifetime)))
	if x.rand.IntN(3) == 0 {
		steps = append(steps, lwm2mtest.BootstrapDiscover("/"), lwm2mtest.BootstrapRead("/1", content.TLV))
	}
	if x.rand.IntN(3) == 0 {
		steps = append(steps, lwm2mtest.BootstrapWrite("/1/0/1", content.Text, []byte("777")))
	}
	return append(steps, lwm2mtest.BootstrapFinish())
}

// script is a sequence with up to three faults.
func (x *bootChaos) script() []lwm2mtest.BootstrapStep {
	steps := x.good()
	for range x.rand.IntN(4) {
		i := x.rand.IntN(len(steps))
		var extra lwm2mtest.BootstrapStep
		switch x.rand.IntN(12) {
		case 0: // stops
			steps = steps[:i+1]
			continue
		case 1: // repeats a step
			extra = steps[x.rand.IntN(len(steps))]
		case 2: // reorders
			j := x.rand.IntN(len(steps))
			steps[i], steps[j] = steps[j], steps[i]
			continue
		case 3:
			extra = lwm2mtest.BootstrapDelete("/")
		case 4: // an account that cannot be used
			extra = write("/0/0", "/0/0", securityOf("sip://nobody", 1))
		case 5:
			extra = lwm2mtest.BootstrapStep{Drop: true}
		case 6:
			garbage := make([]byte, 1+x.rand.IntN(40))
			for k := range garbage {
				garbage[k] = byte(x.rand.Uint32())
			}
			extra = lwm2mtest.BootstrapStep{Raw: garbage}
		case 7: // a payload that is none
			extra = lwm2mtest.BootstrapWrite("/0/0", content.SenMLJSON, []byte("[{nonsense"))
		case 8: // silence, shorter or longer than the procedure time-out
			extra = lwm2mtest.BootstrapStep{Pause: time.Duration(x.rand.IntN(500)) * time.Second}
		case 9: // a value that no server has
			extra = write("/1/0", "/1/0", `{"n":"0","v":70000}`)
		case 10: // objects that the device does not have, and reads that are not allowed
			extra = lwm2mtest.BootstrapRead([]string{"/0", "/3", "/9999", "/1/7"}[x.rand.IntN(4)], content.TLV)
		case 11: // a second Finish
			extra = lwm2mtest.BootstrapFinish()
		}
		steps = slices.Insert(steps, i, extra)
	}
	ignore := x.rand.IntN(3) > 0
	for i := range steps {
		steps[i].IgnoreError = ignore
	}
	return steps
}

// reference is what the accounts must hold after a sequence: the values of some resources of each
// instance.
type reference map[string]map[string]string

func (r reference) clone() reference {
	c := reference{}
	for p, v := range r {
		c[p] = maps.Clone(v)
	}
	return c
}

// parse reads a dump.
func parse(dump string) reference {
	r := reference{}
	for line := range strings.Lines(dump) {
		p, v, valued := strings.Cut(strings.TrimSpace(line), "=")
		parts := strings.Split(p, "/")
		instance := strings.Join(parts[:3], "/")
		if r[instance] == nil {
			r[instance] = map[string]string{}
		}
		if valued && len(parts) == 4 {
			r[instance][parts[3]] = v
		}
	}
	return r
}

// matches reports whether a dump has the instances of a reference and no others, with its values.
func (x *bootChaos) matches(dump string, want reference) bool {
	got := parse(dump)
	if len(got) != len(want) {
		return false
	}
	for p, values := range want {
		if got[p] == nil {
			return false
		}
		for id, v := range values {
			if got[p][id] != v {
				return false
			}
		}
	}
	return true
}

// hasSensors reports whether the sensors that the application has added are there. After a Delete
// of everything they need not be.
func (x *bootChaos) hasSensors(all bool) bool {
	snap := x.client.Model().Snapshot()
	return !all || !slices.ContainsFunc(x.sensors, func(p dm.Path) bool { return !snap.Has(p) })
}

// expect returns the accounts after the steps that the device has accepted up to the last accepted
// Finish, by rules that are written here once more, and whether the sensors must still be there. It
// returns nil if there was no accepted Finish.
func (x *bootChaos) expect(before string, s *lwm2mtest.Bootstrap) (committed reference, sensors bool) {
	now := parse(before)
	sensors = true
	deleted := false
	for _, r := range s.Results() {
		op := r.Step.Operation
		code := r.Answer.Code
		switch {
		case op.Method == 0:
		case op.Path == "/bs" && code == coap.Changed, op.Path == "/bs" && r.Err != nil && code == 0:
			committed, sensors = now.clone(), !deleted
		case code.IsError() || r.Err != nil:
		case op.Method == coap.DELETE:
			deleted = deleted || op.Path == "/"
			for p := range now {
				if within := op.Path == "/" || p == op.Path || strings.HasPrefix(p, op.Path+"/"); within && p != "/0/1" && p != "/3/0" {
					delete(now, p)
				}
			}
		case op.Method == coap.PUT && op.Format == content.Text:
			instance, id := op.Path[:len("/1/0")], op.Path[len("/1/0/"):]
			if now[instance] == nil {
				now[instance] = map[string]string{}
			}
			now[instance][id] = string(op.Payload)
		case op.Method == coap.PUT:
			x.apply(now, op.Payload)
		}
	}
	// A Finish whose answer the server has not waited for may have arrived.
	if n := len(s.Results()); committed == nil && n < len(x.current) && x.current[n].Operation.Path == "/bs" {
		committed, sensors = now, !deleted
	}
	return committed, sensors
}

// apply writes a payload of these tests.
func (x *bootChaos) apply(now reference, payload []byte) {
	var records []map[string]any
	must(x.t, json.Unmarshal(payload, &records))
	instance := strings.TrimSuffix(records[0]["bn"].(string), "/")
	values := map[string]string{}
	for _, r := range records {
		id := r["n"].(string)
		switch {
		case r["vs"] != nil:
			values[id] = fmt.Sprint(r["vs"])
		case r["v"] != nil:
			values[id] = fmt.Sprint(r["v"])
		}
	}
	now[instance] = values
}
