package dtls

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// flooded is a socket that receives more datagrams than can be processed.
type flooded struct {
	socket.Socket
	record []byte
	count  int
}

func (f *flooded) Recv(p []byte) (int, error) {
	f.count++
	if f.count > 100_000 {
		return 0, socket.ErrClosed
	}
	return copy(p, f.record), nil
}

// TestFloodDoesNotHoldRecv: during a flood of datagrams that are not authentic, Recv ends at its
// deadline and announces that more may be waiting.
func TestFloodDoesNotHoldRecv(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		startPion(t, w.packets, pskServer()...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "before")
		l := linkOf(t, s)
		quiet := l.below
		flood := &flooded{Socket: quiet, record: forged(typeApplicationData, 1, 1<<40, make([]byte, 40)...)}
		l.below = flood
		var ready atomic.Int64 // ready is called from the goroutines of the server, too
		s.NotifyReadable(func() { ready.Add(1) })
		ready.Store(0)
		s.SetRecvDeadline(socket.NoWait())
		if n, err := s.Recv(make([]byte, 100)); err != socket.ErrTimeout { // promised exactly
			t.Fatalf("after %d datagrams: %d, %v", flood.count, n, err)
		}
		if ready.Load() == 0 || flood.count < 2 {
			t.Errorf("%d calls of the function for readiness after %d datagrams", ready.Load(), flood.count)
		}
		s.SetRecvDeadline(time.Now().Add(time.Hour))
		if n, err := s.Recv(make([]byte, 100)); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("before the deadline: %d, %v", n, err)
		}
		l.below = quiet
		mustEcho(t, s, "after")
	})
}
