package dtls

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestStrangersDoNotTakeAnAnswer: an attacker who repeats a Connection ID from many addresses,
// before the client's datagram from its new address is processed, gets nothing.
func TestStrangersDoNotTakeAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		cfg := pskServerConfig()
		cfg.ConnectionIDLength = 6
		l := listenSim(t, n, cfg)
		nat := n.NewNAT()
		s := (&world{net: n}).socketAt(t, nat.NewHost("inside"), pskSecurity())
		mustConnect(t, s, serverEnd)
		peer, err := l.Accept(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var last []byte
		n.SetFilter(func(p simnet.Packet) bool {
			if p.To.Port() == 5684 {
				last = bytes.Clone(p.Data)
			}
			return true
		})
		nat.Rebind()
		if err := s.Send([]byte("from a new address")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		last[len(last)-1] ^= 1
		for i := range 3 * maxPaths {
			n.Inject(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+i)), l.Addr(), last)
			synctest.Wait()
		}
		peer.SetRecvDeadline(time.Now().Add(time.Second))
		buf := make([]byte, 100)
		if n, err := peer.Recv(buf); err != nil || string(buf[:n]) != "from a new address" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		if at := socket.Detect(peer).Addresses.RemoteAddr(); at.Addr() == netip.MustParseAddr("192.0.2.1") {
			t.Errorf("the connection moved to %v", at)
		}
		// The flood may have replaced the new address.
		if err := s.Send([]byte("again")); err != nil {
			t.Fatal(err)
		}
		if n, err := peer.Recv(buf); err != nil || string(buf[:n]) != "again" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		if err := peer.Send([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		s.SetRecvDeadline(time.Now().Add(time.Second))
		if n, err := s.Recv(buf); err != nil || string(buf[:n]) != "answer" {
			t.Errorf("the client got %q, %v", buf[:n], err)
		}
		<-time.After(2 * lingerMoved)
		if n := paths(l); n > 2 {
			t.Errorf("the listener still keeps %d addresses", n)
		}
	})
}

// TestUnacceptedConnectionsAreFew: connections that are not accepted are ended beyond a bound, and
// the listener continues.
func TestUnacceptedConnectionsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		listenSim(t, n, pskServerConfig())
		w := &world{net: n, device: n.NewHost("device")}
		ended := 0
		const more = 5
		for range secured.MaxPending + more {
			s := w.socket(t, pskSecurity())
			mustConnect(t, s, serverEnd)
			synctest.Wait()
			s.SetRecvDeadline(socket.NoWait())
			if _, err := s.Recv(make([]byte, 10)); errors.Is(err, socket.ErrReset) {
				ended++
			}
		}
		if ended != more {
			t.Errorf("%d connections were ended, want %d", ended, more)
		}
	})
}

// TestClosedListenerEndsConnections: a Recv that is pending when the listener is closed returns,
// with and without Connection IDs, and at each address that the client has had.
func TestClosedListenerEndsConnections(t *testing.T) {
	for _, length := range []int{0, 6} {
		for moves := range 2 {
			if length == 0 && moves > 0 {
				continue // it cannot move
			}
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(1)
				cfg := pskServerConfig()
				cfg.ConnectionIDLength = length
				l := listenSim(t, n, cfg)
				nat := n.NewNAT()
				s := (&world{net: n}).socketAt(t, nat.NewHost("inside"), pskSecurity())
				mustConnect(t, s, serverEnd)
				peer, err := l.Accept(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				for range moves {
					nat.Rebind()
					mustPass(t, s, peer, "hello")
				}
				peer.SetRecvDeadline(time.Time{})
				ended := make(chan error, 1)
				go func() {
					_, err := peer.Recv(make([]byte, 10))
					ended <- err
				}()
				synctest.Wait()
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				select {
				case err := <-ended:
					if !errors.Is(err, socket.ErrReset) {
						t.Errorf("Connection IDs of %d bytes, %d moves: Recv returned %v", length, moves, err)
					}
				default:
					t.Errorf("Connection IDs of %d bytes, %d moves: Recv is still pending", length, moves)
				}
				_ = peer.Close()
			})
		}
	}
}
