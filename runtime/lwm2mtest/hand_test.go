package lwm2mtest_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// bench is a server and the host of a device on a simulated network.
type bench struct {
	*lwm2mtest.Server
	net    *simnet.Network
	device *simnet.Host
	cloud  *simnet.Host
	// secured says that the server speaks DTLS.
	secured bool
}

// newBench starts a server over UDP, or over DTLS with a pre-shared key.
func newBench(t *testing.T, secured bool, cfg lwm2mserver.Config) *bench {
	t.Helper()
	n := simnet.New(1)
	b := &bench{net: n, device: n.NewHost("device"), cloud: n.NewHost("cloud"), secured: secured}
	l, err := b.cloud.Listen(5683)
	if secured && err == nil {
		l, err = dtls.Listen(l, dtls.ServerConfig{
			Key:                func([]byte) (socket.Secret, error) { return socket.NewSecret([]byte("key")), nil },
			ConnectionIDLength: 6,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners = []socket.Listener{l}
	b.Server = lwm2mtest.NewServerWithConfig(t, cfg)
	return b
}

// handDevice is a device on a simulated network that a test plays message by message.
type handDevice struct {
	t      *testing.T
	server *lwm2mtest.Server
	sock   socket.Socket
	mid    uint16
	// location is where the server has registered the device.
	location string
	// early holds requests of the server that have arrived before they were expected.
	early []coap.Message
}

// newDevice connects a device with a PSK identity, which counts for a secured server.
func (b *bench) newDevice(t *testing.T, identity string) *handDevice {
	t.Helper()
	return b.newDeviceAt(t, b.device, identity)
}

func (b *bench) newDeviceAt(t *testing.T, host *simnet.Host, identity string) *handDevice {
	t.Helper()
	cfg := socket.Config{}
	d := &handDevice{t: t, server: b.Server}
	var dialer socket.Dialer = host.Dialer()
	if b.secured {
		dialer = dtls.Dialer{}
		cfg = socket.Config{
			Below: host.Dialer(), Local: netip.MustParseAddrPort("0.0.0.0:7000"),
			Security: socket.Security{
				Mode: socket.ModePSK, Identity: []byte(identity), Key: socket.NewSecret([]byte("key")),
			},
		}
	}
	var err error
	if d.sock, err = dialer.NewSocket(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.sock.Close() })
	d.connect()
	return d
}

func (d *handDevice) connect() {
	d.t.Helper()
	if err := d.sock.Connect(d.t.Context(), socket.Endpoint{Host: "cloud", Port: 5683}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *handDevice) send(m coap.Message) {
	d.t.Helper()
	b, err := m.AppendUDP(nil)
	if err == nil {
		err = d.sock.Send(b)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// receive returns the next message within a time, if there is one.
func (d *handDevice) receive(within time.Duration) (m coap.Message, ok bool) {
	d.t.Helper()
	if len(d.early) > 0 {
		m, d.early = d.early[0], d.early[1:]
		return m, true
	}
	return d.read(within)
}

func (d *handDevice) read(within time.Duration) (m coap.Message, ok bool) {
	d.t.Helper()
	b := make([]byte, 2000)
	d.sock.SetRecvDeadline(time.Now().Add(within))
	n, err := d.sock.Recv(b)
	if errors.Is(err, socket.ErrTimeout) {
		return m, false
	}
	if err == nil {
		err = m.ParseUDP(b[:n])
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return m, true
}

// request sends a request and returns the response, or a zero code if none comes within 5 s.
func (d *handDevice) request(code coap.Code, path, payload string, query ...string) coap.Message {
	d.t.Helper()
	d.mid++
	m := coap.Message{
		Type: coap.Confirmable, Code: code, MessageID: d.mid, Token: []byte{byte(d.mid)}, Payload: []byte(payload),
	}
	m.Options.AddPath(path)
	if payload != "" {
		f := content.Link
		if path == "/dp" {
			f = content.SenMLJSON
		}
		m.Options.SetContentFormat(uint16(f))
	}
	for _, q := range query {
		m.Options.AddString(coap.OptionURIQuery, q)
	}
	d.send(m)
	for end := time.Now().Add(5 * time.Second); ; {
		resp, ok := d.read(time.Until(end))
		if !ok {
			return coap.Message{}
		}
		if slices.Equal(resp.Token, m.Token) {
			if resp.Type == coap.Confirmable {
				d.send(coap.Message{Type: coap.Acknowledgement, MessageID: resp.MessageID})
			}
			return resp
		}
		if resp.Code != 0 {
			d.early = append(d.early, resp)
		}
	}
}

// register registers the device and fails the test if the server refuses.
func (d *handDevice) register(query ...string) {
	d.t.Helper()
	m := d.request(coap.POST, "/rd", "</3/0>", query...)
	if m.Code != coap.Created {
		d.t.Fatalf("Register: %v", m.Code)
	}
	d.location = string(m.Options.AppendLocationPath(nil))
}

// update sends an Update and returns the code of the response.
func (d *handDevice) update(query ...string) coap.Code {
	d.t.Helper()
	return d.request(coap.POST, d.location, "", query...).Code
}

// requireRequest returns the request of the server that comes within 5 s.
func (d *handDevice) requireRequest(code coap.Code, path string) coap.Message {
	d.t.Helper()
	m, ok := d.receive(5 * time.Second)
	if !ok || m.Code != code || string(m.Options.AppendPath(nil)) != path {
		d.t.Fatalf("the server sent %v %v %s (%v), want %v %s", m.Type, m.Code, m.Options.AppendPath(nil), ok, code, path)
	}
	return m
}

// requireSilence fails the test if the server sends something within a time.
func (d *handDevice) requireSilence(within time.Duration) {
	d.t.Helper()
	if m, ok := d.receive(within); ok {
		d.t.Errorf("the server sent %v %v %s, want nothing", m.Type, m.Code, m.Options.AppendPath(nil))
	}
}

// answer answers a request of the server by text.
func (d *handDevice) answer(r coap.Message, text string) {
	d.t.Helper()
	m := coap.Message{
		Type: coap.Acknowledgement, Code: coap.Content, MessageID: r.MessageID, Token: r.Token, Payload: []byte(text),
	}
	if observe, ok := r.Options.Uint(coap.OptionObserve); ok && observe == 0 {
		m.Options.SetUint(coap.OptionObserve, 1)
	}
	m.Options.SetContentFormat(uint16(content.Text))
	d.send(m)
}

// notify sends a notification and returns the type of the server's message, if there is one.
func (d *handDevice) notify(token []byte, seq uint32, text string) coap.Type {
	d.t.Helper()
	d.mid++
	m := coap.Message{Type: coap.Confirmable, Code: coap.Content, MessageID: d.mid, Token: token, Payload: []byte(text)}
	m.Options.SetUint(coap.OptionObserve, seq)
	m.Options.SetContentFormat(uint16(content.Text))
	d.send(m)
	resp, ok := d.read(5 * time.Second)
	if !ok || resp.MessageID != m.MessageID {
		d.t.Fatalf("the server sent %v to a notification (%v)", resp, ok)
	}
	return resp.Type
}

// outcome is what a request of the server has come to.
type outcome struct {
	answer lwm2mtest.Answer
	err    error
}

// read reads from the device in a goroutine of its own.
func read(t *testing.T, dev *lwm2mtest.Client, path string) <-chan outcome {
	t.Helper()
	done := make(chan outcome, 1)
	go func() {
		a, err := dev.Read(t.Context(), path, content.Text)
		done <- outcome{a, err}
	}()
	return done
}
