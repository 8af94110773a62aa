package socket_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// streams returns both ends of a simulated stream.
func streams(t *testing.T) (near, far socket.Socket) {
	t.Helper()
	n := simnet.New(1)
	dev, srv := n.NewHost("device"), n.NewHost("server")
	l, err := srv.ListenStream(1)
	if err != nil {
		t.Fatal(err)
	}
	if near, err = dev.StreamDialer().NewSocket(socket.Config{}); err != nil {
		t.Fatal(err)
	}
	if err := near.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 1}); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = near.Close(), far.Close(), l.Close() })
	return near, far
}

func TestNetConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streams(t)
		a, b := socket.NetConn(near), socket.NetConn(far)
		if a.LocalAddr().String() != b.RemoteAddr().String() || a.LocalAddr().Network() != "tcp" {
			t.Errorf("%v and %v", a.LocalAddr(), b.RemoteAddr())
		}
		buf := make([]byte, 100)
		_ = a.SetReadDeadline(time.Now().Add(time.Hour))
		time.AfterFunc(time.Minute, func() { _ = a.SetReadDeadline(time.Unix(1, 0)) })
		start := time.Now()
		if _, err := a.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("a pending Read whose deadline was put in the past: %v after %v", err, time.Since(start))
		}
		if _, err := b.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a Read past its deadline with data waiting: %v", err)
		}
		_ = a.SetReadDeadline(time.Time{})
		if n, err := a.Read(buf); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		_ = b.Close()
		if _, err := a.Read(buf); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		_ = a.Close()
		if _, err := a.Read(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestNetConnWaitsToWrite: Write, unlike Send, waits for the peer.
func TestNetConnWaitsToWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := streams(t)
		a, b := socket.NetConn(near), socket.NetConn(far)
		const size = 1 << 20
		got := make(chan int)
		go func() {
			<-time.After(time.Minute)
			n, _ := io.Copy(io.Discard, b)
			got <- int(n)
		}()
		for range size / 1024 {
			if _, err := a.Write(make([]byte, 1024)); err != nil {
				t.Fatal(err)
			}
		}
		_ = a.Close()
		if n := <-got; n != size {
			t.Errorf("%d of %d bytes arrived", n, size)
		}
	})
}

func TestNetConnWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := streams(t)
		a := socket.NetConn(near)
		start := time.Now()
		_ = a.SetWriteDeadline(start.Add(time.Second))
		for {
			if _, err := a.Write(make([]byte, 1024)); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				break
			}
		}
	})
}
