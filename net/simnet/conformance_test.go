package simnet_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
)

func TestConformance(t *testing.T) {
	for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
		for name, link := range map[string]simnet.Link{"perfect": {}, "slow": {Delay: 3 * time.Millisecond}} {
			for _, nat := range []bool{false, true} {
				t.Run(kind.String()+"/"+name+map[bool]string{true: "/NAT"}[nat], func(t *testing.T) {
					sockettest.RunInBubbles(t, synctest.Test, func(t testing.TB) sockettest.Rig { return newRig(t, kind, link, nat) })
				})
			}
		}
	}
}

// newRig is a device, two servers, and a host that never answers.
func newRig(t testing.TB, kind socket.Kind, link simnet.Link, nat bool) sockettest.Rig {
	n := simnet.New(1)
	if err := n.SetDefaultLink(link); err != nil {
		t.Fatal(err)
	}
	dev := n.NewHost("device")
	if nat {
		dev = n.NewNAT().NewHost("device")
	}
	dead, srv, second := n.NewHost("dead"), n.NewHost("server"), n.NewHost("second")
	dead.SetDown(true)
	n.SetName("multihomed", dead.Addrs()[0], srv.Addrs()[0])
	r := sockettest.Rig{
		Dialer:       dev.Dialer(),
		Remote:       socket.Endpoint{Host: srv.Addrs()[0].String(), Port: 5683},
		Peer:         listen(t, srv, kind),
		Unused:       socket.Endpoint{Host: "server", Port: 9},
		Silent:       socket.Endpoint{Host: "dead", Port: 9},
		Unknown:      "nobody",
		SecondRemote: socket.Endpoint{Host: "second", Port: 5683},
		SecondPeer:   listen(t, second, kind),
		Multihomed:   socket.Endpoint{Host: "multihomed", Port: 5683},
		Translated:   nat,
	}
	if kind == socket.Stream {
		r.Dialer = dev.StreamDialer()
	}
	if !nat {
		r.Stranger = func(to netip.AddrPort, b []byte) error {
			n.Inject(netip.MustParseAddrPort("192.0.2.66:5683"), to, b)
			return nil
		}
	}
	// Another connection to the same peer holds a port.
	s, err := r.Dialer.NewSocket(socket.Config{Local: netip.AddrPortFrom(dev.Addrs()[0], 4444)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context(), r.Remote); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if kind == socket.Stream {
		if _, err := r.Peer.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.Taken = netip.AddrPortFrom(dev.Addrs()[0], 4444)
	return r
}

func listen(t testing.TB, h *simnet.Host, kind socket.Kind) socket.Listener {
	f := h.Listen
	if kind == socket.Stream {
		f = h.ListenStream
	}
	l, err := f(5683)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
