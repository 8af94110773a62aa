//go:build unix

package tcp

import (
	"io"
	"syscall"
)

// receiving receives without waiting.
type receiving struct {
	p   []byte
	n   int
	err error

	once func(fd uintptr) // made once: one per call would be allocated
}

func (in *receiving) init() {
	in.once = func(fd uintptr) {
		for {
			// Package syscall does not wrap.
			if in.n, in.err = syscall.Read(int(fd), in.p); in.err != syscall.EINTR {
				return
			}
		}
	}
}

// tryRecv receives data that has arrived.
func (c *conn) tryRecv(p []byte) (int, error) {
	if c.portable {
		return c.recvPortably(p)
	}
	in := &c.in
	in.p = p
	err := c.Raw.Control(in.once)
	in.p = nil
	switch {
	case err != nil:
		return 0, err
	case in.err != nil:
		return 0, in.err
	case in.n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return in.n, nil
}

// sending sends without waiting.
type sending struct {
	p   []byte
	n   int
	err error

	once func(fd uintptr) bool
}

func (out *sending) init() {
	out.once = func(fd uintptr) bool {
		for {
			// Package syscall does not wrap.
			if out.n, out.err = syscall.Write(int(fd), out.p); out.err != syscall.EINTR {
				return true
			}
		}
	}
}

// trySend sends as much as the system takes at once, possibly nothing.
func (c *conn) trySend(p []byte) (int, error) {
	if c.portable || len(p) == 0 {
		return 0, nil
	}
	out := &c.out
	out.p = p
	err := c.Raw.Write(out.once)
	out.p = nil
	switch {
	case err != nil:
		return 0, err
	case out.err == syscall.EAGAIN: // package syscall does not wrap
		return 0, nil
	case out.err != nil:
		return 0, out.err
	}
	return out.n, nil
}
