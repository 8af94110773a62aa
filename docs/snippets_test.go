//lint:file-ignore SA4006 pages leave out error checks

package docs_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// These functions are compiled and never called.
var _ = []any{
	runBoiler, runClient, runParts, newWithAccounts, newOverVPN, newOverModem, newWithStatus, impatientAccount,
	testPort, runEngine, continueConn, encode, decode, encodeLinks, addFunctions, (*modemSocket).onReceived, (*modemSocket).Recv,
}

// adc, bus, vpn and muxnet stand in for packages of a device maker.
var (
	adc struct {
		Celsius func(context.Context) (float64, error)
	}
	bus struct {
		Celsius func(context.Context) (float64, error)
		Reset   func() error
	}
	vpn    net.Dialer
	muxnet struct {
		New func(port io.ReadWriter) muxLine
	}
)

type muxLine interface {
	Dial(ctx context.Context, network, address string) (io.ReadWriteCloser, error)
}

func runBoiler(ctx context.Context, key []byte, dev *device.Device, plausible, apply func(context.Context, *temperature.Tx) error) error {
	temp, err := temperature.New(temperature.Config{
		Hooks: temperature.Hooks{Validate: plausible, Commit: apply},
	})
	err = temp.Add(0, temperature.Instance{
		SensorValue:     dm.Func(adc.Celsius),
		SensorUnits:     dm.Str("Cel"),
		ApplicationType: dm.Str("boiler"),
	})
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "urn:dev:ops:boiler-7",
		Servers: []lwm2m.Server{{
			URI: "coaps://lwm2m.example.com",
			PSK: lwm2m.PSK{Identity: "boiler-7", Key: socket.NewSecret(key)},
		}},
		Dialers: []socket.Dialer{udp.Dialer{}, dtls.Dialer{}},
		Objects: []dm.Object{dev, temp},
	})
	err = client.Run(ctx)
	return err
}

func runClient(ctx context.Context, client *lwm2m.Client) error {
	err := client.Run(ctx)
	return err
}

func runParts(serving context.Context, client *lwm2m.Client, timer *time.Timer, events chan int, handle func(int), stop <-chan struct{}) error {
	for {
		timer.Reset(client.Sched().Wait(time.Minute))
		select {
		case <-client.Readable():
			_ = client.ServeAny(serving, 0)
		case <-client.Sched().Woken():
		case <-timer.C:
		case e := <-events:
			handle(e)
		case <-stop:
			stop = nil
			client.Shutdown()
		case <-client.Done():
			return nil
		}
		client.Sched().Run()
	}
}

func newWithAccounts(dev dm.Object) (*lwm2m.Client, error) {
	sec, err := security.New(security.Config{})
	srv, err := server.New(server.Config{})
	client, err := lwm2m.New(lwm2m.Config{Objects: []dm.Object{sec, srv, dev}})
	return client, err
}

func newWithStatus(dev, temp dm.Object) (*lwm2m.Client, error) {
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "urn:dev:ops:boiler-7",
		Servers:  []lwm2m.Server{{URI: "coap://lwm2m.example.com", Lifetime: time.Hour}},
		Objects:  []dm.Object{dev, temp},
		OnStatus: func(s lwm2m.ServerStatus) { log.Println(s) },
	})
	return client, err
}

func impatientAccount(uri string) lwm2m.Server {
	account := lwm2m.Server{URI: uri, Instance: func(i *lwm2m.ServerInstance) {
		i.CommunicationRetryTimer = dm.Uint(5)           // 5, 10, 20, 40 s
		i.CommunicationSequenceDelayTimer = dm.Uint(120) // and again two minutes later
	}}
	return account
}

func newOverVPN(servers []lwm2m.Server, dev *device.Device) (*lwm2m.Client, error) {
	client, err := lwm2m.New(lwm2m.Config{
		Dialers: []socket.Dialer{socket.NewConnDialer(vpn.DialContext), dtls.Dialer{}, tls.Dialer{}},
		Servers: servers,
		Objects: []dm.Object{dev},
	})
	return client, err
}

func newOverModem(servers []lwm2m.Server, dev *device.Device, serial io.ReadWriter) (*lwm2m.Client, error) {
	line := muxnet.New(serial) // an open device, such as *os.File
	client, err := lwm2m.New(lwm2m.Config{
		Dialers: []socket.Dialer{socket.NewConnDialer(line.Dial, "coap"), dtls.Dialer{}},
		Servers: servers,
		Objects: []dm.Object{dev},
	})
	return client, err
}

type modemSocket struct{ inbox socket.Inbox }

func (m *modemSocket) Recv(p []byte) (int, error)  { return m.inbox.Recv(p) }
func (m *modemSocket) SetRecvDeadline(t time.Time) { m.inbox.SetRecvDeadline(t) }
func (m *modemSocket) NotifyReadable(ready func()) { m.inbox.NotifyReadable(ready) }
func (m *modemSocket) onReceived(datagram []byte)  { m.inbox.Put(datagram) }

func testPort(t *testing.T, line muxLine) {
	sockettest.Run(t, func(t testing.TB) sockettest.Rig {
		l, err := udp.Listen(netip.MustParseAddrPort("192.0.2.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		return sockettest.Rig{
			Dialer: socket.NewConnDialer(line.Dial, "coap"),
			Remote: socket.Endpoint{Host: "192.0.2.1", Port: l.Addr().Port()},
			Peer:   l,
		}
	})
}

func runEngine(sock socket.Socket, h coap.Handler, done func(coap.Result)) (err error) {
	s := sched.New()
	e, err := coap.NewEndpoint(coap.Config{Scheduler: s})
	c, err := e.NewConn(coap.ConnConfig{Socket: sock, Handler: h})

	call := &coap.Call{Code: coap.GET, Done: done}
	call.Options.AddPath("/3/0")
	err = c.Do(call)

	for {
		sock.SetRecvDeadline(time.Now().Add(s.Wait(time.Minute)))
		if _, err := c.Receive(1); err != nil {
			return err
		}
		s.Run()
	}
}

func continueConn(e *coap.Endpoint, c *coap.Conn, sock socket.Socket, h coap.Handler) (_ *coap.Conn, err error) {
	saved := c.Save()
	c.Close(nil)
	c, err = e.NewConn(coap.ConnConfig{Socket: sock, Handler: h, Saved: saved})
	return c, err
}

func encode(ctx context.Context, model *dm.Model, who dm.Origin, path dm.Path, buf []byte) ([]byte, error) {
	var enc codec.Encoder
	yield := dm.Yield(enc.Value)

	err := enc.Begin(content.SenMLCBOR, buf[:0], content.Target{Base: path})
	err = model.Snapshot().Read(ctx, who, path, yield)
	payload, err := enc.Finish()
	return payload, err
}

func decode(model *dm.Model, path dm.Path, payload []byte) (entries []dm.Entry, err error) {
	var dec codec.Decoder
	req := content.Request{Base: path, Schema: model.Snapshot().Definition}
	err = dec.Decode(content.TLV, payload, req, func(e dm.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

func encodeLinks(buf []byte) ([]byte, error) {
	var e corelink.Encoder
	e.Begin(buf[:0], "")
	e.Root(content.SenMLCBOR, content.TLV)
	e.Link(dm.ObjectPath(3303))
	e.Version("ver", registry.V(1, 1))
	e.Link(dm.InstancePath(3303, 0))
	list, err := e.Finish()
	return list, err
}

func addFunctions(client *lwm2m.Client, temp *temperature.Object) (err error) {
	err = temp.Add(0, temperature.Instance{
		SensorValue: dm.Slow(bus.Celsius),
		ResetMinAndMaxMeasuredValues: func(_ context.Context, args dm.Args) error {
			if args.Len() > 0 {
				return dm.Errorf(dm.BadRequest, "there is nothing to choose")
			}
			return bus.Reset()
		},
	})
	client.Notify(dm.ResourcePath(3303, 0, temperature.SensorValueID))
	return err
}
