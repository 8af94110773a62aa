package simnet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestNoAllocations(t *testing.T) {
	for name, link := range map[string]simnet.Link{"perfect": {}, "slow": {Delay: time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(1)
			setLink(t, n, link)
			p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Datagram)
			send(t, p.s, "hello")
			far := p.accept(t)
			want(t, far, "hello")
			far.SetRecvDeadline(time.Time{})
			msg, buf := make([]byte, 100), make([]byte, 1500)
			got := testing.AllocsPerRun(200, func() {
				for range 3 {
					_ = p.s.Send(msg)
				}
				for range 3 {
					if _, err := far.Recv(buf); err != nil {
						t.Fatal(err)
					}
				}
			})
			// A timer's function runs in a goroutine, which is mostly one that was used before.
			if got >= 1 {
				t.Errorf("%s link: %v allocations for 3 datagrams", name, got)
			}
		})
	}
}

func BenchmarkDatagram(b *testing.B) {
	n := simnet.New(1)
	dev, srv := n.NewHost("device"), n.NewHost("server")
	l, err := srv.Listen(5683)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	s, err := dev.Dialer().NewSocket(socket.Config{})
	if err == nil {
		err = s.Connect(b.Context(), socket.Endpoint{Host: "server", Port: 5683})
	}
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	msg, buf := make([]byte, 100), make([]byte, 1500)
	_ = s.Send(msg)
	far, err := l.Accept(b.Context())
	if err == nil {
		_, err = far.Recv(buf)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Send(msg)
		_, _ = far.Recv(buf)
	}
}
