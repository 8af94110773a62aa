package lwm2m_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// fleet is a number of devices on one loop, and their server.
type fleet struct {
	t       *testing.T
	net     *simnet.Network
	cloud   *simnet.Host
	server  *lwm2mtest.Server
	loop    *lwm2m.Loop
	clients []*lwm2m.Client
}

// badNetwork is the link between the devices and the server.
var badNetwork = simnet.Link{
	Delay: 50 * time.Millisecond, Jitter: 2 * time.Second, Loss: 0.2, Duplicate: 0.1, Reorder: 0.1,
}

func newFleet(t *testing.T, listen func(socket.Listener) (socket.Listener, error)) *fleet {
	n := simnet.New(7)
	if err := n.SetDefaultLink(badNetwork); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, net: n, cloud: n.NewHost("cloud")}
	l, err := f.cloud.Listen(5683)
	if err == nil {
		l, err = listen(l)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.server = lwm2mtest.NewServer(t, l)
	if f.loop, err = lwm2m.NewLoop(lwm2m.LoopConfig{}); err != nil {
		t.Fatal(err)
	}
	return f
}

// add adds a device.
func (f *fleet) add(server lwm2m.Server, dialers ...socket.Dialer) {
	f.t.Helper()
	server.Lifetime = 5 * time.Minute
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: fmt.Sprintf("dev%d", len(f.clients)), Loop: f.loop, Logger: quiet(),
		Objects: []dm.Object{newDevice(f.t)},
		Servers: []lwm2m.Server{server}, Dialers: dialers,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.clients = append(f.clients, c)
}

// run runs the fleet until stop.
func (f *fleet) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.loop.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Error(err)
		}
	}
}

// settle makes the network reliable, waits for an hour, and checks that every device is registered
// at the location that it knows, and can be read.
func (f *fleet) settle() {
	f.t.Helper()
	if err := f.net.SetDefaultLink(simnet.Link{Delay: 50 * time.Millisecond}); err != nil {
		f.t.Fatal(err)
	}
	<-time.After(time.Hour)
	for i, c := range f.clients {
		s, _ := c.Status().Server(1)
		dev := f.server.WaitRegistered(c.Endpoint())
		if reg := dev.Registration(); !s.State.Registered() || s.Location != reg.Location {
			f.t.Errorf("device %d: %v at %q, the server has it at %q", i, s, s.Location, reg.Location)
		}
		if ans, err := dev.Read(context.Background(), "/3/0/16", content.Text); err != nil || ans.Code != coap.Content {
			f.t.Errorf("device %d: Read: %v, %v", i, ans, err)
		}
	}
}

// count returns how many events of a kind have happened after the first since events.
func (f *fleet) count(kind lwm2mtest.EventKind, since int) (n int) {
	for _, e := range f.server.Events()[since:] {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// A fleet stays registered for a day on a bad network, with one outage for every device.
func TestFleetOnBadNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, func(l socket.Listener) (socket.Listener, error) { return l, nil })
		hosts := make([]*simnet.Host, 40)
		for i := range hosts {
			hosts[i] = f.net.NewHost(fmt.Sprintf("site%d", i))
			f.add(lwm2m.Server{URI: "coap://cloud:5683"}, hosts[i].Dialer())
		}
		defer f.run()()
		<-time.After(time.Hour)
		for _, h := range hosts {
			f.net.Cut(h, f.cloud)
			<-time.After(10 * time.Minute)
			f.net.Heal(h, f.cloud)
			<-time.After(20 * time.Minute)
		}
		f.settle()
	})
}

// A fleet is behind NATs that rebind. With Connection IDs (RFC 9146) the server does not notice.
// Without them every device begins a new session and registers again.
func TestFleetBehindNAT(t *testing.T) {
	const devices, rebinds = 8, 10
	for name, cidLength := range map[string]int{"Connection ID": 8, "none": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				key := []byte("one key for them all")
				f := newFleet(t, func(l socket.Listener) (socket.Listener, error) {
					return dtls.Listen(l, dtls.ServerConfig{ConnectionIDLength: cidLength,
						Key: func([]byte) (socket.Secret, error) { return socket.NewSecret(key), nil }})
				})
				nats := make([]*simnet.NAT, devices)
				for i := range nats {
					nats[i] = f.net.NewNAT()
					site := nats[i].NewHost(fmt.Sprintf("site%d", i))
					f.add(lwm2m.Server{URI: "coaps://cloud:5683", PSK: lwm2m.PSK{Identity: "dev", Key: socket.NewSecret(key)}},
						site.Dialer(), dtls.Dialer{})
				}
				defer f.run()()
				<-time.After(time.Hour)
				since := len(f.server.Events())
				for range rebinds {
					for _, nat := range nats {
						nat.Rebind()
					}
					<-time.After(30 * time.Minute)
				}
				got := f.count(lwm2mtest.Registered, since)
				// The bad network may add or hide a quarter of the registrations.
				if most := devices * rebinds / 4; cidLength > 0 && got > most {
					t.Errorf("%d registrations, want %d at most", got, most)
				}
				if least := devices * rebinds * 3 / 4; cidLength == 0 && got < least {
					t.Errorf("%d registrations, want %d at least: did nothing rebind?", got, least)
				}
				f.settle()
			})
		})
	}
}
