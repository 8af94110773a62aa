package coap

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// BenchmarkServeUDP answers Reads over loopback, 64 at a time. Its CPU profile (-cpuprofile) shows
// where the time is spent. The other side is a bare socket.
func BenchmarkServeUDP(b *testing.B) {
	peer, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		b.Fatal(err)
	}
	defer peer.Close()
	sock, err := udp.Dialer{}.NewSocket(socket.Config{})
	if err != nil {
		b.Fatal(err)
	}
	at := peer.LocalAddr().(*net.UDPAddr)
	if err := sock.Connect(context.Background(), socket.Endpoint{Host: "127.0.0.1", Port: uint16(at.Port)}); err != nil {
		b.Fatal(err)
	}
	e, err := coap.NewEndpoint(coap.Config{Scheduler: sched.New()})
	if err != nil {
		b.Fatal(err)
	}
	c, err := e.NewConn(coap.ConnConfig{Socket: sock, Handler: reader{}, Params: coap.Params{MaxLatency: 1, AckTimeout: 1}})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := c.Receive(1); err != nil {
				if !errors.Is(err, socket.ErrClosed) {
					b.Error(err)
				}
				return
			}
		}
	}()
	var o coap.Options
	o.AddPath("/3303/0/5700")
	m := coap.Message{Code: coap.GET, Token: pattern(8), Options: o}
	request, err := m.AppendUDP(nil)
	if err != nil {
		b.Fatal(err)
	}
	to := socket.Detect(sock).Addresses.LocalAddr()
	buf := make([]byte, 2048)
	mid := uint16(0)
	b.ReportAllocs()
	for b.Loop() {
		for range 64 {
			mid++
			binary.BigEndian.PutUint16(request[2:], mid)
			if _, err := peer.WriteToUDPAddrPort(request, to); err != nil {
				b.Fatal(err)
			}
		}
		for range 64 {
			if _, _, err := peer.ReadFromUDPAddrPort(buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := sock.Close(); err != nil {
		b.Error(err)
	}
	<-done
}

type reader struct{}

func (reader) Head(*coap.Request) {}

func (reader) Serve(r *coap.Request) {
	resp := r.Response()
	resp.Code = coap.Content
	resp.Options.SetContentFormat(0)
	resp.Body = append(resp.Body, "22.5"...)
	_ = r.Respond(resp)
}
