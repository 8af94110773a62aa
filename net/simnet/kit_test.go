package simnet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// pair is a connected client socket and the server's listener.
type pair struct {
	net      *simnet.Network
	dev, srv *simnet.Host
	l        socket.Listener
	s        socket.Socket
}

func newPair(t *testing.T, n *simnet.Network, dev, srv *simnet.Host, kind socket.Kind) *pair {
	t.Helper()
	p := &pair{net: n, dev: dev, srv: srv}
	d, listen := dev.Dialer(), srv.Listen
	if kind == socket.Stream {
		d, listen = dev.StreamDialer(), srv.ListenStream
	}
	var err error
	if p.l, err = listen(5683); err != nil {
		t.Fatal(err)
	}
	if p.s, err = d.NewSocket(socket.Config{}); err != nil {
		t.Fatal(err)
	}
	if err := p.s.Connect(t.Context(), socket.Endpoint{Host: srv.String(), Port: 5683}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.s.Close(), p.l.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *pair) accept(t *testing.T) socket.Socket {
	t.Helper()
	s, err := p.l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func send(t *testing.T, s socket.Socket, text string) {
	t.Helper()
	if err := s.Send([]byte(text)); err != nil {
		t.Fatalf("send %q: %v", text, err)
	}
}

// want receives exactly this datagram within a minute.
func want(t *testing.T, s socket.Socket, text string) {
	t.Helper()
	if got, err := recv(s, time.Minute); err != nil || got != text {
		t.Fatalf("received %q, %v; want %q", got, err, text)
	}
}

func recv(s socket.Socket, d time.Duration) (string, error) {
	s.SetRecvDeadline(time.Now().Add(d))
	buf := make([]byte, 2048)
	n, err := s.Recv(buf)
	return string(buf[:n]), err
}

func setLink(t *testing.T, n *simnet.Network, l simnet.Link) {
	t.Helper()
	if err := n.SetDefaultLink(l); err != nil {
		t.Fatal(err)
	}
}
