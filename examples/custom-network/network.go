//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes the sockets of this network. Put it into Config.Dialers of a client instead of
// udp.Dialer{}.
type Dialer struct{}

// Schemes returns the schemes of the server URIs that it serves.
func (Dialer) Schemes() []string { return []string{"coap"} }

// NewSocket makes a closed socket. It refuses everything that the socket can never do when the
// client starts.
func (Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Security.Mode != socket.ModeNoSec {
		return nil, fmt.Errorf("custom network: security mode %s: %w", c.Security.Mode, socket.ErrNotSupported)
	}
	return &conn{family: c.Family, bound: netip.AddrPortFrom(c.Local.Addr().Unmap(), c.Local.Port()), fd: -1}, nil
}

// conn is one UDP socket, directly on system calls.
type conn struct {
	family socket.Family

	// using is locked for reading by users of the descriptors, and for writing to close them:
	// another socket must not get their numbers while a system call uses them.
	using sync.RWMutex

	mu       sync.Mutex
	fd       int    // -1 when not connected
	waker    [2]int // a pipe: a byte in it ends the poll of a pending Recv
	cancel   context.CancelCauseFunc
	deadline time.Time
	bound    netip.AddrPort // by Bind or Config.Local: an address, a port, or both
	local    netip.AddrPort // of the last connection
	remote   netip.AddrPort

	refused        atomic.Bool // the system reported a refusal to Send; Recv must return it
	sent, received atomic.Uint64
}

// ---- Mandatory: connect, send, receive, deadline, close, state, MTU, kind.

func (c *conn) Connect(ctx context.Context, remote socket.Endpoint) error {
	c.mu.Lock()
	if c.fd >= 0 || c.cancel != nil {
		c.mu.Unlock()
		return socket.ErrConnected
	}
	ctx, c.cancel = context.WithCancelCause(ctx) // for Close during name resolution
	c.mu.Unlock()

	addr, err := c.resolve(ctx, remote.Host)
	// Wait until a Recv that Close has woken has returned: it belongs to the old connection.
	c.using.Lock()
	defer c.using.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	c.cancel(nil)
	c.cancel = nil
	if err == nil {
		err = c.openBound(netip.AddrPortFrom(addr, remote.Port))
	}
	if err != nil {
		return fmt.Errorf("connect %s: %w", remote, err)
	}
	return nil
}

// resolve returns the address to connect to. On a system without package net, call its name service
// here.
func (c *conn) resolve(ctx context.Context, host string) (netip.Addr, error) {
	addrs := make([]netip.Addr, 1)
	var err error
	if addrs[0], err = netip.ParseAddr(host); err != nil {
		if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return netip.Addr{}, fmt.Errorf("%w: %w", socket.ErrAddressNotFound, err)
		}
	}
	addrs = c.family.Order(addrs, c.remote.Addr())
	if len(addrs) == 0 {
		return netip.Addr{}, socket.ErrAddressNotFound
	}
	return addrs[0], nil
}

// openBound opens the socket at the address of Bind. Without a port of its own it tries the port of
// the last connection first, so that a NAT and the server see the same device. The caller holds
// c.mu.
func (c *conn) openBound(remote netip.AddrPort) error {
	if c.bound.Port() != 0 || c.local.Port() == 0 {
		return c.open(c.bound, remote, c.bound.Port() != 0)
	}
	err := c.open(netip.AddrPortFrom(c.bound.Addr(), c.local.Port()), remote, false)
	if errors.Is(err, socket.ErrAddressInUse) {
		err = c.open(c.bound, remote, false)
	}
	return err
}

// open calls socket, bind if there is something to bind, and connect. share lets other sockets use
// the same port for other servers. The caller holds c.mu.
func (c *conn) open(local, remote netip.AddrPort, share bool) error {
	family, unspecified := syscall.AF_INET6, netip.IPv6Unspecified()
	if remote.Addr().Is4() {
		family, unspecified = syscall.AF_INET, netip.IPv4Unspecified()
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return wrap("socket", err)
	}
	if share {
		err = wrap("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	}
	if err == nil && local != (netip.AddrPort{}) {
		if !local.Addr().IsValid() {
			local = netip.AddrPortFrom(unspecified, local.Port())
		}
		err = wrap("bind", syscall.Bind(fd, sockaddr(local)))
	}
	if err == nil {
		err = wrap("connect", syscall.Connect(fd, sockaddr(remote)))
	}
	if err == nil {
		err = wrap("pipe2", syscall.Pipe2(c.waker[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC))
	}
	if err != nil {
		return errors.Join(err, syscall.Close(fd))
	}
	c.fd, c.remote = fd, remote
	if own, err := syscall.Getsockname(fd); err == nil {
		c.local = addrPort(own)
	}
	c.refused.Store(false)
	return nil
}

func (c *conn) Send(p []byte) error {
	c.using.RLock()
	defer c.using.RUnlock()
	fd, _, _ := c.now()
	if fd < 0 {
		return socket.ErrClosed
	}
	_, err := syscall.Write(fd, p)
	if errors.Is(err, syscall.ECONNREFUSED) { // of an earlier datagram; this one was not sent
		c.refused.Store(true)
		c.wake()
		_, err = syscall.Write(fd, p)
	}
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return socket.ErrBusy
	case errors.Is(err, syscall.EMSGSIZE):
		return &socket.SizeError{Size: len(p)}
	case err != nil:
		return wrap("send", err)
	}
	c.sent.Add(uint64(len(p)))
	return nil
}

func (c *conn) Recv(p []byte) (int, error) {
	c.using.RLock()
	defer c.using.RUnlock()
	for {
		fd, waker, wait := c.now()
		switch {
		case fd < 0:
			return 0, socket.ErrClosed
		case c.refused.CompareAndSwap(true, false):
			return 0, socket.ErrRefused
		}
		readable, woken, err := poll(fd, waker, wait)
		switch {
		case err != nil:
			return 0, wrap("poll", err)
		case woken: // the deadline or the state has changed
			drain(waker)
			continue
		case !readable && wait == 0:
			return 0, socket.ErrTimeout
		case !readable:
			continue
		}
		n, _, flags, _, err := syscall.Recvmsg(fd, p, nil, syscall.MSG_DONTWAIT)
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
			// A datagram had a wrong checksum, for instance.
			continue
		case err != nil:
			return 0, wrap("recvmsg", err)
		}
		c.received.Add(uint64(n))
		if flags&syscall.MSG_TRUNC != 0 {
			return n, socket.ErrMessageTooLong
		}
		return n, nil
	}
}

// now returns the descriptors, -1 if there are none, and how long Recv may wait; negative means
// without limit.
func (c *conn) now() (fd, waker int, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = -1
	if !c.deadline.IsZero() {
		wait = max(0, time.Until(c.deadline))
	}
	return c.fd, c.waker[0], wait
}

func (c *conn) SetRecvDeadline(t time.Time) {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	c.wake()
}

// wake ends the poll of a pending Recv, which then checks deadline and state again.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd >= 0 {
		_, _ = syscall.Write(c.waker[1], []byte{0}) // a full pipe wakes Recv, too
	}
}

func (c *conn) Close() error {
	c.mu.Lock()
	if c.cancel != nil {
		c.cancel(socket.ErrClosed)
	}
	fd, waker := c.fd, c.waker
	if fd >= 0 {
		_, _ = syscall.Write(waker[1], []byte{0})
	}
	c.fd = -1
	c.mu.Unlock()
	if fd < 0 {
		return nil
	}
	c.using.Lock() // until Recv and Send have returned
	defer c.using.Unlock()
	return errors.Join(syscall.Close(fd), syscall.Close(waker[0]), syscall.Close(waker[1]))
}

func (c *conn) State() socket.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.fd >= 0:
		return socket.StateConnected
	case c.bound != netip.AddrPort{}:
		return socket.StateBound
	}
	return socket.StateClosed
}

func (c *conn) InnerMTU() int {
	c.using.RLock()
	defer c.using.RUnlock()
	fd, _, _ := c.now()
	level, option, headers := syscall.IPPROTO_IPV6, syscall.IPV6_MTU, 40+8
	if c.RemoteAddr().Addr().Is4() {
		level, option, headers = syscall.IPPROTO_IP, syscall.IP_MTU, 20+8
	}
	mtu, err := syscall.GetsockoptInt(fd, level, option)
	if fd < 0 || err != nil {
		mtu = 1280
	}
	return min(mtu, 65535) - headers
}

func (c *conn) Kind() socket.Kind { return socket.Datagram }

// ---- Optional: docs/porting.md says what each ability gives you.

func (c *conn) LocalAddr() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local
}

func (c *conn) RemoteAddr() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote
}

// Bind fixes the local end for the next Connect and every later one. The zero value undoes that.
func (c *conn) Bind(local netip.AddrPort) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	return nil
}

func (c *conn) BytesSent() uint64     { return c.sent.Load() }
func (c *conn) BytesReceived() uint64 { return c.received.Load() }

func (c *conn) SystemHandle(f func(fd uintptr)) error {
	c.using.RLock()
	defer c.using.RUnlock()
	fd, _, _ := c.now()
	if fd < 0 {
		return socket.ErrClosed
	}
	f(uintptr(fd))
	return nil
}

// ---- System calls without a function in package syscall, and their errors.

// poll waits until one of two descriptors is readable, at most for the given time; negative means
// without limit. If it is interrupted, neither is readable.
func poll(fd, waker int, wait time.Duration) (readable, woken bool, err error) {
	const pollIn = 1
	fds := [2]struct {
		fd              int32
		events, revents int16
	}{{fd: int32(fd), events: pollIn}, {fd: int32(waker), events: pollIn}}
	var timeout *syscall.Timespec
	if wait >= 0 {
		t := syscall.NsecToTimespec(int64(wait))
		timeout = &t
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fds)), uintptr(len(fds)), uintptr(unsafe.Pointer(timeout)), 0, 0, 0)
	if errno != 0 && errno != syscall.EINTR {
		return false, false, errno
	}
	return errno == 0 && fds[0].revents != 0, errno == 0 && fds[1].revents != 0, nil
}

// drain empties the pipe.
func drain(waker int) {
	var buf [64]byte
	for {
		if n, err := syscall.Read(waker, buf[:]); n < len(buf) || err != nil {
			return
		}
	}
}

// wrap adds the name of the call that failed. WrapError adds the error of package socket that the
// number stands for; on a system whose numbers package syscall does not know, do it here.
func wrap(call string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", call, socket.WrapError(err))
}

func sockaddr(a netip.AddrPort) syscall.Sockaddr {
	if a.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func addrPort(sa syscall.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}
