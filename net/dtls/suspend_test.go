package dtls

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestReplaysAfterSuspension: a record that was received before Shutdown is a replay after it.
func TestReplaysAfterSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		cidPion(t, w)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		var fromServer [][]byte
		w.net.SetFilter(func(p simnet.Packet) bool {
			if p.From.Port() == 5684 {
				fromServer = append(fromServer, bytes.Clone(p.Data))
			}
			return true
		})
		for _, text := range []string{"one", "two", "three"} {
			mustEcho(t, s, text)
		}
		if err := s.Shutdown(); err != nil {
			t.Fatal(err)
		}
		mustConnect(t, s, serverEnd)
		if s.Resumption() != socket.ConnectionIDResumed || len(fromServer) != 3 {
			t.Fatalf("%v after %d datagrams", s.Resumption(), len(fromServer))
		}
		for _, old := range fromServer {
			w.net.Inject(s.Able.Addresses.RemoteAddr(), s.Able.Addresses.LocalAddr(), old)
		}
		s.SetRecvDeadline(socket.NoWait())
		if n, err := s.Recv(make([]byte, 100)); !errors.Is(err, socket.ErrTimeout) {
			t.Errorf("a replay was received: %d bytes, %v", n, err)
		}
		mustEcho(t, s, "four")
	})
}

// TestNothingLeavesAfterShutdown: a Send that Shutdown overtook must not use a sequence number of
// the connection that continues, even if the socket below is open again.
func TestNothingLeavesAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		cidPion(t, w)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "hello")
		late := linkOf(t, s) // held by a Send that Shutdown overtakes
		if err := s.Shutdown(); err != nil {
			t.Fatal(err)
		}
		mustConnect(t, s, serverEnd)
		if s.Resumption() != socket.ConnectionIDResumed {
			t.Fatal(s.Resumption())
		}
		sent := 0
		w.net.SetFilter(func(p simnet.Packet) bool { sent++; return true })
		if err := late.send([]byte("late")); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		if sent != 0 {
			t.Errorf("%d datagrams left", sent)
		}
	})
}

// TestFatalAlertEndsSession: a session that an authentic fatal alert has ended is not resumed (RFC
// 5246 §7.2.2).
func TestFatalAlertEndsSession(t *testing.T) {
	for name, cidLength := range map[string]int{"session": 0, "Connection ID": 6} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(1)
				cfg := pskServerConfig()
				cfg.ConnectionIDLength = cidLength
				l := listenSim(t, n, cfg)
				s := (&world{net: n, device: n.NewHost("device")}).socket(t, pskSecurity())
				for range 2 {
					mustConnect(t, s, serverEnd)
					if s.Resumption() != socket.NewSession {
						t.Errorf("the connection is a %v", s.Resumption())
					}
					peer, err := l.Accept(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					alert := []byte{byte(socket.AlertFatal), byte(socket.AlertInternalError)}
					if err := linkOf(t, peer).sendRecord(typeAlert, alert); err != nil {
						t.Fatal(err)
					}
					s.SetRecvDeadline(time.Now().Add(time.Second))
					_, err = s.Recv(make([]byte, 10))
					if !errors.Is(err, socket.ErrReset) || !errors.Is(err, &socket.AlertError{Level: socket.AlertFatal, Description: socket.AlertInternalError}) {
						t.Errorf("Recv: %v", err)
					}
					if err := s.Shutdown(); err != nil {
						t.Error(err)
					}
					_ = peer.Close()
					<-time.After(time.Second)
				}
			})
		})
	}
}

// TestKeyLog: the keys are written if KeyLog is set, in the format that Wireshark reads.
func TestKeyLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		startPion(t, w.packets, pskServer()...)
		var log bytes.Buffer
		sec := pskSecurity()
		sec.KeyLog = &log
		s := w.socket(t, sec)
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "hello")
		words := strings.Fields(log.String())
		if len(words) != 3 || words[0] != "CLIENT_RANDOM" || len(words[1]) != 64 || len(words[2]) != 96 {
			t.Errorf("the key log is %q", log.String())
		}
	})
}

// TestGuardHoldsLittle: the data that is kept during the handshake is bounded.
func TestGuardHoldsLittle(t *testing.T) {
	n := simnet.New(1)
	below, err := n.NewHost("device").Dialer().NewSocket(socket.Config{})
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(below, "peer")
	for i := range 1000 {
		if kept := g.inbound(forged(typeApplicationData, 1, uint64(i), make([]byte, 1000)...)); kept != 0 {
			t.Fatal("pion gets application data")
		}
	}
	if len(g.held) == 0 || g.heldSize > maxHeld {
		t.Errorf("%d records of %d bytes are kept", len(g.held), g.heldSize)
	}
}
