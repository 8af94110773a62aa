package dtls

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestDataBehindHandshake: data that a client sends directly after Connect arrives, even if the
// server's end of the handshake is not complete.
func TestDataBehindHandshake(t *testing.T) {
	const clients = 500
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		l := listenSim(t, n, pskServerConfig())
		device := n.NewHost("device.example")
		for i := range clients {
			s := (&world{net: n}).socketAt(t, device, pskSecurity())
			mustConnect(t, s, serverEnd)
			text := fmt.Sprint("hello ", i)
			if err := s.Send([]byte(text)); err != nil {
				t.Fatal(err)
			}
			peer, err := l.Accept(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			peer.SetRecvDeadline(time.Now().Add(time.Second))
			buf := make([]byte, 100)
			if n, err := peer.Recv(buf); err != nil || string(buf[:n]) != text {
				t.Fatalf("%q, %v; want %q", buf[:n], err, text)
			}
			_ = s.Close()
			_ = peer.Close()
		}
	})
}

// TestPathsAreGivenUp: the addresses that a connection has left are kept for a time, and then
// released.
func TestPathsAreGivenUp(t *testing.T) {
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
		for i := range 5 {
			nat.Rebind()
			mustPass(t, s, peer, fmt.Sprint("from address ", i))
		}
		<-time.After(lingerMoved + time.Second)
		if n := paths(l); n != 1 {
			t.Errorf("%d addresses are listened to, want 1", n)
		}
		mustPass(t, s, peer, "still here")
		_ = s.Close()
		_ = peer.Close()
		<-time.After(time.Second)
		if n := paths(l); n != 0 {
			t.Errorf("%d addresses are listened to after the end, want none", n)
		}
	})
}

func mustPass(t *testing.T, from, to socket.Socket, text string) {
	t.Helper()
	if err := from.Send([]byte(text)); err != nil {
		t.Fatal(err)
	}
	to.SetRecvDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 100)
	if n, err := to.Recv(buf); err != nil || string(buf[:n]) != text {
		t.Fatalf("%q, %v; want %q", buf[:n], err, text)
	}
}

func paths(l *listener) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.paths)
}
