package lwm2m_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// backAfter is how long after everything works again a device is registered and can be read at the
// latest: a sequence of attempts that has failed is repeated after an hour.
const backAfter = 65 * time.Minute

// life is a device behind a NAT to which everything happens that can happen, and its server.
type life struct {
	t       *testing.T
	r       *rand.Rand
	net     *simnet.Network
	nat     *simnet.NAT
	host    *simnet.Host
	at      *simnet.Host // the server's
	server  *lwm2mtest.Server
	cfg     func() lwm2m.Config
	store   *memStore
	boot    int
	sensor  *temperature.Object
	goals   *setpoint.Object
	client  *lwm2m.Client
	queue   *lwm2m.QueueMode
	follows bool                          // the server follows the device to other addresses
	thaw    atomic.Pointer[chan struct{}] // nil unless the machine is suspended
	events  int
	counts  struct{ notified, resumed, registered int } // how often something was there to check
	history []string                                    // of the present day

	observed *lwm2mserver.Observation // nil if the server may have lost it
	location string                   // of the registration that it belongs to

	mu       sync.Mutex
	executed map[string]int // by the argument of the Execute
	asked    int
	written  []float64 // the last acknowledged value, and those after it whose outcome is unknown
	calls    sync.WaitGroup
}

// newLife prepares a life with a random network and a random server.
func newLife(t *testing.T, r *rand.Rand) *life {
	t.Helper()
	l := &life{t: t, r: r, net: simnet.New(r.Uint64()), store: &memStore{records: map[string][]byte{}}, executed: map[string]int{}, written: []float64{21}}
	l.nat, l.at = l.net.NewNAT(), l.net.NewHost("s")
	l.host = l.nat.NewHost("device")
	secured, cid, port := r.IntN(3) > 0, uint8(8*r.IntN(2)), uint16(5683)
	if secured {
		port = 5684
	}
	listener, err := l.at.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	account := lwm2m.Server{URI: "coap://s", Lifetime: 30 * time.Minute}
	if secured {
		account.URI, account.PSK = "coaps://s", lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("0123456789abcdef"))}
		cfg := withKey("0123456789abcdef")
		cfg.ConnectionIDLength = int(cid)
		if listener, err = dtls.Listen(listener, cfg); err != nil {
			t.Fatal(err)
		}
	}
	l.server = lwm2mtest.NewServer(t, listener)
	l.cfg = func() lwm2m.Config {
		return lwm2m.Config{
			Endpoint: "dev", Logger: quiet(), BootID: strconv.Itoa(l.boot), Store: l.store, Servers: []lwm2m.Server{account},
			Objects: []dm.Object{newDevice(t), l.sensor, l.goals}, StoredObjects: []dm.ObjectID{setpoint.ObjectID},
			Dialers: []socket.Dialer{l.host.Dialer(), dtls.Dialer{}}, ShutdownTimeout: time.Second, QueueMode: l.queue,
		}
	}
	l.follows = secured && cid > 0
	if r.IntN(2) > 0 {
		l.queue = &lwm2m.QueueMode{}
	}
	l.note("secured %v, Connection ID of %d bytes, queue mode %v", secured, cid, l.queue != nil)
	l.start()
	t.Cleanup(l.end)
	return l
}

func (l *life) note(format string, args ...any) {
	l.history = append(l.history, fmt.Sprintf("%s %s", time.Now().Format("02 15:04:05"), fmt.Sprintf(format, args...)))
}

// start starts a client, as a program does.
func (l *life) start() {
	l.t.Helper()
	var err error
	if l.sensor, err = temperature.New(temperature.Config{}); err != nil {
		l.t.Fatal(err)
	}
	l.goals = newGoals(l.t)
	for id := range dm.InstanceID(2) {
		err := l.sensor.Add(id, temperature.Instance{SensorValue: dm.Float(l.r.Float64()), ResetMinAndMaxMeasuredValues: l.count})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	c, err := lwm2m.New(l.cfg())
	if err != nil {
		l.fail("the device does not start: %v", err)
	}
	if lwm2m.HasSaved(c) {
		l.counts.resumed++
	} else {
		l.counts.registered++
	}
	l.client = c
	go l.run(c)
}

// count is the executable: it counts how often each argument comes.
func (l *life) count(_ context.Context, args dm.Args) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, _ := args.Get(0)
	l.executed[v]++
	return nil
}

// run is the loop of the program, which stands still while the machine is suspended.
func (l *life) run(c *lwm2m.Client) {
	for {
		select {
		case <-c.Done():
			return
		default:
		}
		if thaw := l.thaw.Load(); thaw != nil {
			<-*thaw
		}
		_ = c.ServeAny(context.Background(), time.Hour)
	}
}

// freeze suspends the machine for d.
func (l *life) freeze(d time.Duration) {
	thaw := make(chan struct{})
	l.thaw.Store(&thaw)
	l.client.Sched().Wake()
	time.Sleep(d)
	l.thaw.Store(nil)
	close(thaw)
}

func (l *life) detach() {
	l.client.Detach()
	<-l.client.Done()
}

func (l *life) kill() {
	l.store.fail(errKilled)
	l.host.SetDown(true)
	l.client.Shutdown()
	<-l.client.Done()
	l.host.SetDown(false)
	l.store.fail(nil)
}

func (l *life) end() {
	l.client.Shutdown()
	<-l.client.Done()
	l.calls.Wait()
}

// someTime waits for a random time of up to most.
func (l *life) someTime(most time.Duration) { time.Sleep(time.Duration(l.r.Int64N(int64(most)))) }

// ask has the server send one request, and returns whether the device has answered as it should.
func (l *life) ask(want coap.Code, do func(context.Context, *lwm2mtest.Client) (lwm2mtest.Answer, error)) bool {
	d, ok := l.server.Client("dev")
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	a, err := do(ctx, d)
	return err == nil && a.Code == want
}

func (l *life) write() {
	l.mu.Lock()
	v := float64(len(l.written)) + l.r.Float64()
	l.written = append(l.written, v)
	l.mu.Unlock()
	l.calls.Wait() // so that the order of the writes is known
	acked := l.ask(coap.Changed, func(ctx context.Context, d *lwm2mtest.Client) (lwm2mtest.Answer, error) {
		return d.Write(ctx, "/3308/0/5900", content.Text, strconv.AppendFloat(nil, v, 'g', -1, 64))
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if acked {
		l.written = []float64{v}
	}
	l.note("write of %v, acknowledged %v", v, acked)
}

// execute has the server send an Execute while other things happen.
func (l *life) execute() {
	l.asked++
	arg := fmt.Sprint(l.asked)
	l.note("execute %s", arg)
	l.calls.Go(func() {
		ok := l.ask(coap.Changed, func(ctx context.Context, d *lwm2mtest.Client) (lwm2mtest.Answer, error) {
			// A server that holds a request repeats it when it has got no response.
			return d.Do(ctx, lwm2mserver.Operation{Method: coap.POST, Path: "/3303/0/5605", Payload: []byte("0='" + arg + "'"), Format: content.Text, NoWait: true})
		})
		l.mu.Lock()
		defer l.mu.Unlock()
		if n := l.executed[arg]; ok && n == 0 {
			l.t.Errorf("Execute %s is acknowledged and did not happen", arg)
		}
	})
}

func (l *life) observe() {
	ok := l.ask(coap.Content, func(ctx context.Context, d *lwm2mtest.Client) (lwm2mtest.Answer, error) {
		o, a, err := d.Observe(ctx, "/3303/0/5700", content.SenMLCBOR)
		if l.observed, l.location = o, d.Registration().Location; err != nil {
			l.observed = nil
		}
		return a, err
	})
	l.note("observe %v", ok)
}

func (l *life) measure() {
	_ = l.sensor.Update(context.Background(), 0, func(i *temperature.Instance) error {
		i.SensorValue = dm.Float(l.r.Float64())
		return nil
	}) // no hook refuses it
}

// changeInstances changes the list of instances that the device registers.
func (l *life) changeInstances() {
	if l.client.Model().Snapshot().Has(dm.InstancePath(3303, 7)) {
		l.note("delete /3303/7: %v", l.sensor.Remove(context.Background(), 7))
		return
	}
	l.note("add /3303/7: %v", l.sensor.Add(7, temperature.Instance{SensorValue: dm.Float(7)}))
}

// happen has one thing happen.
func (l *life) happen() {
	l.events++
	switch l.r.IntN(26) {
	case 0, 1, 2:
		l.measure()
	case 3, 4:
		l.write()
	case 5, 6:
		l.execute()
	case 7:
		l.observe()
	case 8:
		l.changeInstances()
	case 9, 10:
		loss := l.r.Float64()
		l.note("loss of %.0f %%", 100*loss)
		l.link(simnet.Link{Delay: time.Duration(l.r.Int64N(int64(3 * time.Second))), Loss: loss})
	case 11, 12:
		l.note("a good network")
		l.link(simnet.Link{Delay: 50 * time.Millisecond})
	case 13:
		lost := lwm2mserver.Loss(1 + l.r.IntN(3))
		l.note("the server restarts, it loses %v", lost)
		l.observed = nil
		l.server.Restart(lost)
	case 14:
		l.note("the NAT binds again")
		l.nat.Rebind()
	case 15:
		l.note("the program restarts")
		l.detach()
		l.someTime(40 * time.Minute)
		l.start()
	case 16:
		l.note("the program restarts at once")
		l.detach()
		l.start()
	case 17:
		l.note("the program is killed")
		l.kill()
		l.someTime(10 * time.Minute)
		l.start()
	case 18:
		l.note("the machine is restarted")
		l.kill()
		l.boot++
		l.start()
	case 19:
		l.note("the clock is set while the program restarts")
		l.detach()
		l.setClock()
		l.start()
	case 20:
		d := time.Duration(l.r.Int64N(int64(12 * time.Hour)))
		if l.r.IntN(10) > 0 {
			d /= 24
		}
		l.note("suspended for %v", d)
		l.freeze(d)
	case 21:
		l.note("offline")
		l.client.Suspend()
		l.someTime(time.Hour)
		l.client.Resume()
		l.note("online")
	case 22:
		l.note("the program is shut down while it is offline, or de-registers")
		if l.r.IntN(2) > 0 {
			l.client.Suspend()
			l.someTime(time.Minute)
		}
		l.client.Shutdown()
		<-l.client.Done()
		l.start()
	case 23, 24:
		l.note("the store is full")
		l.store.fail(errFull)
		l.refusedWrite()
		l.someTime(time.Minute)
		l.store.fail(nil)
	case 25:
		l.note("the program restarts while the store is full")
		l.store.fail(errFull)
		l.detach()
		l.store.fail(nil)
		l.start()
	}
}

var errFull = errors.New("the disk is full")

// refusedWrite has the server write what cannot be stored. Nobody may read it, so it is not among
// l.written.
func (l *life) refusedWrite() {
	l.calls.Wait()
	refused := l.ask(coap.InternalServerError, func(ctx context.Context, d *lwm2mtest.Client) (lwm2mtest.Answer, error) {
		return d.Write(ctx, "/3308/0/5900", content.Text, []byte("-1"))
	})
	if goal, _ := l.goals.Get(0); goal.SetPointValue.Or(0) == -1 {
		l.fail("what could not be stored can be read")
	}
	l.note("write refused %v", refused)
}

func (l *life) link(link simnet.Link) {
	if err := l.net.SetDefaultLink(link); err != nil {
		l.t.Fatal(err)
	}
}

// setClock changes the wall clock by changing the times that the store has.
func (l *life) setClock() {
	record := l.store.records["registrations"]
	if record == nil {
		return
	}
	var saved map[string]any
	if err := json.Unmarshal(record, &saved); err != nil {
		l.t.Fatal(err)
	}
	saved["at"] = saved["at"].(float64) + float64(l.r.Int64N(int64(48*time.Hour))-int64(24*time.Hour))/1e3
	record, err := json.Marshal(saved)
	if err != nil {
		l.t.Fatal(err)
	}
	l.store.records["registrations"] = record
}

// TestRandomLife lives through days in which everything happens, at least 50 times a day: 20 days,
// or LWM2M_DAYS. At the end of each day everything works again, and the device is as its server
// believes it to be.
func TestRandomLife(t *testing.T) {
	days := 20
	if n, err := strconv.Atoi(os.Getenv("LWM2M_DAYS")); err == nil {
		days = n
	} else if testing.Short() {
		days = 4
	}
	const each = 4 // days of one device
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("LWM2M_SEED"), 10, 64); err == nil {
		seed = n
	}
	var events, notified, resumed, registered int
	for n := range (days + each - 1) / each {
		ok := t.Run(fmt.Sprint(seed+uint64(n)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, rand.New(rand.NewPCG(seed+uint64(n), 0)))
				for range each {
					for range 50 {
						l.happen()
						if l.r.IntN(2) > 0 {
							l.someTime(95 * time.Minute)
						} else {
							l.someTime(5 * time.Second)
						}
					}
					l.settle()
					l.history = l.history[:1]
				}
				events += l.events
				notified += l.counts.notified
				resumed += l.counts.resumed
				registered += l.counts.registered
			})
		})
		if !ok {
			t.Fatalf("repeat with LWM2M_SEED=%d LWM2M_DAYS=%d", seed+uint64(n), each)
		}
	}
	t.Logf("%d days, %d events; %d starts went on with a registration, %d registered; %d observations were compared", days, events, resumed, registered, notified)
}
