package lwm2m_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// reportWalk is a device with two servers that observe gadgets, receive Sends, lose and gain the
// right to read, and are out of reach for a while. The device restarts now and then.
type reportWalk struct {
	t       *testing.T
	rand    *rand.Rand
	host    *simnet.Host
	store   *memStore
	servers []*lwm2mtest.Server
	client  *lwm2m.Client
	end     func(detach bool)
	gadgets *dm.TypedObject[gadget]
	rights  *aclobject.Object
	may     [2][3]bool // what a server may read of a gadget
	set     int
	did     []string
}

// No message shows a value to a server that may not read it when the message leaves, whatever has
// been observed, stored, deferred or restored before.
func TestNothingLeavesWithoutTheRight(t *testing.T) {
	walks := 200
	if testing.Short() {
		walks = 20
	}
	for seed := range walks {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newReportWalk(t, uint64(seed))
				x.start()
				for range 40 {
					x.step()
					time.Sleep(time.Duration(x.rand.IntN(8000)) * time.Millisecond)
					synctest.Wait()
				}
				x.end(false)
			})
		})
		if t.Failed() {
			return // one seed is enough to find the fault
		}
	}
}

func newReportWalk(t *testing.T, seed uint64) *reportWalk {
	network := simnet.New(seed)
	x := &reportWalk{t: t, rand: rand.New(rand.NewPCG(seed, 4)), host: network.NewHost("device"), store: &memStore{records: map[string][]byte{}}}
	addresses := map[string]int{}
	for i := range x.may {
		h := network.NewHost(fmt.Sprint("s", i+1))
		for _, a := range h.Addrs() {
			addresses[a.String()] = i
		}
		l, err := h.Listen(5683)
		must(t, err)
		s := lwm2mtest.NewServer(t, l)
		s.Define(&gadgetDefinition)
		x.servers = append(x.servers, s)
	}
	network.SetFilter(func(p simnet.Packet) bool {
		if i, ok := addresses[p.To.Addr().String()]; ok {
			x.check(i, string(p.Data))
		}
		return true
	})
	return x
}

// settings matches the values of gadgets, which begin with the number of the gadget, from 1.
var settings = regexp.MustCompile(`[1-3][0-9]{6}`)

// check fails if a message to a server shows a value of a gadget that the server may not read.
func (x *reportWalk) check(server int, message string) {
	for _, n := range settings.FindAllString(message, -1) {
		v, err := strconv.Atoi(n)
		must(x.t, err)
		if number := v/1_000_000 - 1; !x.may[server][number] {
			x.t.Errorf("server %d gets %d of gadget %d: %q after\n%s", server+1, v, number, message, strings.Join(x.did, "\n"))
		}
	}
}

// start makes a client over the store, and runs it. The rights may have changed in the meantime.
func (x *reportWalk) start() {
	first := x.rights == nil
	var err error
	x.rights, err = aclobject.New(aclobject.Config{})
	must(x.t, err)
	x.gadgets = newGadgets(x.t, 0, 1, 2)
	cfg := lwm2m.Config{
		Endpoint: "dev", Logger: quiet(), Dialers: []socket.Dialer{x.host.Dialer()}, Format: content.SenMLJSON, BootID: "boot-1",
		Objects: []dm.Object{newDevice(x.t), x.gadgets, x.rights}, Store: x.store, SendStored: x.rand.IntN(2) == 0,
	}
	if x.rand.IntN(2) == 0 {
		cfg.QueueMode = &lwm2m.QueueMode{AwakeTime: 2 * time.Second}
	}
	for i := range x.servers {
		cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: fmt.Sprint("coap://s", i+1), ShortID: lwm2m.ShortServerID(i + 1), Lifetime: time.Hour})
	}
	x.client, err = lwm2m.New(cfg)
	must(x.t, err)
	for number := range x.may[0] {
		if first || x.rand.IntN(3) == 0 {
			x.grant(x.rand.IntN(2), number, x.rand.IntN(2) == 0)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, client := make(chan error, 1), x.client
	go func() { ended <- client.Run(ctx) }()
	x.end = func(detach bool) {
		if detach {
			client.Detach()
		} else {
			cancel()
		}
		must(x.t, <-ended)
		cancel()
	}
}

// grant lets a server read a gadget, or not.
func (x *reportWalk) grant(server, number int, read bool) {
	x.did = append(x.did, fmt.Sprintf("server %d may read gadget %d: %v", server+1, number, read))
	x.may[server][number] = read
	entries := acl{}
	for i := range x.may {
		entries[lwm2m.ShortServerID(i+1)] = map[bool]aclobject.Rights{true: aclobject.Read, false: aclobject.Execute}[x.may[i][number]]
	}
	(&guarded{t: x.t, rights: x.rights}).grant(gadgetAt(dm.InstanceID(number)), aclobject.BootstrapOwner, entries)
}

// step makes one thing happen.
func (x *reportWalk) step() {
	i, number := x.rand.IntN(2), x.rand.IntN(3)
	id := lwm2m.ShortServerID(i + 1)
	p := gadgetAt(dm.InstanceID(number)).String()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	note := func(what string, outcome any) {
		x.did = append(x.did, fmt.Sprintf("%s, server %d: %v", what, i+1, outcome))
	}
	status, _ := x.client.Status().Server(id)
	dev, known := x.servers[i].Client("dev")
	switch n := x.rand.IntN(20); {
	case n < 4:
		x.grant(i, number, x.rand.IntN(2) == 0)
	case n < 10:
		x.set++
		x.did = append(x.did, fmt.Sprintf("gadget %d is set the %dth time", number, x.set))
		must(x.t, x.gadgets.Update(ctx, dm.InstanceID(number), func(v *gadget) error {
			v.setting.Set(int64((number+1)*1_000_000 + x.set))
			return nil
		}))
	case n < 12:
		b := lwm2m.Batch{Defer: x.rand.IntN(2) == 0}
		b.Add(dm.ObjectPath(gadgetID))
		note("Send", x.client.StartSend(id, &b, func(lwm2m.SendResult, error) {}))
	case n < 13:
		note("SuspendServer", x.client.SuspendServer(id))
	case n < 14:
		note("ResumeServer", x.client.ResumeServer(id))
	case n < 16:
		detach := x.rand.IntN(4) > 0
		x.end(detach)
		x.did = append(x.did, fmt.Sprint("restart, registered: ", detach))
		x.start()
	case !known || !status.State.Registered():
	case n < 17:
		_, a, err := dev.ObserveComposite(ctx, content.SenMLJSON, []string{p + "/0", gadgetAt(dm.InstanceID((number + 1) % 3)).String()})
		note("Observe-Composite of "+p, fmt.Sprint(a.Code, err))
	case n < 18:
		a, err := dev.WriteAttributes(ctx, p, []string{"pmin=3", "pmax=20", "con=1", "pmin=0"}[x.rand.IntN(4)])
		note("Write-Attributes to "+p, fmt.Sprint(a.Code, err))
	default:
		p = []string{"/33001", p, p + "/0"}[x.rand.IntN(3)]
		_, a, err := dev.Observe(ctx, p, content.SenMLJSON)
		note("Observe of "+p, fmt.Sprint(a.Code, err))
	}
}
