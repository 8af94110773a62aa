package lwm2m_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// moveSetting is the network of a device and its server. The zero value means CoAP over UDP
// without a NAT, and a lifetime of a day.
type moveSetting struct {
	scheme   string // of the URI; empty means coap
	cid      bool   // the server has Connection IDs
	nat      bool   // the device is behind a NAT
	con      bool   // notifications are confirmable
	lifetime time.Duration
	change   func(*lwm2m.Config)
	broken   *atomic.Bool // see withBrokenSend
	random   bool         // the time until the server knows the device again is random
}

// moving is a registered device whose temperature the server observes.
type moving struct {
	t        *testing.T
	setting  moveSetting
	net      *simnet.Network
	nat      *simnet.NAT
	device   *simnet.Host
	host     *simnet.Host // of the server
	server   *lwm2mtest.Server
	client   *lwm2m.Client
	temp     *temperature.Object
	observed *lwm2mserver.Observation
	sent     <-chan lwm2m.SendOutcome // of the Send of the outage
	events   int                      // how many events of the server have been looked at
	requests int                      // and how many requests
	stop     func() error
	last     atomic.Pointer[acceptedSocket] // of the server
}

type acceptedSocket struct{ socket.Socket }

// noting is a listener of which moving knows the last connection.
type noting struct {
	socket.Listener
	m *moving
}

func (l noting) Accept(ctx context.Context) (socket.Socket, error) {
	s, err := l.Listener.Accept(ctx)
	if err == nil {
		l.m.last.Store(&acceptedSocket{s})
	}
	return s, err
}

// forgetting is a noting listener that can lose its sessions, see lwm2mserver.Server.Restart.
type forgetting struct{ noting }

func (l forgetting) ForgetSessions() { l.Listener.(interface{ ForgetSessions() }).ForgetSessions() }

// onMoving runs fn in virtual time on a registered device whose temperature is observed.
func onMoving(t *testing.T, c moveSetting, fn func(m *moving)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &moving{t: t, setting: c, net: simnet.New(1)}
		m.host = m.net.NewHost("server")
		m.device = m.net.NewHost("device")
		if c.nat {
			m.nat = m.net.NewNAT()
			m.device = m.nat.NewHost("device")
		}
		m.serve()
		m.start()
		defer func() { must(t, m.stop()) }()
		m.observe()
		fn(m)
	})
}

// serve starts a server on the host of the server.
func (m *moving) serve() {
	m.t.Helper()
	var l socket.Listener
	var err error
	switch m.setting.scheme {
	case "coap+tcp":
		l, err = m.host.ListenStream(5683)
	case "coaps":
		var below socket.Listener
		below, err = m.host.Listen(5684)
		must(m.t, err)
		cfg := withKey("key")
		if m.setting.cid {
			cfg.ConnectionIDLength = 4
		}
		l, err = dtls.Listen(below, cfg)
	default:
		l, err = m.host.Listen(5683)
	}
	must(m.t, err)
	l = noting{l, m}
	if m.setting.scheme == "coaps" {
		l = forgetting{noting{l.(noting).Listener, m}}
	}
	m.server = lwm2mtest.NewServer(m.t, l)
	m.events, m.requests = 0, 0
}

// start starts the device and waits until it is registered.
func (m *moving) start() {
	m.t.Helper()
	m.temp = newSensor(m.t, 0)
	scheme := m.setting.scheme
	if scheme == "" {
		scheme = "coap"
	}
	account := lwm2m.Server{URI: scheme + "://server", Lifetime: 24 * time.Hour}
	if m.setting.lifetime > 0 {
		account.Lifetime = m.setting.lifetime
	}
	if scheme == "coaps" {
		account.PSK = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("key"))}
	}
	cfg := lwm2m.Config{
		Endpoint: "dev", Objects: []dm.Object{etsDevice(m.t), m.temp}, Servers: []lwm2m.Server{account}, Logger: quiet(),
		Dialers: []socket.Dialer{m.device.Dialer(), m.device.StreamDialer(), dtls.Dialer{}},
	}
	if m.setting.change != nil {
		m.setting.change(&cfg)
	}
	var err error
	m.client, err = lwm2m.New(cfg)
	must(m.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.client.Run(ctx) }()
	m.stop = func() error { stop(); return <-ended }
}

// observe waits until the device is registered, and observes its temperature.
func (m *moving) observe() {
	m.t.Helper()
	dev := m.server.WaitRegistered("dev")
	var query []string
	if m.setting.con {
		query = []string{"con=1"}
	}
	var err error
	m.observed, _, err = dev.Observe(context.Background(), "/3303/0/5700", content.SenMLCBOR, query...)
	must(m.t, err)
	<-time.After(10 * time.Minute)
	synctest.Wait()
	m.events, m.requests = len(m.server.Events()), len(m.server.Requests())
}

// measures changes the temperature, which notifies the server.
func (m *moving) measures(v float64) {
	m.t.Helper()
	must(m.t, m.temp.Update(context.Background(), 0, func(i *temperature.Instance) error {
		i.SensorValue.Set(v)
		return nil
	}))
}

// arrives reports whether the observation gets a value within a minute.
func (m *moving) arrives(v float64) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		a, err := m.observed.Next(ctx)
		if err != nil {
			return false
		}
		entries, err := a.Entries()
		must(m.t, err)
		for _, e := range entries {
			if e.Value.Float() == v {
				return true
			}
		}
	}
}

// sends starts a Send that waits while the server cannot be reached.
func (m *moving) sends() {
	m.t.Helper()
	b := &lwm2m.Batch{Defer: true}
	b.Add(sensorValue)
	outcome := make(chan lwm2m.SendOutcome, 1)
	must(m.t, m.client.StartSend(1, b, func(r lwm2m.SendResult, _ error) { outcome <- r.Outcome }))
	m.sent = outcome
}

// again waits until the server has confirmed a Register or an Update, and returns which, and when.
func (m *moving) again() (lwm2mserver.EventKind, time.Time) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Hour)
	defer cancel()
	e, next, err := m.server.Server.WaitEvent(ctx, m.events, func(e lwm2mserver.Event) bool {
		return e.Kind == lwm2mserver.Registered || e.Kind == lwm2mserver.Updated
	})
	if err != nil {
		s, _ := m.client.Status().Server(1)
		m.t.Fatalf("the device does not come back: %v; %v", err, s)
	}
	m.events = next
	return e.Kind, e.Time
}

// status returns the status of the account.
func (m *moving) status() lwm2m.ServerStatus {
	synctest.Wait()
	s, _ := m.client.Status().Server(1)
	return s
}

// sleeps lets the clock of the device jump, as after a suspension of its host.
func (m *moving) sleeps(d time.Duration) {
	m.client.Sched().Post(func() { m.client.Sched().Leap(d) })
	synctest.Wait()
}
