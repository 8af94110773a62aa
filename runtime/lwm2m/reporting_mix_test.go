package lwm2m_test

import (
	"context"
	"fmt"
	"sync"
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

// mix is a device whose sensors change each second, and which reports them in every way over a slow
// link: observations without conditions, with a step, of several nodes and confirmable ones, and a
// Send every 20 s.
type mix struct {
	t       *testing.T
	rtt     time.Duration
	loss    float64
	net     *simnet.Network
	sensors *temperature.Object
	client  *lwm2m.Client
	server  *lwm2mtest.Server
	dev     *lwm2mtest.Client
	sends   sync.WaitGroup

	mu       sync.Mutex
	counting bool
	shares   []int // notifications of each observation
	nons     []time.Time
	outcomes map[lwm2m.SendOutcome]int
}

func newMix(t *testing.T, rtt time.Duration, loss float64, n int) *mix {
	x := &mix{
		t: t, rtt: rtt, loss: loss, net: simnet.New(1), shares: make([]int, n), outcomes: map[lwm2m.SendOutcome]int{},
	}
	device, cloud := x.net.NewHost("device"), x.net.NewHost("cloud")
	l, err := cloud.Listen(5683)
	must(t, err)
	x.server = lwm2mtest.NewServer(t, l)
	x.sensors, err = temperature.New(temperature.Config{})
	must(t, err)
	for i := range n + 1 {
		must(t, x.sensors.Add(dm.InstanceID(i), temperature.Instance{SensorValue: dm.Float(0)}))
	}
	lifetime := 2 * time.Minute
	if loss > 0.2 { // all transmissions of an Update may be lost, which ends the observations
		lifetime = time.Hour
	}
	x.client, err = lwm2m.New(lwm2m.Config{
		Endpoint: "mix", Dialers: []socket.Dialer{device.Dialer()}, Objects: []dm.Object{newDevice(t), x.sensors},
		Logger: quiet(), Servers: []lwm2m.Server{{URI: "coap://cloud", Lifetime: lifetime}},
	})
	must(t, err)
	x.server.Run(x.client.Run)
	x.dev = x.server.WaitRegistered("mix")
	x.observe(n)
	must(t, x.net.SetDefaultLink(simnet.Link{Delay: rtt / 2, Loss: loss}))
	x.net.SetFilter(func(p simnet.Packet) bool {
		x.note(p, cloud)
		return true
	})
	return x
}

// observe begins observations of all kinds, before the link is slow.
func (x *mix) observe(n int) {
	ctx := context.Background()
	for i := range n {
		path := fmt.Sprintf("/3303/%d/5700", i)
		var o *lwm2mtest.Observation
		var err error
		switch i % 4 {
		case 0:
			o, _, err = x.dev.Observe(ctx, path, content.SenMLCBOR, "pmin=0")
		case 1:
			o, _, err = x.dev.Observe(ctx, path, content.SenMLCBOR, "pmin=0", "st=0.5")
		case 2:
			o, _, err = x.dev.ObserveComposite(ctx, content.SenMLCBOR, []string{path, "/3/0/0"}, "pmin=0")
		default:
			o, _, err = x.dev.Observe(ctx, path, content.SenMLCBOR, "pmin=0", "con=1")
		}
		must(x.t, err)
		go func() {
			for _, err := range o.All(ctx) {
				if err == nil {
					x.mu.Lock()
					if x.counting {
						x.shares[i]++
					}
					x.mu.Unlock()
				}
			}
		}()
	}
}

// note notes when the device sends a non-confirmable notification.
func (x *mix) note(p simnet.Packet, cloud *simnet.Host) {
	var m coap.Message
	if p.To.Addr() != cloud.Addrs()[0] || m.ParseUDP(p.Data) != nil {
		return
	}
	if _, ok := m.Options.Observe(); ok && m.Type == coap.NonConfirmable {
		x.mu.Lock()
		if x.counting {
			x.nons = append(x.nons, time.Now())
		}
		x.mu.Unlock()
	}
}

// count starts or ends the count of the notifications.
func (x *mix) count(on bool) {
	x.mu.Lock()
	x.counting = on
	x.mu.Unlock()
}

// change changes every sensor each second, and sends one that is not observed now and then.
func (x *mix) change(seconds int) {
	for s := range seconds {
		for i := range len(x.shares) + 1 {
			must(x.t, x.sensors.Update(context.Background(), dm.InstanceID(i), func(inst *temperature.Instance) error {
				inst.SensorValue.Set(inst.SensorValue.Or(0) + 1)
				return nil
			}))
		}
		if s%20 == 0 {
			x.sends.Add(1)
			b := batchOf(dm.ResourcePath(3303, dm.InstanceID(len(x.shares)), temperature.SensorValueID))
			must(x.t, x.client.StartSend(1, b, func(r lwm2m.SendResult, _ error) {
				x.outcomes[r.Outcome]++
				x.sends.Done()
			}))
		}
		<-time.After(time.Second)
	}
}

// Observations with thresholds, of several nodes and confirmable ones share a link as plain ones
// do, with Sends among them: each gets its share, non-confirmable notifications keep within a round
// trip (RFC 7641 §4.5.1), Updates are in time, and no Send starves.
func TestReportingShares(t *testing.T) {
	for _, rtt := range []time.Duration{100 * time.Millisecond, 900 * time.Millisecond, 2500 * time.Millisecond, 5 * time.Second} {
		for _, loss := range []float64{0, 0.1, 0.3} {
			for _, n := range []int{4, 20, 50} {
				if testing.Short() && (n == 50 || loss == 0.1) {
					continue
				}
				t.Run(fmt.Sprint(rtt, " loss ", loss, " observations ", n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { newMix(t, rtt, loss, n).play() })
				})
			}
		}
	}
}

func (x *mix) play() {
	t := x.t
	x.change(60) // the round-trip time is known afterwards
	x.count(true)
	x.change(600)
	x.count(false)
	x.sends.Wait()
	least, most := x.shares[0], x.shares[0]
	for _, n := range x.shares {
		least, most = min(least, n), max(most, n)
	}
	t.Logf("%d to %d notifications for each observation, Sends %v", least, most, x.outcomes)
	// What is lost is not counted; only confirmable notifications are sent again.
	if x.loss == 0 && least*10 < most*8 && most-least > 1 || most > 2*least+8 {
		t.Errorf("from %d to %d notifications for an observation: %v", least, most, x.shares)
	}
	for i := 1; i < len(x.nons); i++ {
		if gap := x.nons[i].Sub(x.nons[i-1]); gap < min(x.rtt, 3*time.Second)*9/10 {
			t.Fatalf("two non-confirmable notifications in %v", gap)
		}
	}
	if lost := x.outcomes[lwm2m.SendLost] + x.outcomes[lwm2m.SendDropped]; x.loss == 0 && lost > 0 {
		t.Errorf("the Sends have the outcomes %v", x.outcomes)
	}
	for _, e := range x.server.Events()[1:] {
		// With a loss of 30 % each way one Update of thirty gets no response, and a Register
		// follows.
		if e.Kind != lwm2mtest.Updated && x.loss < 0.3 {
			t.Errorf("%v after %v", e.Kind, e.Time)
		}
	}
}
