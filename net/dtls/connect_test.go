package dtls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/internal/pkitest"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestAddressesInTurn: if the first address of a host is silent, Connect uses the second.
func TestAddressesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		dead := w.net.NewHost("dead")
		dead.SetDown(true)
		w.net.SetName("multi.example", dead.Addrs()[0], w.server.Addrs()[0])
		startPion(t, w.packets, pskServer()...)
		sec := pskSecurity()
		sec.HandshakeMin, sec.HandshakeMax = time.Second, 2*time.Second
		s := w.socket(t, sec)
		start := time.Now()
		mustConnect(t, s, socket.Endpoint{Host: "multi.example", Port: 5684})
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("it took %v", d)
		}
		mustEcho(t, s, "hello")
		if err := s.ConnectNext(context.Background()); !errors.Is(err, socket.ErrAddressNotFound) {
			t.Errorf("ConnectNext: %v", err)
		}
		mustEcho(t, s, "still there")

		w.net.SetName("none.example", dead.Addrs()[0], dead.Addrs()[1])
		_ = s.Close()
		err := s.Connect(context.Background(), socket.Endpoint{Host: "none.example", Port: 5684})
		if !errors.Is(err, socket.ErrTimeout) || strings.Count(err.Error(), "none received") != 2 {
			t.Errorf("two silent addresses: %v", err)
		}
	})
}

// TestConnectNext: an open connection moves to the other address.
func TestConnectNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		other := w.net.NewHost("other")
		packets, err := other.ListenPacket(5684)
		if err != nil {
			t.Fatal(err)
		}
		w.net.SetName("multi.example", w.server.Addrs()[0], other.Addrs()[0])
		startPion(t, w.packets, pskServer()...)
		second := startPion(t, packets, pskServer()...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, socket.Endpoint{Host: "multi.example", Port: 5684})
		mustEcho(t, s, "first")
		if err := s.ConnectNext(context.Background()); err != nil {
			t.Fatal(err)
		}
		mustEcho(t, s, "second")
		if second.connections() != 1 || s.Able.Addresses.RemoteAddr().Addr() != other.Addrs()[0] {
			t.Errorf("connected to %v", s.Able.Addresses.RemoteAddr())
		}
	})
}

// TestFailedConnectAfterShutdown: the socket stays shut down, and a later Connect works.
func TestFailedConnectAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		startPion(t, w.packets, pskServer()...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "first")
		if err := s.Shutdown(); err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"nobody.example", "device.example"} {
			if err := s.Connect(context.Background(), socket.Endpoint{Host: host, Port: 1}); err == nil {
				t.Fatal("connected to nobody")
			}
			if s.State() != socket.StateShutdown {
				t.Errorf("the state is %v", s.State())
			}
		}
	})
}

// TestRebuildChain: the chain of the device is completed from the trust store.
func TestRebuildChain(t *testing.T) {
	for _, rebuild := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority(t)
			between := a.ca.NewIntermediate(t, "Intermediate CA")
			a.device = between.Issue(t, nil)
			sec := a.security()
			sec.RebuildChain = rebuild
			sec.TrustStore.AddCert(between.Cert)
			w := newWorld(t, 1)
			server := append(a.serverOptions(), pion.WithClientAuth(pion.RequireAnyClientCert),
				pion.WithVerifyPeerCertificate(serverSees(2)))
			startPion(t, w.packets, server...)
			s := w.socket(t, sec)
			err := s.Connect(context.Background(), serverEnd)
			if (err == nil) != rebuild {
				t.Errorf("rebuild %v: %v", rebuild, err)
			}
		})
	}
}

// TestLargeFlights: long certificate chains are fragmented, over links with a small MTU and losses.
func TestLargeFlights(t *testing.T) {
	for _, mtu := range []int{576, 1280} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				a.device = a.ca.IssueFor(t, pkitest.Keys(t)["RSA"], []string{strings.Repeat("long.", 40) + "example"})
				w := newWorld(t, 1)
				mustDefault(t, w, simnet.Link{MTU: mtu, Loss: 0.1, Delay: 30 * time.Millisecond})
				startPion(t, w.packets, append(a.serverOptions(), pion.WithMTU(400))...)
				sec := a.security()
				sec.HandshakeMin = 200 * time.Millisecond
				s := w.socket(t, sec)
				mustConnect(t, s, serverEnd)
				mustEcho(t, s, strings.Repeat("x", s.InnerMTU()))
				if err := s.Send(make([]byte, s.InnerMTU()+1)); !errors.Is(err, socket.ErrMessageTooLong) {
					t.Errorf("one byte more: %v", err)
				}
			})
		})
	}
}
