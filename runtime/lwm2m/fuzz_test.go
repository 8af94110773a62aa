package lwm2m_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// datagram encodes a message.
func datagram(tb testing.TB, m coap.Message) []byte {
	tb.Helper()
	b, err := m.AppendUDP(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func operation(tb testing.TB, code coap.Code, path string, format int, body string) []byte {
	m := coap.Message{Type: coap.Confirmable, Code: code, MessageID: 7, Token: []byte{1}, Payload: []byte(body)}
	m.Options.AddPath(path)
	if format >= 0 {
		m.Options.SetContentFormat(uint16(format))
	}
	return datagram(tb, m)
}

// FuzzServer runs a client against a server that sends two arbitrary datagrams, as responses to
// Register and Update and unasked. The loop continues, and the client can be shut down.
func FuzzServer(f *testing.F) {
	f.Add([]byte{}, []byte{}, true)
	for _, d := range [][]byte{
		operation(f, coap.GET, "/3/0", -1, ""), operation(f, coap.GET, "/0", -1, ""),
		operation(f, coap.PUT, "/1/0/1", 0, "20"),
		operation(f, coap.POST, "/1/0/4", -1, ""), operation(f, coap.POST, "/1/0/8", -1, ""),
		operation(f, coap.POST, "/1/0/9", -1, ""),
		operation(f, coap.POST, "/1/0", 0, ""), operation(f, coap.DELETE, "/1/0", -1, ""),
		operation(f, coap.POST, "/bs", -1, ""),
		operation(f, coap.PUT, "/1/0/7", 0, "T"), operation(f, coap.PUT, "/1/0/18", 0, "0"),
		operation(f, coap.PUT, "/1/0/22", 0, "X"),
		datagram(f, coap.Message{Type: coap.Acknowledgement, Code: coap.PreconditionFailed, MessageID: 1}),
		datagram(f, coap.Message{Type: coap.Reset, MessageID: 1}),
		{0x40, 0, 0, 1}, {0xff}, {0x48, 2},
	} {
		f.Add(d, operation(f, coap.GET, "/3/0/16", -1, ""), false)
		f.Add(operation(f, coap.POST, "/1/0/8", -1, ""), d, true)
	}
	f.Fuzz(func(t *testing.T, first, second []byte, answering bool) {
		if len(first) > 1200 || len(second) > 1200 {
			return
		}
		synctest.Test(t, func(t *testing.T) { fuzzServer(t, first, second, answering) })
	})
}

func fuzzServer(t *testing.T, first, second []byte, answering bool) {
	n := simnet.New(1)
	pc, err := n.NewHost("s").ListenPacket(5683)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close() // the test does not depend on it
	c := fuzzedClient(t, n.NewHost("device"))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	buf := make([]byte, 2000)
	var from net.Addr
	for _, d := range [][]byte{first, second, first} {
		// Requests of the device get a correct response, or the fuzzer's message with the right
		// message ID and token.
		_ = pc.SetReadDeadline(time.Now().Add(2 * time.Minute))
		size, addr, err := pc.ReadFrom(buf)
		if err == nil {
			from = addr
			if _, err := pc.WriteTo(fuzzAnswer(t, buf[:size], d, answering), from); err != nil {
				t.Fatal(err)
			}
		}
		if from != nil {
			_, _ = pc.WriteTo(d, from) // refused when the device has closed its socket
		}
		synctest.Wait()
	}
	alive := make(chan struct{})
	c.Sched().Post(func() { close(alive) })
	select {
	case <-alive:
	case <-time.After(time.Hour):
		t.Error("the loop has stopped")
	}
	_ = c.Status().String()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// fuzzAnswer returns the response to a request of the device.
func fuzzAnswer(t *testing.T, request, d []byte, well bool) []byte {
	var m, a coap.Message
	if m.ParseUDP(request) != nil || m.Type != coap.Confirmable || !m.Code.IsRequest() {
		return d
	}
	if well || a.ParseUDP(d) != nil {
		a = coap.Message{Code: coap.Created}
		a.Options.AddLocationPath("/rd/1")
		if len(m.Payload) == 0 {
			a.Code = coap.Changed
		}
	}
	a.Type, a.MessageID, a.Token = coap.Acknowledgement, m.MessageID, m.Token
	b, err := a.AppendUDP(nil)
	if err != nil {
		return d
	}
	return b
}

func fuzzedClient(t *testing.T, host *simnet.Host) *lwm2m.Client {
	t.Helper()
	dev, err := device.New(device.Config{Reboot: func(context.Context) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	temp, err := temperature.New(temperature.Config{Template: temperature.Instance{SensorValue: dm.Float(0)}})
	if err != nil {
		t.Fatal(err)
	}
	err = temp.Add(0, temperature.Instance{SensorValue: dm.Float(20), ApplicationType: dm.Str("boiler")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://s", Lifetime: time.Minute}}, Logger: quiet(),
		Dialers: []socket.Dialer{host.Dialer()}, Objects: []dm.Object{dev, temp, firmware(t)},
	})
	if err != nil {
		t.Fatal(fmt.Errorf("New: %w", err))
	}
	return c
}
