package dtls

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestForgetSessions: a listener that has forgotten its sessions does not answer records, and does
// a full handshake with a client at the same address.
func TestForgetSessions(t *testing.T) {
	for name, c := range map[string]struct {
		length int  // of Connection IDs
		none   bool // the client offers no Connection ID, but sessions
	}{
		"with Connection ID": {6, false},
		"with resumption":    {0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(1)
				cfg := pskServerConfig()
				cfg.ConnectionIDLength = c.length
				l := listenSim(t, n, cfg)
				sec := pskSecurity()
				sec.NoConnectionID = c.none
				sec.Sessions = &socket.MemorySessions{}
				s, err := Dialer{}.NewSocket(socket.Config{
					Security: sec, Below: n.NewHost("device").Dialer(), Local: netip.MustParseAddrPort("0.0.0.0:7000"),
				})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				mustConnect(t, s, serverEnd)
				peer, err := l.Accept(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				mustPass(t, s, peer, "before")

				answers := 0
				n.SetFilter(func(p simnet.Packet) bool {
					if p.From.Port() == serverEnd.Port {
						answers++
					}
					return true
				})
				l.ForgetSessions()
				if err := s.Send([]byte("after")); err != nil {
					t.Fatal(err)
				}
				peer.SetRecvDeadline(time.Now().Add(time.Second))
				if n, err := peer.Recv(make([]byte, 100)); err == nil {
					t.Errorf("a forgotten connection has received %d bytes", n)
				}
				_ = peer.Close()
				if answers > 0 {
					t.Errorf("the listener has sent %d datagrams to a client that it has forgotten", answers)
				}

				_ = s.Close() // its close_notify is not answered either
				if answers > 0 {
					t.Errorf("the listener has answered a close_notify by %d datagrams", answers)
				}
				mustConnect(t, s, serverEnd)
				if got := socket.Detect(s).Session.Resumption(); got != socket.NewSession {
					t.Errorf("the next connection is %v, want %v", got, socket.NewSession)
				}
				again, err := l.Accept(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				defer again.Close()
				mustPass(t, s, again, "again")
				mustPass(t, again, s, "again")
			})
		})
	}
}
