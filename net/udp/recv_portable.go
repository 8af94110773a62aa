//go:build !linux || 386

package udp

import "sync/atomic"

// receiving is not needed where package net makes the system calls.
type receiving struct{}

func (*receiving) init(*atomic.Bool) {}

// tryRecv receives the next datagram, waiting for it until the deadline of the connection if wait
// is set.
func (c *conn) tryRecv(p []byte, wait bool) (int, error) { return c.recvPortably(p, wait) }
