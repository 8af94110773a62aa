//go:build linux && !386

package udp

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// truncated is the flag of a datagram that was cut off.
const truncated = syscall.MSG_TRUNC

// These system calls do not wait, and package syscall has no functions for them that do not
// allocate an address. The one that receives takes well under a microsecond, so RawSyscall does not
// inform the scheduler, which saves a tenth of the time.

// receiving receives with one system call per datagram.
type receiving struct {
	p       []byte
	none    byte // where the bytes of an empty buffer would be
	n       int
	errno   syscall.Errno
	refused *atomic.Bool

	untilReady func(fd uintptr) bool // made once: one per call would be allocated
	once       func(fd uintptr)
}

func (in *receiving) init(refused *atomic.Bool) {
	in.refused = refused
	in.untilReady = func(fd uintptr) bool {
		in.recvfrom(fd)
		return in.errno != syscall.EAGAIN || in.refused.Load()
	}
	in.once = in.recvfrom
}

// recvfrom takes the next datagram. With MSG_TRUNC the system returns its length even if it does
// not fit (recv(2)).
func (in *receiving) recvfrom(fd uintptr) {
	at := &in.none
	if len(in.p) > 0 {
		at = &in.p[0]
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(at)), uintptr(len(in.p)),
			syscall.MSG_DONTWAIT|syscall.MSG_TRUNC, 0, 0)
		if errno != syscall.EINTR {
			in.n, in.errno = int(n), errno
			return
		}
	}
}

// tryRecv receives the next datagram, waiting for it until the deadline of the connection if wait
// is set.
func (c *conn) tryRecv(p []byte, wait bool) (int, error) {
	if c.portable {
		return c.recvPortably(p, wait)
	}
	in := &c.in
	in.p = p
	var err error
	if wait {
		err = c.Raw.Read(in.untilReady)
	} else {
		err = c.Raw.Control(in.once)
	}
	in.p = nil
	switch {
	case err != nil:
		return 0, err
	case in.errno != 0:
		return 0, in.errno
	case in.n > len(p):
		return len(p), socket.ErrMessageTooLong
	}
	return in.n, nil
}

// sending sends with one system call per datagram.
type sending struct {
	p     []byte
	none  byte // where the bytes of an empty datagram would be
	errno syscall.Errno

	once func(fd uintptr) bool // made once: one per call would be allocated
}

func (out *sending) init() { out.once = out.sendto }

// sendto sends a datagram to the peer that the socket is connected to. It always returns true:
// there is no second attempt.
func (out *sending) sendto(fd uintptr) bool {
	at := &out.none
	if len(out.p) > 0 {
		at = &out.p[0]
	}
	for {
		_, _, out.errno = syscall.Syscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(at)), uintptr(len(out.p)),
			syscall.MSG_DONTWAIT, 0, 0)
		if out.errno != syscall.EINTR {
			return true
		}
	}
}

// trySend sends a datagram without waiting.
func (c *conn) trySend(p []byte) error {
	if c.portable {
		return c.sendPortably(p)
	}
	c.out.p = p
	err := c.Raw.Write(c.out.once)
	c.out.p = nil
	if err == nil && c.out.errno != 0 {
		err = c.out.errno
	}
	return err
}
