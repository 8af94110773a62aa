package lifecycle

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// fakeConn is a connection between two addresses.
type fakeConn struct{ local, remote netip.AddrPort }

func (c fakeConn) LocalAddr() netip.AddrPort  { return c.local }
func (c fakeConn) RemoteAddr() netip.AddrPort { return c.remote }
func (c fakeConn) Close() error               { return nil }

// fakeNetwork records the calls of Dial and refuses some addresses.
type fakeNetwork struct {
	addrs   []netip.Addr
	refused netip.Addr
	taken   uint16 // a local port
	dialed  []string
}

func (n *fakeNetwork) Resolve(context.Context, string) ([]netip.Addr, error) { return n.addrs, nil }

func (n *fakeNetwork) Dial(_ context.Context, local, remote netip.AddrPort) (fakeConn, error) {
	n.dialed = append(n.dialed, local.String()+" "+remote.Addr().String())
	switch {
	case remote.Addr() == n.refused:
		return fakeConn{}, socket.ErrRefused
	case local.Port() != 0 && local.Port() == n.taken:
		return fakeConn{}, socket.ErrAddressInUse
	case local.Port() == 0:
		local = netip.AddrPortFrom(local.Addr(), 50000)
	}
	return fakeConn{local, remote}, nil
}

func (n *fakeNetwork) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(n.dialed, want) {
		t.Errorf("dialed %q, want %q", n.dialed, want)
	}
	n.dialed = nil
}

var (
	first, second = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	remote        = socket.Endpoint{Host: "server.example", Port: 5683}
)

func TestAddressesAreTriedInTurnAndTheLastOneFirst(t *testing.T) {
	n := &fakeNetwork{addrs: []netip.Addr{first, second}, refused: first}
	var s Socket[fakeConn]
	s.Init(n, &socket.Config{})
	if err := s.Connect(t.Context(), remote); err != nil || s.State() != socket.StateConnected {
		t.Fatalf("%v, state %v", err, s.State())
	}
	if len(n.dialed) != 2 || !strings.HasSuffix(n.dialed[0], first.String()) || s.RemoteAddr().Addr() != second {
		t.Errorf("dialed %q, connected to %v", n.dialed, s.RemoteAddr())
	}
	if err := s.ConnectNext(t.Context()); !errors.Is(err, socket.ErrAddressNotFound) || s.State() != socket.StateConnected {
		t.Errorf("no address is left: %v, state %v", err, s.State())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n.dialed = nil
	if err := s.Connect(t.Context(), remote); err != nil {
		t.Fatal(err)
	}
	if len(n.dialed) != 1 || !strings.HasSuffix(n.dialed[0], second.String()) {
		t.Errorf("reconnect: dialed %q, want %v first", n.dialed, second)
	}
	if err := s.ConnectNext(t.Context()); !errors.Is(err, socket.ErrRefused) || s.State() != socket.StateClosed {
		t.Errorf("the other address: %v, state %v", err, s.State())
	}
}

// ConnectNext asks the name service again if the last answer is old. It does not try the address
// that was connected last.
func TestNextAddressOfAServerThatHasMoved(t *testing.T) {
	moved := netip.MustParseAddr("192.0.2.3")
	for name, c := range map[string]struct {
		age  time.Duration
		now  []netip.Addr // the answer of the name service by then
		want netip.Addr
	}{
		"fresh answer":              {time.Minute, []netip.Addr{moved}, second},
		"old answer":                {time.Hour, []netip.Addr{moved}, moved},
		"old answer, still offered": {time.Hour, []netip.Addr{first, moved}, moved},
		"old answer, nothing else":  {time.Hour, []netip.Addr{first}, second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNetwork{addrs: []netip.Addr{first, second}}
				var s Socket[fakeConn]
				s.Init(n, &socket.Config{})
				if err := s.Connect(t.Context(), remote); err != nil {
					t.Fatal(err)
				}
				<-time.After(c.age)
				n.addrs = c.now
				if err := s.ConnectNext(t.Context()); err != nil || s.RemoteAddr().Addr() != c.want {
					t.Errorf("connected to %v, want %v (%v)", s.RemoteAddr(), c.want, err)
				}
			})
		})
	}
}

func TestLocalPortIsKeptUnlessItIsTaken(t *testing.T) {
	n := &fakeNetwork{addrs: []netip.Addr{first}}
	var s Socket[fakeConn]
	local := netip.MustParseAddr("192.0.2.9")
	s.Init(n, &socket.Config{Local: netip.AddrPortFrom(local, 0)})
	reconnect := func() {
		t.Helper()
		if err := s.Connect(t.Context(), remote); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	reconnect()
	n.expect(t, "192.0.2.9:0 192.0.2.1")
	reconnect()
	n.expect(t, "192.0.2.9:50000 192.0.2.1")
	n.taken = 50000
	reconnect()
	n.expect(t, "192.0.2.9:50000 192.0.2.1", "192.0.2.9:0 192.0.2.1")
	if s.State() != socket.StateBound {
		t.Errorf("state %v", s.State())
	}
}

func TestAcceptedSocketCannotConnect(t *testing.T) {
	var s Socket[fakeConn]
	s.Accept(fakeConn{})
	if err := s.Connect(t.Context(), remote); !errors.Is(err, socket.ErrNotSupported) {
		t.Errorf("Connect: %v", err)
	}
	if err := s.Bind(netip.AddrPort{}); !errors.Is(err, socket.ErrNotSupported) {
		t.Errorf("Bind: %v", err)
	}
}

func TestCheckPlainRefusesCredentials(t *testing.T) {
	c := socket.Config{Security: socket.Security{
		Mode: socket.ModePSK, Identity: []byte("probe-7"), Key: socket.NewSecret([]byte("secret key")),
	}}
	err := CheckPlain("udp", &c, "the scheme coaps")
	if !errors.Is(err, socket.ErrNotSupported) || !strings.Contains(err.Error(), "use the scheme coaps") {
		t.Error(err)
	}
	if err := CheckPlain("udp", &socket.Config{LinkMTU: 1}, ""); err == nil || !strings.HasPrefix(err.Error(), "udp: ") {
		t.Error(err)
	}
	if err := CheckPlain("udp", &socket.Config{}, ""); err != nil {
		t.Error(err)
	}
}
