package simnet_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		setLink(t, n, simnet.Link{Delay: 10 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.2})
		p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Stream)
		far := p.accept(t)
		message := strings.Repeat("0123456789abcdef", 1<<10)
		go func() {
			for i := 0; i < 32; {
				switch err := p.s.Send([]byte(message)); err {
				case nil:
					i++
				case socket.ErrBusy:
					<-time.After(10 * time.Millisecond)
				default:
					t.Error(err)
					return
				}
			}
			_ = p.s.Close()
		}()
		far.SetRecvDeadline(time.Now().Add(time.Hour))
		var got strings.Builder
		buf := make([]byte, 1000)
		for {
			k, err := far.Recv(buf)
			got.Write(buf[:k])
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != strings.Repeat(message, 32) {
			t.Errorf("%d bytes arrived, or others than those sent", got.Len())
		}
	})
}

func TestStreamSurvivesAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		p := newPair(t, n, n.NewHost("device"), n.NewHost("server"), socket.Stream)
		far := p.accept(t)
		n.Cut(p.dev, p.srv)
		send(t, p.s, "patience")
		<-time.After(time.Minute)
		n.Heal(p.dev, p.srv)
		want(t, far, "patience")
		n.Cut(p.dev, p.srv)
		send(t, p.s, "lost")
		if _, err := recv(p.s, time.Hour); !errors.Is(err, socket.ErrReset) {
			t.Errorf("a stream that was cut for long: %v", err)
		}
		if err := p.s.Send([]byte("x")); !errors.Is(err, socket.ErrReset) {
			t.Errorf("send on a broken stream: %v", err)
		}
	})
}

func TestStreamConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		setLink(t, n, simnet.Link{Delay: 10 * time.Millisecond})
		dev, srv := n.NewHost("device"), n.NewHost("server")
		s, err := dev.StreamDialer().NewSocket(socket.Config{Family: socket.ForceIPv4})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 9}); !errors.Is(err, socket.ErrRefused) {
			t.Errorf("nobody listens: %v", err)
		}
		if err := s.Connect(t.Context(), socket.Endpoint{Host: "192.0.2.1", Port: 9}); !errors.Is(err, socket.ErrUnreachable) {
			t.Errorf("no such host: %v", err)
		}
		n.Cut(dev, srv)
		if err := s.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 9}); !errors.Is(err, socket.ErrTimeout) {
			t.Errorf("no way: %v", err)
		}
	})
}

func TestStreamAndRebind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		nat := n.NewNAT()
		p := newPair(t, n, nat.NewHost("device"), n.NewHost("server"), socket.Stream)
		far := p.accept(t)
		send(t, p.s, "hello")
		want(t, far, "hello")
		nat.Rebind()
		send(t, p.s, "from a port that the server does not know")
		if _, err := recv(p.s, time.Minute); !errors.Is(err, socket.ErrReset) {
			t.Errorf("device: %v", err)
		}
		send(t, far, "to a port that is gone")
		if _, err := recv(far, time.Minute); !errors.Is(err, socket.ErrTimeout) {
			t.Errorf("server: %v", err)
		}
	})
}

// A stream of a host that moves gets no answer any more.
func TestStreamAndMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		device := n.NewHost("device")
		p := newPair(t, n, device, n.NewHost("server"), socket.Stream)
		far := p.accept(t)
		send(t, p.s, "hello")
		want(t, far, "hello")
		device.Move()
		send(t, p.s, "from an address that is gone")
		if _, err := recv(p.s, time.Hour); !errors.Is(err, socket.ErrReset) {
			t.Errorf("device: %v", err)
		}
	})
}
