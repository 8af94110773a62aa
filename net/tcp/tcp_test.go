package tcp

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// connected returns both ends of a connection.
func connected(t *testing.T, d Dialer) (near *tcpSocket, far socket.Socket) {
	t.Helper()
	l := newListener(t, loopbacktest.IPv4)
	s, err := d.NewSocket(socket.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context(), loopbacktest.Endpoint(l.Addr())); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), far.Close() })
	return s.(*tcpSocket), far
}

// fill sends until the socket is busy.
func fill(t *testing.T, s socket.Socket) (total int) {
	t.Helper()
	for {
		switch err := s.Send(make([]byte, 16<<10)); {
		case err == nil:
			total += 16 << 10
		case errors.Is(err, socket.ErrBusy):
			return total
		default:
			t.Fatal(err)
		}
	}
}

func TestStalledConnectionBreaks(t *testing.T) {
	leaktest.Check(t)
	s, _ := connected(t, Dialer{StallTimeout: 500 * time.Millisecond})
	fill(t, s)
	s.SetRecvDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.Recv(make([]byte, 10)); !errors.Is(err, socket.ErrReset) {
		t.Errorf("Recv on a connection that stalled: %v, want ErrReset", err)
	}
	if err := s.Send([]byte("x")); !errors.Is(err, socket.ErrReset) {
		t.Errorf("Send on a connection that stalled: %v, want ErrReset", err)
	}
	if st := s.State(); st != socket.StateConnected {
		t.Errorf("State is %v; only the caller changes it", st)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestStallTimeoutEndsWithTheBacklog shows that a time-out of held back data does not outlive it.
func TestStallTimeoutEndsWithTheBacklog(t *testing.T) {
	leaktest.Check(t)
	const stall = time.Second
	s, far := connected(t, Dialer{StallTimeout: stall})
	total := fill(t, s)
	buf := make([]byte, 1<<16)
	far.SetRecvDeadline(time.Now().Add(10 * time.Second))
	for total > 0 {
		n, err := far.Recv(buf)
		if err != nil {
			t.Fatal(err)
		}
		total -= n
	}
	timer := time.NewTimer(stall + stall/4)
	defer timer.Stop()
	<-timer.C
	for range 3 {
		if err := s.Send([]byte("x")); err != nil {
			t.Fatalf("Send after the backlog was written: %v", err)
		}
	}
}

func TestRefusedConfigurations(t *testing.T) {
	if _, err := (Dialer{StallTimeout: -1}).NewSocket(socket.Config{}); err == nil {
		t.Error("a negative time-out was accepted")
	}
	c := socket.Config{Security: socket.Security{Mode: socket.ModePSK, Identity: []byte("a"), Key: socket.NewSecret([]byte("b"))}}
	if _, err := (Dialer{}).NewSocket(c); err == nil || !strings.Contains(err.Error(), "net/tls") {
		t.Errorf("security: %v", err)
	}
}

func TestAcceptEnds(t *testing.T) {
	leaktest.Check(t)
	l := newListener(t, loopbacktest.IPv4)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := l.Accept(ctx)
			errs <- err
		}()
	}
	cancel()
	for range 3 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("Accept: %v, want Canceled", err)
		}
	}
	for range 3 {
		go func() {
			_, err := l.Accept(t.Context())
			errs <- err
		}()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := <-errs; !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Accept: %v, want ErrClosed", err)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestNoAllocations(t *testing.T) {
	s, far := connected(t, Dialer{})
	msg, buf := make([]byte, 100), make([]byte, 1500)
	deadline := time.Now().Add(time.Hour)
	n := testing.AllocsPerRun(500, func() {
		s.SetRecvDeadline(deadline)
		_ = s.Send(msg)
		_, _ = far.Recv(buf)
		_ = far.Send(msg)
		_, _ = s.Recv(buf)
		s.SetRecvDeadline(socket.NoWait())
		if _, err := s.Recv(buf); err != socket.ErrTimeout {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestGivenUpIsNoTimeout: a connection that the system has given up, as its peer is gone, is at its
// end. ErrTimeout would have a caller receive again.
func TestGivenUpIsNoTimeout(t *testing.T) {
	c := new(conn)
	for name, f := range map[string]func(error) error{"Recv": c.recvError, "Send": c.fail} {
		err := f(&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)})
		if errors.Is(err, socket.ErrTimeout) || !errors.Is(err, socket.ErrReset) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
