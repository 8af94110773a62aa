package sockettest

import (
	"context"
	"errors"
	"math"
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// wrongAddresses returns the same address for both ends.
type wrongAddresses struct{ socket.Addresses }

func (a wrongAddresses) RemoteAddr() netip.AddrPort { return a.LocalAddr() }

// wrongBinder binds nothing.
type wrongBinder struct{}

func (wrongBinder) Bind(netip.AddrPort) error { return nil }

// wrongAlternates returns without an error and without a connection.
type wrongAlternates struct{}

func (wrongAlternates) ConnectNext(context.Context) error { return nil }

func addressFaults() map[string]fault {
	return map[string]fault{
		"Family":       {config: func(c *socket.Config) { c.Family = socket.AnyFamily }},
		"Addresses":    {socket: func(p *port) { p.able.Addresses = wrongAddresses{p.able.Addresses} }},
		"Bind":         {socket: func(p *port) { p.able.Binder = wrongBinder{} }},
		"BindInConfig": {config: func(c *socket.Config) { c.Local = netip.AddrPort{} }},
		"BindInConfig/port alone": {config: func(c *socket.Config) {
			if !c.Local.IsValid() {
				c.Local = netip.AddrPort{}
			}
		}},
		"LocalIsRefused": {
			socket: func(p *port) { p.able.Binder = nil }, lacking: "the socket is a Binder",
			config: func(c *socket.Config) { c.Local = netip.AddrPort{} },
		},
		"PortIsKept": {socket: func(p *port) {
			next := uint16(6000)
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				next++
				_ = p.able.Binder.Bind(netip.AddrPortFrom(netip.Addr{}, next))
				return p.Socket.Connect(ctx, remote)
			}
		}},
		"PortIsTaken": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				err := p.Socket.Connect(ctx, remote)
				if errors.Is(err, socket.ErrAddressInUse) {
					_ = p.able.Binder.Bind(netip.AddrPort{})
					err = p.Socket.Connect(ctx, remote)
				}
				return err
			}
		}},
		"PortIsShared": {socket: func(p *port) {
			p.connect = func(ctx context.Context, remote socket.Endpoint) error {
				if err := p.Socket.Connect(ctx, remote); err != nil {
					return err
				}
				local := p.able.Addresses.LocalAddr()
				if p.lab.ports[local] {
					_ = p.Socket.Close()
					return socket.ErrAddressInUse
				}
				p.lab.ports[local] = true
				return nil
			}
			p.close = func() error {
				delete(p.lab.ports, p.able.Addresses.LocalAddr())
				return p.Socket.Close()
			}
		}},
		"NoNextAddress": {socket: func(p *port) { p.able.Alternates = wrongAlternates{} }},
		"NextAddress":   {socket: func(p *port) { p.able.Alternates = wrongAlternates{} }},
	}
}

// wrongCounters does not count received bytes.
type wrongCounters struct{ socket.Counters }

func (wrongCounters) BytesReceived() uint64 { return 0 }

// wrongHandle has a descriptor when there is none.
type wrongHandle struct{}

func (wrongHandle) SystemHandle(f func(uintptr)) error {
	f(math.MaxUint32)
	return nil
}

type wrongBuffered struct{}

func (wrongBuffered) HasBuffered() bool { return true }

// wrongNotifier calls ready at once and never again.
type wrongNotifier struct{}

func (wrongNotifier) NotifyReadable(ready func()) {
	if ready != nil {
		ready()
	}
}

// deafNotifier continues to call after its function was removed.
type deafNotifier struct{ socket.Notifier }

func (d deafNotifier) NotifyReadable(ready func()) {
	if ready != nil {
		d.Notifier.NotifyReadable(ready)
	}
}

// wrongReceiverOff loses the next message.
type wrongReceiverOff struct{ p *port }

func (w wrongReceiverOff) ReceiverOff() {
	w.p.recv = func(b []byte) (int, error) {
		w.p.recv = nil
		_, _ = w.p.Socket.Recv(b)
		return w.p.Socket.Recv(b)
	}
}

// wrongShutdowner just closes.
type wrongShutdowner struct{ p *port }

func (w wrongShutdowner) Shutdown() error {
	if !w.p.State().Open() {
		return socket.ErrClosed
	}
	return w.p.Socket.Close()
}

// lenientShutdowner shuts down a closed socket.
type lenientShutdowner struct{ socket.Shutdowner }

func (l lenientShutdowner) Shutdown() error {
	_ = l.Shutdowner.Shutdown()
	return nil
}

type wrongSession struct{ r socket.Resumption }

func (w wrongSession) Resumption() socket.Resumption { return w.r }

func abilityFaults() map[string]fault {
	const noDescriptor, noSession = "a socket in memory has no descriptor", "it has no security"
	return map[string]fault{
		"Counters":         {socket: func(p *port) { p.able.Counters = wrongCounters{p.able.Counters} }},
		"Handle":           {socket: func(p *port) { p.able.Handle = wrongHandle{} }, lacking: noDescriptor},
		"Buffered":         {socket: func(p *port) { p.able.Buffered = wrongBuffered{} }, lacking: noDescriptor},
		"Notifier":         {socket: func(p *port) { p.able.Notifier = wrongNotifier{} }},
		"Notifier/deaf":    {socket: func(p *port) { p.able.Notifier = deafNotifier{p.able.Notifier} }},
		"Poller":           {socket: func(p *port) { p.able.Notifier = wrongNotifier{} }},
		"ReceiverOff":      {socket: func(p *port) { p.able.ReceiverOff = wrongReceiverOff{p} }},
		"Shutdown":         {socket: func(p *port) { p.able.Shutdowner = wrongShutdowner{p} }},
		"ShutdownOfClosed": {socket: func(p *port) { p.able.Shutdowner = lenientShutdowner{p.able.Shutdowner} }},
		"NewSession":       {socket: func(p *port) { p.able.Session = wrongSession{socket.SessionResumed} }, lacking: noSession},
		"SessionResumed": {
			socket:  func(p *port) { p.able.Session = wrongSession{socket.NewSession} },
			rig:     func(r *Rig) { r.Resumes = true },
			lacking: noSession,
		},
	}
}
