//go:build linux

package main

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/udp"
)

func TestConformance(t *testing.T) {
	for name, at := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		t.Run(name, func(t *testing.T) {
			sockettest.Run(t, func(t testing.TB) sockettest.Rig {
				l, gone, second := listen(t, at), listen(t, at), listen(t, at)
				taken, err := net.ListenPacket("udp", at)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = taken.Close() })
				unused := gone.Addr().Port()
				if err := gone.Close(); err != nil {
					t.Fatal(err)
				}
				host := l.Addr().Addr().String()
				return sockettest.Rig{
					Dialer:  Dialer{},
					Remote:  socket.Endpoint{Host: host, Port: l.Addr().Port()},
					Peer:    l,
					Unused:  socket.Endpoint{Host: host, Port: unused},
					Unknown: "nobody..invalid",

					SecondRemote: socket.Endpoint{Host: host, Port: second.Addr().Port()},
					SecondPeer:   second,
					Taken:        taken.LocalAddr().(*net.UDPAddr).AddrPort(),
					Stranger: func(to netip.AddrPort, datagram []byte) error {
						c, err := net.Dial("udp", to.String())
						if err != nil {
							return err
						}
						defer c.Close()
						_, err = c.Write(datagram)
						return err
					},
				}
			})
		})
	}
}

func listen(t testing.TB, at string) socket.Listener {
	t.Helper()
	l, err := udp.Listen(netip.MustParseAddrPort(at))
	if err != nil {
		t.Skipf("no such loopback here: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "answer: 70 00 12 34\n" {
		t.Errorf("it printed %q", got)
	}
}

// TestConnectBesideClose: a Recv that Close has woken does not continue with the connection that
// another goroutine makes at the same time.
func TestConnectBesideClose(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	at := socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()}
	s, err := Dialer{}.NewSocket(socket.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	connect := func() {
		for { // until Close has begun
			switch err := s.Connect(t.Context(), at); {
			case err == nil:
				return
			case !errors.Is(err, socket.ErrConnected):
				t.Fatal(err)
			}
			runtime.Gosched()
		}
	}
	for i := range 100 {
		connect()
		received, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := s.Recv(make([]byte, 10))
			received <- err
		}()
		for using := &s.(*conn).using; using.TryLock(); { // until Recv holds it
			using.Unlock()
			runtime.Gosched()
		}
		go func() { closed <- s.Close() }()
		connect()
		for _, c := range []chan error{closed, received} {
			select {
			case err := <-c:
				if err != nil && !errors.Is(err, socket.ErrClosed) {
					t.Fatalf("round %d: %v", i, err)
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("round %d: Close or Recv hangs", i)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
