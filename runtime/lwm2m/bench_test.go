package lwm2m_test

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// plain is a *net.UDPConn that allocates nothing.
type plain struct {
	*net.UDPConn
	to netip.AddrPort
}

func (p *plain) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.ReadFromUDPAddrPort(b)
	if err == nil {
		p.to = from
	}
	return n, nil, err
}

func (p *plain) WriteTo(b []byte, _ net.Addr) (int, error) { return p.WriteToUDPAddrPort(b, p.to) }

// manual is a client whose loop the benchmark runs, and a server that sends requests to it.
type manual struct {
	tb   testing.TB
	pc   net.PacketConn
	to   net.Addr
	turn func()
	out  []byte
	in   []byte
	mid  uint16
}

// newManual makes a client and registers it with the server behind pc.
func newManual(tb testing.TB, pc net.PacketConn, cfg lwm2m.Config) *manual {
	tb.Helper()
	c, err := lwm2m.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := context.Background()
	m := &manual{tb: tb, pc: pc, in: make([]byte, 2000)}
	m.turn = func() { _ = c.ServeAny(ctx, 0) }
	answering := make(chan struct{})
	go func() {
		defer close(answering)
		m.acceptRegister()
	}()
	begin := time.Now()
	for s, _ := c.Status().Server(1); s.State != lwm2m.StateRegistered; s, _ = c.Status().Server(1) {
		if time.Since(begin) > 30*time.Second {
			tb.Fatalf("the device does not register: %v", s)
		}
		_ = c.ServeAny(ctx, time.Millisecond)
	}
	_ = pc.SetReadDeadline(time.Unix(1, 0))
	<-answering
	tb.Cleanup(func() {
		c.Shutdown()
		for {
			select {
			case <-c.Done():
				return
			default:
				_ = c.ServeAny(ctx, 10*time.Millisecond)
			}
		}
	})
	_ = pc.SetReadDeadline(time.Time{})
	return m
}

// acceptRegister accepts every Register until the read deadline passes.
func (m *manual) acceptRegister() {
	for {
		n, from, err := m.pc.ReadFrom(m.in)
		if err != nil {
			return
		}
		m.to = from
		var r coap.Message
		if r.ParseUDP(m.in[:n]) == nil && r.Code == coap.POST {
			a := coap.Message{Type: coap.Acknowledgement, Code: coap.Created, MessageID: r.MessageID, Token: r.Token}
			a.Options.AddLocationPath("/rd/1")
			m.send(&a)
		}
	}
}

func (m *manual) send(msg *coap.Message) {
	var err error
	if m.out, err = msg.AppendUDP(m.out[:0]); err != nil {
		m.tb.Fatal(err)
	}
	if _, err := m.pc.WriteTo(m.out, m.to); err != nil {
		m.tb.Fatal(err)
	}
}

// exchange sends a non-confirmable request and waits until the client has answered it.
func (m *manual) exchange(msg *coap.Message, want coap.Code) {
	m.mid++
	msg.MessageID = m.mid
	m.send(msg)
	m.turn()
	n, _, err := m.pc.ReadFrom(m.in)
	if err != nil || n < 4 || coap.Code(m.in[1]) != want {
		m.tb.Fatalf("answered %x (%v), want %v", m.in[:n], err, want)
	}
}

func benchConfig(tb testing.TB, uri string, dialers ...socket.Dialer) lwm2m.Config {
	tb.Helper()
	return lwm2m.Config{
		Endpoint: "dev", Dialers: dialers, Logger: quiet(),
		Objects: []dm.Object{etsDevice(tb)},
		Servers: []lwm2m.Server{{URI: uri, Instance: func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount, i.CommunicationRetryTimer = dm.Uint(100), dm.Uint(1)
		}}},
		// Message IDs are soon free again, so that the history stays as it is in steady state. On a
		// busy machine a Register may be too late, and is tried again.
		Transmission: coap.Params{
			AckTimeout: 100 * time.Millisecond, MaxLatency: 50 * time.Millisecond,
			MaxRetransmit: -1, ResponseTimeout: time.Minute,
		},
		ShutdownTimeout: time.Millisecond,
	}
}

func inMemory(tb testing.TB) *manual {
	n := simnet.New(1)
	pc, err := n.NewHost("s").ListenPacket(5683)
	if err != nil {
		tb.Fatal(err)
	}
	return newManual(tb, pc, benchConfig(tb, "coap://s", n.NewHost("device").Dialer()))
}

func overLoopback(tb testing.TB) *manual {
	pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = pc.Close() })
	return newManual(tb, &plain{UDPConn: pc}, benchConfig(tb, "coap://"+pc.LocalAddr().String()))
}

func read(path string, accept ...uint16) *coap.Message {
	m := &coap.Message{Type: coap.NonConfirmable, Code: coap.GET, Token: []byte{1, 2, 3, 4}}
	m.Options.AddPath(path)
	for _, f := range accept {
		m.Options.SetAccept(f)
	}
	return m
}

func writeText(path, text string) *coap.Message {
	m := &coap.Message{Type: coap.NonConfirmable, Code: coap.PUT, Token: []byte{1, 2, 3, 4}, Payload: []byte(text)}
	m.Options.AddPath(path)
	m.Options.SetContentFormat(uint16(content.Text))
	return m
}

// One turn of the whole stack: loop, CoAP, device management, data model, with the network in
// memory or the system's.
func BenchmarkServe(b *testing.B) {
	requests := []struct {
		name string
		msg  *coap.Message
		want coap.Code
	}{
		{"Read", read("/3/0/16"), coap.Content},
		{"ReadDeviceTLV", read("/3/0", uint16(content.TLV)), coap.Content},
		{"ReadDeviceSenMLCBOR", read("/3/0", uint16(content.SenMLCBOR)), coap.Content},
		{"Write", writeText("/3/0/15", "Europe/Berlin"), coap.Changed},
	}
	for _, network := range []struct {
		name string
		make func(testing.TB) *manual
	}{{"memory", inMemory}, {"loopback", overLoopback}} {
		for _, r := range requests {
			b.Run(network.name+"/"+r.name, func(b *testing.B) {
				m := network.make(b)
				b.ReportAllocs()
				for b.Loop() {
					m.exchange(r.msg, r.want)
				}
			})
		}
	}
}

// A Register, from New to the end: what a device costs.
func BenchmarkNew(b *testing.B) {
	cfg := benchConfig(b, "coap://s", simnet.New(1).NewHost("device").Dialer())
	for b.Loop() {
		cfg.Objects = []dm.Object{newDevice(b)}
		if _, err := lwm2m.New(cfg); err != nil {
			b.Fatal(err)
		}
	}
}

// A Read allocates nothing in the whole stack, the system's UDP included.
func TestReadAllocates(t *testing.T) {
	m, q := overLoopback(t), read("/3/0/16")
	for range 3000 { // until every buffer has its final size
		m.exchange(q, coap.Content)
	}
	if got := testing.AllocsPerRun(2000, func() { m.exchange(q, coap.Content) }); got > 0 {
		t.Errorf("a Read allocates %v times", got)
	}
}

// What an idle registered client costs in a process of many, over the system's UDP, on one loop:
// its objects aside, which exist before.
func BenchmarkIdleClient(b *testing.B) {
	const count = 1000
	for b.Loop() {
		idleClients(b, count)
	}
}

func idleClients(b *testing.B, count int) {
	pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		b.Fatal(err)
	}
	defer pc.Close()
	if err := pc.SetReadBuffer(4 << 20); err != nil { // for the Registers of all clients at once
		b.Fatal(err)
	}
	go (&manual{tb: b, pc: &plain{UDPConn: pc}, in: make([]byte, 2000)}).acceptRegister()
	objects := make([]dm.Object, count)
	for i := range objects {
		objects[i] = newDevice(b)
	}
	runtime.GC()
	var before, after runtime.MemStats
	goroutines := runtime.NumGoroutine()
	runtime.ReadMemStats(&before)
	loop, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
	if err != nil {
		b.Fatal(err)
	}
	clients := make([]*lwm2m.Client, count)
	for i := range clients {
		clients[i], err = lwm2m.New(lwm2m.Config{
			Endpoint: "dev", Loop: loop, Logger: quiet(), Objects: objects[i : i+1 : i+1],
			Servers:         []lwm2m.Server{{URI: "coap://" + pc.LocalAddr().String()}},
			ShutdownTimeout: time.Millisecond,
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	registered := func() bool {
		return !slices.ContainsFunc(clients, func(c *lwm2m.Client) bool {
			s, _ := c.Status().Server(1)
			return s.State != lwm2m.StateRegistered
		})
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	for !registered() {
		if err := loop.ServeAny(ctx, time.Millisecond); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(count), "B-heap/client")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(count), "goroutines/client")
	stop()
	if err := loop.Run(ctx); err != nil {
		b.Fatal(err)
	}
}
