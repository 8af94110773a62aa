package udp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func newSocket(t *testing.T, c socket.Config) *udpSocket {
	t.Helper()
	s, err := Dialer{}.NewSocket(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*udpSocket)
}

// TestRefusalFoundBySend: Send is told of a refusal while Recv is pending. Recv returns it.
func TestRefusalFoundBySend(t *testing.T) {
	leaktest.Check(t)
	l := newListener(t, loopbacktest.IPv4)
	s := newSocket(t, socket.Config{})
	if err := s.Connect(t.Context(), loopbacktest.Endpoint(l.Addr())); err != nil {
		t.Fatal(err)
	}
	s.SetRecvDeadline(time.Now().Add(time.Minute))
	for range 100 {
		got := make(chan error, 1)
		go func() {
			_, err := s.Recv(make([]byte, 10))
			got <- err
		}()
		c, _ := s.Conn()
		// As Send does; the system reports a refusal to Send only if Recv was not faster.
		c.refused.Store(true)
		s.InterruptRecv()
		if err := <-got; err != socket.ErrRefused {
			t.Fatalf("Recv: %v, want ErrRefused", err)
		}
	}
	// The deadline still holds.
	if err := s.Send([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := s.Recv(make([]byte, 10))
		got <- err
	}()
	if err := peer.Send([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("Recv after refusals: %v", err)
	}
}

// awaitError waits until the system has an error for a socket, and leaves it there.
func awaitError(t *testing.T, s socket.Socket) {
	t.Helper()
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(poll)
	if e := socket.Detect(s).Handle.SystemHandle(func(fd uintptr) {
		// The system always reports errors.
		err = syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{})
	}); e != nil || err != nil {
		t.Fatal(e, err)
	}
	events := make([]syscall.EpollEvent, 1)
	for {
		n, err := syscall.EpollWait(poll, events, 10_000)
		if n == 1 {
			return
		}
		if err != syscall.EINTR { // package syscall does not wrap
			t.Fatal("the refusal does not come: ", err)
		}
	}
}

// TestSendAfterRefusal: Send is told of the refusal of an earlier datagram. It still sends, and
// Recv returns the refusal.
func TestSendAfterRefusal(t *testing.T) {
	leaktest.Check(t)
	for _, portable := range []bool{false, true} {
		// Where no other process takes the port.
		l := newListener(t, netip.MustParseAddr("127.7.7.7"))
		at := l.Addr()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := Dialer{portable: portable}.NewSocket(socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Connect(t.Context(), loopbacktest.Endpoint(at)); err != nil {
			t.Fatal(err)
		}
		if err := s.Send([]byte("to nobody")); err != nil {
			t.Fatal(err)
		}
		awaitError(t, s)
		if l, err = Listen(at); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := s.Send([]byte("to somebody")); err != nil {
			t.Fatal(err)
		}
		s.SetRecvDeadline(socket.NoWait())
		// This itself, not wrapped.
		if _, err := s.Recv(make([]byte, 10)); err != socket.ErrRefused {
			t.Errorf("portable %v: Recv: %v, want ErrRefused", portable, err)
		}
		if _, err := s.Recv(make([]byte, 10)); err != socket.ErrTimeout { // promised exactly
			t.Errorf("portable %v: a second Recv: %v", portable, err)
		}
		peer, err := l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 20)
		if n, err := peer.Recv(buf); err != nil || string(buf[:n]) != "to somebody" {
			t.Errorf("portable %v: the peer got %q, %v", portable, buf[:n], err)
		}
	}
}

// TestEarlyDatagramsAreDropped: a datagram that arrives between bind and connect, from any host, is
// not taken for one of the peer.
func TestEarlyDatagramsAreDropped(t *testing.T) {
	for _, portable := range []bool{false, true} {
		near := farSide(t) // bound, not connected
		stranger, err := net.Dial("udp", near.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		for range 3 {
			if _, err := stranger.Write([]byte("forged")); err != nil {
				t.Fatal(err)
			}
		}
		reverse(t, near, net.UDPAddrFromAddrPort(newListener(t, loopbacktest.IPv4).Addr()))
		c, err := newConn(near, portable)
		if err != nil {
			t.Fatal(err)
		}
		c.discard()
		if n, err := c.Recv(make([]byte, 10), true); err != socket.ErrTimeout {
			t.Errorf("after discard: %d bytes, %v; want nothing", n, err)
		}
	}
}

func TestTooLongNamesTheLimit(t *testing.T) {
	s := newSocket(t, socket.Config{})
	if err := s.Connect(t.Context(), loopbacktest.Endpoint(newListener(t, loopbacktest.IPv4).Addr())); err != nil {
		t.Fatal(err)
	}
	var size *socket.SizeError
	if err := s.Send(make([]byte, 70000)); !errors.As(err, &size) || size.Size != 70000 || size.Limit != 65507 {
		t.Errorf("%v", err)
	}
}

func TestLinkMTU(t *testing.T) {
	s := newSocket(t, socket.Config{LinkMTU: 1280})
	if m := s.InnerMTU(); m != 1280-48 {
		t.Errorf("InnerMTU is %d before the address is known", m)
	}
	if err := s.Connect(t.Context(), loopbacktest.Endpoint(newListener(t, loopbacktest.IPv4).Addr())); err != nil {
		t.Fatal(err)
	}
	if m := s.InnerMTU(); m != 1280-28 {
		t.Errorf("InnerMTU is %d over IPv4", m)
	}
}

func TestSticky(t *testing.T) {
	first, second := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	for _, sticky := range []netip.Addr{{}, first, second, netip.MustParseAddr("127.0.0.3")} {
		s := newSocket(t, socket.Config{Sticky: sticky})
		s.dialer.Resolver = loopbacktest.Names{"two": {first, second}}
		if err := s.Connect(t.Context(), socket.Endpoint{Host: "two", Port: 9}); err != nil {
			t.Skipf("not a whole network of loopback addresses here: %v", err)
		}
		want := first
		if sticky == second {
			want = second
		}
		if got := s.RemoteAddr().Addr(); got != want {
			t.Errorf("sticky %v: connected to %v, want %v", sticky, got, want)
		}
	}
}

func TestRefusedConfigurations(t *testing.T) {
	for want, c := range map[string]socket.Config{
		"net/dtls": {Security: socket.Security{Mode: socket.ModePSK, Identity: []byte("a"), Key: socket.NewSecret([]byte("b"))}},
		"LinkMTU":  {LinkMTU: 1},
	} {
		if _, err := (Dialer{}).NewSocket(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %s", err, want)
		}
	}
}

func TestListenerOnAllAddresses(t *testing.T) {
	leaktest.Check(t)
	l, err := Listen(netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSocket(t, socket.Config{})
	if err := s.Connect(t.Context(), socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Send([]byte("x")); err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := socket.Detect(peer).Addresses.RemoteAddr(); got != s.LocalAddr() {
		t.Errorf("the peer is %v, want %v", got, s.LocalAddr())
	}
	if err := peer.Send([]byte("y")); err != nil {
		t.Error(err)
	}
	if n, err := s.Recv(make([]byte, 10)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := peer.Connect(t.Context(), socket.Endpoint{}); !errors.Is(err, socket.ErrConnected) {
		t.Errorf("Connect on an accepted socket: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := peer.Recv(nil); !errors.Is(err, socket.ErrClosed) {
		t.Errorf("an accepted socket after its listener: %v", err)
	}
	if err := peer.Connect(t.Context(), socket.Endpoint{}); !errors.Is(err, socket.ErrNotSupported) {
		t.Errorf("Connect on an accepted socket that is closed: %v", err)
	}
}

// TestListenerTakesABurst: the listener receives the datagrams of a fleet that all arrive at once.
func TestListenerTakesABurst(t *testing.T) {
	leaktest.Check(t)
	l := newListener(t, loopbacktest.IPv4).(*listener)
	buffer := 0
	raw, err := l.udp.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			buffer, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Skip(err)
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if want := min(receiveBuffer, most); buffer < want {
		t.Errorf("the system holds %d bytes, want %d", buffer, want)
	}
}

// TestListenerBoundsStrangers: the number of senders that are not accepted is bounded.
func TestListenerBoundsStrangers(t *testing.T) {
	leaktest.Check(t)
	l := newListener(t, loopbacktest.IPv4).(*listener)
	for i := range maxPending + 10 {
		l.peer(netip.AddrPortFrom(loopbacktest.IPv4, uint16(i+1)))
	}
	if n := len(l.peers); n != maxPending {
		t.Errorf("%d peers wait, want %d", n, maxPending)
	}
}

// lateResolver answers only after another event, even if its context has ended.
type lateResolver func()

func (f lateResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	f()
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// TestLateAnswerOfNameService: a Connect that was cancelled during the lookup fails, even if the
// name service answers later.
func TestLateAnswerOfNameService(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var s socket.Socket
	for what, c := range map[string]struct {
		give func()
		want error
	}{
		"its context": {cancel, context.Canceled},
		"Close":       {func() { _ = s.Close() }, socket.ErrClosed},
	} {
		var err error
		if s, err = (Dialer{Resolver: lateResolver(c.give)}).NewSocket(socket.Config{}); err != nil {
			t.Fatal(err)
		}
		with := t.Context()
		if c.want == context.Canceled { // identity is meant
			with = ctx
		}
		if err := s.Connect(with, socket.Endpoint{Host: "server.example", Port: 9}); !errors.Is(err, c.want) {
			t.Errorf("ended by %s: %v, want %v", what, err, c.want)
		}
		if s.State().Open() {
			t.Errorf("ended by %s: the state is %v", what, s.State())
		}
	}
}
