package manage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A rig is a device with its Manager, and servers that reach the device over the in-memory network.
// Both ends share one scheduler, which the test runs.
type rig struct {
	t      testing.TB
	s      *sched.Scheduler
	net    *simnet.Network
	device *simnet.Host
	ends   *coap.Endpoint // the device's
	model  *dm.Model
	m      *Manager
	self   *Device // the device itself
	dev    world
	peers  []*remote
	log    strings.Builder
}

// remote is one management server.
type remote struct {
	r    *rig
	id   dm.ShortServerID
	peer *Peer
	conn *coap.Conn // the server's end
	end  *coap.Conn // the device's end
	sock []socket.Socket
	host *simnet.Host
}

// setup holds the options of a rig.
type setup struct {
	servers int
	version registry.Version
	config  func(*Config)
	device  func(*DeviceConfig)
	peer    func(*PeerConfig)
	persist func(context.Context, dm.Committed) error
	world   func(*world)
	conn    func(*coap.ConnConfig)
}

var device12 = setup{servers: 1, version: registry.V(1, 2)}

func newRig(t testing.TB, o setup) *rig {
	t.Helper()
	r := &rig{t: t, s: sched.New(), net: simnet.New(1)}
	r.device = r.net.NewHost("device")
	r.dev.celsius, r.dev.release = 21.5, make(chan struct{})
	r.dev.minimum = func() (float64, error) { return -3.5, nil }
	r.dev.logData = []byte(strings.Repeat("log line\n", 2000))
	if o.world != nil {
		o.world(&r.dev)
	}
	r.model = r.newModel(o)
	var err error
	if r.ends, err = coap.NewEndpoint(coap.Config{Scheduler: r.s, Seed: [32]byte{1}}); err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Sched:  r.s,
		Logger: r.logger(),
	}
	if o.config != nil {
		o.config(&cfg)
	}
	r.m, err = New(cfg)
	r.must(err)
	device := DeviceConfig{Model: r.model, Hidden: []dm.ObjectID{0, 21, 23}}
	if o.device != nil {
		o.device(&device)
	}
	r.self, err = r.m.AddDevice(device)
	r.must(err)
	for i := range o.servers {
		r.addServer(dm.ShortServerID(i+1), o)
	}
	t.Cleanup(func() {
		r.m.Close()
		for _, p := range r.peers {
			p.conn.Close(nil)
			p.end.Close(nil)
			for _, s := range p.sock {
				_ = s.Close()
			}
		}
		r.s.Run()
	})
	return r
}

func (r *rig) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (r *rig) addServer(id dm.ShortServerID, o setup) *remote {
	r.t.Helper()
	p := &remote{r: r, id: id}
	cfg := PeerConfig{ShortServerID: id, Version: o.version}
	if o.peer != nil {
		o.peer(&cfg)
	}
	var err error
	if p.peer, err = r.m.AddPeer(cfg); err != nil {
		r.t.Fatal(err)
	}
	host := r.net.NewHost(fmt.Sprintf("server%d-%d", id, len(r.peers)))
	p.host = host
	p.connect(host, o)
	p.peer.Attach(p.end)
	r.peers = append(r.peers, p)
	return p
}

// connect makes both ends of a connection.
func (p *remote) connect(host *simnet.Host, o setup) {
	t := p.r.t
	t.Helper()
	listener, err := host.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := p.r.device.Dialer().NewSocket(socket.Config{})
	if err == nil {
		err = dialed.Connect(context.Background(), socket.Endpoint{Host: host.String(), Port: listener.Addr().Port()})
	}
	if err == nil {
		err = dialed.Send([]byte{0})
	}
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	remoteEnd, err := coap.NewEndpoint(coap.Config{Scheduler: p.r.s, Seed: [32]byte{byte(p.id), 2}})
	if err != nil {
		t.Fatal(err)
	}
	dialed.SetRecvDeadline(socket.NoWait())
	accepted.SetRecvDeadline(socket.NoWait())
	cfg := coap.ConnConfig{Socket: dialed, Handler: p.peer}
	if o.conn != nil {
		o.conn(&cfg)
	}
	if p.end, err = p.r.ends.NewConn(cfg); err != nil {
		t.Fatal(err)
	}
	if p.conn, err = remoteEnd.NewConn(coap.ConnConfig{Socket: accepted, MaxBody: 4 << 20, Params: coap.Params{NStart: 16}}); err != nil {
		t.Fatal(err)
	}
	p.sock = append(p.sock, dialed, accepted)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// turn handles what has arrived: one round of all connections and the scheduler.
func (r *rig) turn() int {
	n := 0
	for _, p := range r.peers {
		for _, c := range []*coap.Conn{p.end, p.conn} {
			if c.Closed() != nil {
				continue
			}
			got, err := c.Receive(100)
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, socket.ErrRefused) {
				r.t.Fatal(err)
			}
			n += got
		}
	}
	return n + r.s.Run()
}

// until runs both ends until a condition holds, for at most an hour.
func (r *rig) until(cond func() bool) {
	r.t.Helper()
	limit := r.s.Now().Add(time.Hour)
	for !cond() {
		if r.turn() > 0 {
			continue
		}
		if r.s.Now() > limit {
			r.t.Fatal("the condition does not hold within an hour")
		}
		_ = r.s.Sleep(context.Background(), time.Minute)
	}
}

// pass runs both ends for some time.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	end := r.s.Now().Add(d)
	for {
		for r.turn() > 0 {
		}
		left := end.Sub(r.s.Now())
		if left <= 0 {
			return
		}
		_ = r.s.Sleep(context.Background(), left)
	}
}
