package lwm2m_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// restoreWalk is a device with a store, a bootstrap server and three others. They write at random,
// also what makes no sense.
type restoreWalk struct {
	t        *testing.T
	rand     *rand.Rand
	host     *simnet.Host
	store    *memStore
	boot     *lwm2mtest.Server
	servers  []*lwm2mtest.Server // of the Short Server IDs 1 to 3
	client   *lwm2m.Client
	end      func()
	position int // of the next bootstrap
	did      []string
}

// Whatever servers and bootstrap servers write, the device starts again after a kill, has the same
// values, and gives each server the same rights.
func TestWhatServersWriteIsRestored(t *testing.T) {
	walks := 200
	if testing.Short() {
		walks = 30
	}
	finished := 0
	for seed := range walks {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newRestoreWalk(t, uint64(seed))
				x.start()
				for range 1 + x.rand.IntN(4) {
					if x.bootstrap() {
						finished++
					}
					x.manage()
				}
				before := x.state()
				x.store.fail(errKilled)
				x.host.SetDown(true)
				x.end()
				x.host.SetDown(false)
				x.store.fail(nil)
				x.start()
				if after := x.state(); after != before {
					t.Errorf("before the kill\n%s\nafter it\n%s\nafter\n%s", before, after, strings.Join(x.did, "\n"))
				}
				x.end()
			})
		})
		if t.Failed() {
			return // one seed is enough to find the fault
		}
	}
	if finished < walks/2 {
		t.Errorf("%d bootstraps of %d walks were finished", finished, walks)
	}
}

func newRestoreWalk(t *testing.T, seed uint64) *restoreWalk {
	network := simnet.New(seed)
	x := &restoreWalk{t: t, rand: rand.New(rand.NewPCG(seed, 3)), host: network.NewHost("device"), store: &memStore{records: map[string][]byte{}}}
	serve := func(name string) *lwm2mtest.Server {
		l, err := network.NewHost(name).Listen(5683)
		must(t, err)
		s := lwm2mtest.NewServer(t, l)
		s.Define(&gadgetDefinition)
		return s
	}
	x.boot = serve("boot")
	for i := range 3 {
		x.servers = append(x.servers, serve(fmt.Sprint("s", i+1)))
	}
	return x
}

// start runs a new client over the store.
func (x *restoreWalk) start() {
	x.t.Helper()
	rights, err := aclobject.New(aclobject.Config{})
	must(x.t, err)
	cfg := lwm2m.Config{
		Endpoint: "dev", Logger: quiet(), Dialers: []socket.Dialer{x.host.Dialer()},
		Objects: []dm.Object{newDevice(x.t), newGadgets(x.t, 0, 1), rights}, Store: x.store, StoredObjects: []dm.ObjectID{gadgetID},
		Servers: []lwm2m.Server{{URI: "coap://boot", Bootstrap: true}},
	}
	for i := range x.servers {
		cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: fmt.Sprint("coap://s", i+1), ShortID: lwm2m.ShortServerID(i + 1), Lifetime: time.Hour})
	}
	x.client, err = lwm2m.New(cfg)
	if err != nil {
		x.t.Fatalf("the device does not start: %v, after\n%s", err, strings.Join(x.did, "\n"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, client := make(chan error, 1), x.client
	go func() { ended <- client.Run(ctx) }()
	x.end = func() { cancel(); must(x.t, <-ended) }
	time.Sleep(5 * time.Second)
}

// bootstrap plays a random sequence and reports whether the device has accepted it.
func (x *restoreWalk) bootstrap() bool {
	var steps []lwm2mtest.BootstrapStep
	put := func(format string, args ...any) { steps = append(steps, senMLWrite(fmt.Sprintf(format, args...))) }
	remove := func(args ...any) { steps = append(steps, lwm2mtest.BootstrapDelete(fmt.Sprint(args...))) }
	for range x.rand.IntN(7) {
		switch id := x.rand.IntN(4); x.rand.IntN(10) {
		case 0:
			remove("/", gadgetID, "/", id)
		case 1:
			remove("/2")
		case 2:
			remove("/2/", id)
		case 3: // an account
			remove("/0/", id)
			remove("/1/", id-1)
		case 4:
			put(`[{"n":"/%d/%d/0","v":%d}]`, gadgetID, id, id)
		case 5:
			steps = append(steps, senMLWrite(x.scribble(dm.ObjectID(x.rand.IntN(2)), id)))
		default:
			target, owner := x.rand.IntN(4), 1+x.rand.IntN(3)
			if x.rand.IntN(4) == 0 {
				target, owner = 65535, 65535
			}
			put(`[{"bn":"/2/%d/","n":"0","v":%d},{"n":"1","v":%d},{"n":"3","v":%d},{"n":"2/%d","v":%d}]`,
				id, gadgetID, target, owner, x.rand.IntN(4), x.rand.IntN(32))
		}
	}
	steps = append(steps, lwm2mtest.BootstrapFinish())
	meanwhile := x.rand.IntN(2) == 0 // the other servers go on during the sequence
	for i := range steps {
		steps[i].IgnoreError = true
		if meanwhile {
			steps[i].Pause = time.Duration(x.rand.IntN(2000)) * time.Millisecond
		}
	}
	x.boot.ScriptBootstrap("dev", steps...)
	defer x.boot.ScriptBootstrap("dev")
	if x.client.RequestBootstrap() != nil {
		return false
	}
	for range 3 {
		if meanwhile {
			time.Sleep(time.Second)
			x.manage()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	b, next, err := x.boot.Server.WaitBootstrap(ctx, x.position, "dev")
	if err != nil {
		return false // the account is gone, or has another URI
	}
	x.position = next
	_ = b.Wait(ctx) // it says how the sequence has ended, which Finished says, too
	x.did = append(x.did, b.String())
	return b.Finished()
}

// senMLWrite returns the step that writes a payload to the object that its first name is in.
func senMLWrite(payload string) lwm2mtest.BootstrapStep {
	_, rest, _ := strings.Cut(payload, `"/`)
	object, _, _ := strings.Cut(rest, "/")
	return lwm2mtest.BootstrapWrite("/"+object, content.SenMLJSON, []byte(payload))
}

// scribble returns random values of an instance of the Security or the Server object.
func (x *restoreWalk) scribble(object dm.ObjectID, id int) string {
	def := x.client.Model().Snapshot().Definition(object)
	var records []map[string]any
	for i := range def.Resources {
		r := &def.Resources[i]
		if r.Ops == registry.E || !r.Mandatory && x.rand.IntN(6) > 0 {
			continue
		}
		name := fmt.Sprintf("/%d/%d/%d", object, id, r.ID)
		if r.Multiple {
			name += "/0"
		}
		record := x.oddValue(object, r)
		record["n"] = name
		records = append(records, record)
	}
	text, err := json.Marshal(records)
	must(x.t, err)
	return string(text)
}

// oddValue returns a value of a resource, which need not make sense.
func (x *restoreWalk) oddValue(object dm.ObjectID, r *registry.Resource) map[string]any {
	one := func(key string, values ...any) map[string]any {
		return map[string]any{key: values[x.rand.IntN(len(values))]}
	}
	switch {
	case object == 0 && r.ID == 0:
		return one("vs", "coap://s1", "coap://s2", "coap://s3", "coaps://s1", "coap://", "", "coap://[fe80::1%25eth0]", "coap://u:p@s1", "coap://s1:0")
	case object == 0 && r.ID == 2:
		return one("v", 3, 3, 3, 0, 1, 2, 4, 5)
	case object == 0 && r.ID == 10, object == 1 && r.ID == 0:
		return one("v", 1, 2, 3, 4, 0, 65535)
	case object == 1 && r.ID == 7:
		return one("vs", "U", "T", "UQ", "", "X")
	}
	switch r.Type {
	case registry.String:
		return one("vs", "", "a", "U", "\x00", strings.Repeat("x", 300))
	case registry.Boolean:
		return one("vb", false, false, true)
	case registry.Opaque:
		return one("vd", "", "a2V5", strings.Repeat("a2V5", 500))
	case registry.Objlnk:
		return one("vlo", "65535:65535", "21:0", "0:0", "99:1")
	}
	return one("v", 0, 1, 60, 86400, -1, 1<<31, json.Number("9223372036854775807"), json.Number("18446744073709551615"))
}

// manage has each server create, delete or write something.
func (x *restoreWalk) manage() {
	for i := range x.servers {
		id := x.rand.IntN(4)
		op := []lwm2mtest.Operation{
			{Method: coap.DELETE, Path: fmt.Sprintf("/%d/%d", gadgetID, id)},
			{Method: coap.POST, Path: fmt.Sprintf("/%d", gadgetID)},
			{Method: coap.PUT, Path: fmt.Sprintf("/%d/%d", gadgetID, id), Format: content.SenMLJSON,
				Payload: fmt.Appendf(nil, `[{"n":"/%d/%d/0","v":9}]`, gadgetID, id)},
			{Method: coap.DELETE, Path: fmt.Sprintf("/1/%d", id)},
		}[x.rand.IntN(4)]
		op.Accept, op.Format = content.None, cmp.Or(op.Format, content.None)
		x.did = append(x.did, fmt.Sprint("server ", i+1, ": ", op, " ", x.ask(i, op)))
	}
}

// ask has a server that the device is registered with make a request, and returns the code.
func (x *restoreWalk) ask(i int, op lwm2mtest.Operation) string {
	st, ok := x.client.Status().Server(lwm2m.ShortServerID(i + 1))
	dev, known := x.servers[i].Client("dev")
	if !ok || !known || st.State != lwm2m.StateRegistered {
		return "not registered"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a, err := dev.Do(ctx, op)
	if err != nil {
		return "no answer"
	}
	return a.Code.String()
}

// state returns what the store must keep: every value, and what each server may do.
func (x *restoreWalk) state() string {
	time.Sleep(5 * time.Second)
	synctest.Wait()
	var lines []string
	s := x.client.Model().Snapshot()
	for _, o := range []dm.ObjectID{0, 1, 2, gadgetID} {
		for i := range s.Instances(o) {
			lines = append(lines, dm.InstancePath(o, i).String())
		}
		must(x.t, s.Stored(dm.ObjectPath(o), func(p dm.Path, v dm.Value) error {
			if v.Type() != registry.None {
				lines = append(lines, fmt.Sprintf("%v=%v %x", p, v, v.Opaque()))
			}
			return nil
		}))
	}
	slices.Sort(lines)
	for i := range x.servers {
		for id := range 4 {
			p := fmt.Sprintf("/%d/%d", gadgetID, id)
			read := x.ask(i, lwm2mtest.Operation{Method: coap.GET, Path: p, Accept: content.SenMLJSON, Format: content.None})
			// 4.00 with the right to write, because the value is none.
			write := x.ask(i, lwm2mtest.Operation{Method: coap.PUT, Path: p + "/0", Accept: content.None, Payload: []byte("x")})
			lines = append(lines, fmt.Sprintf("server %d, %s: Read %s, Write %s", i+1, p, read, write))
		}
	}
	return strings.Join(lines, "\n")
}
