//go:build unix && (!linux || 386)

package udp

import "syscall"

// sending sends with one system call per datagram, which does not wait.
type sending struct {
	p   []byte
	err error

	once func(fd uintptr) bool // made once: one per call would be allocated
}

func (out *sending) init() {
	out.once = func(fd uintptr) bool {
		for {
			// Package syscall does not wrap.
			if _, out.err = syscall.Write(int(fd), out.p); out.err != syscall.EINTR {
				return true
			}
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
	if err != nil {
		return err
	}
	return c.out.err
}
