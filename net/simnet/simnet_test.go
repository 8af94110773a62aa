package simnet_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestPerfectLink(t *testing.T) {
	n := simnet.New(1)
	p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Datagram)
	send(t, p.s, "question")
	far := p.accept(t)
	want(t, far, "question")
	send(t, far, "answer")
	want(t, p.s, "answer")
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		setLink(t, n, simnet.Link{Delay: 70 * time.Millisecond})
		p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Datagram)
		start := time.Now()
		send(t, p.s, "question")
		far := p.accept(t)
		want(t, far, "question")
		if d := time.Since(start); d != 70*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

// arrivals sends numbered datagrams 1 ms apart and returns what arrives, with the times.
func arrivals(t *testing.T, seed uint64, l simnet.Link, count int) []string {
	t.Helper()
	var got []string
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(seed)
		setLink(t, n, l)
		dev, srv := n.NewHost("device"), n.NewHost("server")
		pc, err := srv.ListenPacket(5683)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 100)
			for {
				k, _, err := pc.ReadFrom(buf)
				if err != nil {
					return
				}
				got = append(got, fmt.Sprintf("%s@%v", buf[:k], time.Since(start)))
			}
		}()
		s, err := dev.Dialer().NewSocket(socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 5683}); err != nil {
			t.Fatal(err)
		}
		for i := range count {
			send(t, s, fmt.Sprint(i))
			<-time.After(time.Millisecond)
		}
		<-time.After(time.Minute)
		_ = pc.Close()
		_ = s.Close()
		<-done
	})
	return got
}

func TestChance(t *testing.T) {
	const count = 2000
	number := func(s string) string { n, _, _ := strings.Cut(s, "@"); return n }
	t.Run("loss", func(t *testing.T) {
		if n := len(arrivals(t, 1, simnet.Link{Loss: 0.3}, count)); n < 1300 || n > 1500 {
			t.Errorf("%d of %d arrived with 30 %% loss", n, count)
		}
	})
	t.Run("duplication", func(t *testing.T) {
		if n := len(arrivals(t, 1, simnet.Link{Duplicate: 0.25}, count)); n < 2400 || n > 2600 {
			t.Errorf("%d arrived of %d with 25 %% duplication", n, count)
		}
	})
	t.Run("reordering", func(t *testing.T) {
		got := arrivals(t, 1, simnet.Link{Reorder: 0.1}, count)
		if len(got) != count {
			t.Fatalf("%d arrived of %d", len(got), count)
		}
		moved := 0
		for i, s := range got {
			if number(s) != fmt.Sprint(i) {
				moved++
			}
		}
		if moved < count/2 { // each delayed one moves ten others
			t.Errorf("%d of %d are out of place", moved, count)
		}
	})
	t.Run("repeatable", func(t *testing.T) {
		l := simnet.Link{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.1, Duplicate: 0.1, Reorder: 0.1}
		a, b, c := arrivals(t, 7, l, 200), arrivals(t, 7, l, 200), arrivals(t, 8, l, 200)
		if strings.Join(a, " ") != strings.Join(b, " ") {
			t.Error("two runs with one seed differ")
		}
		if strings.Join(a, " ") == strings.Join(c, " ") {
			t.Error("another seed changes nothing")
		}
	})
}

func TestMTU(t *testing.T) {
	n := simnet.New(1)
	setLink(t, n, simnet.Link{MTU: 1280})
	p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Datagram)
	if m := p.s.InnerMTU(); m != 1280-28 {
		t.Errorf("InnerMTU is %d", m)
	}
	if err := p.s.Send(make([]byte, p.s.InnerMTU())); err != nil {
		t.Errorf("a datagram of InnerMTU: %v", err)
	}
	err := p.s.Send(make([]byte, p.s.InnerMTU()+1))
	var size *socket.SizeError
	if !errors.Is(err, socket.ErrMessageTooLong) || !errors.As(err, &size) || size.Limit != 1252 {
		t.Errorf("one byte more: %v", err)
	}
}

func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		setLink(t, n, simnet.Link{Delay: time.Second})
		p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Datagram)
		send(t, p.s, "on its way when the link breaks")
		n.Cut(p.dev, p.srv)
		send(t, p.s, "sent meanwhile")
		<-time.After(2 * time.Second)
		n.Heal(p.srv, p.dev)
		send(t, p.s, "after")
		want(t, p.accept(t), "after")
		p.srv.SetDown(true)
		send(t, p.s, "nobody there")
		if got, err := recv(p.s, time.Hour); !errors.Is(err, socket.ErrTimeout) {
			t.Errorf("from a host that is down: %q, %v", got, err)
		}
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		setLink(t, n, simnet.Link{Delay: time.Second})
		p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Datagram)
		if err := p.l.Close(); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		send(t, p.s, "anybody?")
		if _, err := recv(p.s, time.Minute); !errors.Is(err, socket.ErrRefused) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		send(t, p.s, "still usable")
	})
}

func TestNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		nat := n.NewNAT()
		nat.SetIdleTimeout(30 * time.Second)
		p := newPair(t, n, nat.NewHost("device"), n.NewHost("server"), socket.Datagram)
		send(t, p.s, "one")
		first := p.accept(t)
		want(t, first, "one")
		shown := socket.Detect(first).Addresses.RemoteAddr()
		if shown == socket.Detect(p.s).Addresses.LocalAddr() {
			t.Error("the server sees the inside address")
		}
		send(t, first, "reply")
		want(t, p.s, "reply")
		send(t, p.s, "two")
		want(t, first, "two") // same mapping

		nat.Rebind()
		send(t, first, "into the void")
		send(t, p.s, "three")
		second := p.accept(t)
		want(t, second, "three")
		if a := socket.Detect(second).Addresses.RemoteAddr(); a == shown {
			t.Errorf("still %v after Rebind", a)
		}
		send(t, second, "reply to three")
		want(t, p.s, "reply to three")

		<-time.After(31 * time.Second)
		send(t, second, "too late")
		if got, err := recv(p.s, time.Minute); !errors.Is(err, socket.ErrTimeout) {
			t.Errorf("through an expired mapping: %q, %v", got, err)
		}
	})
}

func TestFilterAndInject(t *testing.T) {
	n := simnet.New(1)
	p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Datagram)
	var seen []string
	n.SetFilter(func(p simnet.Packet) bool {
		seen = append(seen, string(p.Data))
		return string(p.Data) != "lose me"
	})
	send(t, p.s, "lose me")
	send(t, p.s, "keep me")
	want(t, p.accept(t), "keep me")
	if fmt.Sprint(seen) != "[lose me keep me]" {
		t.Errorf("filter saw %q", seen)
	}
	ends := socket.Detect(p.s).Addresses
	n.Inject(ends.RemoteAddr(), ends.LocalAddr(), []byte("forged"))
	want(t, p.s, "forged")
}

func TestPacketConnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		h := n.NewHost("server")
		pc, err := h.ListenPacket(0)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-time.After(time.Second)
			_ = pc.SetReadDeadline(time.Unix(1, 0)) // wakes the pending read
		}()
		start := time.Now()
		if _, _, err := pc.ReadFrom(nil); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		n.Inject(pc.LocalAddr().(*net.UDPAddr).AddrPort(), pc.LocalAddr().(*net.UDPAddr).AddrPort(), []byte("x"))
		if _, _, err := pc.ReadFrom(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read past its deadline: %v", err)
		}
		_ = pc.Close()
		if _, _, err := pc.ReadFrom(nil); !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestBadLinks(t *testing.T) {
	n := simnet.New(1)
	for _, l := range []simnet.Link{{Loss: 1.1}, {Duplicate: -1}, {Delay: -1}, {MTU: 100}, {MTU: 1 << 17}} {
		if err := n.SetDefaultLink(l); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
}

// A host that moves keeps its open sockets, whose packets are lost in both directions, without an
// error. New sockets use its new address.
func TestMove(t *testing.T) {
	for name, behind := range map[string]bool{"public address": false, "behind a NAT": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(1)
				device := n.NewHost("device")
				if behind {
					device = n.NewNAT().NewHost("device")
				}
				p := newPair(t, n, device, n.NewHost("server"), socket.Datagram)
				send(t, p.s, "one")
				first := p.accept(t)
				want(t, first, "one")
				before := device.Addrs()
				device.Move()
				if after := device.Addrs(); after[0] == before[0] || after[1] == before[1] {
					t.Errorf("the addresses are %v after %v", after, before)
				}
				send(t, p.s, "from an address that is gone")
				send(t, first, "to an address that is gone")
				for _, s := range []socket.Socket{p.s, first} {
					if got, err := recv(s, time.Minute); !errors.Is(err, socket.ErrTimeout) {
						t.Errorf("%q, %v", got, err)
					}
				}
				if err := p.s.Close(); err != nil {
					t.Fatal(err)
				}
				if err := p.s.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 5683}); err != nil {
					t.Fatal(err)
				}
				send(t, p.s, "two")
				want(t, p.accept(t), "two")
			})
		})
	}
}
