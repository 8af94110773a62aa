package sockettest

import (
	"errors"
	"net/netip"
	"strconv"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func addressChecks() []check {
	addresses := ability("Addresses", func(a socket.Abilities) bool { return a.Addresses != nil })
	binder := ability("Binder", func(a socket.Abilities) bool { return a.Binder != nil })
	noBinder := func(_ *Rig, _ socket.Kind, a socket.Abilities) string {
		if a.Binder != nil {
			return "the socket is a Binder"
		}
		return ""
	}
	alternates := ability("Alternates", func(a socket.Abilities) bool { return a.Alternates != nil })
	numericRemote := field("numeric Remote", func(r *Rig) bool { return numeric(r.Remote.Host) })
	return []check{
		{name: "Family", run: checkFamily, unless: numericRemote},
		{name: "Addresses", run: checkAddresses, unless: addresses},
		{name: "Bind", run: checkBind, unless: requires(addresses, binder)},
		{name: "BindInConfig", run: checkBindInConfig, unless: requires(addresses, binder)},
		{name: "LocalIsRefused", run: checkLocalRefused, unless: noBinder},
		{name: "PortIsKept", run: checkPortKept, unless: requires(datagramOnly, addresses, binder)},
		{name: "PortIsTaken", run: checkTaken, unless: requires(binder, field("Taken",
			func(r *Rig) bool { return r.Taken.IsValid() }))},
		{name: "PortIsShared", run: checkShared, unless: requires(datagramOnly, addresses, binder,
			field("SecondPeer", func(r *Rig) bool { return r.SecondPeer != nil }))},
		{name: "NoNextAddress", run: checkNoNext, unless: requires(alternates, numericRemote)},
		{name: "NextAddress", run: checkNext, unless: requires(datagramOnly, addresses, alternates,
			field("Multihomed", func(r *Rig) bool { return r.Multihomed.Host != "" }))},
	}
}

func checkFamily(r *rig) {
	own, other := socket.ForceIPv4, socket.ForceIPv6
	if netip.MustParseAddr(r.Remote.Host).Is6() {
		own, other = other, own
	}
	r.Config.Family = other
	s, err := r.Dialer.NewSocket(r.Config)
	if errors.Is(err, socket.ErrNotSupported) { // refused where it must be
		return
	}
	if err != nil {
		r.t.Fatalf("NewSocket with %s: %v", other, err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	r.within("Connect", func() { err = s.Connect(r.ctx, r.Remote) })
	if !errors.Is(err, socket.ErrAddressNotFound) {
		r.t.Errorf("Connect to %s with %s: %v, want ErrAddressNotFound", r.Remote, other, err)
	}
	r.Config.Family = own
	r.echo(r.connected())
}

func checkAddresses(r *rig) {
	s, peer := r.connected()
	a := socket.Detect(s).Addresses
	if got := a.RemoteAddr(); got.Port() != r.Remote.Port || !got.Addr().IsValid() {
		r.t.Errorf("RemoteAddr is %v for a connection to %s", got, r.Remote)
	}
	if seen := socket.Detect(peer).Addresses; seen != nil && !r.Translated && seen.RemoteAddr() != a.LocalAddr() {
		r.t.Errorf("LocalAddr is %v, but the peer sees %v", a.LocalAddr(), seen.RemoteAddr())
	}
	local, remote := a.LocalAddr(), a.RemoteAddr()
	if !local.IsValid() || local.Port() == 0 {
		r.t.Errorf("LocalAddr is %v", local)
	}
	r.drop(s, peer)
	if a.LocalAddr() != local || a.RemoteAddr() != remote {
		r.t.Errorf("after Close the addresses are %v and %v; want the last connection's, %v and %v",
			a.LocalAddr(), a.RemoteAddr(), local, remote)
	}
	if fresh := socket.Detect(r.socket()).Addresses; fresh.LocalAddr() != (netip.AddrPort{}) ||
		fresh.RemoteAddr() != (netip.AddrPort{}) {
		r.t.Errorf("a new socket has the addresses %v and %v, want none", fresh.LocalAddr(), fresh.RemoteAddr())
	}
}

// freePort returns a local port that can be bound: one that the system has just assigned and that
// was released.
func (r *rig) freePort() netip.AddrPort {
	r.t.Helper()
	s, peer := r.connected()
	local := socket.Detect(s).Addresses.LocalAddr()
	_ = peer.Close() // first, so that the end of a stream does not occupy the local port
	r.arrived()
	_ = s.Close()
	return local
}

// portTries is the number of ports to try, because another process may take a port that was just
// released.
const portTries = 5

// onFreePort runs f with free ports until one is not taken by another process.
func (r *rig) onFreePort(f func(local netip.AddrPort) error) {
	r.t.Helper()
	var err error
	for range portTries {
		if err = f(r.freePort()); !errors.Is(err, socket.ErrAddressInUse) {
			break
		}
	}
	if err != nil {
		r.t.Fatalf("Connect from a port of one's own: %v", err)
	}
}

func checkBind(r *rig) {
	r.onFreePort(func(local netip.AddrPort) error {
		s := r.socket()
		a := socket.Detect(s)
		for _, at := range []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, local.Port()), local} {
			if err := a.Binder.Bind(at); err != nil {
				r.t.Fatalf("Bind to %v: %v", at, err)
			}
			if st := s.State(); st != socket.StateBound {
				r.t.Errorf("State after Bind is %q, want %q", st, socket.StateBound)
			}
			if err := s.Connect(r.ctx, r.Remote); err != nil {
				return err
			}
			peer := r.greet(s, r.Peer)
			if got := a.Addresses.LocalAddr(); got != local {
				r.t.Errorf("LocalAddr after Bind to %v is %v", at, got)
			}
			_ = peer.Close()
			r.arrived()
			_ = s.Close()
		}
		if err := a.Binder.Bind(netip.AddrPort{}); err != nil || s.State() != socket.StateClosed {
			r.t.Errorf("Bind to nothing: %v, state %q", err, s.State())
		}
		return nil
	})
}

// checkBindInConfig binds to an address and a port, to a port alone, and to an address alone.
func checkBindInConfig(r *rig) {
	r.onFreePort(func(local netip.AddrPort) error {
		for _, at := range []netip.AddrPort{local, netip.AddrPortFrom(netip.Addr{}, local.Port()),
			netip.AddrPortFrom(local.Addr(), 0)} {
			r.Config.Local = at
			s := r.socket()
			r.Config.Local = netip.AddrPort{}
			if st := s.State(); st != socket.StateBound {
				r.t.Errorf("State of a socket with Config.Local %s is %q, want %q", localText(at), st, socket.StateBound)
			}
			if err := s.Connect(r.ctx, r.Remote); err != nil {
				return err
			}
			peer := r.greet(s, r.Peer)
			got := socket.Detect(s).Addresses.LocalAddr()
			samePort := at.Port() == 0 || got.Port() == at.Port()
			sameAddr := !at.Addr().IsValid() || got.Addr() == at.Addr()
			if !samePort || !sameAddr {
				r.t.Errorf("LocalAddr is %v, Config.Local was %s", got, localText(at))
			}
			_ = peer.Close() // first, so that the end of a stream does not occupy the local port
			r.arrived()
			_ = s.Close()
		}
		return nil
	})
}

// checkLocalRefused: a socket that can bind nothing must not be made with something to bind. A port
// without an address is something, although netip.AddrPort.IsValid is false for it.
func checkLocalRefused(r *rig) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for _, at := range []netip.AddrPort{netip.AddrPortFrom(loopback, 40000),
		netip.AddrPortFrom(netip.Addr{}, 40000), netip.AddrPortFrom(loopback, 0)} {
		r.Config.Local = at
		_, err := r.Dialer.NewSocket(r.Config)
		r.Config.Local = netip.AddrPort{}
		if !errors.Is(err, socket.ErrNotSupported) {
			r.t.Errorf("NewSocket with Config.Local %s of a socket that is no Binder: %v, want ErrNotSupported",
				localText(at), err)
		}
	}
}

// localText returns a local address in the form that is usual without an address.
func localText(at netip.AddrPort) string {
	if !at.Addr().IsValid() {
		return ":" + strconv.Itoa(int(at.Port()))
	}
	return at.String()
}

func checkPortKept(r *rig) {
	s, peer := r.connected()
	a := socket.Detect(s).Addresses
	want := a.LocalAddr().Port()
	for range 3 {
		r.drop(s, peer)
		peer = r.connect(s)
		if got := a.LocalAddr().Port(); got != want {
			r.t.Fatalf("the local port is %d after a reconnect, it was %d", got, want)
		}
	}
}

func checkTaken(r *rig) {
	s := r.socket()
	if err := socket.Detect(s).Binder.Bind(r.Taken); err != nil {
		r.t.Fatalf("Bind to %v: %v", r.Taken, err)
	}
	if err := s.Connect(r.ctx, r.Remote); !errors.Is(err, socket.ErrAddressInUse) {
		r.t.Errorf("Connect from %v, which is taken: %v, want ErrAddressInUse", r.Taken, err)
	}
	if st := s.State(); st != socket.StateBound {
		r.t.Errorf("State after it is %q, want %q", st, socket.StateBound)
	}
	_ = socket.Detect(s).Binder.Bind(netip.AddrPort{})
	r.echo(s, r.connect(s))
}

func checkShared(r *rig) {
	r.onFreePort(func(local netip.AddrPort) error {
		r.Config.Local = netip.AddrPortFrom(netip.Addr{}, local.Port())
		one, two := r.socket(), r.socket()
		r.Config.Local = netip.AddrPort{}
		if err := one.Connect(r.ctx, r.Remote); err != nil {
			return err
		}
		peerOne := r.greet(one, r.Peer)
		peerTwo := r.connectTo(two, r.SecondRemote, r.SecondPeer)
		if a, b := socket.Detect(one).Addresses.LocalAddr(), socket.Detect(two).Addresses.LocalAddr(); a != b {
			r.t.Errorf("the sockets are bound to %v and %v, want the same", a, b)
		}
		r.send(peerOne, "for one")
		r.send(peerTwo, "for two")
		r.receive(one, "for one")
		r.receive(two, "for two")
		return nil
	})
}

func checkNoNext(r *rig) {
	s, peer := r.connected()
	if err := socket.Detect(s).Alternates.ConnectNext(r.ctx); !errors.Is(err, socket.ErrAddressNotFound) {
		r.t.Errorf("ConnectNext without another address: %v, want ErrAddressNotFound", err)
	}
	r.echo(s, peer)
}

func numeric(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func checkNext(r *rig) {
	s := r.socket()
	a := socket.Detect(s)
	if err := s.Connect(r.ctx, r.Multihomed); err != nil {
		r.t.Fatalf("Connect to %s: %v", r.Multihomed, err)
	}
	first := a.Addresses.RemoteAddr()
	if err := a.Alternates.ConnectNext(r.ctx); err != nil {
		r.t.Fatalf("ConnectNext: %v", err)
	}
	second := a.Addresses.RemoteAddr()
	if first == second || first.Port() != second.Port() {
		r.t.Errorf("RemoteAddr is %v, after ConnectNext %v", first, second)
	}
	peer := r.greet(s, r.Peer)
	if err := a.Alternates.ConnectNext(r.ctx); !errors.Is(err, socket.ErrAddressNotFound) {
		r.t.Errorf("ConnectNext after the last address: %v, want ErrAddressNotFound", err)
	}
	r.echo(s, peer)
	r.drop(s, peer)
	if err := s.Connect(r.ctx, r.Multihomed); err != nil {
		r.t.Fatalf("Connect to %s: %v", r.Multihomed, err)
	}
	if got := a.Addresses.RemoteAddr(); got != second {
		r.t.Errorf("RemoteAddr after a reconnect is %v, want the address used last, %v", got, second)
	}
}
