//lint:file-ignore SA4006 comments leave out error checks

package docs_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
	"github.com/lwm2mgen/toolkit/runtime/sched"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// The code of package comments. It is compiled and never called.
var _ = []any{
	packageGen, packageDTLS, packageSimnet, packageSocket, packageSocketVPN, packageSockettest, packageTCP, packageTLS,
	packageUDP, packageRegistry, packageOmaxml, packageCoap, packageCodec, packageContent, packageDmtest, packageDm,
	packageLwm2m, packageLoop, packageLwm2mserver, packageLwm2mtest, packageLwm2mtestListener, packageDevice,
	packageServer, packageSched, packageStore,
}

func packageGen(object registry.Object, write func(string, []byte)) {
	defs := []gen.Definition{{File: "3303.xml", Object: object}}
	files, faults := gen.Generate(defs, gen.Options{})
	for _, f := range faults {
		log.Print(f) // a line that says where, what and what to do
	}
	for _, f := range files {
		write(filepath.Join("objects", f.Path), f.Content)
	}
}

func packageDTLS() (*lwm2m.Client, error) {
	client, err := lwm2m.New(lwm2m.Config{
		Dialers: []socket.Dialer{udp.Dialer{}, dtls.Dialer{}}, // serves coap:// and coaps://
	})
	return client, err
}

func packageTCP() (*lwm2m.Client, error) {
	client, err := lwm2m.New(lwm2m.Config{
		Dialers: []socket.Dialer{tcp.Dialer{}}, // serves coap+tcp://
	})
	return client, err
}

func packageTLS() (*lwm2m.Client, error) {
	client, err := lwm2m.New(lwm2m.Config{
		Dialers: []socket.Dialer{tcp.Dialer{}, tls.Dialer{}}, // serves coap+tcp:// and coaps+tcp://
	})
	return client, err
}

func packageUDP() (*lwm2m.Client, error) {
	client, err := lwm2m.New(lwm2m.Config{
		Dialers: []socket.Dialer{udp.Dialer{}}, // serves coap://
	})
	return client, err
}

func packageSimnet() (socket.Listener, socket.Socket, socket.Endpoint, error) {
	n := simnet.New(1)
	device, server := n.NewHost("device"), n.NewHost("server")
	l, err := server.Listen(5683)
	if err != nil {
		return nil, nil, socket.Endpoint{}, err
	}
	s, remote, err := socket.Open([]socket.Dialer{device.Dialer()}, "coap://server", socket.Config{})
	return l, s, remote, err
}

func packageSocket(ctx context.Context, id, key []byte) error {
	dialers := []socket.Dialer{udp.Dialer{}, dtls.Dialer{}}
	s, remote, err := socket.Open(dialers, "coaps://server.example", socket.Config{
		Security: socket.Security{Mode: socket.ModePSK, Identity: id, Key: socket.NewSecret(key)},
	})
	if err != nil {
		return err
	}
	err = s.Connect(ctx, remote)
	return err
}

func packageSocketVPN() []socket.Dialer {
	dialers := []socket.Dialer{socket.NewConnDialer(vpn.DialContext), dtls.Dialer{}}
	return dialers
}

func packageSockettest(t *testing.T) {
	type Dialer = udp.Dialer
	sockettest.Run(t, func(t testing.TB) sockettest.Rig {
		l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return sockettest.Rig{
			Dialer: Dialer{},
			Remote: socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()},
			Peer:   l,
		}
	})
}

func packageRegistry(temp *temperature.Object) {
	def := temp.Definition() // of any dm.Object
	for _, r := range def.Resources {
		fmt.Println(r.ID, r.Name, r.Ops, r.Type, r.Range, r.Units)
	}
}

func packageOmaxml() error {
	data, err := os.ReadFile("3303.xml")
	if err != nil {
		return err
	}
	objects, faults := omaxml.ReadBytes("3303.xml", data)
	for _, fault := range faults {
		fmt.Println(fault) // a warning, or why an object was left out
	}
	_ = objects
	return nil
}

func packageCoap(ctx context.Context, sock socket.Socket, handler coap.Handler) error {
	s := sched.New()
	endpoint, err := coap.NewEndpoint(coap.Config{Scheduler: s})
	if err != nil {
		return err
	}
	conn, err := endpoint.NewConn(coap.ConnConfig{Socket: sock, Handler: handler})
	if err != nil {
		return err
	}
	call := &coap.Call{Code: coap.GET, Done: func(r coap.Result) {
		fmt.Println(r.Code, string(r.Body), r.Err)
	}}
	call.Options.AddPath("/3/0/0")
	err = conn.Do(call)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		sock.SetRecvDeadline(time.Now().Add(s.Wait(time.Minute)))
		if _, err := conn.Receive(1); err != nil {
			return err
		}
		s.Run()
	}
	return nil
}

func packageCodec(definitions content.Schema) error {
	var enc codec.Encoder
	target := content.Target{Base: dm.InstancePath(3303, 0)}
	payload, err := enc.Encode(content.SenMLCBOR, nil, target, []dm.Entry{
		{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(22.5)},
	})

	var dec codec.Decoder
	req := content.Request{Base: dm.InstancePath(3303, 0), Schema: definitions}
	err = dec.Decode(content.SenMLCBOR, payload, req, func(e dm.Entry) error {
		fmt.Println(e.Path, e.Value)
		return nil
	})
	return err
}

func packageContent() error {
	err := content.Check(content.Text, content.Read, dm.InstancePath(3303, 0))
	// /3303/0: plain text cannot carry a Read of this node
	return err
}

func newSetPoint(func()) *setpoint.Object { return nil }
func fakeValve() func()                   { return nil }

func packageDmtest(t *testing.T) {
	obj := newSetPoint(fakeValve()) // with an instance, as your program creates it
	dmtest.Object(t, obj)
}

func packageDm(sensor struct {
	Celsius func(context.Context) (float64, error)
}) error {
	temp, err := temperature.New(temperature.Config{})
	if err != nil {
		return err
	}
	err = temp.Add(0, temperature.Instance{
		SensorValue:     dm.Func(sensor.Celsius), // live: called for each read
		SensorUnits:     dm.Str("Cel"),           // stored
		ApplicationType: dm.Empty[string](),      // no value yet; a server may write one
	})
	return err
}

func packageLwm2m(ctx context.Context, temp *temperature.Object) error {
	dev, err := device.New(device.Config{})
	if err != nil {
		return err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "urn:dev:ops:probe-7",
		Servers:  []lwm2m.Server{{URI: "coap://lwm2m.example.com"}},
		Objects:  []dm.Object{dev, temp}, // of packages that lwm2mgen has made, and others
	})
	if err != nil {
		return err // names every fault of the configuration
	}
	return client.Run(ctx) // de-registers when ctx ends
}

func packageLoop(ctx context.Context, client *lwm2m.Client, timer *time.Timer, events chan int, handle func(int)) {
	for ctx.Err() == nil {
		timer.Reset(client.Sched().Wait(time.Minute))
		select {
		case <-client.Readable():
			_ = client.ServeAny(ctx, 0)
		case <-client.Sched().Woken():
		case e := <-events:
			handle(e)
		case <-timer.C:
		}
		client.Sched().Run()
	}
}

func packageLwm2mserver(ctx context.Context) (lwm2mserver.Answer, error) {
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:5683"))
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
	dev, err := srv.WaitRegistered(ctx, "urn:dev:ops:heater-7")
	ans, err := dev.Read(ctx, "/3303/0/5700", content.SenMLCBOR)
	return ans, err
}

func packageLwm2mtest(ctx context.Context, t *testing.T, device *lwm2m.Client) (lwm2mtest.Answer, error) {
	srv := lwm2mtest.NewServer(t) // coap://127.0.0.1:<port>
	srv.Run(device.Run)           // a client with srv.URI() as its server
	dev := srv.WaitRegistered("urn:dev:ops:heater-7")
	ans, err := dev.Read(ctx, "/3303/0/5700", content.SenMLCBOR)
	return ans, err
}

func packageLwm2mtestListener(t *testing.T, listener socket.Listener) *lwm2mtest.Server {
	srv := lwm2mtest.NewServer(t, listener)
	return srv
}

func packageDevice(board struct {
	ResetAfter func(time.Duration) error
}) error {
	dev, err := device.New(device.Config{
		Instance: device.Instance{Manufacturer: dm.Str("Example"), SerialNumber: dm.Str("4711")},
		Reboot:   func(context.Context) error { return board.ResetAfter(time.Second) },
	})
	if err != nil {
		return err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Objects: []dm.Object{dev},
	})
	_ = client
	return err
}

func packageServer() error {
	srv, err := server.New(server.Config{})
	if err != nil {
		return err
	}
	account := server.Template()
	account.ShortServerID = dm.Int(1)
	account.Lifetime = dm.Int(86400)
	account.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
	account.Binding = dm.Str("U")
	err = srv.Add(0, account)
	return err
}

func packageSched(ctx context.Context) {
	s := sched.New()
	var tick sched.Job
	tick.Func = func() {
		fmt.Println(s.Now())
		s.After(&tick, time.Second)
	}
	s.After(&tick, time.Second)
	for s.Sleep(ctx, time.Minute) == nil {
		s.Run()
	}
}

func packageStore(setPoint, registration []byte, restore func(string, []byte) error) error {
	s, err := store.OpenDir("/var/lib/probe", store.Config{})
	if err != nil {
		return err
	}
	defer s.Close()
	err = s.Apply(
		store.Put("dm/3308/0", setPoint),
		store.Put("reg/101", registration),
		store.Delete("obs/101/7"),
	)
	if err != nil {
		return err
	}
	err = s.Load("dm/", func(name string, value []byte) error {
		return restore(name, value)
	})
	return err
}
