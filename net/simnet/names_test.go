package simnet_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestNames(t *testing.T) {
	n := simnet.New(1)
	dev, srv := n.NewHost("device"), n.NewHost("Server")
	connect := func(c socket.Config, host string) (string, error) {
		s, err := dev.Dialer().NewSocket(c)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		err = s.Connect(t.Context(), socket.Endpoint{Host: host, Port: 1})
		return socket.Detect(s).Addresses.RemoteAddr().Addr().String(), err
	}
	for f, i := range map[socket.Family]int{socket.ForceIPv4: 0, socket.PreferIPv4: 0, socket.PreferIPv6: 1, socket.ForceIPv6: 1} {
		if got, err := connect(socket.Config{Family: f}, "SERVER"); err != nil || got != srv.Addrs()[i].String() {
			t.Errorf("%v: %s, %v", f, got, err)
		}
	}
	if _, err := connect(socket.Config{}, "nobody"); !errors.Is(err, socket.ErrAddressNotFound) {
		t.Errorf("unknown name: %v", err)
	}
	n.SetName("server", srv.Addrs()[1])
	if _, err := connect(socket.Config{Family: socket.ForceIPv4}, "server"); !errors.Is(err, socket.ErrAddressNotFound) {
		t.Errorf("no address of the family: %v", err)
	}
}

func TestLookupIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		n.SetLookupDelay(time.Hour)
		n.NewHost("server")
		s, err := n.NewHost("device").Dialer().NewSocket(socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err = s.Connect(ctx, socket.Endpoint{Host: "server", Port: 1})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second || s.State() != socket.StateClosed {
			t.Errorf("%v after %v, state %v", err, time.Since(start), s.State())
		}
	})
}

func TestCloseEndsLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		n.SetLookupDelay(time.Hour)
		srv := n.NewHost("server")
		s, err := n.NewHost("device").Dialer().NewSocket(socket.Config{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		time.AfterFunc(time.Minute, func() { _ = s.Close() })
		err = s.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 1})
		if !errors.Is(err, socket.ErrClosed) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		if err := s.Connect(t.Context(), socket.Endpoint{Host: srv.Addrs()[0].String(), Port: 1}); err != nil || time.Since(start) != 0 {
			t.Errorf("an address was looked up: %v after %v", err, time.Since(start))
		}
	})
}

// TestStickyOverRestarts: a new socket tries the address that an earlier one has used first.
func TestStickyOverRestarts(t *testing.T) {
	n := simnet.New(1)
	dev, a, b := n.NewHost("device"), n.NewHost("a"), n.NewHost("b")
	n.SetName("server", a.Addrs()[0], b.Addrs()[0])
	for _, c := range []struct{ sticky, want netip.Addr }{
		{netip.Addr{}, a.Addrs()[0]},
		{b.Addrs()[0], b.Addrs()[0]},
		{dev.Addrs()[0], a.Addrs()[0]}, // no longer an address of the server
	} {
		s, err := dev.Dialer().NewSocket(socket.Config{Sticky: c.sticky})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 1}); err != nil {
			t.Fatal(err)
		}
		if got := socket.Detect(s).Addresses.RemoteAddr().Addr(); got != c.want {
			t.Errorf("sticky %v: %v, want %v", c.sticky, got, c.want)
		}
		_ = s.Close()
	}
}
