package dtls

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// acceptAll accepts connections and echoes what they receive, until the end of the test.
func acceptAll(t *testing.T, l *listener) {
	t.Helper()
	go func() {
		for {
			s, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 2000)
				for {
					n, err := s.Recv(buf)
					if err != nil || s.Send(buf[:n]) != nil {
						_ = s.Close()
						return
					}
				}
			}()
		}
	}()
}

// fromPort returns a socket that always has the same local port.
func fromPort(t *testing.T, device *simnet.Host) *conn {
	t.Helper()
	sec := pskSecurity()
	sec.NoConnectionID = true
	s, err := Dialer{}.NewSocket(socket.Config{
		Security: sec, Below: device.Dialer(), Local: netip.AddrPortFrom(device.Addrs()[0], 40000),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*conn)
}

// connectsWithin fails unless a socket connects within d and data passes.
func connectsWithin(t *testing.T, s *conn, to socket.Endpoint, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	start := time.Now()
	if err := s.Connect(ctx, to); err != nil || time.Since(start) > d {
		t.Fatalf("after %v: %v, want a connection within %v", time.Since(start), err, d)
	}
	mustEcho(t, s, "hello")
}

// A repeated datagram of a client, whichever it is and whenever it arrives, leaves the listener
// able to hear: the connection goes on, and the next handshake from the same address succeeds at
// once.
func TestRepeatedDatagramLeavesListenerHearing(t *testing.T) {
	for which := range 6 {
		for _, late := range []time.Duration{0, 10 * time.Millisecond, 150 * time.Millisecond, 2 * time.Second, 30 * time.Second} {
			t.Run(fmt.Sprintf("datagram %d after %v", which, late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := simnet.New(1)
					l := listenSim(t, n, pskServerConfig())
					acceptAll(t, l)
					device := n.NewHost("device")
					if err := n.SetDefaultLink(simnet.Link{Delay: 50 * time.Millisecond}); err != nil {
						t.Fatal(err)
					}
					to := socket.Endpoint{Host: l.Addr().Addr().String(), Port: 5684}
					sent := 0
					n.SetFilter(func(p simnet.Packet) bool {
						if p.To.Port() != 5684 {
							return true
						}
						if sent == which {
							again := bytes.Clone(p.Data)
							from, at := p.From, p.To
							time.AfterFunc(late+60*time.Millisecond, func() { n.Inject(from, at, again) })
						}
						sent++
						return true
					})
					s := fromPort(t, device)
					connectsWithin(t, s, to, 3*time.Second)
					<-time.After(late + time.Second)
					mustEcho(t, s, "still there")
					for range 2 {
						_ = s.Close()
						connectsWithin(t, s, to, 3*time.Second)
					}
				})
			})
		}
	}
}

// A device that restarts during a handshake and has the same port is heard at once. (Within one
// round trip it would get the answer to its earlier ClientHello.)
func TestRestartDuringHandshake(t *testing.T) {
	for _, after := range []time.Duration{110, 130, 210, 230, 310} {
		t.Run(fmt.Sprint(after*time.Millisecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(1)
				l := listenSim(t, n, pskServerConfig())
				acceptAll(t, l)
				device := n.NewHost("device")
				if err := n.SetDefaultLink(simnet.Link{Delay: 50 * time.Millisecond}); err != nil {
					t.Fatal(err)
				}
				to := socket.Endpoint{Host: l.Addr().Addr().String(), Port: 5684}
				ctx, cancel := context.WithTimeout(context.Background(), after*time.Millisecond)
				first := fromPort(t, device)
				_ = first.Connect(ctx, to) // it may be connected already
				cancel()
				_ = first.Below.Close() // without a close_notify
				connectsWithin(t, fromPort(t, device), to, 3*time.Second)
			})
		})
	}
}
