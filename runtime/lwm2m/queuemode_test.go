package lwm2m_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// receivers is a dialer whose sockets note when the receiver is turned off.
type receivers struct {
	socket.Dialer
	mu  sync.Mutex
	off []time.Time
}

func (d *receivers) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return &receiver{s, d}, err
}

type receiver struct {
	socket.Socket
	d *receivers
}

func (r *receiver) ReceiverOff() {
	r.d.mu.Lock()
	r.d.off = append(r.d.off, time.Now())
	r.d.mu.Unlock()
}

func (r *receiver) Abilities() socket.Abilities {
	a := socket.Detect(r.Socket)
	a.ReceiverOff = r
	return a
}

func (d *receivers) times() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	off := d.off
	d.off = nil
	return off
}

// sleeper is a device in queue mode without security, with a sensor, and the messages that it
// sends.
type sleeper struct {
	*lives
	sensor *temperature.Object
	radio  *receivers
	dev    *lwm2mtest.Client

	mu   sync.Mutex
	sent []string // such as "POST /rd/1", "notification", "ACK"
	last time.Time
}

// inQueueMode starts a device in queue mode and waits until it sleeps.
func inQueueMode(t *testing.T, set func(*lwm2m.Config), fn func(s *sleeper)) {
	t.Helper()
	inLives(t, false, func(l *lives) {
		s := &sleeper{lives: l, sensor: newSensor(t, 0, 1), radio: &receivers{Dialer: l.host.Dialer()}}
		l.net.SetFilter(s.note)
		cfg := l.config()
		cfg.Objects = append(cfg.Objects, s.sensor)
		cfg.Dialers, cfg.QueueMode, cfg.Store = []socket.Dialer{s.radio}, &lwm2m.QueueMode{}, nil
		if set != nil {
			set(&cfg)
		}
		l.start(cfg)
		s.dev = l.server.WaitRegistered("dev")
		fn(s)
	})
}

// note notes what the device sends.
func (s *sleeper) note(p simnet.Packet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	if p.From.Port() == 5683 {
		return true
	}
	var m coap.Message
	if err := m.ParseUDP(p.Data); err != nil {
		s.t.Error(err)
	}
	switch _, observes := m.Options.Uint(coap.OptionObserve); {
	case m.Code.IsRequest():
		s.sent = append(s.sent, m.Code.String()+" "+strings.Join(slices.Collect(paths(&m)), "/"))
	case observes:
		s.sent = append(s.sent, "notification")
	default:
		s.sent = append(s.sent, m.Type.String())
	}
	return true
}

func paths(m *coap.Message) func(func(string) bool) {
	return func(yield func(string) bool) {
		for p := range m.Options.Values(coap.OptionURIPath) {
			if !yield(string(p)) {
				return
			}
		}
	}
}

// since returns what the device has sent since the last call.
func (s *sleeper) since() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

func (s *sleeper) state() lwm2m.State {
	synctest.Wait()
	st, _ := s.client.Status().Server(1)
	return st.State
}

// sleeps waits until the device sleeps, and forgets what it has sent.
func (s *sleeper) sleeps() {
	s.t.Helper()
	time.Sleep(5 * time.Minute)
	if got := s.state(); got != lwm2m.StateAsleep {
		s.t.Fatalf("the device is %v, want asleep", got)
	}
	s.since()
	s.radio.times()
}

func (s *sleeper) measure(v float64) {
	s.t.Helper()
	err := s.sensor.Update(context.Background(), 0, func(i *temperature.Instance) error { i.SensorValue = dm.Float(v); return nil })
	if err != nil {
		s.t.Fatal(err)
	}
}

// After the awake time without a message the receiver is off, and a request that the server holds
// is answered after the next Update.
func TestETS_1_1_int_109_QueueModeBehaviour(t *testing.T) {
	inQueueMode(t, nil, func(s *sleeper) {
		registered := time.Now()
		s.server.WaitAsleep("dev")
		s.since()
		time.Sleep(time.Second)
		if off := s.radio.times(); len(off) != 1 || off[0].Sub(registered).Round(time.Second) != 93*time.Second {
			t.Errorf("the receiver is off at %v, want once 93 s after %v", off, registered)
		}
		asleep := time.Now()
		a, err := s.dev.Read(context.Background(), "/3303/0/5700", content.Text)
		if err != nil || a.Text() != "20" {
			t.Errorf("Read: %v (%v)", a, err)
		}
		if waited := time.Since(asleep); waited < 50*time.Minute {
			t.Errorf("the Read was answered after %v, want after the next Update", waited)
		}
		if sent := s.since(); len(sent) < 2 || sent[0] != "POST rd/1" {
			t.Errorf("the device sent %q, want the Update first", sent)
		}
	})
}

// The awake time counts from the last message in either direction.
func TestAwakeTimeCountsFromTheLastMessage(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) { c.QueueMode.AwakeTime = time.Minute }, func(s *sleeper) {
		for range 5 {
			time.Sleep(50 * time.Second)
			if _, err := s.dev.Read(context.Background(), "/3303/0/5700", content.Text); err != nil {
				t.Fatal(err)
			}
			if got := s.state(); got != lwm2m.StateRegistered {
				t.Fatalf("the device is %v", got)
			}
		}
		last := time.Now()
		time.Sleep(2 * time.Minute)
		if off := s.radio.times(); len(off) != 1 || off[0].Sub(last) != time.Minute {
			t.Errorf("the receiver is off at %v, want once a minute after %v", off, last)
		}
	})
}

// Everything that is due goes out in one wake: the Update first, then notifications, then Sends.
func TestOneWakeSendsEverything(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) { c.Servers[0].Lifetime = 24 * time.Hour }, func(s *sleeper) {
		ctx := context.Background()
		for _, path := range []string{"/3303/0/5700", "/3303/0", "/3303"} {
			if _, _, err := s.dev.Observe(ctx, path, content.SenMLCBOR, "pmin=600"); err != nil {
				t.Fatal(err)
			}
		}
		s.sleeps()
		b := &lwm2m.Batch{Defer: true}
		b.Add(dm.ResourcePath(3303, 1, 5700))
		sent := make(chan error, 1)
		go func() { _, err := s.client.Send(ctx, 1, b); sent <- err }()
		time.Sleep(time.Minute)
		if got := s.since(); len(got) > 0 {
			t.Errorf("a deferred Send makes the device send %q", got)
		}
		s.measure(30) // pmin passes 10 min after the observations began
		time.Sleep(10 * time.Minute)
		got := slices.DeleteFunc(s.since(), func(x string) bool { return x == "ACK" })
		if want := []string{"POST rd/1", "notification", "notification", "notification", "POST dp"}; !slices.Equal(got, want) {
			t.Errorf("the device sends %q, want %q", got, want)
		}
		if off := s.radio.times(); len(off) != 1 {
			t.Errorf("the receiver is turned off %d times, want once", len(off))
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// A Send that is not deferred wakes the device.
func TestSendWakes(t *testing.T) {
	inQueueMode(t, nil, func(s *sleeper) {
		s.sleeps()
		b := new(lwm2m.Batch)
		b.Add(dm.ResourcePath(3303, 1, 5700))
		began := time.Now()
		if _, err := s.client.Send(context.Background(), 1, b); err != nil || time.Since(began) > time.Second {
			t.Errorf("Send: %v after %v", err, time.Since(began))
		}
		if got := s.since(); !slices.Equal(got, []string{"POST rd/1", "POST dp"}) {
			t.Errorf("the device sends %q", got)
		}
	})
}

// What happens to a device that sleeps: it wakes to say so, or is silent where it is offline.
func TestCallsWhileAsleep(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(s *sleeper)
		want []string
		then lwm2m.State
	}{
		{"Update", func(s *sleeper) { must(s.t, s.client.Update(1)) }, []string{"POST rd/1"}, lwm2m.StateRegistered},
		{"Register", func(s *sleeper) { must(s.t, s.client.Register(1)) }, []string{"POST rd"}, lwm2m.StateRegistered},
		{"Disable", func(s *sleeper) { must(s.t, s.client.Disable(1, time.Hour)) }, []string{"DELETE rd/1"}, lwm2m.StateDeregistered},
		{"Suspend", func(s *sleeper) { s.client.Suspend() }, nil, lwm2m.StateSuspended},
		{"Suspend and Resume", func(s *sleeper) { s.client.Suspend(); time.Sleep(time.Minute); s.client.Resume() }, []string{"POST rd/1"}, lwm2m.StateRegistered},
		{"Reconnect", func(s *sleeper) { must(s.t, s.client.Reconnect(1)) }, []string{"POST rd/1"}, lwm2m.StateRegistered},
		{"a new instance", func(s *sleeper) { must(s.t, s.sensor.Add(9, temperature.Instance{SensorValue: dm.Float(1)})) }, []string{"POST rd/1"}, lwm2m.StateRegistered},
		{"Awake", func(s *sleeper) { s.client.Awake(s.t.Context()) }, []string{"POST rd/1"}, lwm2m.StateRegistered},
	} {
		t.Run(test.name, func(t *testing.T) {
			inQueueMode(t, nil, func(s *sleeper) {
				s.sleeps()
				test.do(s)
				time.Sleep(time.Second)
				if got := s.since(); !slices.Equal(got, test.want) {
					t.Errorf("the device sends %q, want %q", got, test.want)
				}
				if got := s.state(); got != test.then {
					t.Errorf("the device is %v, want %v", got, test.then)
				}
			})
		})
	}
	t.Run("Shutdown", func(t *testing.T) {
		inQueueMode(t, nil, func(s *sleeper) {
			s.sleeps()
			s.shutdown()
			if got := s.since(); !slices.Equal(got, []string{"DELETE rd/1"}) {
				t.Errorf("the device sends %q, want a De-register", got)
			}
		})
	})
}

// Awake keeps the device reachable until the last of its contexts ends.
func TestAwake(t *testing.T) {
	inQueueMode(t, nil, func(s *sleeper) {
		s.sleeps()
		first, endFirst := context.WithCancel(context.Background())
		second, endSecond := context.WithCancel(context.Background())
		s.client.Awake(first)
		s.client.Awake(second)
		time.Sleep(20 * time.Minute)
		if got := s.state(); got != lwm2m.StateRegistered {
			t.Errorf("the device is %v", got)
		}
		endFirst()
		time.Sleep(20 * time.Minute)
		if off := s.radio.times(); len(off) > 0 || s.state() != lwm2m.StateRegistered {
			t.Errorf("the receiver is off at %v, the device is %v", off, s.state())
		}
		endSecond()
		time.Sleep(2 * time.Minute)
		if got := s.state(); got != lwm2m.StateAsleep {
			t.Errorf("the device is %v, want asleep", got)
		}
	})
}

// NextWake tells when the machine may sleep, and until when.
func TestNextWake(t *testing.T) {
	inQueueMode(t, nil, func(s *sleeper) {
		next := func() (at time.Time, ok bool) {
			done := make(chan struct{})
			s.client.Sched().Post(func() { at, ok = s.client.NextWake(); close(done) })
			<-done
			return at, ok
		}
		if _, ok := next(); ok {
			t.Error("the machine may sleep in the awake window")
		}
		s.sleeps()
		at, ok := next()
		st, _ := s.client.Status().Server(1)
		if diff := at.Sub(st.Next); !ok || diff > time.Second || diff < -time.Second {
			t.Errorf("NextWake is %v, %v, want the next Update at %v", at, ok, st.Next)
		}
		time.Sleep(time.Until(at) + time.Second)
		if got := s.since(); !slices.Equal(got, []string{"POST rd/1"}) {
			t.Errorf("then the device sends %q", got)
		}
		if _, ok := next(); ok {
			t.Error("the machine may sleep in the awake window")
		}
	})
}

// Queue mode can be had with some servers, or over some transports, and by the binding of the
// account.
func TestQueueModeOfSomeServers(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(*lwm2m.Config)
		want bool
	}{
		{"all", func(*lwm2m.Config) {}, true},
		{"none", func(c *lwm2m.Config) { c.QueueMode = nil }, false},
		{"this server", func(c *lwm2m.Config) { c.QueueMode.Servers = []lwm2m.ShortServerID{1} }, true},
		{"another server", func(c *lwm2m.Config) { c.QueueMode.Servers = []lwm2m.ShortServerID{2} }, false},
		{"this scheme", func(c *lwm2m.Config) { c.QueueMode.Schemes = []string{"COAP"} }, true},
		{"the binding", func(c *lwm2m.Config) { c.QueueMode, c.Servers[0].Binding = nil, "UQ" }, true},
		{"LwM2M 1.0", func(c *lwm2m.Config) { c.MaxVersion = registry.V(1, 0) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inQueueMode(t, test.set, func(s *sleeper) {
				if got := s.dev.Registration().QueueMode; got != test.want {
					t.Errorf("the registration has queue mode %v", got)
				}
				time.Sleep(5 * time.Minute)
				if got := s.state() == lwm2m.StateAsleep; got != test.want {
					t.Errorf("the device is %v", s.state())
				}
			})
		})
	}
}

// A change of the account's binding to queue mode registers again, because an Update cannot say it.
func TestQueueModeIsWritten(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) { c.QueueMode = nil }, func(s *sleeper) {
		a, err := s.dev.Write(context.Background(), "/1/0/7", content.Text, []byte("UQ"))
		changed(t, a, a.Code, coap.Changed, err)
		time.Sleep(time.Second)
		if got := s.server.WaitRegistered("dev").Registration(); !got.QueueMode {
			t.Errorf("the registration is %+v, want queue mode", got)
		}
		s.sleeps()
	})
}

// A device with an hourly report sends nothing between its wakes, and each is a wake.
func TestNothingIsSentWhileAsleep(t *testing.T) {
	inQueueMode(t, func(c *lwm2m.Config) { c.Servers[0].Lifetime = 48 * time.Hour }, func(s *sleeper) {
		if _, _, err := s.dev.Observe(context.Background(), "/3303/0/5700", content.SenMLCBOR, "pmax=3600"); err != nil {
			t.Fatal(err)
		}
		s.sleeps()
		for n := range 24 {
			time.Sleep(time.Hour)
			got := slices.DeleteFunc(s.since(), func(x string) bool { return x == "ACK" })
			if !slices.Equal(got, []string{"POST rd/1", "notification"}) {
				t.Errorf("hour %d: the device sends %q", n, got)
			}
		}
		if off := s.radio.times(); len(off) != 24 {
			t.Errorf("the receiver is turned off %d times, want 24", len(off))
		}
	})
}

func TestQueueModeConfig(t *testing.T) {
	for _, test := range []struct {
		q    lwm2m.QueueMode
		want string
	}{
		{lwm2m.QueueMode{AwakeTime: -1}, "QueueMode.AwakeTime"},
		{lwm2m.QueueMode{Schemes: []string{"coap", "sms"}}, "QueueMode.Schemes[1]"},
		{lwm2m.QueueMode{Servers: []lwm2m.ShortServerID{0}}, "QueueMode.Servers[0]"},
	} {
		_, err := lwm2m.New(lwm2m.Config{Objects: []dm.Object{newDevice(t)}, Logger: quiet(), QueueMode: &test.q})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.q, err)
		}
	}
}
