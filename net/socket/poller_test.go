package socket_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func udpListener(t testing.TB) socket.Listener {
	t.Helper()
	l, err := udp.Listen(loopback)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func endpointOf(a netip.AddrPort) socket.Endpoint {
	return socket.Endpoint{Host: a.Addr().String(), Port: a.Port()}
}

// wrapping is a dialer whose sockets a Poller has wrapped.
type wrapping struct {
	socket.Dialer
	poller *socket.Poller
}

func (w wrapping) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := w.Dialer.NewSocket(c)
	if err != nil {
		return nil, err
	}
	return w.poller.Wrap(s)
}

// TestWrappedSocketsConform runs the whole kit on the sockets that Wrap returns: over a descriptor
// group, and over a goroutine that reads ahead.
func TestWrappedSocketsConform(t *testing.T) {
	stream := func(t testing.TB) socket.Listener {
		l, err := tcp.Listen(loopback)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	for name, c := range map[string]struct {
		dialer socket.Dialer
		listen func(t testing.TB) socket.Listener
	}{
		"udp/watched":        {udp.Dialer{}, udpListener},
		"udp/received ahead": {noHandle{udp.Dialer{}}, udpListener},
		"tcp/received ahead": {noHandle{tcp.Dialer{}}, stream},
	} {
		t.Run(name, func(t *testing.T) {
			sockettest.Run(t, func(t testing.TB) sockettest.Rig {
				leaktest.Check(t)
				p := new(socket.Poller)
				t.Cleanup(func() { _ = p.Close() })
				l := c.listen(t)
				return sockettest.Rig{Dialer: wrapping{c.dialer, p}, Remote: endpointOf(l.Addr()), Peer: l}
			})
		})
	}
}

// noHandle makes sockets without a descriptor, with all other abilities.
type noHandle struct{ socket.Dialer }

func (d noHandle) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	if err != nil {
		return nil, err
	}
	a := socket.Detect(s)
	a.Handle = nil
	return hiding{s, a}, nil
}

type hiding struct {
	socket.Socket
	able socket.Abilities
}

func (h hiding) Abilities() socket.Abilities { return h.able }

func TestWrapKeepsWhoNotifies(t *testing.T) {
	s, err := simnet.New(1).NewHost("a").Dialer().NewSocket(socket.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var p socket.Poller
	if w, err := p.Wrap(s); err != nil || w != s {
		t.Errorf("a Notifier was wrapped: %v, %v", w, err)
	}
}

// TestPollerOfMany: one poller reports which of many sockets have data.
func TestPollerOfMany(t *testing.T) {
	leaktest.Check(t)
	var p socket.Poller
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	l := udpListener(t)
	const count = 100
	var mu sync.Mutex
	ready := make(map[int]bool)
	wake := make(chan struct{}, 1)
	socks, peers := make([]socket.Socket, count), make([]socket.Socket, count)
	for i := range count {
		s, err := wrapping{udp.Dialer{}, &p}.NewSocket(socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		s.SetRecvDeadline(socket.NoWait())
		if err := s.Connect(t.Context(), endpointOf(l.Addr())); err != nil {
			t.Fatal(err)
		}
		if err := s.Send([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if peers[i], err = l.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		socks[i] = s
		socket.Detect(s).Notifier.NotifyReadable(func() {
			mu.Lock()
			ready[i] = true
			mu.Unlock()
			select {
			case wake <- struct{}{}:
			default:
			}
		})
	}
	got := make(map[string]int)
	for i, peer := range peers {
		for range 3 {
			if err := peer.Send(fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	buf := make([]byte, 100)
	for total := 0; total < 3*count; {
		select {
		case <-wake:
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d datagrams after 10 s", total, 3*count)
		}
		mu.Lock()
		now := ready
		ready = make(map[int]bool)
		mu.Unlock()
		for i := range now {
			for {
				n, err := socks[i].Recv(buf)
				if errors.Is(err, socket.ErrTimeout) {
					break
				}
				if err != nil || string(buf[:n]) != fmt.Sprint(i) {
					t.Fatalf("socket %d: %q, %v", i, buf[:n], err)
				}
				got[string(buf[:n])]++
				total++
			}
		}
	}
	for i := range count {
		if n := got[fmt.Sprint(i)]; n != 3 {
			t.Errorf("socket %d got %d datagrams, want 3", i, n)
		}
	}
}

func TestClosedPoller(t *testing.T) {
	leaktest.Check(t)
	var p socket.Poller
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := wrapping{udp.Dialer{}, &p}.NewSocket(socket.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if socket.Detect(s).Handle == nil {
		t.Skip("descriptors cannot be watched here")
	}
	if err := s.Connect(t.Context(), endpointOf(udpListener(t).Addr())); !errors.Is(err, socket.ErrClosed) || s.State() != socket.StateClosed {
		t.Errorf("Connect with a closed Poller: %v, state %v", err, s.State())
	}
}
